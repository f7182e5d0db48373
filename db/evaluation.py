"""What evaluation reads and claims: waiting batches, the watched devices, who fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from city.device import LampRow, WatchedDevice
from city.reading import METRICS
from db.pool import Connection

# A batch that fails this often is set aside for a person; the last attempt comes after about
# ten minutes, long enough for a passing fault (disk full, memory) to be repaired.
MAX_ATTEMPTS = 10
# `setting` rows of the ticker belong to no district.
TICKER_KEY = "alerts.ticker"
# How many of the newest batches are looked at for the time of the last message: with several
# ingest workers the newest row is not always the newest message.
NEWEST_BATCHES = 16
# West, south, east, north in degrees.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A claimed batch of a district; `payload` is empty when it brought no readings."""

    id: int
    payload: bytes | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Hazard:
    """A rule on readings, its condition and its mildest severity."""

    code: str
    condition: str
    mildest: int


@dataclass(frozen=True, slots=True)
class Attention:
    """Devices with a live alarm of a condition or with a delay on the way to one or out of it, and
    which of their readings can change anything, in microseconds since 1970; None: any.

    Of an alarm that is cleared those up to then (`until_us`). Where the one rule of an alarm is
    on its way out of its mildest level: those that are not clear, and those outside of the time
    between the first clear reading (`calm_from_us`) and the end of its delay (`calm_to_us`).
    """

    condition: str
    device_ids: list[int]
    until_us: list[int | None]
    calm_from_us: list[int | None]
    calm_to_us: list[int | None]


@dataclass(frozen=True, slots=True)
class SilentDevice:
    id: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ListeningSince:
    """`devices` starts again whenever the whole feed was away."""

    feed: datetime
    devices: datetime


def list_waiting_districts(conn: Connection, now: datetime, max_attempts: int) -> list[str]:
    """Districts of which batches wait, by the oldest of them; "" for batches of any district."""
    rows = conn.execute(
        """
        WITH RECURSIVE named AS (
            SELECT min(district) AS district FROM ingest_batch WHERE evaluated_at IS NULL
            UNION ALL
            SELECT (SELECT min(district) FROM ingest_batch
                    WHERE evaluated_at IS NULL AND district > named.district)
            FROM named WHERE named.district IS NOT NULL
        )
        SELECT named.district FROM named CROSS JOIN LATERAL (
            SELECT id FROM ingest_batch
            WHERE evaluated_at IS NULL AND ingest_batch.district = named.district
              AND not_before <= %s AND attempts < %s
            ORDER BY id LIMIT 1
        ) oldest
        ORDER BY oldest.id
        """,
        (now, max_attempts),
    ).fetchall()
    return [row[0] for row in rows]


def claim_batches(
    conn: Connection,
    district: str,
    now: datetime,
    max_attempts: int,
    *,
    at_most: int,
    readings: int,
) -> list[WaitingBatch]:
    """The oldest batches of a district that wait, locked until the commit; the caller has locked
    the district, or what one device said would be judged in any order.

    One that failed before is taken alone, so that it holds up no others.
    """
    with conn.cursor(binary=True, row_factory=class_row(WaitingBatch)) as cursor:
        return cursor.execute(
            """
            WITH waiting AS (
                SELECT id, attempts,
                       sum(readings_stored) OVER (ORDER BY id) - readings_stored AS before,
                       first_value(attempts) OVER (ORDER BY id) AS first_attempts,
                       row_number() OVER (ORDER BY id) AS place
                FROM (
                    SELECT id, attempts, readings_stored FROM ingest_batch
                    WHERE evaluated_at IS NULL AND district = %(district)s
                      AND not_before <= %(now)s AND attempts < %(max_attempts)s
                    ORDER BY id
                    LIMIT %(at_most)s
                ) oldest
            )
            SELECT id, payload, attempts FROM ingest_batch
            WHERE evaluated_at IS NULL
              AND id IN (
                  SELECT id FROM waiting
                  WHERE place = 1
                     OR (first_attempts = 0 AND attempts = 0 AND before < %(readings)s))
            ORDER BY id
            FOR UPDATE SKIP LOCKED
            """,
            {
                "district": district, "now": now, "max_attempts": max_attempts,
                "at_most": at_most, "readings": readings,
            },
        ).fetchall()  # fmt: skip


def pass_on(conn: Connection, batch_id: int, parts: Sequence[tuple[str, int, bytes]]) -> None:
    """Hand readings of a claimed batch on to the districts that they belong to, as (district, how
    many, packed)."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ingest_batch (worker, received_from, received_to, committed_at, received,
                                      stored, duplicate, rejected, readings_stored, payload,
                                      district)
            SELECT worker, received_from, received_to, committed_at, 0, 0, 0, 0, %s, %s, %s
            FROM ingest_batch WHERE id = %s
            """,
            [(count, payload, district, batch_id) for district, count, payload in parts],
        )
    conn.execute(
        "UPDATE ingest_batch SET readings_stored = readings_stored - %s WHERE id = %s",
        (sum(count for _, count, _ in parts), batch_id),
    )


def list_attention(conn: Connection, district: str, hazards: Sequence[Hazard]) -> list[Attention]:
    """Devices of a district whose readings may matter even if they trip nothing, by condition."""
    with conn.cursor(binary=True, row_factory=class_row(Attention)) as cursor:
        return cursor.execute(
            """
            WITH hazard AS (
                SELECT * FROM unnest(%(codes)s::text[], %(conditions)s::text[],
                                     %(mildest)s::int[]) AS hazard (code, condition, mildest)
            ), standing AS (
                SELECT device_id, split_part(condition, '/', 1) AS condition, state, severity,
                       levels, cleared_at
                FROM alarm
                WHERE state <> 'normal' AND device_id IS NOT NULL AND district = %(district)s
            ), delay AS (
                SELECT device_id, condition, count(*) AS running, min(code) AS code,
                       min(mildest) AS mildest, bool_and(direction = 'off') AS is_leaving,
                       min(started_at) AS began_at,
                       min(started_at + (due_at - least(started_at, received_at))) AS ripe_at
                FROM (SELECT device_id, direction, started_at, received_at, due_at, hazard.code,
                             hazard.condition, mildest
                      FROM rule_timer JOIN hazard ON hazard.code = rule_code
                      -- No join: the planner would look for the delays of every device.
                      WHERE (SELECT district FROM device WHERE id = device_id)
                            = %(district)s) timer
                GROUP BY device_id, condition
            ), matter AS (
                SELECT device_id, condition,
                       CASE WHEN running IS NULL AND state IN
                                ('returned_unacknowledged', 'latched_unacknowledged',
                                 'latched_acknowledged')
                            THEN cleared_at END AS until,
                       running = 1 AND is_leaving AND severity = mildest
                       AND state IN ('unacknowledged', 'acknowledged')
                       AND levels ? code AND levels - code = '{}' AS is_calm,
                       began_at, ripe_at
                FROM standing FULL JOIN delay USING (device_id, condition)
                WHERE condition IN (SELECT condition FROM hazard)
            )
            SELECT condition, array_agg(device_id) AS device_ids,
                   array_agg(round(date_part('epoch', until) * 1e6)::bigint) AS until_us,
                   array_agg(CASE WHEN is_calm THEN
                       round(date_part('epoch', began_at) * 1e6)::bigint END) AS calm_from_us,
                   array_agg(CASE WHEN is_calm THEN
                       round(date_part('epoch', ripe_at) * 1e6)::bigint END) AS calm_to_us
            FROM matter GROUP BY condition
            """,
            {
                "district": district,
                "codes": [hazard.code for hazard in hazards],
                "conditions": [hazard.condition for hazard in hazards],
                "mildest": [hazard.mildest for hazard in hazards],
            },
        ).fetchall()


def find_oldest_waiting(conn: Connection, district: str) -> datetime | None:
    """When the oldest message of a district was received that waits for its first evaluation."""
    row = conn.execute(
        """
        SELECT min(received_from) FROM ingest_batch
        WHERE evaluated_at IS NULL AND attempts = 0 AND payload IS NOT NULL
          AND district IN (%s, '')
        """,
        (district,),
    ).fetchone()
    return row[0] if row else None


def count_waiting(conn: Connection) -> tuple[int, float]:
    """How many batches wait to be evaluated, and for how many seconds the oldest does."""
    row = conn.execute(
        """
        SELECT count(*), coalesce(extract(epoch FROM now() - min(committed_at)), 0)::float8
        FROM ingest_batch WHERE evaluated_at IS NULL
        """
    ).fetchone()
    assert row is not None, "an aggregate gives one row"
    return row[0], row[1]


def mark_evaluated(conn: Connection, batch_ids: Sequence[int], now: datetime) -> None:
    """The batches are done; their readings live on in `reading`."""
    conn.execute(
        "UPDATE ingest_batch SET evaluated_at = %s, payload = NULL WHERE id = ANY(%s)",
        (now, list(batch_ids)),
    )


def postpone_batch(conn: Connection, batch_id: int, not_before: datetime) -> None:
    """A batch that failed waits; the others go on."""
    conn.execute(
        "UPDATE ingest_batch SET attempts = attempts + 1, not_before = %s WHERE id = %s",
        (not_before, batch_id),
    )


# For the rules a device that was retired is out of service without an end.
# An area counts on the days it is valid, whatever its hours: those are for video events.
WATCHED = """
    SELECT id, code, device.district, kind, gas, lon, lat, unit_grid, attributes,
           report_interval_s, demo, model, retired_at,
           coalesce(retired_at, out_of_service_since) AS out_of_service_since,
           CASE WHEN retired_at IS NULL THEN return_due_at END AS return_due_at,
           coalesce(place.areas, '{}') AS areas
    FROM device
    LEFT JOIN (
        SELECT lies.device_id, jsonb_object_agg(area.code, area.kind) AS areas
        FROM device_area lies
        JOIN area ON area.district = lies.district AND area.code = lies.area
        JOIN district ON district.code = area.district
        WHERE (%(ids)s::int[] IS NULL OR lies.device_id = ANY(%(ids)s))
          AND (now() AT TIME ZONE district.timezone)::date
              BETWEEN coalesce(area.valid_from, '-infinity')
                  AND coalesce(area.valid_until, 'infinity')
        GROUP BY lies.device_id
    ) AS place ON place.device_id = device.id
"""


def list_watched_devices(conn: Connection, ids: Sequence[int] | None = None) -> list[WatchedDevice]:
    """All devices, or those of `ids`."""
    with conn.cursor(row_factory=class_row(WatchedDevice)) as cursor:
        return cursor.execute(
            f"{WATCHED} WHERE %(ids)s::int[] IS NULL OR id = ANY(%(ids)s)",
            {"ids": None if ids is None else list(ids)},
        ).fetchall()


def mark_of_devices(conn: Connection) -> tuple[Any, ...]:
    """What differs whenever `list_watched_devices` may answer otherwise. A change of a row is
    known by where the row lies and by who wrote it: a tenth of the time of reading them all."""
    row = conn.execute(
        """
        SELECT (SELECT (count(*), sum(hashtextextended(ctid::text, xmin::text::bigint)))::text
                FROM device),
               (SELECT (count(*), sum(hashtextextended(ctid::text, xmin::text::bigint)))::text
                FROM device_area),
               (SELECT (count(*), sum(hashtextextended(ctid::text, xmin::text::bigint)))::text
                FROM area),
               (SELECT array_agg((now() AT TIME ZONE timezone)::date ORDER BY code) FROM district)
        """
    ).fetchone()
    assert row is not None, "it has no FROM"
    return row


def list_devices_within(
    conn: Connection, district: str, boxes: Sequence[Box], pipes: Sequence[str]
) -> list[WatchedDevice]:
    """Devices of a district in one of these boxes, or of which an attribute names one of these
    pipe sections."""
    west, south, east, north = ([box[i] for box in boxes] for i in range(4))
    rows = conn.execute(
        """
        SELECT device.id
        FROM unnest(%(west)s::float8[], %(south)s::float8[], %(east)s::float8[],
                    %(north)s::float8[]) AS box (west, south, east, north)
        JOIN device ON district = %(district)s
                   AND lat BETWEEN south AND north AND lon BETWEEN west AND east
        UNION
        SELECT id FROM device
        WHERE cardinality(%(pipes)s::text[]) > 0 AND district = %(district)s
          AND attributes ->> 'pipe' = ANY(%(pipes)s)
        """,
        {"district": district, "west": west, "south": south, "east": east, "north": north,
         "pipes": list(pipes)},
    ).fetchall()  # fmt: skip
    return list_watched_devices(conn, [row[0] for row in rows])


def list_past_date(conn: Connection, attribute: str, today: date) -> set[int]:
    """Devices of which an attribute is a day before today."""
    rows = conn.execute(
        """
        SELECT id FROM device
        WHERE attributes ->> %(name)s ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
          AND attributes ->> %(name)s < %(today)s
        """,
        {"name": attribute, "today": today.isoformat()},
    ).fetchall()
    return {row[0] for row in rows}


def find_last_receipt(conn: Connection) -> datetime | None:
    """When anything at all was last received; None: nothing ever was."""
    row = conn.execute(
        """
        SELECT max(received_to) FROM (
            SELECT received_to FROM ingest_batch WHERE received > 0 ORDER BY id DESC LIMIT %s
        ) newest
        """,
        (NEWEST_BATCHES,),
    ).fetchone()
    return row[0] if row else None


def list_silent_devices(
    conn: Connection,
    kinds: Sequence[str],
    intervals: float,
    *,
    since: datetime,
    now: datetime,
    ids: Sequence[int] | None = None,
) -> list[SilentDevice]:
    """Devices, or those of `ids`, that reported before and have not for `intervals` of their
    reporting interval. Of all of them it takes long: every newest value is looked at.

    Nobody is silent for longer than we have been listening, which is since `since`.
    """
    of = SQL("") if ids is None else SQL("WHERE device_id = ANY(%(ids)s)")
    with conn.cursor(row_factory=class_row(SilentDevice)) as cursor:
        return cursor.execute(
            SQL(
                """
                SELECT d.id, heard.last_at
                FROM device d
                JOIN (
                    SELECT device_id, max(received_at) AS last_at FROM device_latest {of}
                    GROUP BY device_id
                ) heard ON heard.device_id = d.id
                WHERE (%(kinds)s::text[] = '{{}}' OR d.kind = ANY(%(kinds)s))
                  AND d.retired_at IS NULL
                  AND greatest(heard.last_at, %(since)s)
                      + d.report_interval_s * %(intervals)s * interval '1 second' < %(now)s
                ORDER BY d.id
                """
            ).format(of=of),
            {
                "kinds": list(kinds), "intervals": intervals, "since": since, "now": now,
                "ids": None if ids is None else list(ids),
            },
        ).fetchall()  # fmt: skip


def list_last_receipts(conn: Connection, ids: Sequence[int]) -> dict[int, datetime]:
    """When the newest reading of each of these devices was received."""
    rows = conn.execute(
        """
        SELECT device_id, max(received_at) FROM device_latest
        WHERE device_id = ANY(%s) GROUP BY device_id
        """,
        (list(ids),),
    )
    return dict(rows.fetchall())


def list_gas_categories(conn: Connection) -> frozenset[str]:
    """Codes of the incident categories of the gas family."""
    rows = conn.execute("SELECT DISTINCT code FROM incident_category WHERE family = 'gas'")
    return frozenset(row[0] for row in rows.fetchall())


def list_lamps(
    conn: Connection,
    kinds: Sequence[str],
    power_share: float,
    *,
    dark: bool = False,
    lit_since: datetime | None = None,
    watched: Sequence[int],
) -> list[LampRow]:
    """Lamps whose newest values say dark (when asked for), or lit since then, and the watched ones
    whatever; `power_share` is of the power that they should draw, lit of their rated power."""
    with conn.cursor(row_factory=class_row(LampRow)) as cursor:
        return cursor.execute(
            """
            SELECT d.id AS device_id, lamp.value AS lamp_on, lamp.ts AS lamp_on_at,
                   lamp.received_at AS lamp_on_received_at, power.value AS power_w,
                   power.ts AS power_at, power.received_at AS power_received_at,
                   dim.value AS dim_pct
            FROM device d
            LEFT JOIN device_latest lamp
                   ON lamp.device_id = d.id AND lamp.metric_id = %(lamp_on)s
            LEFT JOIN device_latest power
                   ON power.device_id = d.id AND power.metric_id = %(power_w)s
            LEFT JOIN device_latest dim
                   ON dim.device_id = d.id AND dim.metric_id = %(dim_pct)s
            WHERE d.kind = ANY(%(kinds)s)
              AND (lamp.value IS NOT NULL OR power.value IS NOT NULL)
              AND (d.id = ANY(%(watched)s::int[])
                   OR (%(dark)s AND (
                       lamp.value = 0
                       OR power.value < %(share)s * coalesce(dim.value, 100) / 100
                          * CASE WHEN jsonb_typeof(d.attributes -> 'rated_power_w') = 'number'
                                 THEN (d.attributes ->> 'rated_power_w')::float8 END))
                   OR (greatest(lamp.received_at, power.received_at) >= %(lit_since)s AND (
                       lamp.value > 0
                       OR power.value >= %(share)s
                          * CASE WHEN jsonb_typeof(d.attributes -> 'rated_power_w') = 'number'
                                 THEN (d.attributes ->> 'rated_power_w')::float8 END)))
            ORDER BY d.id
            """,
            {
                "kinds": list(kinds),
                "share": power_share,
                "dark": dark,
                "lit_since": lit_since,
                "watched": list(watched),
                **{name: METRICS[name].id for name in ("lamp_on", "power_w", "dim_pct")},
            },
        ).fetchall()


def find_centre(conn: Connection) -> tuple[str, float, float] | None:
    """District with the most devices and the middle of them: where a city-wide alarm is shown."""
    return conn.execute(
        """
        SELECT district, avg(lon), avg(lat) FROM device
        GROUP BY district ORDER BY count(*) DESC, district LIMIT 1
        """
    ).fetchone()


def is_turn_due(conn: Connection, now: datetime, every: timedelta) -> bool:
    """Whether `take_turn` would take one."""
    row = conn.execute(
        "SELECT updated_at FROM setting WHERE district = '' AND key = %s", (TICKER_KEY,)
    ).fetchone()
    return row is None or now - row[0] >= every


def list_shelving_over(conn: Connection, district: str, now: datetime) -> list[str]:
    """Conditions of live alarms of a district whose shelving is over."""
    rows = conn.execute(
        """
        SELECT condition FROM alarm
        WHERE state <> 'normal' AND shelved_until <= %s AND district = %s ORDER BY id
        """,
        (now, district),
    ).fetchall()
    return [row[0] for row in rows]


def list_due_districts(conn: Connection, now: datetime) -> list[str]:
    """Districts in which shelving is over, or a device counts again."""
    rows = conn.execute(
        """
        SELECT district FROM alarm WHERE state <> 'normal' AND shelved_until <= %(now)s
        UNION
        SELECT district FROM device_return JOIN device ON device.id = device_id
        WHERE judge_at <= %(now)s
        """,
        {"now": now},
    ).fetchall()
    return [row[0] for row in rows]


def take_turn(
    conn: Connection, now: datetime, every: timedelta, gap: timedelta
) -> ListeningSince | None:
    """Whether the slow part of a tick is due; answers since when we have been listening.

    After a gap in ticking (the installation was off) listening begins anew: what was missed
    meanwhile says nothing about the devices.
    """
    row = conn.execute(
        "SELECT value, updated_at FROM setting WHERE district = '' AND key = %s FOR UPDATE",
        (TICKER_KEY,),
    ).fetchone()
    if row is not None and now - row[1] < every:
        return None
    since = ListeningSince(now, now)
    if row is not None and now - row[1] < gap:
        since = ListeningSince(*(datetime.fromisoformat(row[0][k]) for k in ("feed", "devices")))
    save_listening(conn, since, now)
    return since


def save_listening(conn: Connection, since: ListeningSince, now: datetime) -> None:
    """Remember since when silence can be told from not having listened."""
    conn.execute(
        """
        INSERT INTO setting (district, key, value, updated_at) VALUES ('', %s, %s, %s)
        ON CONFLICT (district, key)
        DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
        """,
        (
            TICKER_KEY,
            Jsonb({"feed": since.feed.isoformat(), "devices": since.devices.isoformat()}),
            now,
        ),
    )
