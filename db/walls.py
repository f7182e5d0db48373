"""What the walls show: current rows of incidents, alarms and devices, and the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from city.reading import SHOWN_METRICS
from columns.readings import CLOCKS_AGREE
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class WallIncident:
    """An open incident with the clock that runs out first."""

    id: int
    number: str
    state: str
    severity: int
    family: str
    category: str
    category_zh: str
    category_en: str
    title_zh: str
    title_en: str
    lon: float
    lat: float
    unit_grid: str | None
    street_name: str | None
    community_name: str | None
    source: str
    squad: str | None
    squad_zh: str | None
    squad_en: str | None
    opened_at: datetime
    clock: str | None
    due_at: datetime | None
    warn_at: datetime | None
    paused_at: datetime | None
    version: int
    demo: bool
    device: str | None


def list_incidents(
    conn: Connection,
    district: str,
    *,
    ids: Sequence[int] | None = None,
    squad: str | None = None,
) -> list[WallIncident]:
    """Open incidents, worst and oldest first: all, or those of `ids`, or those of one squad.

    Not a call of `db.incidents.list_incidents`: its optional filters hide from the planner that
    only open incidents are meant, and every event on the wall would read years of closed ones.
    """
    with conn.cursor(row_factory=class_row(WallIncident)) as cursor:
        return cursor.execute(
            """
            SELECT i.id, i.number, i.state, i.severity, coalesce(c.family, 'other') AS family,
                   i.category, coalesce(c.name_zh, i.category) AS category_zh,
                   coalesce(c.name_en, i.category) AS category_en, i.title_zh, i.title_en,
                   i.lon, i.lat, i.unit_grid, street.name AS street_name,
                   community.name AS community_name, i.source, i.squad,
                   s.name_zh AS squad_zh, s.name_en AS squad_en, i.opened_at,
                   d.clock, d.due_at, d.warn_at, d.paused_at, i.version, i.demo,
                   device.code AS device
            FROM incident i
            LEFT JOIN incident_category c ON c.code = i.category AND c.version = i.category_version
            LEFT JOIN division street ON street.code = i.street
            LEFT JOIN division community ON community.code = i.community
            LEFT JOIN squad s ON s.code = i.squad
            LEFT JOIN device ON device.id = i.device_id
            LEFT JOIN LATERAL (
                SELECT clock, due_at, warn_at, paused_at FROM deadline
                WHERE incident_id = i.id AND met_at IS NULL AND stopped_at IS NULL
                ORDER BY due_at LIMIT 1
            ) d ON true
            WHERE i.district = %(district)s
              AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
              AND (%(ids)s::bigint[] IS NULL OR i.id = ANY(%(ids)s))
              AND (%(squad)s::text IS NULL OR i.squad = %(squad)s)
            ORDER BY i.severity, i.opened_at, i.id
            """,
            {"district": district, "ids": None if ids is None else list(ids), "squad": squad},
        ).fetchall()


@dataclass(frozen=True, slots=True)
class WallAlarm:
    """A live alarm and the incident it belongs to."""

    id: int
    severity: int
    state: str
    category: str
    device: str | None
    device_id: int | None
    lon: float
    lat: float
    unit_grid: str | None
    sensed_at: datetime
    raised_at: datetime
    announced_at: datetime  # it came, became worse or came back
    reason: dict[str, Any]
    incident_id: int | None
    shelved_until: datetime | None
    version: int


def list_alarms(
    conn: Connection,
    district: str,
    *,
    ids: Sequence[int] | None = None,
    incident_ids: Sequence[int] = (),
) -> list[WallAlarm]:
    """Alarms that are not over: all, or those of `ids` and those of `incident_ids`."""
    with conn.cursor(row_factory=class_row(WallAlarm)) as cursor:
        return cursor.execute(
            """
            SELECT a.id, a.severity, a.state, a.category, device.code AS device, a.device_id,
                   a.lon, a.lat, a.unit_grid, a.sensed_at, a.raised_at,
                   coalesce(a.announced_at, a.raised_at) AS announced_at, a.reason,
                   link.incident_id, a.shelved_until, a.version
            FROM alarm a
            LEFT JOIN device ON device.id = a.device_id
            LEFT JOIN incident_alarm link ON link.alarm_id = a.id
            WHERE a.district = %(district)s
              AND a.state <> 'normal'
              AND (%(ids)s::bigint[] IS NULL OR a.id = ANY(%(ids)s)
                   OR link.incident_id = ANY(%(incident_ids)s::bigint[]))
            ORDER BY a.severity, a.raised_at DESC, a.id
            """,
            {
                "district": district,
                "ids": None if ids is None else list(ids),
                "incident_ids": list(incident_ids),
            },
        ).fetchall()


@dataclass(frozen=True, slots=True)
class WallDevice:
    """A device with the newest value of the metric its dot shows, and when it was last heard."""

    id: int
    kind: str
    report_interval_s: int
    out_of_service: bool
    metric: str | None
    value: float | None
    ts: datetime | None
    heard_at: datetime | None


def list_devices(conn: Connection, district: str, now: datetime) -> list[WallDevice]:
    """Every device of the district; one pass over the latest-value table."""
    with conn.cursor(row_factory=class_row(WallDevice)) as cursor:
        return cursor.execute(
            """
            SELECT d.id, d.kind, d.report_interval_s,
                   d.out_of_service_since IS NOT NULL
                       AND coalesce(d.return_due_at > %(now)s, true) AS out_of_service,
                   shown.metric, shown.value, shown.ts, heard.at AS heard_at
            FROM device d
            LEFT JOIN (
                SELECT DISTINCT ON (l.device_id) l.device_id, m.name AS metric, l.value,
                       least(l.ts, l.received_at + %(agree)s) AS ts
                FROM device_latest l
                JOIN metric m ON m.id = l.metric_id
                ORDER BY l.device_id, array_position(%(shown)s::text[], m.name), m.id
            ) shown ON shown.device_id = d.id
            LEFT JOIN (
                SELECT device_id, max(received_at) AS at FROM device_latest GROUP BY device_id
            ) heard ON heard.device_id = d.id
            WHERE d.district = %(district)s
            ORDER BY d.id
            """,
            {"district": district, "now": now, "shown": list(SHOWN_METRICS),
             "agree": CLOCKS_AGREE},
        ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class District:
    """The district a wall shows; `outline` is a GeoJSON geometry."""

    code: str
    name_zh: str
    name_en: str
    outline: dict[str, Any]
    timezone: str


def find_district(conn: Connection, code: str) -> District | None:
    """One district by its code."""
    with conn.cursor(row_factory=class_row(District)) as cursor:
        return cursor.execute(
            "SELECT code, name_zh, name_en, outline, timezone FROM district WHERE code = %s",
            (code,),
        ).fetchone()


def has_demo_rows(conn: Connection, district: str) -> bool:
    """Whether anything on this wall was invented."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM device WHERE district = %s AND demo)", (district,)
    ).fetchone()
    return bool(row and row[0])


def map_devices(conn: Connection, district: str) -> list[tuple[Any, ...]]:
    """(id, code, kind, lon, lat, unit grid, name) of every device."""
    return conn.execute(
        """
        SELECT id, code, kind, round(lon::numeric, 6)::float8, round(lat::numeric, 6)::float8,
               unit_grid, name
        FROM device WHERE district = %s ORDER BY id
        """,
        (district,),
    ).fetchall()


def map_cells(conn: Connection, district: str) -> list[tuple[Any, ...]]:
    """(code, west, south, east, north) of every unit grid."""
    return conn.execute(
        """
        SELECT code, round(west::numeric, 6)::float8, round(south::numeric, 6)::float8,
               round(east::numeric, 6)::float8, round(north::numeric, 6)::float8
        FROM unit_grid WHERE district = %s ORDER BY code
        """,
        (district,),
    ).fetchall()


def community_names(conn: Connection, district: str) -> dict[str, str]:
    """Name of every community and street by its official code."""
    rows = conn.execute(
        "SELECT code, name FROM division WHERE district = %s AND level <> 'district'",
        (district,),
    ).fetchall()
    return dict(rows)


def map_stamp(conn: Connection, district: str) -> str:
    """Changes whenever the devices or the cells of the map do."""
    row = conn.execute(
        """
        SELECT (SELECT md5(string_agg(concat_ws(' ', id, code, kind, lon, lat, unit_grid, name),
                                      ',' ORDER BY id))
                FROM device WHERE district = %(d)s) || '-' ||
               (SELECT count(*) FROM unit_grid WHERE district = %(d)s)
        """,
        {"d": district},
    ).fetchone()
    return str(row[0]) if row else ""
