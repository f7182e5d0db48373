"""`pipes.geojson`: sections of gas pipes, read and written. Pure.

Features are LineStrings with the properties `code`, `pressure` and, where they are known,
`material`, `year`, `diameter_mm`. A member `datum` of the file says what its positions are in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from city.datum import Datum, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat
from city.text_files import decode
from founding.parts import Entry, Fault, PipeSection

PIPES = "pipes.geojson"
# Classes of pressure as rules for town gas divide it, and how people write them.
PRESSURES: Mapping[str, tuple[str, ...]] = {
    "low": ("low", "低压"),
    "medium": ("medium", "中压", "中压a", "中压b"),
    "sub_high": ("sub_high", "次高压", "次高压a", "次高压b"),
    "high": ("high", "高压", "高压a", "高压b"),
}
_PRESSURE_OF = {word: name for name, words in PRESSURES.items() for word in words}
# As a table of the settings; `line` is `lon lat; lon lat; …`.
PIPE_COLUMNS = (("code", "pressure", "line"), ("material", "year", "diameter_mm"))
PROPERTIES = ("code", "pressure", "material", "year", "diameter_mm")
YEARS, DIAMETERS_MM = (1900, 2100), (1, 3000)
TEXT_MAX = 200


def read_pipes(content: bytes, datum: Datum, faults: list[Fault]) -> tuple[Entry[PipeSection], ...]:
    """Every section that is right by itself, its positions in WGS-84; they are given in `datum`
    where the file does not say. The row of an entry is the number of its feature, from 1."""
    body = _collection(content, faults)
    if body is None:
        return ()
    datum = _datum(body, datum, faults)
    found = []
    for number, feature in enumerate(body["features"], start=1):
        before = len(faults)
        section = _section(number, feature, datum, faults)
        if section is not None and len(faults) == before:
            found.append(Entry(number, section))
    return tuple(found)


def _collection(content: bytes, faults: list[Fault]) -> Mapping[str, Any] | None:
    found = decode(content)
    try:
        body = json.loads(found[0]) if found else None
    except (ValueError, RecursionError) as error:
        faults.append(Fault(PIPES, None, "", "", f"is not JSON: {error}"))
        return None
    table = body if isinstance(body, dict) else {}
    if table.get("type") == "FeatureCollection" and isinstance(table.get("features"), list):
        return table
    faults.append(Fault(PIPES, None, "", "", "must be a FeatureCollection of GeoJSON"))
    return None


def _datum(body: Mapping[str, Any], default: Datum, faults: list[Fault]) -> Datum:
    written = body.get("datum", default.value)
    try:
        return parse_datum("datum", str(written))
    except InvalidInput as error:
        faults.append(Fault(PIPES, None, "datum", str(written), error.problem))
        return Datum.WGS84


def _section(number: int, feature: Any, datum: Datum, faults: list[Fault]) -> PipeSection | None:
    def fault(name: str, value: object, problem: str) -> None:
        shown = "" if value is None else str(value)
        faults.append(Fault(PIPES, number, name, shown, problem))

    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        fault("properties", None, "are missing: a feature needs code and pressure")
        return None
    code = _text(properties, "code", fault)
    if not code and not isinstance(properties.get("code"), (dict, list)):
        fault("code", None, "is missing")
    written = _text(properties, "pressure", fault)
    pressure = _PRESSURE_OF.get(written.lower())
    if pressure is None:
        fault("pressure", written, f"must be one of {', '.join(PRESSURES)}")
    line = tuple(_points(feature.get("geometry"), datum, fault))
    return PipeSection(
        code=code,
        pressure=pressure or "",
        material=_text(properties, "material", fault),
        year=_whole(properties, "year", YEARS, fault),
        diameter_mm=_whole(properties, "diameter_mm", DIAMETERS_MM, fault),
        line=line,
    )


def _text(properties: Mapping[str, Any], name: str, fault: Any) -> str:
    value = properties.get(name)
    text = "" if value is None else str(value).strip()
    if isinstance(value, (dict, list, bool)) or len(text) > TEXT_MAX or not text.isprintable():
        fault(name, value, f"must be text of at most {TEXT_MAX} characters")
        return ""
    return text


def _whole(
    properties: Mapping[str, Any], name: str, limits: tuple[int, int], fault: Any
) -> int | None:
    value = properties.get(name)
    if value is None or value == "":
        return None
    low, high = limits
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not (number.is_integer() and low <= number <= high):
        fault(name, value, f"must be a whole number from {low} to {high}")
        return None
    return int(number)


def _points(geometry: Any, datum: Datum, fault: Any) -> Iterator[tuple[float, float]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind != "LineString":
        fault("geometry", kind, "must be a LineString")
        return
    points = geometry.get("coordinates")
    if not isinstance(points, list) or len(points) < 2:
        fault("geometry", None, "must have two points at least")
        return
    for place, point in enumerate(points, start=1):
        problem = _why_no_point(point)
        if problem:
            fault(f"geometry, point {place}", json.dumps(point)[:80], problem)
            return
        found = to_wgs84(LonLat(float(point[0]), float(point[1])), datum)
        yield found.lon, found.lat


def _why_no_point(point: Any) -> str:
    numbers = point[:2] if isinstance(point, list) else []
    if len(numbers) < 2 or any(
        isinstance(n, bool) or not isinstance(n, (int, float)) or not math.isfinite(n)
        for n in numbers
    ):
        return "must be a longitude and a latitude"
    lon, lat = numbers
    if abs(lon) <= 90 and 90 < abs(lat) <= 180:
        return "has its axes swapped: GeoJSON has the longitude first"
    if abs(lon) > 180 or abs(lat) > 90:
        return "must be degrees, not metres of a projection"
    return ""


def write_pipes(sections: Mapping[str, PipeSection]) -> str:
    """The file that says the same, in WGS-84; one feature a line."""
    return _written(_feature(section) for _, section in sorted(sections.items()))


def _feature(section: PipeSection) -> dict[str, Any]:
    values = {name: getattr(section, name) for name in PROPERTIES}
    return {
        "type": "Feature",
        "properties": {name: v for name, v in values.items() if v not in (None, "")},
        "geometry": {"type": "LineString", "coordinates": [list(p) for p in section.line]},
    }


# As a table of the settings


def pipe_rows(content: bytes) -> list[dict[str, str]]:
    """Every feature as a row of text, right or wrong."""
    body = _collection(content, [])
    return [_row(feature) for feature in (body["features"] if body else ())]


def _row(feature: Any) -> dict[str, str]:
    told = feature if isinstance(feature, dict) else {}
    properties, geometry = told.get("properties"), told.get("geometry")
    values = dict(properties) if isinstance(properties, dict) else {}
    row = {name: "" if v is None else str(v).strip() for name, v in values.items()}
    points = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if isinstance(points, list) and not any(map(_why_no_point, points)):
        row["line"] = "; ".join(f"{float(lon)!r} {float(lat)!r}" for lon, lat, *_ in points)
    return row


def with_pipes(names: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The file with these rows, in WGS-84; a line that cannot be read is none, to be judged."""
    features = []
    for row in rows:
        values = {name: v for name, v in zip(names, row, strict=False) if v}
        points = _points_of(values.pop("line", ""))
        geometry = {"type": "LineString", "coordinates": points} if points else None
        features.append({"type": "Feature", "properties": values, "geometry": geometry})
    return _written(features).encode()


def _points_of(text: str) -> list[list[float]]:
    try:
        pairs = [[float(n) for n in part.split()] for part in text.split(";") if part.strip()]
    except ValueError:
        return []
    return pairs if all(len(pair) == 2 for pair in pairs) else []


def _written(features: Iterable[Mapping[str, Any]]) -> str:
    body = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{"type": "FeatureCollection", "datum": "wgs84", "features": [\n{body}\n]}}\n'
