"""What lamps said last, and what they said in a night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from psycopg.rows import class_row

from city.lighting import LIGHT, NightOfStreet
from city.reading import METRICS
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

_IDS = {name: METRICS[name].id for name in ("lamp_on", "power_w", "dim_pct")}


@dataclass(frozen=True, slots=True)
class LampNow:
    """A lamp in service with its newest values; `heard_at` is the receipt of the newest of them,
    `command_*` its open command."""

    id: int
    code: str
    cabinet: str
    street: str
    street_name: str
    lon: float
    lat: float
    report_interval_s: int
    rated_power_w: float | None
    lamp_on: float | None
    power_w: float | None
    dim_pct: float | None
    heard_at: datetime | None
    command_state: str | None
    command_level: int | None


@dataclass(frozen=True, slots=True)
class SaidInSlot:
    """The last value of a metric that a lamp reported in a slot of the night, counted from 0."""

    device_id: int
    metric: str
    slot: int
    value: float


def list_lamps_now(conn: Connection, scope: Scope) -> list[LampNow]:
    with conn.cursor(row_factory=class_row(LampNow)) as cursor:
        return cursor.execute(
            f"""
            SELECT d.id, d.code, coalesce(d.attributes ->> 'cabinet', '') AS cabinet,
                   coalesce(d.street, '') AS street, coalesce(v.name, '') AS street_name,
                   d.lon, d.lat, d.report_interval_s,
                   CASE WHEN jsonb_typeof(d.attributes -> 'rated_power_w') = 'number'
                        THEN (d.attributes ->> 'rated_power_w')::float8 END AS rated_power_w,
                   lamp.value AS lamp_on, power.value AS power_w, dim.value AS dim_pct,
                   greatest(lamp.received_at, power.received_at, dim.received_at) AS heard_at,
                   c.state AS command_state, c.level AS command_level
            FROM device d
            LEFT JOIN division v ON v.code = d.street
            LEFT JOIN device_latest lamp
                   ON lamp.device_id = d.id AND lamp.metric_id = %(lamp_on)s
            LEFT JOIN device_latest power
                   ON power.device_id = d.id AND power.metric_id = %(power_w)s
            LEFT JOIN device_latest dim
                   ON dim.device_id = d.id AND dim.metric_id = %(dim_pct)s
            LEFT JOIN lamp_command c ON c.device_id = d.id AND c.state IN ('queued', 'sent')
            WHERE d.kind = %(kind)s AND d.district = %(district)s AND {inside("d")}
              AND d.out_of_service_since IS NULL AND d.retired_at IS NULL
            ORDER BY d.code
            """,
            {"kind": LIGHT, "district": scope.district, "within": scope.codes, **_IDS},
        ).fetchall()


def list_said(
    conn: Connection, device_ids: Sequence[int], begin: datetime, end: datetime, slot: timedelta
) -> list[SaidInSlot]:
    """What these lamps said from `begin` (slot 0) up to `end`, slot by slot."""
    with conn.cursor(row_factory=class_row(SaidInSlot)) as cursor:
        return cursor.execute(
            """
            SELECT device_id,
                   CASE metric_id WHEN %(lamp_on)s THEN 'lamp_on' WHEN %(power_w)s THEN 'power_w'
                                  ELSE 'dim_pct' END AS metric,
                   floor(extract(epoch FROM ts - %(begin)s) / %(slot)s)::int AS slot,
                   last(value, ts) AS value
            FROM reading
            WHERE ts >= %(begin)s AND ts < %(end)s AND device_id = ANY(%(ids)s)
              AND metric_id = ANY(%(metrics)s)
            GROUP BY 1, 2, 3
            """,
            {
                "begin": begin,
                "end": end,
                "slot": slot.total_seconds(),
                "ids": list(device_ids),
                "metrics": list(_IDS.values()),
                **_IDS,
            },
        ).fetchall()


def list_switched_off(
    conn: Connection, district: str, begin: datetime, end: datetime
) -> dict[int, list[tuple[datetime, datetime | None]]]:
    """When lamps were switched off by people, and until when that was meant, by device; oldest
    first. A later command of anybody to switch on ends it: it is told with the others."""
    rows = conn.execute(
        """
        SELECT c.device_id, c.ended_at,
               least(o.until, (
                   SELECT min(n.ended_at) FROM lamp_command n
                   WHERE n.device_id = c.device_id AND n.state = 'acknowledged' AND n.level > 0
                     AND n.ended_at > c.ended_at))
        FROM lamp_command c JOIN lamp_order o ON o.id = c.order_id
        WHERE c.district = %s AND c.state = 'acknowledged' AND c.level = 0 AND o.programme = ''
          AND o.ordered_at >= %s AND c.ended_at BETWEEN %s AND %s
        ORDER BY c.device_id, c.ended_at
        """,
        (district, begin - timedelta(hours=1), begin, end),
    )
    found: dict[int, list[tuple[datetime, datetime | None]]] = {}
    for device_id, at, until in rows:
        found.setdefault(device_id, []).append((at, until))
    return found


def list_switched_on(
    conn: Connection, district: str, begin: datetime, end: datetime
) -> dict[int, list[tuple[datetime, datetime]]]:
    """From when until when people had lamps switched on, by device, of commands with an end; a
    later command of anybody to switch off ends it earlier."""
    rows = conn.execute(
        """
        SELECT c.device_id, c.ended_at,
               least(o.until, (
                   SELECT min(n.ended_at) FROM lamp_command n
                   WHERE n.device_id = c.device_id AND n.state = 'acknowledged' AND n.level = 0
                     AND n.ended_at > c.ended_at))
        FROM lamp_command c JOIN lamp_order o ON o.id = c.order_id
        WHERE c.district = %(district)s AND c.state = 'acknowledged' AND c.level > 0
          AND o.programme = '' AND o.until > %(begin)s AND c.ended_at <= %(end)s
        ORDER BY c.device_id, c.ended_at
        """,
        {"district": district, "begin": begin, "end": end},
    )
    found: dict[int, list[tuple[datetime, datetime]]] = {}
    for device_id, at, until in rows:
        found.setdefault(device_id, []).append((at, until))
    return found


def save_night(
    conn: Connection, district: str, nights: Sequence[NightOfStreet], now: datetime
) -> None:
    """Put the rows of one night in the place of those that there were."""
    conn.execute(
        "DELETE FROM lit_night WHERE district = %s AND night = ANY(%s)",
        (district, sorted({night.night for night in nights})),
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO lit_night (district, night, street, lamps, due, lit, dark, unknown,
                                   hours_due, hours_lost, hours_unknown, computed_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    district, n.night, n.street, n.lamps, n.due, n.lit, n.dark, n.unknown,
                    n.hours_due, n.hours_lost, n.hours_unknown, now,
                )
                for n in nights
            ],
        )  # fmt: skip


def list_nights(conn: Connection, scope: Scope, first: date, last: date) -> list[NightOfStreet]:
    """The nights of these dates, street by street, newest first; whoever is bounded to less than
    a street has none."""
    with conn.cursor(row_factory=class_row(NightOfStreet)) as cursor:
        return cursor.execute(
            """
            SELECT n.night, n.street, coalesce(v.name, '') AS name, n.lamps, n.due, n.lit, n.dark,
                   n.unknown, n.hours_due, n.hours_lost, n.hours_unknown
            FROM lit_night n LEFT JOIN division v ON v.code = n.street
            WHERE n.district = %(district)s AND n.night BETWEEN %(first)s AND %(last)s
              AND (%(within)s::text[] IS NULL OR n.street = ANY(%(within)s))
            ORDER BY n.night DESC, n.street
            """,
            {
                "district": scope.district, "within": scope.codes, "first": first, "last": last,
            },
        ).fetchall()  # fmt: skip


def list_computed(conn: Connection, district: str, since: date) -> set[date]:
    """Nights that there are rows of."""
    rows = conn.execute(
        "SELECT DISTINCT night FROM lit_night WHERE district = %s AND night >= %s",
        (district, since),
    )
    return {night for (night,) in rows}


def first_heard(conn: Connection, district: str) -> datetime | None:
    """When a lamp of the district was put in first."""
    row = conn.execute(
        "SELECT min(created_at) FROM device WHERE kind = %s AND district = %s", (LIGHT, district)
    ).fetchone()
    return None if row is None else row[0]
