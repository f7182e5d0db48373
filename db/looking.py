"""What a form shows beside what is typed: names of places, and what is around one."""

from __future__ import annotations

from typing import NamedTuple

from psycopg.rows import class_row

from city.looking import FoundPlace
from city.place import LonLat
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside


class NamedPlace(NamedTuple):
    kind: str
    code: str
    name: str
    lon: float
    lat: float


class DeviceNear(NamedTuple):
    code: str
    kind: str
    name: str
    lon: float
    lat: float
    alarm: int | None


def list_divisions(conn: Connection, district: str) -> list[NamedPlace]:
    """Divisions of a district that have cells, each at the middle of them."""
    rows = conn.execute(
        """
        SELECT d.level, d.code, d.name, avg((u.west + u.east) / 2), avg((u.south + u.north) / 2)
        FROM unit_grid u JOIN division d ON d.code IN (u.street, u.community)
        WHERE u.district = %s GROUP BY d.code ORDER BY d.code
        """,
        (district,),
    )
    return [NamedPlace(*row) for row in rows]


def list_coded_places(conn: Connection, scope: Scope, text: str, limit: int) -> list[FoundPlace]:
    """Cells by the beginning of their code, devices of a scope by code or name, and the same of
    entries of registers, for who is bounded by nothing: entries know no division."""
    with conn.cursor(row_factory=class_row(FoundPlace)) as cursor:
        return cursor.execute(
            f"""
            (SELECT 'unit_grid' AS kind, code, code AS name, (west + east) / 2 AS lon,
                    (south + north) / 2 AS lat
             FROM unit_grid WHERE district = %(district)s AND starts_with(code, %(text)s)
             ORDER BY code LIMIT %(limit)s)
            UNION ALL
            (SELECT 'device', code, name, lon, lat FROM device
             WHERE district = %(district)s AND {inside("device")}
               AND (strpos(lower(code), %(text)s) > 0 OR strpos(lower(name), %(text)s) > 0)
             ORDER BY code LIMIT %(limit)s)
            UNION ALL
            (SELECT 'entry', code, coalesce(fields ->> 'name', fields ->> 'address', code), lon, lat
             FROM register_entry
             WHERE district = %(district)s AND retired_at IS NULL AND lon IS NOT NULL
               AND %(within)s::text[] IS NULL
               AND (strpos(lower(code), %(text)s) > 0 OR strpos(lower(fields::text), %(text)s) > 0)
             ORDER BY code LIMIT %(limit)s)
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "text": text,
                "limit": limit,
            },
        ).fetchall()


def list_devices_near(
    conn: Connection, district: str, at: LonLat, half_deg: float
) -> list[DeviceNear]:
    """Devices in a box around a place, half as high as `half_deg` says and twice as wide, each
    with the gravest of its live alarms."""
    rows = conn.execute(
        """
        SELECT d.code, d.kind, d.name, d.lon, d.lat,
               (SELECT min(severity) FROM alarm a
                WHERE a.device_id = d.id AND a.state <> 'normal')
        FROM device d
        WHERE d.district = %(district)s
          AND d.lat BETWEEN %(lat)s - %(half)s AND %(lat)s + %(half)s
          AND d.lon BETWEEN %(lon)s - 2 * %(half)s AND %(lon)s + 2 * %(half)s
        """,
        {"district": district, "lat": at.lat, "lon": at.lon, "half": half_deg},
    )
    return [DeviceNear(*row) for row in rows]
