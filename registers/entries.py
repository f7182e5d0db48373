"""Rows of a register's data file to entries, and entries back to rows. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from city.errors import InvalidInput
from city.register import FieldType, PlaceKind, Register, RegisterEntry, RegisterField
from registers.hours import parse_hours

CODE_MAX, VALUE_MAX = 64, 1_000
GEOMETRIES = {
    PlaceKind.LINE: ("LineString", "MultiLineString"),
    PlaceKind.AREA: ("Polygon", "MultiPolygon"),
}
PHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,24}")
# Full-width letters, digits and signs as plain ones.
NARROW = {0xFF01 + n: 0x21 + n for n in range(94)}
# Without what is mistaken for another sign when somebody types it off a label.
SHORT_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
SHORT_LENGTH = 12

# Name of a column, what is wrong with it, and the value where that is not the cell.
Fault = Callable[[str, str, str | None], None]


def columns_of(register: Register) -> tuple[list[str], list[str]]:
    """Columns that a data file must have, and those that it may have."""
    needed = ["code", *(f.code for f in register.fields if f.required)]
    where = {PlaceKind.NONE: [], PlaceKind.POINT: ["lon", "lat"]}.get(register.place, ["geometry"])
    return needed, ["state", *(f.code for f in register.fields if not f.required), *where]


def read_entry(register: Register, cells: Mapping[str, str], fault: Fault) -> RegisterEntry:
    """An entry out of the cells of a row; what is wrong with one is told to `fault`."""
    code = cells.get("code", "")
    if not code or len(code) > CODE_MAX or not code.isprintable():
        fault("code", f"must have 1 to {CODE_MAX} characters" if code else "is missing", None)
    state = _one_of(cells, "state", [s.code for s in register.states], fault)
    values = {f.code: _value(f, cells, fault) for f in register.fields}
    if register.hours and values[register.hours]:
        try:
            parse_hours(values[register.hours])
        except InvalidInput as error:
            fault(register.hours, error.problem, None)
    personal = {f.code for f in register.fields if f.personal}
    geometry = _geometry(register.place, cells, fault)
    lon, lat = _point_of(geometry)
    return RegisterEntry(
        code=code,
        state=state or (register.states[0].code if register.states else ""),
        fields={n: v for n, v in values.items() if v and n not in personal},
        personal={n: v for n, v in values.items() if v and n in personal},
        geometry=geometry,
        lon=lon,
        lat=lat,
    )


def _value(f: RegisterField, cells: Mapping[str, str], fault: Fault) -> str:
    """The text of a cell as it is kept: dates, numbers and choices in one way of writing."""
    text = cells.get(f.code, "")
    if not text:
        if f.required:
            fault(f.code, "is missing", None)
        return ""
    if len(text) > VALUE_MAX or not text.isprintable():
        fault(f.code, f"must have at most {VALUE_MAX} characters that can be shown", None)
        return text
    if f.type is FieldType.CHOICE:
        names = {c.name_zh: c.code for c in f.choices}
        return _one_of({f.code: names.get(text, text)}, f.code, [c.code for c in f.choices], fault)
    problem = _problem(f.type, text)
    if problem:
        fault(f.code, problem, None)
    return text


def _problem(kind: FieldType, text: str) -> str:
    match kind:
        case FieldType.NUMBER:
            return "" if _is_number(text) else "must be a number"
        case FieldType.DATE:
            return "" if _is_date(text) else "must be YYYY-MM-DD"
        case FieldType.PHONE:
            return "" if PHONE.fullmatch(text) else "must be a telephone number"
        case FieldType.IDENTITY:
            return "" if normal_party(text) else "must be a number of letters and digits"
        case _:
            return ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _one_of(cells: Mapping[str, str], name: str, allowed: Sequence[str], fault: Fault) -> str:
    value = cells.get(name, "")
    if value and value not in allowed:
        fault(name, f"must be one of {', '.join(allowed)}", value)
    return value


def _geometry(kind: PlaceKind, cells: Mapping[str, str], fault: Fault) -> dict[str, Any] | None:
    if kind is PlaceKind.NONE:
        return None
    if kind is PlaceKind.POINT:
        return _point(cells, fault)
    text = cells.get("geometry", "")
    if not text:
        return None
    try:
        found = shape(json.loads(text)) if text.startswith("{") else shapely.from_wkt(text)
    except (ValueError, TypeError, KeyError, AttributeError, ShapelyError):
        fault("geometry", "is neither WKT nor GeoJSON", None)
        return None
    west, south, east, north = found.bounds if not found.is_empty else (math.nan,) * 4
    if found.geom_type not in GEOMETRIES[kind]:
        fault("geometry", f"must be a {' or '.join(GEOMETRIES[kind])}", None)
    elif not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        fault("geometry", "has coordinates that are no degrees", None)
    elif not found.is_valid:
        fault("geometry", f"is no valid shape: {shapely.is_valid_reason(found)}", None)
    else:
        return _plain(mapping(shapely.force_2d(found)))
    return None


def _point(cells: Mapping[str, str], fault: Fault) -> dict[str, Any] | None:
    lon, lat = cells.get("lon", ""), cells.get("lat", "")
    if not lon and not lat:
        return None
    if not (_is_number(lon) and _is_number(lat)):
        fault("lon, lat", "must be two numbers", f"{lon}, {lat}")
        return None
    x, y = float(lon), float(lat)
    if abs(x) > 180 or abs(y) > 90:
        swapped = abs(y) <= 180 and abs(x) <= 90
        fault("lon, lat", "are swapped" if swapped else "are no degrees", f"{x:g}, {y:g}")
        return None
    return {"type": "Point", "coordinates": [x, y]}


def placed(entry: RegisterEntry, geometry: Mapping[str, Any] | None) -> RegisterEntry:
    """The entry at another place."""
    lon, lat = _point_of(geometry)
    return replace(entry, geometry=geometry, lon=lon, lat=lat)


def _point_of(geometry: Mapping[str, Any] | None) -> tuple[float | None, float | None]:
    """Longitude and latitude of a place on it."""
    if geometry is None:
        return None, None
    if geometry["type"] == "Point":
        lon, lat = geometry["coordinates"]
        return lon, lat
    point = shape(dict(geometry)).representative_point()
    return point.x, point.y


def _plain(value: Any) -> dict[str, Any]:
    """As JSON has it: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


def why_outside(kind: PlaceKind, entry: RegisterEntry, area: Any) -> tuple[str, str]:
    """A point must lie in the district, a line or an area must touch it."""
    if entry.geometry is None or entry.lon is None or entry.lat is None:
        return "", ""
    if kind is not PlaceKind.POINT:
        touches = area.intersects(shape(dict(entry.geometry)))
        return "geometry", "" if touches else "lies outside the boundary"
    if area.covers(shapely.Point(entry.lon, entry.lat)):
        return "", ""
    swapped = area.covers(shapely.Point(entry.lat, entry.lon))
    return "lon, lat", "are swapped" if swapped else "lie outside the boundary"


def entry_cells(register: Register, entry: RegisterEntry) -> dict[str, str]:
    """The cells that `read_entry` makes the same entry of."""
    cells = {"code": entry.code, "state": entry.state, **entry.fields, **entry.personal}
    if entry.geometry is None:
        return cells
    if register.place is PlaceKind.POINT:
        lon, lat = entry.geometry["coordinates"]
        return {**cells, "lon": repr(float(lon)), "lat": repr(float(lat))}
    return {**cells, "geometry": json.dumps(entry.geometry)}


def title_of(register: Register, value: Callable[[str], str], code: str) -> str:
    """What an entry is called; its code where it has no name."""
    return (value(register.title) if register.title else "") or code


def normal_party(text: str) -> str:
    """The number of a licence or a person without what is written differently from time to time:
    width, case, spaces and strokes. Empty where nothing is left or it is no such number."""
    bare = re.sub(r"[\s._/()-]+", "", text.translate(NARROW)).upper()
    return bare if re.fullmatch(r"[0-9A-Z\u4e00-\u9fff]{4,32}", bare) else ""


def party_of(register: Register, entry: RegisterEntry) -> str:
    """By what the party of an entry is known; empty: it has none."""
    return normal_party(entry.value(register.party)) if register.party else ""


def due_of(register: Register, entry: RegisterEntry) -> date | None:
    """When it is first due, as the file says it."""
    text = entry.value(register.due) if register.due else ""
    return date.fromisoformat(text) if text else None


def short_code(district: str, register: str, code: str) -> str:
    """What stands in the QR code of an entry: the same in every installation, so that a label that
    is printed stays good, and nothing in it says whose it is."""
    digest = hashlib.sha256("\x1f".join((district, register, code)).encode()).digest()
    number, signs = int.from_bytes(digest, "big"), []
    for _ in range(SHORT_LENGTH):
        number, rest = divmod(number, len(SHORT_SIGNS))
        signs.append(SHORT_SIGNS[rest])
    return "".join(signs)
