"""What somebody sees of a district: the one condition on rows, and the one refusal by name."""

from __future__ import annotations

from collections.abc import Sequence

from city.errors import Forbidden, InvalidInput
from city.incident import Incident
from city.place import LonLat
from city.scope import Scope, Within
from db.pool import Connection


def inside(row: str, *, cell: str = "") -> str:
    """The condition that a row with `unit_grid`, `community` and `street` lies within `%(within)s`,
    which is `Scope.codes`; `cell` is another expression for the cell it lies in."""
    place = f"{cell or f'{row}.unit_grid'}, {row}.community, {row}.street"
    return f"(%(within)s::text[] IS NULL OR lies_within({place}, %(within)s))"


def cell_at(row: str) -> str:
    """The cell in which a row with `district`, `lon` and `lat` lies, as `inside` takes it."""
    return f"""(
        SELECT g.code FROM unit_grid g
        WHERE g.district = {row}.district
          AND box(point(g.west, g.south), point(g.east, g.north))
              @> box(point({row}.lon, {row}.lat), point({row}.lon, {row}.lat))
          AND g.west <= {row}.lon AND g.east > {row}.lon
          AND g.south <= {row}.lat AND g.north > {row}.lat
        LIMIT 1)"""


def read_within(conn: Connection, divisions: Sequence[str]) -> Within | None:
    """These divisions with all below them; None where there are none: the whole district."""
    if not divisions:
        return None
    below = conn.execute(
        """
        WITH RECURSIVE below AS (
            SELECT code FROM division WHERE code = ANY(%(codes)s)
            UNION
            SELECT d.code FROM division d JOIN below ON d.parent = below.code
        )
        SELECT code FROM below
        """,
        {"codes": list(divisions)},
    ).fetchall()
    names = dict(
        conn.execute(
            "SELECT code, name FROM division WHERE code = ANY(%s)", (list(divisions),)
        ).fetchall()
    )
    return Within(
        tuple(names.get(code, code) for code in divisions), frozenset(code for (code,) in below)
    )


def check_divisions(conn: Connection, district: str, divisions: Sequence[str]) -> list[str]:
    """Codes of divisions below the district, sorted, each once; raises `InvalidInput` for another
    one."""
    wanted = sorted({code.strip() for code in divisions if code.strip()})
    known = dict(
        conn.execute(
            "SELECT code, level FROM division WHERE district = %s AND code = ANY(%s)",
            (district, wanted),
        ).fetchall()
    )
    for code in wanted:
        if known.get(code, "district") == "district":
            raise InvalidInput(
                "divisions", code, f"is no division below district {district}",
                code="no_such_division",
            )  # fmt: skip
    return wanted


def is_inside(conn: Connection, scope: Scope, incident: Incident) -> bool:
    """Whether an incident of the district lies within."""
    return _lies_within(conn, scope, (incident.unit_grid, incident.community, incident.street))


def refuse_outside(conn: Connection, scope: Scope, incident: Incident) -> None:
    """Raises `Forbidden` naming the incident, where it lies outside."""
    if not is_inside(conn, scope, incident):
        raise scope.refusal("incident", incident.number)


def refuse_place_outside(conn: Connection, scope: Scope, at: LonLat) -> None:
    """The same of a point of the map."""
    if scope.within is None:
        return
    row = conn.execute(
        """
        SELECT code FROM unit_grid
        WHERE district = %(district)s AND west <= %(lon)s AND east > %(lon)s
          AND south <= %(lat)s AND north > %(lat)s
        """,
        {"district": scope.district, "lon": at.lon, "lat": at.lat},
    ).fetchone()
    if not _lies_within(conn, scope, (row[0] if row else None, None, None)):
        raise scope.refusal("place", f"{at.lon:g}, {at.lat:g}")


def is_alarm_inside(conn: Connection, scope: Scope, alarm_id: int) -> bool:
    """Whether an alarm lies within, by its own cell, else by its device."""
    row = conn.execute(
        f"""
        SELECT {inside("device", cell="coalesce(a.unit_grid, device.unit_grid)")}
        FROM alarm a LEFT JOIN device ON device.id = a.device_id WHERE a.id = %(id)s
        """,
        {"id": alarm_id, "within": scope.codes},
    ).fetchone()
    return row == (True,)


def find_device_outside(conn: Connection, scope: Scope, ids: Sequence[int]) -> str | None:
    """The code of one of these devices that lies outside, the first; None: all lie within."""
    if scope.within is None:
        return None
    row = conn.execute(
        f"""
        SELECT code FROM device d
        WHERE id = ANY(%(ids)s) AND NOT {inside("d")} ORDER BY code LIMIT 1
        """,
        {"ids": list(ids), "within": scope.codes},
    ).fetchone()
    return None if row is None else str(row[0])


def refuse_devices_outside(conn: Connection, scope: Scope, ids: Sequence[int]) -> None:
    """Raises `Forbidden` naming the first of these devices that lies outside."""
    code = find_device_outside(conn, scope, ids)
    if code is not None:
        raise scope.refusal("device", code)


def refuse_not_whole(scope: Scope, what: str) -> None:
    """Raises `Forbidden` where somebody is bounded, and this is of the whole district."""
    if scope.within is not None:
        raise Forbidden(f"{what} is for people of the whole district, not of {scope.within}")


def _lies_within(conn: Connection, scope: Scope, place: tuple[str | None, ...]) -> bool:
    if scope.within is None:
        return True
    row = conn.execute("SELECT lies_within(%s, %s, %s, %s)", (*place, scope.codes)).fetchone()
    return bool(row and row[0])
