"""Clocks and faults of devices: what jobs measure, and the limits they measure against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.reading import Quality
from city.trust import ShownClock
from db.pool import Connection

# Readings of one metric from which a device's lag is measured, and how old they may be.
CLOCK_READINGS = 32
CLOCK_SPAN = timedelta(hours=24)
# A device that has not reported for so long is silent, not stuck.
REPORTING = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """Time of receipt minus time of measurement; None: no reading had a time of its own."""

    device_id: int
    code: str
    district: str
    lag_s: float | None
    least_s: float | None
    readings: int
    replaced: int


@dataclass(frozen=True, slots=True)
class ClockLimit:
    version: int
    ahead_s: float
    behind_s: float
    readings: int


@dataclass(frozen=True, slots=True)
class FlatLine:
    """A metric that has had one value for as long as its limit allows, or longer."""

    device_id: int
    code: str
    district: str
    metric: str
    value: float
    readings: int
    since: datetime
    after_s: float
    version: int


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """A row of `device_fault`, with whose it is."""

    device_id: int
    code: str
    district: str
    kind: str
    metric: str
    since: datetime
    detail: dict[str, Any]


def measure_clocks(conn: Connection, now: datetime) -> list[DeviceClock]:
    """Measure every device that reported lately by its newest readings of one metric.

    A time equal to the time of receipt is ours, not the device's; what is history by its own
    word says nothing of a clock.
    """
    with conn.cursor(row_factory=class_row(DeviceClock)) as cursor:
        return cursor.execute(
            """
            WITH lag AS (
                SELECT newest.device_id, last.quality,
                       CASE WHEN last.received_at <> last.ts
                            THEN extract(epoch FROM last.received_at - last.ts)::float8 END AS s
                FROM (
                    SELECT DISTINCT ON (device_id) device_id, metric_id FROM device_latest
                    WHERE received_at >= %(since)s AND quality NOT IN (%(late)s, %(simulated)s)
                    ORDER BY device_id, received_at DESC
                ) newest
                CROSS JOIN LATERAL (
                    SELECT ts, received_at, quality FROM reading
                    WHERE reading.device_id = newest.device_id
                      AND reading.metric_id = newest.metric_id AND ts >= %(since)s
                    ORDER BY ts DESC
                    LIMIT %(readings)s
                ) last
                WHERE last.quality NOT IN (%(late)s, %(simulated)s)
            ), measured AS (
                SELECT device_id,
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY s) AS lag_s,
                       min(s) AS least_s, count(*)::int AS readings,
                       count(*) FILTER (WHERE quality = %(replaced)s)::int AS replaced
                FROM lag GROUP BY device_id
            ), saved AS (
                INSERT INTO device_clock AS known
                    (device_id, lag_s, least_s, readings, replaced, measured_at)
                SELECT m.device_id, m.lag_s, m.least_s, m.readings, m.replaced, %(now)s
                FROM measured m JOIN device ON device.id = m.device_id
                ON CONFLICT (device_id) DO UPDATE
                SET lag_s = excluded.lag_s, least_s = excluded.least_s,
                    readings = excluded.readings, replaced = excluded.replaced,
                    measured_at = excluded.measured_at
                RETURNING *
            )
            SELECT device_id, code, district, lag_s, least_s, readings, replaced
            FROM saved JOIN device ON device.id = device_id
            ORDER BY device_id
            """,
            {
                "now": now, "since": now - CLOCK_SPAN, "readings": CLOCK_READINGS,
                "late": int(Quality.LATE), "simulated": int(Quality.SIMULATED),
                "replaced": int(Quality.CLOCK_REPLACED),
            },
        ).fetchall()  # fmt: skip


def find_clock_limit(conn: Connection, now: datetime) -> ClockLimit | None:
    """The limit in force."""
    with conn.cursor(row_factory=class_row(ClockLimit)) as cursor:
        return cursor.execute(
            """
            SELECT version, ahead_s, behind_s, readings FROM clock_limit
            WHERE valid_from <= %(day)s AND (valid_to IS NULL OR valid_to > %(day)s)
            ORDER BY version DESC LIMIT 1
            """,
            {"day": now.date()},
        ).fetchone()


def list_flat_lines(conn: Connection, now: datetime) -> list[FlatLine]:
    """Metrics without any change since their limit's time, from the roll-up by hours.

    The first hour that differs from the newest value ends the look at a metric (the LIMIT keeps
    the planner from joining whole roll-ups), so that a working sensor costs a row or two.
    """
    with conn.cursor(row_factory=class_row(FlatLine)) as cursor:
        return cursor.execute(
            """
            WITH wanted AS (
                SELECT latest.device_id, latest.metric_id, device.code, device.district,
                       metric.name AS metric, latest.value, stuck.readings AS least, stuck.version,
                       CASE WHEN jsonb_typeof(device.attributes -> 'stuck_after_s') = 'number'
                            THEN (device.attributes ->> 'stuck_after_s')::float8
                            ELSE stuck.after_s END AS after_s
                FROM device_latest latest
                JOIN metric ON metric.id = latest.metric_id
                JOIN stuck_limit stuck ON stuck.metric = metric.name
                     AND stuck.valid_from <= %(day)s
                     AND (stuck.valid_to IS NULL OR stuck.valid_to > %(day)s)
                JOIN device ON device.id = latest.device_id
                WHERE latest.received_at >= %(now)s - %(reporting)s
                  AND (stuck.normal_low IS NULL OR latest.value < stuck.normal_low
                       OR latest.value > stuck.normal_high)
            ), timed AS (
                SELECT *, time_bucket('1 hour', %(now)s - after_s * interval '1 second') AS from_at
                FROM wanted WHERE after_s > 0
            ), flat AS (
                SELECT * FROM timed
                WHERE (SELECT true FROM reading_1h hour
                       WHERE hour.device_id = timed.device_id
                         AND hour.metric_id = timed.metric_id AND hour.bucket >= timed.from_at
                         AND (hour.min <> timed.value OR hour.max <> timed.value)
                       LIMIT 1) IS NULL
            )
            SELECT flat.device_id, code, district, metric, value, hours.n::int AS readings,
                   hours.since, after_s, version
            FROM flat
            CROSS JOIN LATERAL (
                SELECT sum(n) AS n, min(bucket) AS since FROM reading_1h hour
                WHERE hour.device_id = flat.device_id AND hour.metric_id = flat.metric_id
                  AND hour.bucket >= flat.from_at
            ) hours
            -- Known for the whole time: its first hour, or the second, has readings.
            WHERE hours.n >= least AND hours.since <= from_at + interval '1 hour'
            ORDER BY flat.device_id, metric
            """,
            {"now": now, "day": now.date(), "reporting": REPORTING},
        ).fetchall()


def list_faults(
    conn: Connection, kind: str | None = None, device_ids: Sequence[int] | None = None
) -> list[DeviceFault]:
    """What is wrong now."""
    with conn.cursor(row_factory=class_row(DeviceFault)) as cursor:
        return cursor.execute(
            """
            SELECT device_id, code, district, fault.kind, metric, since, detail
            FROM device_fault fault JOIN device ON device.id = device_id
            WHERE (%(kind)s::text IS NULL OR fault.kind = %(kind)s)
              AND (%(ids)s::int[] IS NULL OR device_id = ANY(%(ids)s))
            ORDER BY device_id, fault.kind, metric
            """,
            {"kind": kind, "ids": None if device_ids is None else list(device_ids)},
        ).fetchall()


def list_reporting(conn: Connection, device_ids: Sequence[int], now: datetime) -> set[int]:
    """Which of these devices have reported lately: of the others nothing new is known."""
    rows = conn.execute(
        """
        SELECT DISTINCT device_id FROM device_latest
        WHERE device_id = ANY(%s) AND received_at >= %s
        """,
        (list(device_ids), now - REPORTING),
    )
    return {row[0] for row in rows}


def insert_faults(conn: Connection, faults: Sequence[DeviceFault], now: datetime) -> None:
    """Faults that began; one that is known keeps its begin."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO device_fault (device_id, kind, metric, since, noticed_at, detail)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            [(f.device_id, f.kind, f.metric, f.since, now, Jsonb(f.detail)) for f in faults],
        )


def delete_faults(conn: Connection, faults: Sequence[DeviceFault]) -> None:
    """Faults that are over; the event log remembers them."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM device_fault WHERE device_id = %s AND kind = %s AND metric = %s",
            [(f.device_id, f.kind, f.metric) for f in faults],
        )


@dataclass(frozen=True, slots=True)
class ShownFault:
    """A fault as a screen shows it; `metric` is empty for the whole device."""

    kind: str
    metric: str
    since: datetime
    detail: dict[str, Any]


def list_clocks(conn: Connection, device_ids: Sequence[int]) -> dict[int, ShownClock]:
    """The clocks of these devices, as far as they were measured."""
    rows = conn.execute(
        """
        SELECT device_id, lag_s, least_s, readings, replaced, measured_at
        FROM device_clock WHERE device_id = ANY(%s)
        """,
        (list(device_ids),),
    )
    return {device_id: ShownClock(*clock) for device_id, *clock in rows}


def list_shown_faults(conn: Connection, device_ids: Sequence[int]) -> dict[int, list[ShownFault]]:
    """The faults of these devices."""
    found: dict[int, list[ShownFault]] = {}
    for fault in list_faults(conn, device_ids=device_ids):
        found.setdefault(fault.device_id, []).append(
            ShownFault(fault.kind, fault.metric, fault.since, fault.detail)
        )
    return found
