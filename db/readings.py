"""Readings: stored once each, the latest of every metric beside them, history for a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import class_row

from city.errors import InvalidInput
from city.moment import EPOCH, as_microseconds
from city.reading import METRICS
from columns.readings import CLOCKS_AGREE, Mask, RawValues, Rows, credible_us, last_of_metric
from db.arrays import POSTGRES_EPOCH_US, Float8, Int2, Int4, Timestamptz, column_cursor, copy_body
from db.pool import Connection

# No reading is stored that is further ahead of its receipt (`wire.quality.FUTURE_LIMIT`).
MOST_AHEAD = timedelta(minutes=10)

# A history without a bucket is read from the finest source that gives a few thousand points.
RAW_UP_TO = timedelta(hours=6)
MINUTES_UP_TO = timedelta(days=3)
# Points of one answer; a longer range wants a larger bucket.
HISTORY_LIMIT = 20_000
# Lengths of buckets that are chosen here: people can read them off an axis. Whole hours, from
# where on they are long enough, come from the small roll-up.
BUCKETS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
) + tuple(timedelta(days=days) for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))


def insert_readings(conn: Connection, rows: Rows, raws: RawValues, fresh: Mask) -> Mask:
    """Store sorted rows without repeats; True where a row was not there before.

    `fresh` marks rows believed to be newer than anything stored. They go in by COPY, which is
    more than twice as fast but fails as a whole on a repeat; belief may be wrong, the unique
    index decides.
    """
    new = np.zeros(len(rows), dtype=bool)
    if fresh.any():
        try:
            with conn.transaction():
                _copy(conn, rows, raws, np.flatnonzero(fresh))
            new |= fresh
        except psycopg.errors.UniqueViolation:
            fresh = np.zeros(len(rows), dtype=bool)
    doubtful = np.flatnonzero(~fresh)
    if len(doubtful):
        new[doubtful] = _insert_missing(conn, rows, raws, doubtful)
    return new


def _copy(conn: Connection, rows: Rows, raws: RawValues, chosen: NDArray[np.intp]) -> None:
    plain = rows[[i for i in chosen if i not in raws]] if raws else rows[chosen]
    with conn.cursor() as cursor:
        if len(plain):
            with cursor.copy(
                """
                COPY reading (ts, device_id, metric_id, value, received_at, quality)
                FROM STDIN (FORMAT BINARY)
                """
            ) as copy:
                copy.write(
                    copy_body(
                        [
                            (">i8", plain["ts_us"] - POSTGRES_EPOCH_US),
                            (">i4", plain["device_id"]),
                            (">i2", plain["metric_id"]),
                            (">f8", plain["value"]),
                            (">i8", plain["received_us"] - POSTGRES_EPOCH_US),
                            (">i2", plain["quality"]),
                        ]
                    )
                )
        if len(plain) < len(chosen):
            _copy_with_raw_values(cursor, rows, raws, [int(i) for i in chosen if i in raws])


def _copy_with_raw_values(
    cursor: psycopg.Cursor[Any], rows: Rows, raws: RawValues, chosen: list[int]
) -> None:
    with cursor.copy(
        """
        COPY reading (ts, device_id, metric_id, value, received_at, quality, raw_value, raw_unit)
        FROM STDIN
        """
    ) as copy:
        for number in chosen:
            row = rows[number]
            copy.write_row(
                (
                    _as_datetime(row["ts_us"]), int(row["device_id"]), int(row["metric_id"]),
                    float(row["value"]), _as_datetime(row["received_us"]), int(row["quality"]),
                    *raws[number],
                )
            )  # fmt: skip


def _insert_missing(
    conn: Connection, rows: Rows, raws: RawValues, chosen: NDArray[np.intp]
) -> Mask:
    """Insert what is not there yet; True for each row that was inserted."""
    some = rows[chosen]
    texts = [raws.get(int(number), (None, None)) for number in chosen]
    inserted = column_cursor(conn).execute(
        """
        INSERT INTO reading
            (ts, device_id, metric_id, value, received_at, quality, raw_value, raw_unit)
        SELECT * FROM unnest(
            %(ts)b, %(device)b, %(metric)b, %(value)b, %(received)b, %(quality)b,
            %(raw_value)s::text[], %(raw_unit)s::text[])
        ON CONFLICT DO NOTHING
        RETURNING device_id, metric_id, ts
        """,
        _columns(some)
        | {"raw_value": [text[0] for text in texts], "raw_unit": [text[1] for text in texts]},
    )
    if inserted.rowcount == len(some):
        return np.ones(len(some), dtype=bool)
    keys = {(device, metric, as_microseconds(ts)) for device, metric, ts in inserted}
    return np.array([_key(row) in keys for row in some], dtype=bool)


def upsert_latest(conn: Connection, rows: Rows) -> None:
    """Move the latest value of each (device, metric) forward, never back; rows are sorted. A
    reading from the future gives way to whatever is measured after its receipt.

    Nearly always all of them are there and older. UPDATE costs a quarter less than
    INSERT … ON CONFLICT, which locks every row, and logs the lock, before it changes it.
    """
    newest = _newest(rows)
    if len(newest) and _update_latest(conn, newest) < len(newest):
        _insert_latest(conn, newest)


def _newest(rows: Rows) -> Rows:
    """Of sorted rows the newest of every (device, metric) by its credible time."""
    credible = credible_us(rows)
    if (credible != rows["ts_us"]).any():
        keys = (rows["ts_us"], credible, rows["metric_id"], rows["device_id"])
        rows = rows[np.lexsort(keys)]
    return rows[last_of_metric(rows)]


def _update_latest(conn: Connection, newest: Rows) -> int:
    """Give the number of rows that were there and older."""
    with conn.transaction():
        # A nested loop takes the rows, and so the locks, in our order; other joins may deadlock.
        conn.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        updated = column_cursor(conn).execute(
            """
            UPDATE device_latest AS latest
            SET ts = new.ts, value = new.value,
                received_at = new.received_at, quality = new.quality
            FROM unnest(%(ts)b, %(device)b, %(metric)b, %(value)b, %(received)b, %(quality)b)
                AS new (ts, device_id, metric_id, value, received_at, quality)
            WHERE latest.device_id = new.device_id AND latest.metric_id = new.metric_id
              -- The first line is nearly always enough; the others calculate.
              AND (new.ts > latest.ts AND new.ts <= new.received_at
                   OR (least(new.ts, new.received_at + %(agree)s), new.ts)
                    > (least(latest.ts, latest.received_at + %(agree)s), latest.ts))
            """,
            _columns(newest) | {"agree": CLOCKS_AGREE},
        )
        conn.execute("SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT")
    return updated.rowcount


def _insert_latest(conn: Connection, newest: Rows) -> None:
    """Take in what was not there; another writer may do the same at the same moment."""
    column_cursor(conn).execute(
        """
        INSERT INTO device_latest AS latest (ts, device_id, metric_id, value, received_at, quality)
        SELECT * FROM unnest(
            %(ts)b, %(device)b, %(metric)b, %(value)b, %(received)b, %(quality)b)
            AS new (ts, device_id, metric_id, value, received_at, quality)
        WHERE NOT EXISTS (
            SELECT FROM device_latest AS known
            WHERE known.device_id = new.device_id AND known.metric_id = new.metric_id
              AND (least(known.ts, known.received_at + %(agree)s), known.ts)
               >= (least(new.ts, new.received_at + %(agree)s), new.ts))
        ORDER BY device_id, metric_id
        ON CONFLICT (device_id, metric_id) DO UPDATE
        SET ts = excluded.ts, value = excluded.value,
            received_at = excluded.received_at, quality = excluded.quality
        WHERE (least(excluded.ts, excluded.received_at + %(agree)s), excluded.ts)
            > (least(latest.ts, latest.received_at + %(agree)s), latest.ts)
        """,
        _columns(newest) | {"agree": CLOCKS_AGREE},
    )


def _columns(rows: Rows) -> dict[str, Any]:
    return {
        "ts": Timestamptz(rows["ts_us"]),
        "device": Int4(rows["device_id"]),
        "metric": Int2(rows["metric_id"]),
        "value": Float8(rows["value"]),
        "received": Timestamptz(rows["received_us"]),
        "quality": Int2(rows["quality"]),
    }


def _key(row: Any) -> tuple[int, int, int]:
    return int(row["device_id"]), int(row["metric_id"]), int(row["ts_us"])


def _as_datetime(epoch_us: Any) -> datetime:
    return EPOCH + timedelta(microseconds=int(epoch_us))


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The newest value of one metric of a device."""

    metric: str
    unit: str
    value: float
    ts: datetime
    received_at: datetime
    quality: int

    def age_s(self, now: datetime) -> float:
        """Seconds since it was measured; negative if its clock is ahead."""
        return (now - self.ts).total_seconds()


def latest(conn: Connection, device_id: int) -> list[LatestValue]:
    """The newest value of every metric that the device has reported."""
    with conn.cursor(row_factory=class_row(LatestValue)) as cursor:
        return cursor.execute(
            """
            SELECT metric.name AS metric, metric.unit, value, ts, received_at, quality
            FROM device_latest JOIN metric ON metric.id = metric_id
            WHERE device_id = %s
            ORDER BY metric_id
            """,
            (device_id,),
        ).fetchall()


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One bucket, or one reading: then min, max and avg are its value and n is 1."""

    ts: datetime  # start of the bucket
    min: float
    max: float
    avg: float
    n: int
    quality: int | None  # of a single reading


def list_latest_values(
    conn: Connection, device_ids: Sequence[int]
) -> dict[tuple[int, int], tuple[int, float]]:
    """By device and metric: microseconds since 1970 and value of the latest reading."""
    rows = conn.execute(
        """
        SELECT device_id, metric_id::int, (extract(epoch FROM ts) * 1000000)::bigint, value
        FROM device_latest WHERE device_id = ANY(%s)
        """,
        (list(device_ids),),
    )
    return {(device, metric): (ts_us, value) for device, metric, ts_us, value in rows}


def list_latest_times(conn: Connection) -> NDArray[Any]:
    """Device, metric and microseconds since 1970 of every latest value, as named columns."""
    rows = conn.execute(
        """
        SELECT device_id, metric_id::int, (extract(epoch FROM ts) * 1000000)::bigint
        FROM device_latest
        """
    )
    columns = [("device_id", np.int32), ("metric_id", np.int16), ("ts_us", np.int64)]
    return np.fromiter(rows, np.dtype(columns))


def list_history(
    conn: Connection,
    device_id: int,
    metric: str,
    from_: datetime,
    to: datetime,
    bucket: str | None = None,
    points: int | None = None,
) -> list[HistoryPoint]:
    """Readings from `from_` up to before `to`, oldest first; min and max keep every peak.

    `bucket` is "raw", a length such as "1m", "15m", "1h" or "1d", or None for a fitting one:
    with `points`, the shortest that gives at most so many.
    """
    if metric not in METRICS:
        raise InvalidInput("metric", metric, "is not a known metric")
    if points is None:
        length = _bucket_length(bucket, to - from_)
    else:
        length = _bucket_for(points, to - from_)
    if length is None:
        return _raw_history(conn, device_id, METRICS[metric].id, from_, to)
    if to - from_ > length * HISTORY_LIMIT:
        raise InvalidInput("bucket", bucket, f"gives more than {HISTORY_LIMIT} points")
    return _bucketed_history(conn, device_id, METRICS[metric].id, from_, to, length)


def _bucket_length(bucket: str | None, span: timedelta) -> timedelta | None:
    """None means single readings."""
    if bucket in (None, "", "auto"):
        if span <= RAW_UP_TO:
            return None
        return timedelta(minutes=1) if span <= MINUTES_UP_TO else timedelta(hours=1)
    if bucket == "raw":
        return None
    units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
    count, unit = bucket[:-1], units.get(bucket[-1:])
    if unit is None or not (count.isascii() and count.isdigit() and 0 < int(count) <= 1000):
        raise InvalidInput("bucket", bucket, "must be raw or a length like 1m, 15m, 1h, 1d")
    return unit * int(count)


def _bucket_for(points: int, span: timedelta) -> timedelta:
    """The range may begin and end within a bucket, which makes one more than fit into it."""
    if not 2 <= points <= HISTORY_LIMIT:
        raise InvalidInput("points", points, f"must be between 2 and {HISTORY_LIMIT}")
    return next((length for length in BUCKETS if span <= length * (points - 1)), BUCKETS[-1])


def _raw_history(
    conn: Connection, device_id: int, metric_id: int, from_: datetime, to: datetime
) -> list[HistoryPoint]:
    with conn.cursor(row_factory=class_row(HistoryPoint)) as cursor:
        points = cursor.execute(
            """
            SELECT ts, value AS min, value AS max, value AS avg, 1 AS n, quality
            FROM reading
            WHERE device_id = %s AND metric_id = %s AND ts >= %s AND ts < %s
            ORDER BY ts
            LIMIT %s
            """,
            (device_id, metric_id, from_, to, HISTORY_LIMIT + 1),
        ).fetchall()
    if len(points) > HISTORY_LIMIT:
        raise InvalidInput("bucket", "raw", f"gives more than {HISTORY_LIMIT} points")
    return points


def _bucketed_history(
    conn: Connection,
    device_id: int,
    metric_id: int,
    from_: datetime,
    to: datetime,
    length: timedelta,
) -> list[HistoryPoint]:
    source = "reading_1h" if length % timedelta(hours=1) == timedelta(0) else "reading_1m"
    with conn.cursor(row_factory=class_row(HistoryPoint)) as cursor:
        return cursor.execute(
            sql.SQL(
                """
                SELECT time_bucket(%(length)s, bucket) AS ts, min(min) AS min, max(max) AS max,
                       sum(avg * n) / sum(n) AS avg, sum(n)::bigint AS n, NULL::int AS quality
                FROM {source}
                WHERE device_id = %(device)s AND metric_id = %(metric)s
                  AND bucket >= time_bucket(%(length)s, %(from)s::timestamptz)
                  AND bucket < %(to)s
                GROUP BY 1
                ORDER BY 1
                """
            ).format(source=sql.Identifier(source)),
            {
                "length": length, "device": device_id, "metric": metric_id,
                "from": from_, "to": to,
            },
        ).fetchall()  # fmt: skip
