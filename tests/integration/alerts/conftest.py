"""Fixtures of the alarm engine's tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from alerts.steps import apply_rules, default_rules
from city.incident import Role
from city.person import Caller
from db.pool import Connection
from tests.integration.alerts.engine_city import DISTRICT, Engine


@pytest.fixture
def engine(db: Connection, now: datetime) -> Engine:
    """The demo's own devices are put out of the way, so that only the test's count."""
    apply_rules(db, "system", default_rules(), now)
    db.execute("DELETE FROM device_latest")
    row = db.execute("SELECT seq FROM event_head").fetchone()
    assert row is not None
    return Engine(db, now, first_seq=row[0])


@pytest.fixture
def person() -> Callable[[Role], Caller]:
    return lambda role: Caller(f"a {role.value}", role, DISTRICT)
