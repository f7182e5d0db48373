"""Who may take messages from the broker, and what earlier versions left there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from db.pool import Connection

# A holder that renewed nothing for so long is frozen or cut off, and another takes its place. One
# that is dead is noticed at once: its connection to the database is gone.
EXPIRES = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Lease:
    """The process that holds a session, and how long ago it said so, by the database's clock."""

    session: str
    process: str
    held_since: datetime
    silent_s: float
    released: bool

    @property
    def is_held(self) -> bool:
        return not self.released and self.silent_s <= EXPIRES.total_seconds()


@dataclass(frozen=True, slots=True)
class LeftSession:
    """A session of an earlier version that may hold messages and queues more."""

    client_id: str
    filters: list[str]


def hold(conn: Connection, session: str, holder: str, process: str) -> bool:
    """Take or keep the lease; False while another process has it."""
    return (
        conn.execute(
            """
            INSERT INTO inbox_lease AS lease
                (session, holder, process, backend_pid, backend_at, held_since, seen_at)
            SELECT %(session)s, %(holder)s, %(process)s, pid, backend_start,
                   clock_timestamp(), clock_timestamp()
            FROM pg_stat_activity WHERE pid = pg_backend_pid()
            ON CONFLICT (session) DO UPDATE
            SET holder = excluded.holder, process = excluded.process,
                backend_pid = excluded.backend_pid, backend_at = excluded.backend_at,
                seen_at = excluded.seen_at, released = false,
                held_since = CASE WHEN lease.holder = excluded.holder THEN lease.held_since
                                  ELSE excluded.held_since END
            WHERE lease.holder = excluded.holder OR lease.released
               OR lease.seen_at < clock_timestamp() - %(expires)s
               OR NOT EXISTS (
                    SELECT FROM pg_stat_activity
                    WHERE pid = lease.backend_pid AND backend_start = lease.backend_at)
            """,
            {"session": session, "holder": holder, "process": process, "expires": EXPIRES},
        ).rowcount
        > 0
    )


def exchange_filters(conn: Connection, session: str, filters: Sequence[str]) -> list[str]:
    """Note what the session is subscribed to; gives what it was before."""
    row = conn.execute(
        """
        WITH before AS (
            SELECT session, filters FROM inbox_lease WHERE session = %s FOR UPDATE
        )
        UPDATE inbox_lease SET filters = %s FROM before
        WHERE inbox_lease.session = before.session
        RETURNING before.filters
        """,
        (session, list(filters)),
    ).fetchone()
    return list(row[0]) if row else []


def release(conn: Connection, session: str, holder: str) -> None:
    """Leave in order: whoever stands by need not wait."""
    conn.execute(
        "UPDATE inbox_lease SET released = true WHERE session = %s AND holder = %s",
        (session, holder),
    )


def list_leases(conn: Connection) -> list[Lease]:
    """Every session and who has it."""
    with conn.cursor(row_factory=class_row(Lease)) as cursor:
        return cursor.execute(
            """
            SELECT session, process, held_since, released,
                   extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent_s
            FROM inbox_lease ORDER BY session
            """
        ).fetchall()


def list_left(conn: Connection) -> Sequence[LeftSession]:
    """Sessions that still have to be emptied."""
    with conn.cursor(row_factory=class_row(LeftSession)) as cursor:
        return cursor.execute(
            "SELECT client_id, filters FROM left_session ORDER BY client_id"
        ).fetchall()


def forget_left(conn: Connection, client_id: str) -> None:
    """One is emptied and ended."""
    conn.execute("DELETE FROM left_session WHERE client_id = %s", (client_id,))
