"""What evaluation reads and claims: waiting batches, the watched devices, who fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row
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


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A claimed batch; `payload` is empty when it brought no readings."""

    id: int
    payload: bytes | None
    attempts: int


@dataclass(frozen=True, slots=True)
class SilentDevice:
    id: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ListeningSince:
    """`devices` starts again whenever the whole feed was away."""

    feed: datetime
    devices: datetime


def claim_batches(
    conn: Connection, now: datetime, max_attempts: int, *, at_most: int, readings: int
) -> list[WaitingBatch]:
    """The oldest batches that wait, locked until the commit; another worker skips them.

    One that failed before is taken alone, so that it holds up no others.
    """
    with conn.cursor(row_factory=class_row(WaitingBatch)) as cursor:
        return cursor.execute(
            """
            WITH waiting AS (
                SELECT id, attempts,
                       sum(readings_stored) OVER (ORDER BY id) - readings_stored AS before,
                       first_value(attempts) OVER (ORDER BY id) AS first_attempts,
                       row_number() OVER (ORDER BY id) AS place
                FROM (
                    SELECT id, attempts, readings_stored FROM ingest_batch
                    WHERE evaluated_at IS NULL AND not_before <= %(now)s
                      AND attempts < %(max_attempts)s
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
            {"now": now, "max_attempts": max_attempts, "at_most": at_most, "readings": readings},
        ).fetchall()


def find_oldest_waiting(conn: Connection) -> datetime | None:
    """When the oldest message was received that waits for its first evaluation."""
    row = conn.execute(
        """
        SELECT min(received_from) FROM ingest_batch
        WHERE evaluated_at IS NULL AND attempts = 0 AND payload IS NOT NULL
        """
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


def list_watched_devices(conn: Connection, ids: Sequence[int] | None = None) -> list[WatchedDevice]:
    """All devices, or those of `ids`."""
    with conn.cursor(row_factory=class_row(WatchedDevice)) as cursor:
        return cursor.execute(
            """
            SELECT id, code, district, kind, gas, lon, lat, unit_grid, attributes,
                   report_interval_s, demo, out_of_service_since, return_due_at
            FROM device
            WHERE %(ids)s::int[] IS NULL OR id = ANY(%(ids)s)
            """,
            {"ids": None if ids is None else list(ids)},
        ).fetchall()


def find_last_receipt(conn: Connection) -> datetime | None:
    """When anything at all was last received; None: nothing ever was."""
    row = conn.execute(
        """
        SELECT max(received_to) FROM (
            SELECT received_to FROM ingest_batch ORDER BY id DESC LIMIT %s
        ) newest
        """,
        (NEWEST_BATCHES,),
    ).fetchone()
    return row[0] if row else None


def list_silent_devices(
    conn: Connection, kinds: Sequence[str], intervals: float, *, since: datetime, now: datetime
) -> list[SilentDevice]:
    """Devices that reported before and have not for `intervals` of their reporting interval.

    Nobody is silent for longer than we have been listening, which is since `since`.
    """
    with conn.cursor(row_factory=class_row(SilentDevice)) as cursor:
        return cursor.execute(
            """
            SELECT d.id, heard.last_at
            FROM device d
            JOIN (
                SELECT device_id, max(received_at) AS last_at FROM device_latest GROUP BY device_id
            ) heard ON heard.device_id = d.id
            WHERE (%(kinds)s::text[] = '{}' OR d.kind = ANY(%(kinds)s))
              AND greatest(heard.last_at, %(since)s)
                  + d.report_interval_s * %(intervals)s * interval '1 second' < %(now)s
            ORDER BY d.id
            """,
            {"kinds": list(kinds), "intervals": intervals, "since": since, "now": now},
        ).fetchall()


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
    dark: bool,
    watched: Sequence[int],
) -> list[LampRow]:
    """Lamps whose newest values say dark (when asked for), and the watched ones whatever."""
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
                                 THEN (d.attributes ->> 'rated_power_w')::float8 END)))
            ORDER BY d.id
            """,
            {
                "kinds": list(kinds),
                "share": power_share,
                "dark": dark,
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
