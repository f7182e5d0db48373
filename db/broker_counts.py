"""What the broker told of itself: publishes it received and dropped, a row a minute of its life."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg.rows import class_row

from db.pool import Connection

# The broker tells whole seconds, and tells them up to an interval late: by this much two looks at
# one life may disagree about when it began.
LIFE_SLACK = timedelta(seconds=15)
KEEP = timedelta(days=90)
RECORD_LOCK = 0x6772_6963


@dataclass(frozen=True, slots=True)
class BrokerCount:
    """One look at a broker: counters since it started. `version` '' is a broker that tells
    nothing; then the counters are 0."""

    looked_at: datetime
    version: str
    uptime_s: int
    received: int  # publishes of all clients, whatever the topic
    dropped: int  # deliveries given up: a queue was full, or a client away was owed too much

    @property
    def started_at(self) -> datetime:
        return self.looked_at - timedelta(seconds=self.uptime_s)


@dataclass(frozen=True, slots=True)
class CountRow:
    """The last look of a minute. `dropped_new` were dropped between `since_at` and then."""

    started_at: datetime
    minute: datetime
    looked_at: datetime
    version: str
    uptime_s: int
    received: int
    dropped: int
    dropped_new: int
    since_at: datetime
    is_restart: bool


def next_row(before: CountRow | None, look: BrokerCount) -> CountRow:
    """What one more look adds to the one before, of whatever minute.

    In one life counters only grow, and what was dropped while nobody looked is found at the next
    look. A broker that started again counts from 0: all it has dropped is new. Of one that is met
    for the first time nobody knows when it dropped what it did; that is no news."""
    minute = look.looked_at.replace(second=0, microsecond=0)
    fresh = CountRow(
        look.started_at, minute, look.looked_at, look.version, look.uptime_s, look.received,
        look.dropped, 0, look.looked_at, False,
    )  # fmt: skip
    if not look.version:  # told nothing: one row a minute says so
        return replace(fresh, started_at=minute)
    if before is None or not before.version:
        return fresh
    if is_restart(before, look):
        return replace(fresh, dropped_new=look.dropped, since_at=before.looked_at, is_restart=True)
    new = look.dropped - before.dropped
    row = replace(fresh, started_at=before.started_at, dropped_new=new, since_at=before.looked_at)
    if before.minute != minute:
        return row
    return replace(
        row, dropped_new=before.dropped_new + new, since_at=before.since_at,
        is_restart=before.is_restart,
    )  # fmt: skip


def is_restart(before: CountRow, look: BrokerCount) -> bool:
    """Another life: a counter fell, or it began later than the one before (by a clock that may
    have been set, hence only where the counters could be of a new life too)."""
    if look.received < before.received or look.dropped < before.dropped:
        return True
    return look.uptime_s < before.uptime_s or (look.started_at > before.looked_at + LIFE_SLACK)


def record(conn: Connection, look: BrokerCount) -> None:
    """Take in one look, whoever else looks too: at most one row a minute is kept."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (RECORD_LOCK,))
    before = latest(conn)
    if before is not None and look.looked_at <= before.looked_at:
        return
    row = next_row(before, look)
    conn.execute(
        """
        INSERT INTO broker_count
            (started_at, minute, looked_at, version, uptime_s, received, dropped, dropped_new,
             since_at, is_restart)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (started_at, minute) DO UPDATE
        SET looked_at = excluded.looked_at, version = excluded.version,
            uptime_s = excluded.uptime_s, received = excluded.received,
            dropped = excluded.dropped, dropped_new = excluded.dropped_new
        """,
        (
            row.started_at, row.minute, row.looked_at, row.version, row.uptime_s, row.received,
            row.dropped, row.dropped_new, row.since_at, row.is_restart,
        ),
    )  # fmt: skip


def latest(conn: Connection) -> CountRow | None:
    """The newest look."""
    with conn.cursor(row_factory=class_row(CountRow)) as cursor:
        return cursor.execute(
            """
            SELECT started_at, minute, looked_at, version, uptime_s, received, dropped,
                   dropped_new, since_at, is_restart
            FROM broker_count ORDER BY looked_at DESC LIMIT 1
            """
        ).fetchone()


def list_counts(conn: Connection, from_: datetime, to: datetime) -> list[CountRow]:
    """Looks from `from_` to `to`, oldest first."""
    with conn.cursor(row_factory=class_row(CountRow)) as cursor:
        return cursor.execute(
            """
            SELECT started_at, minute, looked_at, version, uptime_s, received, dropped,
                   dropped_new, since_at, is_restart
            FROM broker_count WHERE looked_at >= %s AND since_at < %s ORDER BY looked_at
            """,
            (from_, to),
        ).fetchall()


def forget(conn: Connection, now: datetime) -> None:
    """Looks too old for anybody."""
    conn.execute("DELETE FROM broker_count WHERE looked_at < %s", (now - KEEP,))
