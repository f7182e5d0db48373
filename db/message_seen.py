"""Messages without a time of their own: known by what they say while they may come again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from db.arrays import Int8, column_cursor
from db.pool import Connection

# How long a message is remembered: longer than a broker or a network server takes to send it again.
KEEP = timedelta(hours=1)


def insert_seen(conn: Connection, keys: Sequence[int], received_at: datetime) -> set[int]:
    """Remember these; gives those that were not known."""
    # All workers lock in the same order.
    column = Int8(np.array(sorted(set(keys)), np.int64))
    rows = column_cursor(conn).execute(
        """
        INSERT INTO message_seen (key, received_at)
        SELECT key, %(at)s FROM unnest(%(keys)b) AS key
        ON CONFLICT DO NOTHING
        RETURNING key
        """,
        {"keys": column, "at": received_at},
    )
    return {row[0] for row in rows}


def forget_seen(conn: Connection, before: datetime) -> int:
    """Drop what cannot come again; how many went."""
    return conn.execute("DELETE FROM message_seen WHERE received_at < %s", (before,)).rowcount
