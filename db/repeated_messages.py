"""Messages without a time of their own: known by what they say while they may come again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from db.arrays import Int8, column_cursor
from db.pool import Connection

# How long a message is remembered after the last sign of life of the inbox and of every storing
# worker: longer than one needs to store what it holds. What was not acknowledged comes again when
# the session is taken up; the broker keeps it for a day.
KEEP = timedelta(hours=1)
KEEP_AT_MOST = timedelta(hours=26)


def insert_seen(conn: Connection, again: Mapping[int, bool], received_at: datetime) -> set[int]:
    """Remember these keys, each with whether its message came again; gives the unknown ones."""
    keys = np.array(sorted(again), np.int64)  # all workers lock in the same order
    rows = column_cursor(conn).execute(
        """
        INSERT INTO message_seen (key, again, received_at)
        SELECT key, again, %(at)s FROM unnest(%(keys)b, %(again)s::boolean[]) AS seen (key, again)
        ORDER BY key
        ON CONFLICT DO NOTHING
        RETURNING key
        """,
        {"keys": Int8(keys), "again": [again[key] for key in keys.tolist()], "at": received_at},
    )
    return {row[0] for row in rows}


def list_seen_again(conn: Connection, keys: list[int]) -> set[int]:
    """Those of these keys that were stored from a copy that the broker had sent before."""
    rows = conn.execute("SELECT key FROM message_seen WHERE key = ANY(%s) AND again", (keys,))
    return {row[0] for row in rows}


def forget_seen(conn: Connection, now: datetime) -> int:
    """Drop what cannot come again; how many went."""
    return conn.execute(
        """
        DELETE FROM message_seen
        WHERE received_at < %(now)s - %(most)s
           OR received_at < %(now)s - %(keep)s AND received_at < (
                SELECT coalesce(min(seen_at), %(now)s) FROM (
                    SELECT seen_at FROM ingest_worker UNION ALL SELECT seen_at FROM inbox_lease
                ) AS alive) - %(keep)s
        """,
        {"now": now, "keep": KEEP, "most": KEEP_AT_MOST},
    ).rowcount
