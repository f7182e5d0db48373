"""What the scheduler does once a second, for tests that hold their transaction open."""

from __future__ import annotations

from datetime import datetime

from alerts.steps import tick_by_district
from db.pool import Connection


def tick(conn: Connection, now: datetime) -> int:
    """Everything that is due at `now`; answers how many alarms changed."""
    return sum(tick_by_district(conn, now))
