"""Silent devices that a silent gateway inhibits: which stay so, which are announced again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from alerts.book import SYSTEM
from alerts.paths import Explained
from city.alarm import Inhibition
from city.event import NewEvent
from db import inhibitions
from db.pool import Connection

# Conditions named in one entry of the event log; the number is there in any case.
NAMED = 200


def save_inhibitions(
    conn: Connection, found: Iterable[Inhibition], explained: Explained, now: datetime
) -> list[NewEvent]:
    """Store what is not announced any more or again; the entries for the event log.

    After a standstill nobody counts as silent for a while: what was inhibited then stays so until
    its device speaks or its gateway does.
    """
    before = {row.condition: row for row in inhibitions.list_inhibitions(conn)}
    wanted = {row.condition: row for row in found}
    for condition, row in before.items():
        if condition not in wanted and _stands(row, explained):
            wanted[condition] = row
    new = [
        row
        for condition, row in wanted.items()
        if condition not in before or before[condition].by_condition != row.by_condition
    ]
    over = [row for condition, row in before.items() if condition not in wanted]
    inhibitions.insert_inhibitions(conn, sorted(new, key=lambda row: row.condition))
    inhibitions.delete_inhibitions(conn, [row.condition for row in over])
    return [
        *_as_events("silence.inhibited", new, now),
        *_as_events("silence.released", over, now),
    ]


def _stands(row: Inhibition, explained: Explained) -> bool:
    device = explained.behind.get(row.device_id)
    blamed = explained.blame(row.device_id)
    if device is None or blamed is None:
        return False
    return blamed.condition == row.by_condition and device.last_at <= row.since


def _as_events(kind: str, rows: Iterable[Inhibition], now: datetime) -> list[NewEvent]:
    """One entry for each gateway and district, however many devices are behind it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.by_condition, row.district), []).append(row.condition)
    return [
        NewEvent(
            at=now,
            district=district,
            kind=kind,
            subject=by_condition,
            actor=SYSTEM,
            payload={"conditions": sorted(names)[:NAMED], "count": len(names)},
        )
        for (by_condition, district), names in sorted(groups.items())
    ]
