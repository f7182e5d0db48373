"""Who may change who may come in, and the row in the event log of every such change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from city.errors import Forbidden
from city.event import NewEvent
from city.person import ADMINISTRATORS, Caller
from db.events import append_events
from db.pool import Connection


def check_administrator(caller: Caller) -> None:
    """Refuse whoever is not an administrator."""
    if caller.role not in ADMINISTRATORS:
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: admin")


def tell(
    conn: Connection, caller: Caller, now: datetime, kind: str, name: str, **payload: Any
) -> None:
    """Append `kind` (what it is about, a dot, what happened) to the event log."""
    told = {key: value for key, value in payload.items() if value is not None}
    subject = f"{kind.partition('.')[0]}:{name}"
    append_events(conn, [NewEvent(now, caller.district, kind, subject, caller.name, told)])
