"""Changes of rules that are tried on the past: work of a minute, taken by one process at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from db.pool import Connection

# Whoever works on a trial beats every second; one that has not for so long is dead.
DEAD_AFTER = timedelta(seconds=15)
# A trial that killed so many processes is not tried again.
ATTEMPTS_MAX = 3
KEEP = timedelta(days=7)
OPEN = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class TrialRow:
    id: int
    district: str
    change: dict[str, Any]
    made_on: dict[str, int]
    asked_by: str
    asked_at: datetime
    state: str
    share: float
    result: dict[str, Any] | None
    problem: str
    ended_at: datetime | None


_COLUMNS = """
    id, district, change, made_on, asked_by, asked_at, state, share, result, problem, ended_at
"""


def insert_trial(
    conn: Connection,
    district: str,
    change: Mapping[str, Any],
    made_on: Mapping[str, int],
    asked_by: str,
    now: datetime,
) -> int:
    """Store what somebody wants to know; what the same person asked before is not wanted now."""
    conn.execute(
        """
        UPDATE rule_trial SET state = 'cancelled', ended_at = %s
        WHERE asked_by = %s AND district = %s AND state IN ('waiting', 'running')
        """,
        (now, asked_by, district),
    )
    row = conn.execute(
        """
        INSERT INTO rule_trial (district, change, made_on, asked_by, asked_at)
        VALUES (%s, %s, %s, %s, %s) RETURNING id
        """,
        (district, Jsonb(dict(change)), Jsonb(dict(made_on)), asked_by, now),
    ).fetchone()
    assert row is not None, "INSERT … RETURNING"
    return int(row[0])


def find_trial(conn: Connection, trial_id: int) -> TrialRow | None:
    with conn.cursor(row_factory=class_row(TrialRow)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM rule_trial WHERE id = %s", (trial_id,)
        ).fetchone()


def cancel(conn: Connection, trial_id: int, now: datetime) -> bool:
    """Whether it was still to be done; who works on it stops at its next beat."""
    done = conn.execute(
        """
        UPDATE rule_trial SET state = 'cancelled', ended_at = %s
        WHERE id = %s AND state IN ('waiting', 'running')
        """,
        (now, trial_id),
    )
    return done.rowcount > 0


def claim(conn: Connection, now: datetime) -> int | None:
    """The oldest trial that waits or whose process is dead, for the caller to work on; None: there
    is none, or another process is at one."""
    conn.execute(
        """
        UPDATE rule_trial SET state = 'failed', ended_at = %(now)s,
            problem = 'the process that tried it ended before it was done'
        WHERE state = 'running' AND beat_at < %(dead)s AND attempts >= %(most)s
        """,
        {"now": now, "dead": now - DEAD_AFTER, "most": ATTEMPTS_MAX},
    )
    row = conn.execute(
        """
        UPDATE rule_trial SET state = 'running', beat_at = %(now)s, attempts = attempts + 1,
            share = 0, result = NULL
        WHERE id = (
            SELECT id FROM rule_trial
            WHERE state = 'waiting' OR (state = 'running' AND beat_at < %(dead)s)
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
          AND NOT EXISTS (
            SELECT FROM rule_trial WHERE state = 'running' AND beat_at >= %(dead)s)
        RETURNING id
        """,
        {"now": now, "dead": now - DEAD_AFTER},
    ).fetchone()
    return None if row is None else int(row[0])


def beat(conn: Connection, trial_id: int, now: datetime) -> bool:
    """Whether the work is still wanted."""
    done = conn.execute(
        "UPDATE rule_trial SET beat_at = %s WHERE id = %s AND state = 'running'", (now, trial_id)
    )
    return done.rowcount > 0


def note_progress(
    conn: Connection, trial_id: int, share: float, so_far: Mapping[str, Any] | None
) -> None:
    conn.execute(
        """
        UPDATE rule_trial SET share = greatest(share, %s), result = COALESCE(%s, result)
        WHERE id = %s AND state = 'running'
        """,
        (share, None if so_far is None else Jsonb(dict(so_far)), trial_id),
    )


def finish(
    conn: Connection,
    trial_id: int,
    now: datetime,
    *,
    result: Mapping[str, Any] | None = None,
    problem: str = "",
) -> None:
    """The work is done, or cannot be."""
    conn.execute(
        """
        UPDATE rule_trial SET state = %s, share = 1, ended_at = %s, result = %s, problem = %s
        WHERE id = %s AND state = 'running'
        """,
        (
            "failed" if problem else "done", now,
            None if result is None else Jsonb(dict(result)), problem, trial_id,
        ),
    )  # fmt: skip


def forget(conn: Connection, now: datetime) -> None:
    """Old results say nothing of today's rules."""
    conn.execute("DELETE FROM rule_trial WHERE asked_at < %s", (now - KEEP,))
