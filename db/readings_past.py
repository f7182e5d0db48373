"""Stored readings of one metric, device by device in the order of time, for looking back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from psycopg.rows import class_row

from db.pool import Connection

# Rows fetched at a time; a year of one metric does not fit into memory.
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class PastReading:
    device_id: int
    ts: datetime
    received_at: datetime
    value: float
    quality: int


def by_device(
    conn: Connection, metric_id: int, device_ids: Sequence[int], from_: datetime, to: datetime
) -> Iterator[tuple[int, Iterator[PastReading]]]:
    """(device, its readings in the order of time), streamed by a cursor on the server."""
    with conn.cursor(name="readings_past", row_factory=class_row(PastReading)) as cursor:
        cursor.itersize = PAGE
        cursor.execute(
            """
            SELECT device_id, ts, received_at, value, quality FROM reading
            WHERE metric_id = %s AND device_id = ANY(%s) AND ts >= %s AND ts < %s
            ORDER BY device_id, ts
            """,
            (metric_id, list(device_ids), from_, to),
        )
        yield from groupby(cursor, key=attrgetter("device_id"))
