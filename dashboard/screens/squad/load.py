"""What the phone of a squad reads: its open incidents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from city.person import Caller
from dashboard.screens.detail.load import facts_of
from dashboard.shell.parts import parts
from db.pool import transaction


def my_tasks(caller: Caller) -> list[dict[str, Any]]:
    """The open incidents of the caller's squad; `actions` are those to offer."""
    now = datetime.now(UTC)
    if caller.squad is None:
        return []
    rows = parts().walls.of(caller.scope).open_incidents(caller.squad)
    with transaction(parts().pool) as conn:
        found = [facts_of(conn, caller, row.id, now) for row in rows]
    return [{**row, "actions": row["offered"]} for row in found]
