"""`areas.geojson` and `video.csv`: areas of a city and what video events need, read, judged and
written. Pure.

A feature is a Point with `radius_m`, or a Polygon. As a table its geometry is the column `place`:
`lon lat` of a point, `lon lat; lon lat; …` of a polygon, with `|` before each of its holes. A
member `datum` of the file, or of a feature, says what its positions are in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from city.area import (
    POINTS_MAX,
    RADIUS_MAX_M,
    Area,
    AreaKind,
    Ring,
    Span,
    geometry_of,
    hours_text,
    parse_hours,
)
from city.datum import Datum, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat
from city.text_files import decode
from city.video import VideoLimit
from founding.parts import Entry, Fault
from founding.sheets import Line, read_lines

AREAS, VIDEO = "areas.geojson", "video.csv"
AREA_COLUMNS = (
    ("code", "kind", "name_zh", "name_en", "place"),
    ("radius_m", "classes", "hours", "valid_from", "valid_until", "note"),
)
DATUM = "datum"
KINDS = tuple(kind.value for kind in AreaKind)
PLACE_MAX = 200_000
# `entry` names a row on the page of settings; what stands in it is not read.
VIDEO_COLUMNS = ((), ("type", "camera", "min_confidence", "min_stay_s", "note", "entry"))
STAY_MAX_S = 86_400


# Areas


def read_areas(content: bytes, datum: Datum, faults: list[Fault]) -> tuple[Entry[Area], ...]:
    """Every area that is right by itself, its positions in WGS-84; they are given in `datum` where
    the file does not say. The row of an entry is the number of its feature, from 1."""
    found = []
    for line in _lines(content, faults):
        before = len(faults)
        area = _area(line, datum)
        if area is not None and len(faults) == before:
            found.append(Entry(line.row, area))
    return tuple(found)


def _lines(content: bytes, faults: list[Fault]) -> list[Line]:
    """Every feature as a row of text."""
    found = decode(content)
    try:
        body = json.loads(found[0]) if found and found[0].strip() else {}
    except (ValueError, RecursionError) as error:
        faults.append(Fault(AREAS, None, "", "", f"is not JSON: {error}"))
        return []
    table = body if isinstance(body, dict) else {}
    if table.get("type") != "FeatureCollection" or not isinstance(table.get("features"), list):
        faults.append(Fault(AREAS, None, "", "", "must be a FeatureCollection of GeoJSON"))
        return []
    datum = str(table.get(DATUM) or "")
    numbered = enumerate(table["features"], start=1)
    return [_line(number, feature, datum, faults) for number, feature in numbered]


def _line(number: int, feature: Any, datum: str, faults: list[Fault]) -> Line:
    body = feature if isinstance(feature, dict) else {}
    properties = body.get("properties")
    told = properties if isinstance(properties, dict) else {}
    values = {str(name): _text(value) for name, value in told.items()}
    if body.get("geometry") is not None:
        try:
            values["place"] = _place_of(body["geometry"])
        except (KeyError, TypeError, ValueError, IndexError):
            kind = body["geometry"].get("type") if isinstance(body["geometry"], dict) else None
            faults.append(Fault(AREAS, number, "place", str(kind), "must be a Point or a Polygon"))
    values.setdefault(DATUM, datum)
    line = Line(AREAS, number, values, faults)
    for name in values:
        if name not in (*AREA_COLUMNS[0], *AREA_COLUMNS[1], DATUM):
            known = ", ".join((*AREA_COLUMNS[0], *AREA_COLUMNS[1]))
            line.fault(name, f"is no property of an area; it has {known}")
    return line


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).strip()


def _place_of(geometry: Mapping[str, Any]) -> str:
    """A GeoJSON geometry as text."""
    if geometry["type"] == "Point":
        return _pair(geometry["coordinates"])
    if geometry["type"] != "Polygon":
        raise ValueError(geometry["type"])
    return place_text(geometry["coordinates"])


def place_text(rings: Iterable[Iterable[Sequence[float]]]) -> str:
    """Rings as the table has them, each without its last point, which is its first."""
    parts = []
    for ring in rings:
        points = [_pair(point) for point in ring]
        if len(points) > 1 and points[0] == points[-1]:
            points.pop()
        parts.append("; ".join(points))
    return " | ".join(parts)


def _pair(point: Sequence[float]) -> str:
    return f"{float(point[0])!r} {float(point[1])!r}"


def _area(line: Line, default: Datum) -> Area | None:
    code, kind = line.text("code", needed=True), line.one_of("kind", KINDS)
    rings = _rings(line, default)
    centre = rings[0][0] if rings and len(rings) == 1 and len(rings[0]) == 1 else None
    radius = _radius(line, is_point=centre is not None) if rings else None
    classes = tuple(line.words("classes"))
    if kind == AreaKind.STALLS.value and not classes:
        line.fault("classes", "is missing: it says what is permitted there")
    if kind and kind != AreaKind.STALLS.value and classes:
        line.fault("classes", f"goes with {AreaKind.STALLS.value}, and only with it")
    since, until = _date(line, "valid_from"), _date(line, "valid_until")
    if since and until and until < since:
        line.fault("valid_until", "is before valid_from")
    name_zh, name_en = (line.text(name, needed=True) for name in ("name_zh", "name_en"))
    note, hours = line.text("note"), _hours(line)
    if not rings or kind not in KINDS:
        return None
    return Area(
        code=code, kind=AreaKind(kind), name_zh=name_zh, name_en=name_en,
        rings=() if centre else rings, centre=centre, radius_m=radius, classes=classes,
        hours=hours, valid_from=since, valid_until=until, note=note,
    )  # fmt: skip


def _rings(line: Line, default: Datum) -> tuple[Ring, ...]:
    """The points of `place`, in WGS-84; none, with a fault, where they are no area."""
    text = line.text("place", needed=True, most=PLACE_MAX)
    written = line.text(DATUM)
    try:
        datum = parse_datum(DATUM, written) if written else default
        rings = tuple(tuple(_points(part, datum)) for part in text.split("|")) if text else ()
    except InvalidInput as error:
        line.fault(error.field, error.problem, str(error.value))
        return ()
    if not rings:
        return ()
    if sum(map(len, rings)) > POINTS_MAX:
        line.fault("place", f"has more than {POINTS_MAX} points")
        return ()
    if len(rings) == 1 and len(rings[0]) == 1:
        return rings
    if any(len(ring) < 3 for ring in rings):
        line.fault("place", "must be one point, or three at least", text[:80])
        return ()
    if not shapely.Polygon(rings[0], rings[1:]).is_valid:
        line.fault("place", "crosses itself", text[:80])
        return ()
    return rings


def _points(text: str, datum: Datum) -> Iterator[tuple[float, float]]:
    for part in text.replace("；", ";").split(";"):
        numbers = part.replace(",", " ").split()
        if not numbers:
            continue
        try:
            lon, lat = map(float, numbers)
        except ValueError:
            raise InvalidInput(
                "place", part.strip(), "must be a longitude and a latitude"
            ) from None
        if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
            swapped = abs(lon) <= 90 and 90 < abs(lat) <= 180
            problem = "has its axes swapped: the longitude is first" if swapped else "is no place"
            raise InvalidInput("place", part.strip(), problem)
        there = to_wgs84(LonLat(lon, lat), datum)
        yield there.lon, there.lat


def _radius(line: Line, *, is_point: bool) -> float | None:
    text = line.text("radius_m")
    if not is_point:
        if text:
            line.fault("radius_m", "goes with a point, and only with it")
        return None
    if not text:
        line.fault("radius_m", "is missing: a point needs it")
        return None
    value = line.number("radius_m")
    if not 0 < value <= RADIUS_MAX_M:
        line.fault("radius_m", f"must be above 0 and at most {RADIUS_MAX_M:g}")
    return value


def _hours(line: Line) -> tuple[Span, ...]:
    try:
        return parse_hours(line.text("hours"))
    except InvalidInput as error:
        line.fault("hours", error.problem, str(error.value))
        return ()


def _date(line: Line, name: str) -> date | None:
    text = line.text(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        line.fault(name, "must be YYYY-MM-DD")
        return None


def judge_areas(
    entries: Sequence[Entry[Area]],
    ground: BaseGeometry,
    classes: Collection[str],
    faults: list[Fault],
) -> dict[str, Area]:
    """Areas by their code: each once, inside the district, for classes that there are."""
    rows: dict[str, int] = {}
    found: dict[str, Area] = {}
    for entry in entries:
        area = entry.value
        if area.code in rows:
            problem = f"is in row {rows[area.code]} already"
            faults.append(Fault(AREAS, entry.row, "code", area.code, problem))
            continue
        rows[area.code], found[area.code] = entry.row, area
        if not ground.intersects(shape(geometry_of(area))):
            faults.append(Fault(AREAS, entry.row, "place", area.code, "is outside the boundary"))
        for name in area.classes:
            if name not in classes:
                problem = f"is no class of video events; there are {', '.join(classes)}"
                faults.append(Fault(AREAS, entry.row, "classes", name, problem))
    return found


def write_areas(areas: Mapping[str, Area]) -> str:
    """The file that says the same, in WGS-84; one feature a line."""
    return _collection(
        {
            "type": "Feature",
            "properties": _told({
                "code": a.code, "kind": a.kind.value, "name_zh": a.name_zh, "name_en": a.name_en,
                "radius_m": a.radius_m, "classes": list(a.classes), "hours": hours_text(a.hours),
                "valid_from": a.valid_from.isoformat() if a.valid_from else "",
                "valid_until": a.valid_until.isoformat() if a.valid_until else "", "note": a.note,
            }),
            "geometry": geometry_of(a),
        }
        for _, a in sorted(areas.items())
    )  # fmt: skip


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _collection(features: Iterable[Mapping[str, Any]]) -> str:
    body = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{"type": "FeatureCollection", "datum": "wgs84", "features": [\n{body}\n]}}\n'


# As a table of the settings


def area_rows(content: bytes) -> list[Line]:
    """Every feature that can be told apart, right or wrong."""
    return _lines(content, [])


def with_areas(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """The file with these rows. Where a place cannot be read it stays a property, to be judged."""
    features = []
    for row in rows:
        values = _told(dict(zip(names, row, strict=False)))
        geometry = _geometry(values.get("place", ""))
        if geometry is not None:
            del values["place"]
        if "classes" in values:
            values["classes"] = [w.strip() for w in values["classes"].split(";") if w.strip()]
        features.append({"type": "Feature", "properties": values, "geometry": geometry})
    return _collection(features).encode()


def _geometry(text: str) -> dict[str, Any] | None:
    try:
        rings = [list(_points(part, Datum.WGS84)) for part in text.split("|")]
    except InvalidInput:
        return None
    if len(rings) == 1 and len(rings[0]) == 1:
        return {"type": "Point", "coordinates": list(rings[0][0])}
    if not all(rings):
        return None
    closed = [[list(point) for point in (*ring, ring[0])] for ring in rings]
    return {"type": "Polygon", "coordinates": closed}


def as_area_file(content: bytes) -> bytes:
    """A table that somebody uploads (CSV, or a workbook that became it) as this file; what is
    neither stays as it is, to be judged."""
    if content.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{"):
        return content
    faults: list[Fault] = []
    needed, optional = AREA_COLUMNS
    lines = read_lines(AREAS, content, needed, (*optional, DATUM), faults)
    if faults:
        return content
    names = (*needed, *optional, DATUM)
    return with_areas(names, [[line.values.get(n, "") for n in names] for line in lines])


# What video events need


def video_limit(line: Line) -> VideoLimit:
    """A row of `video.csv`; one of the two figures is needed."""
    confidence, stay = line.text("min_confidence"), line.text("min_stay_s")
    if not confidence and not stay:
        line.fault("min_confidence, min_stay_s", "are both missing: the row says nothing")
    share = line.number("min_confidence") if confidence else None
    if share is not None and not 0 <= share <= 1:
        line.fault("min_confidence", "must be a share from 0 to 1")
    return VideoLimit(
        type=line.text("type"),
        camera=line.text("camera"),
        min_confidence=share,
        min_stay_s=line.whole("min_stay_s", 0, STAY_MAX_S, 0) if stay else None,
        note=line.text("note"),
    )


def judge_limits(
    entries: Sequence[Entry[VideoLimit]], classes: Collection[str], faults: list[Fault]
) -> dict[str, VideoLimit]:
    """By what names the row, each once."""
    rows: dict[str, int] = {}
    found: dict[str, VideoLimit] = {}
    for entry in entries:
        limit = entry.value
        if limit.entry in rows:
            problem = f"is in row {rows[limit.entry]} already"
            faults.append(Fault(VIDEO, entry.row, "type, camera", limit.entry, problem))
            continue
        rows[limit.entry], found[limit.entry] = entry.row, limit
        if limit.type and limit.type not in classes:
            problem = f"is no class of video events; there are {', '.join(classes)}"
            faults.append(Fault(VIDEO, entry.row, "type", limit.type, problem))
    return found


def limit_cells(limit: VideoLimit) -> list[str]:
    """A row as `VIDEO_COLUMNS` has it."""
    share = "" if limit.min_confidence is None else f"{limit.min_confidence:g}"
    stay = "" if limit.min_stay_s is None else str(limit.min_stay_s)
    return [limit.type, limit.camera, share, stay, limit.note, limit.entry]
