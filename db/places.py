"""Where things are: cells of the unit grid, the district, a device by its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from city.errors import NotFound
from city.place import LonLat
from db.pool import Connection


@dataclass(frozen=True)
class Place:
    """What the registry knows about a point of the map."""

    unit_grid: str | None = None
    street: str | None = None
    community: str | None = None
    duty_grid: str | None = None
    street_name: str | None = None
    community_name: str | None = None


def place_at(conn: Connection, district: str, at: LonLat) -> Place:
    """The unit grid cell a point lies in; empty outside all cells."""
    with conn.cursor(row_factory=class_row(Place)) as cursor:
        row = cursor.execute(
            """
            SELECT u.code AS unit_grid, u.street, u.community, u.duty_grid,
                   street.name AS street_name, community.name AS community_name
            FROM unit_grid u
            JOIN division street ON street.code = u.street
            JOIN division community ON community.code = u.community
            WHERE u.district = %s
              AND u.west <= %s AND u.east > %s AND u.south <= %s AND u.north > %s
            """,
            (district, at.lon, at.lon, at.lat, at.lat),
        ).fetchone()
    return row or Place()


def zone_of(conn: Connection, district: str) -> ZoneInfo:
    """Time zone of a district."""
    row = conn.execute("SELECT timezone FROM district WHERE code = %s", (district,)).fetchone()
    if row is None:
        raise NotFound("district", district)
    return ZoneInfo(row[0])


def outline_of(conn: Connection, district: str) -> dict[str, Any]:
    """Outline of a district as a GeoJSON geometry."""
    row = conn.execute("SELECT outline FROM district WHERE code = %s", (district,)).fetchone()
    if row is None:
        raise NotFound("district", district)
    outline: dict[str, Any] = row[0]
    return outline


@dataclass(frozen=True)
class DeviceRow:
    id: int
    code: str
    name: str
    kind: str


def find_device(conn: Connection, district: str, code: str) -> DeviceRow:
    """A device by its code."""
    with conn.cursor(row_factory=class_row(DeviceRow)) as cursor:
        row = cursor.execute(
            "SELECT id, code, name, kind FROM device WHERE district = %s AND code = %s",
            (district, code),
        ).fetchone()
    if row is None:
        raise NotFound("device", code)
    return row
