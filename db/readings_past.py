"""Stored readings, device by device in the order of time, for looking back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row
from psycopg.sql import SQL, Literal

from city.reading import ENDING
from columns.readings import CLOCKS_AGREE
from db.pool import Connection
from db.readings import MOST_AHEAD

# Rows fetched at a time; a year of one metric does not fit into memory.
PAGE = 10_000
# Further back nobody looks for the reading before another one: few devices report less often.
LONGEST_GAP = timedelta(days=1)
# Readings of one metric that are looked at around a late one: two days at one in half a minute.
AROUND_LIMIT = 5_000
# Of a binary COPY: signature, flags and length of the extension before the first row, the mark
# after the last one. Times are microseconds since 2000.
COPY_HEAD, COPY_TAIL = 19, 2
YEAR_2000_US = 946_684_800_000_000
READING_FIELDS = (("device_id", ">i4"), ("ts", ">i8"), ("received", ">i8"), ("value", ">f8"),
                  ("quality", ">i2"))  # fmt: skip
# Bytes that become an array at a time.
COPY_PART = 32 << 20


@dataclass(frozen=True, slots=True)
class PastReading:
    device_id: int
    metric_id: int
    ts: datetime
    received_at: datetime
    value: float
    quality: int


def by_device(
    conn: Connection,
    metric_ids: Sequence[int],
    device_ids: Sequence[int],
    from_: datetime,
    to: datetime,
) -> Iterator[tuple[int, Iterator[PastReading]]]:
    """(device, its readings in the order of time), streamed by a cursor on the server."""
    with conn.cursor(name="readings_past", row_factory=class_row(PastReading)) as cursor:
        cursor.itersize = PAGE
        cursor.execute(
            """
            SELECT device_id, metric_id, ts, received_at, value, quality FROM reading
            WHERE metric_id = ANY(%s) AND device_id = ANY(%s) AND ts >= %s AND ts < %s
            ORDER BY device_id, ts, metric_id
            """,
            (list(metric_ids), list(device_ids), from_, to),
        )
        yield from groupby(cursor, key=attrgetter("device_id"))


@dataclass(frozen=True, slots=True)
class Reach:
    """Values of a metric that are at least so much, or at most; None: no bound on that side."""

    metric_id: int
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings of one metric as arrays, in no order."""

    device_id: NDArray[np.int32]
    ts_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int16]


def list_reaching(
    conn: Connection, reaches: Sequence[Reach], from_: datetime, to: datetime
) -> set[tuple[int, int]]:
    """(metric, device) of which a value is in one of these ranges in [from_, to): few of a fleet.
    One pass over all readings, so that those of the others never leave the database."""
    asked = [
        (reach.metric_id, sign, bound)
        for reach in set(reaches)
        for sign, bound in ((">=", reach.at_least), ("<=", reach.at_most))
        if bound is not None
    ]
    if not asked:
        return set()
    # Written out: the planner filters by constants several times as fast as by a join with them.
    ranges = SQL(" OR ").join(
        SQL("metric_id = {} AND value {} {}").format(Literal(metric), SQL(sign), Literal(bound))
        for metric, sign, bound in sorted(asked)
    )
    rows = conn.execute(
        SQL(
            "SELECT DISTINCT metric_id, device_id FROM reading WHERE ts >= {} AND ts < {} AND ({})"
        ).format(Literal(from_), Literal(to), ranges)
    ).fetchall()
    return {(row[0], row[1]) for row in rows}


def copy_readings(
    conn: Connection,
    metric_id: int,
    device_ids: Sequence[int] | None,
    from_: datetime,
    to: datetime,
) -> Rows:
    """All readings of one metric in [from_, to), or those of `device_ids`."""
    query = """
        COPY (SELECT device_id, ts, received_at, value, quality FROM reading
              WHERE metric_id = %s AND ts >= %s AND ts < %s
                AND (%s::int[] IS NULL OR device_id = ANY(%s::int[])))
        TO STDOUT (FORMAT binary)
    """
    ids = None if device_ids is None else list(device_ids)
    return _as_rows(_copy(conn, query, (metric_id, from_, to, ids, ids), READING_FIELDS))


def copy_since(
    conn: Connection, metric_id: int, since: Mapping[int, datetime], to: datetime
) -> Rows:
    """The readings of one metric of devices, of each from its moment on and before `to`."""
    query = """
        COPY (SELECT found.device_id, found.ts, received_at, value, quality
              FROM unnest(%s::int[], %s::timestamptz[]) AS wanted (id, since)
              CROSS JOIN LATERAL (
                  SELECT device_id, ts, received_at, value, quality FROM reading
                  WHERE device_id = wanted.id AND metric_id = %s AND ts >= wanted.since
                    AND ts >= %s AND ts < %s -- the same for all: leaves out old chunks
              ) found)
        TO STDOUT (FORMAT binary)
    """
    if not since:
        return _as_rows([])
    params = (list(since), list(since.values()), metric_id, min(since.values()), to)
    return _as_rows(_copy(conn, query, params, READING_FIELDS))


def _as_rows(parts: Sequence[NDArray[Any]]) -> Rows:
    def column(name: str, dtype: type[Any]) -> NDArray[Any]:
        if not parts:
            return np.zeros(0, dtype)
        return np.concatenate([part[name].astype(dtype) for part in parts])

    return Rows(
        column("device_id", np.int32),
        column("ts", np.int64) + YEAR_2000_US,
        column("received", np.int64) + YEAR_2000_US,
        column("value", np.float64),
        column("quality", np.int16),
    )


def _copy(
    conn: Connection, query: str, params: Sequence[Any], fields: Sequence[tuple[str, str]]
) -> list[NDArray[Any]]:
    """The rows of a binary COPY without nulls: every field has its length before it, so that all
    rows are equally long and are read as one array."""
    parts: list[tuple[str, str]] = [("count", ">i2")]
    for name, kind in fields:
        parts += [(f"{name}_length", ">i4"), (name, kind)]
    dtype = np.dtype(parts)
    found: list[NDArray[Any]] = []
    waiting = bytearray()
    is_head = True
    with conn.cursor() as cursor, cursor.copy(query, params) as copy:
        for block in copy:
            waiting += block
            if is_head and len(waiting) >= COPY_HEAD:
                del waiting[:COPY_HEAD]
                is_head = False
            if not is_head and len(waiting) >= COPY_PART:
                whole = len(waiting) // dtype.itemsize * dtype.itemsize
                found.append(np.frombuffer(bytes(waiting[:whole]), dtype))
                del waiting[:whole]
    whole = (len(waiting) - COPY_TAIL) // dtype.itemsize * dtype.itemsize
    if not is_head and whole > 0:
        found.append(np.frombuffer(bytes(waiting[:whole]), dtype))
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """What is at hand of one metric of a device: so many readings from `since` on."""

    device_id: int
    metric_id: int
    since: datetime
    at_hand: int


def find_with_more(conn: Connection, spans: Sequence[Span]) -> list[int]:
    """Numbers of the spans of which more readings are stored than are at hand.

    A reading counts by its credible time (`columns.readings.credible_us`), which is never later
    than its own: the index finds it by that."""
    if not spans:
        return []
    rows = conn.execute(
        """
        SELECT place::int - 1
        FROM unnest(%(devices)s::int[], %(metrics)s::smallint[], %(since)s::timestamptz[],
                    %(at_hand)s::int[])
             WITH ORDINALITY AS span (device_id, metric_id, since, at_hand, place)
        WHERE at_hand < (
            SELECT count(*) FROM (
                SELECT FROM reading
                WHERE reading.device_id = span.device_id AND reading.metric_id = span.metric_id
                  AND ts >= span.since
                  AND least(ts, received_at + %(agree)s) >= span.since
                  AND ts >= %(oldest)s -- the same for all: leaves out old chunks
                LIMIT span.at_hand + 1
            ) stored)
        """,
        {
            "devices": [span.device_id for span in spans],
            "metrics": [span.metric_id for span in spans],
            "since": [span.since for span in spans],
            "at_hand": [span.at_hand for span in spans],
            "oldest": min(span.since for span in spans),
            "agree": CLOCKS_AGREE,
        },
    ).fetchall()
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class Around:
    """Readings of one metric of a device from `lead` before the last one before `ts` that may end
    an alarm, a day back at most: a doubtful one leaves open whether a delay has run out."""

    device_id: int
    metric_id: int
    ts: datetime
    lead: timedelta


@dataclass(frozen=True, slots=True)
class MetricReading:
    metric_id: int
    ts: datetime  # the credible one
    received_at: datetime
    value: float
    quality: int


def list_around(conn: Connection, wanted: Sequence[Around]) -> Iterator[tuple[int, MetricReading]]:
    """(number in `wanted`, reading), newest first, up to `AROUND_LIMIT` of each."""
    if not wanted:
        return
    rows = conn.execute(
        """
        SELECT place::int - 1, wanted.metric_id::int, least(found.ts, received_at + %(agree)s),
               received_at, value, quality::int
        FROM unnest(%(devices)s::int[], %(metrics)s::smallint[], %(ts)s::timestamptz[],
                    %(lead)s::interval[])
             WITH ORDINALITY AS wanted (device_id, metric_id, ts, lead, place)
        CROSS JOIN LATERAL (
            SELECT max(ts) AS ts FROM (
                SELECT least(ts, received_at + %(agree)s) AS ts FROM reading
                WHERE reading.device_id = wanted.device_id
                  AND reading.metric_id = wanted.metric_id
                  AND reading.ts < wanted.ts + %(ahead)s AND reading.ts >= wanted.ts - %(gap)s
                  AND reading.ts >= %(oldest)s
                  AND least(reading.ts, received_at + %(agree)s) < wanted.ts
                  AND quality = ANY(%(ending)s)
                ORDER BY reading.ts DESC
                LIMIT 1
            ) before
        ) previous
        CROSS JOIN LATERAL (
            SELECT ts, received_at, value, quality FROM reading
            WHERE reading.device_id = wanted.device_id AND reading.metric_id = wanted.metric_id
              AND reading.ts >= coalesce(previous.ts, wanted.ts - %(gap)s) - wanted.lead
              AND least(reading.ts, received_at + %(agree)s)
                  >= coalesce(previous.ts, wanted.ts - %(gap)s) - wanted.lead
              AND reading.ts >= %(oldest)s
            ORDER BY ts DESC
            LIMIT %(limit)s
        ) found
        """,
        {
            "devices": [w.device_id for w in wanted],
            "metrics": [w.metric_id for w in wanted],
            "ts": [w.ts for w in wanted],
            "lead": [w.lead for w in wanted],
            "gap": LONGEST_GAP,
            "oldest": min(w.ts - w.lead for w in wanted) - LONGEST_GAP,
            "limit": AROUND_LIMIT,
            "agree": CLOCKS_AGREE,
            "ahead": MOST_AHEAD,
            "ending": [int(quality) for quality in ENDING],
        },
    )
    for place, *reading in rows:
        yield place, MetricReading(*reading)
