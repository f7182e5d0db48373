"""The registry of devices: who may report, under which identity, standing where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Notify, sql
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.device import DeviceLink, RegisteredDevice
from city.errors import Conflict
from city.place import LonLat
from db.pool import Connection
from db.row_columns import insert_list, names_of, select_list, values_of

# Told by a trigger of the device table when a transaction that changed it commits.
CHANGED_CHANNEL = "device_changed"

REGISTERED_COLUMNS = select_list(RegisteredDevice, "device", timezone="district.timezone")


def list_registered(conn: Connection) -> list[RegisteredDevice]:
    """The whole registry."""
    with conn.cursor(row_factory=class_row(RegisteredDevice)) as cursor:
        return cursor.execute(
            f"""
            SELECT {REGISTERED_COLUMNS}
            FROM device JOIN district ON district.code = device.district
            """
        ).fetchall()


def find_registered(conn: Connection, identities: Sequence[str]) -> list[RegisteredDevice]:
    """Devices with one of these codes or external identities, whatever their format."""
    with conn.cursor(row_factory=class_row(RegisteredDevice)) as cursor:
        return cursor.execute(
            f"""
            SELECT {REGISTERED_COLUMNS}
            FROM device JOIN district ON district.code = device.district
            WHERE device.code = ANY(%(names)s) OR external_id = ANY(%(names)s)
            """,
            {"names": list(identities)},
        ).fetchall()


class RegistryChanges:
    """Notices on one connection that the registry changed, in any process."""

    def __init__(self, conn: Connection) -> None:
        self._seen = False
        self._conn = conn
        conn.add_notify_handler(self._note)
        conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANGED_CHANNEL)))

    def _note(self, notify: Notify) -> None:
        self._seen = self._seen or notify.channel == CHANGED_CHANNEL

    def take(self) -> bool:
        """True once after a change. Asks the server, so it also finds a dead connection."""
        self._conn.execute("SELECT 1")
        seen, self._seen = self._seen, False
        return seen


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit grid a place lies in, and what that grid belongs to."""

    code: str
    street: str
    community: str


def find_cells(conn: Connection, places: Sequence[tuple[float, float]]) -> list[Cell | None]:
    """For each (lon, lat) the unit grid it lies in; a west or south edge belongs to the grid."""
    rows = conn.execute(
        """
        SELECT place.number, grid.code, grid.street, grid.community
        FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS place (lon, lat, number)
        JOIN unit_grid AS grid
          ON box(point(grid.west, grid.south), point(grid.east, grid.north))
             @> box(point(place.lon, place.lat), point(place.lon, place.lat))
         AND place.lon >= grid.west AND place.lon < grid.east
         AND place.lat >= grid.south AND place.lat < grid.north
        """,
        ([lon for lon, _ in places], [lat for _, lat in places]),
    )
    cells: list[Cell | None] = [None] * len(places)
    for number, code, street, community in rows:
        cells[number - 1] = Cell(code, street, community)
    return cells


def place_devices(conn: Connection, district: str) -> None:
    """Devices of a district that lie in no cell get the one that is there now."""
    conn.execute(
        """
        UPDATE device SET unit_grid = grid.code, street = grid.street, community = grid.community
        FROM unit_grid AS grid
        WHERE device.district = %(district)s AND device.unit_grid IS NULL
          AND grid.district = %(district)s
          AND device.lon >= grid.west AND device.lon < grid.east
          AND device.lat >= grid.south AND device.lat < grid.north
        """,
        {"district": district},
    )


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device to register."""

    code: str
    district: str
    kind: str
    model: str
    format: str
    external_id: str | None
    name: str
    lon: float
    lat: float
    cell: Cell | None
    gas: str | None
    report_interval_s: int
    attributes: dict[str, Any]


NEW_COLUMNS = names_of(NewDevice, without=frozenset({"cell"}))


def insert_devices(conn: Connection, devices: Sequence[NewDevice], now: datetime) -> None:
    """Register devices; a code or external identity that exists is a conflict."""
    try:
        _copy_devices(conn, devices, now)
    except UniqueViolation as error:
        current = {"taken": error.diag.message_detail or ""}
        raise Conflict("somebody else registered the same first", current=current) from error


def _copy_devices(conn: Connection, devices: Sequence[NewDevice], now: datetime) -> None:
    with (
        conn.cursor() as cursor,
        cursor.copy(
            f"""
            COPY device ({insert_list(NEW_COLUMNS)}, unit_grid, street, community, created_at)
            FROM STDIN
            """
        ) as copy,
    ):
        for d in devices:
            place = (d.cell.code, d.cell.street, d.cell.community) if d.cell else (None,) * 3
            values = values_of(d)
            copy.write_row((*(values[name] for name in NEW_COLUMNS), *place, now))


@dataclass(frozen=True, slots=True)
class TakenNames:
    """What registered devices already use, to tell a newcomer apart from them."""

    codes: frozenset[str]
    external_ids: frozenset[tuple[str, str]]  # (format, external_id)
    places: frozenset[tuple[str, float, float]]  # (kind, lon, lat)


def list_taken(conn: Connection) -> TakenNames:
    """Codes, external identities and places of every registered device."""
    rows = conn.execute("SELECT code, format, external_id, kind, lon, lat FROM device").fetchall()
    return TakenNames(
        frozenset(row[0] for row in rows),
        frozenset((row[1], row[2]) for row in rows if row[2] is not None),
        frozenset((row[3], row[4], row[5]) for row in rows),
    )


@dataclass(frozen=True, slots=True)
class KnownPlaces:
    """Where devices of some districts stand by code, and whether any of them was invented."""

    places: dict[str, tuple[float, float]]  # (lon, lat)
    has_demo: bool


def list_places(conn: Connection, districts: Sequence[str]) -> KnownPlaces:
    """Every registered device of these districts with its place."""
    rows = conn.execute(
        "SELECT code, lon, lat, demo FROM device WHERE district = ANY(%s)", (list(districts),)
    ).fetchall()
    return KnownPlaces({row[0]: (row[1], row[2]) for row in rows}, any(row[3] for row in rows))


@dataclass(frozen=True, slots=True)
class DistrictOutline:
    code: str
    outline: dict[str, Any]  # GeoJSON geometry


def list_districts(conn: Connection) -> list[DistrictOutline]:
    """Every district with its outline."""
    with conn.cursor(row_factory=class_row(DistrictOutline)) as cursor:
        return cursor.execute("SELECT code, outline FROM district ORDER BY code").fetchall()


def upsert_links(conn: Connection, links: Sequence[DeviceLink]) -> set[int]:
    """Keep the newest word on each device; ids of the devices for which it was news."""
    if not links:
        return set()
    newest: dict[int, DeviceLink] = {}
    for link in sorted(links, key=lambda link: link.reported_at):
        known = newest.get(link.device_id)
        if known is not None and link.online is None and not link.attributes:
            link = replace(known, reported_at=link.reported_at)  # a sign of life unsays no word
        newest[link.device_id] = link
    ordered = [newest[device_id] for device_id in sorted(newest)]
    rows = conn.execute(
        """
        INSERT INTO device_link AS link (device_id, online, reported_at, attributes)
        SELECT * FROM unnest(%s::int[], %s::boolean[], %s::timestamptz[], %s::jsonb[])
        ON CONFLICT (device_id) DO UPDATE
        SET online = coalesce(excluded.online, link.online),
            reported_at = excluded.reported_at,
            attributes = CASE WHEN excluded.attributes = '{}' AND excluded.online IS NULL
                              THEN link.attributes ELSE excluded.attributes END
        WHERE excluded.reported_at > link.reported_at
        RETURNING device_id
        """,
        (
            [link.device_id for link in ordered],
            [link.online for link in ordered],
            [link.reported_at for link in ordered],
            [Jsonb(link.attributes) for link in ordered],
        ),
    )
    return {row[0] for row in rows}


def find_districts(conn: Connection, device_ids: Sequence[int]) -> dict[int, str]:
    """The districts of these devices."""
    rows = conn.execute("SELECT id, district FROM device WHERE id = ANY(%s)", (list(device_ids),))
    return dict(rows.fetchall())


def list_squad_districts(conn: Connection) -> dict[str, str]:
    """Squads whose positions are accepted, with their districts."""
    return dict(conn.execute("SELECT code, district FROM squad").fetchall())


@dataclass(frozen=True, slots=True)
class NearDevice:
    """A device near a place, and the metric that says most about it."""

    code: str
    name: str
    metric: str
    metres: int


def list_near(
    conn: Connection, district: str, kind: str, at: LonLat, within_m: float, limit: int
) -> list[NearDevice]:
    """The nearest devices of a kind that have reported, with the first of their metrics."""
    with conn.cursor(row_factory=class_row(NearDevice)) as cursor:
        return cursor.execute(
            """
            SELECT code, name, metric, round(metres)::int AS metres FROM (
                SELECT d.code, d.name,
                       (SELECT m.name FROM device_latest l JOIN metric m ON m.id = l.metric_id
                        WHERE l.device_id = d.id ORDER BY m.id LIMIT 1) AS metric,
                       111195 * sqrt((d.lat - %(lat)s) ^ 2
                           + ((d.lon - %(lon)s) * cos(radians(%(lat)s))) ^ 2) AS metres
                FROM device d WHERE d.district = %(district)s AND d.kind = %(kind)s
                  AND d.lat BETWEEN %(lat)s - %(deg)s AND %(lat)s + %(deg)s
                  AND d.lon BETWEEN %(lon)s - %(deg)s / cos(radians(%(lat)s))
                                AND %(lon)s + %(deg)s / cos(radians(%(lat)s))
            ) near
            WHERE metric IS NOT NULL AND metres <= %(within)s ORDER BY metres, code LIMIT %(limit)s
            """,
            {
                "district": district, "kind": kind, "lon": at.lon, "lat": at.lat,
                "deg": within_m / 111_195, "within": within_m, "limit": limit,
            },
        ).fetchall()  # fmt: skip
