"""Stored readings, device by device in the order of time, for looking back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from psycopg.rows import class_row

from columns.readings import CLOCKS_AGREE
from db.pool import Connection
from db.readings import MOST_AHEAD

# Rows fetched at a time; a year of one metric does not fit into memory.
PAGE = 10_000
# Further back nobody looks for the reading before another one: few devices report less often.
LONGEST_GAP = timedelta(days=1)
# Readings of one metric that are looked at around a late one: two days at one in half a minute.
AROUND_LIMIT = 5_000


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
    """Values of a metric that are at least or at most so much."""

    metric_id: int
    at_least: float | None
    at_most: float | None


def list_reaching(
    conn: Connection, reaches: Sequence[Reach], from_: datetime, to: datetime
) -> set[int]:
    """Devices with a value in one of these ranges in [from_, to): few of a fleet, found without
    taking the readings out of the database."""
    rows = conn.execute(
        """
        SELECT DISTINCT r.device_id
        FROM reading r
        JOIN unnest(%(metrics)s::smallint[], %(least)s::float8[], %(most)s::float8[])
             AS reach (metric_id, at_least, at_most) ON reach.metric_id = r.metric_id
        WHERE r.metric_id = ANY(%(metrics)s::smallint[]) AND r.ts >= %(from)s AND r.ts < %(to)s
          AND (r.value >= reach.at_least OR r.value <= reach.at_most)
        """,
        {
            "metrics": [reach.metric_id for reach in reaches],
            "least": [reach.at_least for reach in reaches],
            "most": [reach.at_most for reach in reaches],
            "from": from_,
            "to": to,
        },
    ).fetchall()
    return {row[0] for row in rows}


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
    """Readings of one metric of a device from `lead` before the last one before `ts`."""

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
                ORDER BY reading.ts DESC
                LIMIT 1
            ) before
        ) previous
        CROSS JOIN LATERAL (
            SELECT ts, received_at, value, quality FROM reading
            WHERE reading.device_id = wanted.device_id AND reading.metric_id = wanted.metric_id
              AND reading.ts >= coalesce(previous.ts, wanted.ts) - wanted.lead
              AND least(reading.ts, received_at + %(agree)s)
                  >= coalesce(previous.ts, wanted.ts) - wanted.lead
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
        },
    )
    for place, *reading in rows:
        yield place, MetricReading(*reading)
