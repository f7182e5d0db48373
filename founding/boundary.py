"""Outlines from GeoJSON: one valid geometry in degrees, or what is wrong with it. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from city.datum import Datum
from city.errors import InvalidInput
from city.text_files import decode
from founding.datums import datum_of_crs, shape_of
from founding.parts import Fault

# Mainland China with its islands, degrees: west, south, east, north. Outside of it only what is
# inside with its axes exchanged is refused.
CHINA = (73.0, 3.0, 136.0, 54.0)
POLYGONS = ("Polygon", "MultiPolygon")


def read_boundary(
    file: str, content: bytes, datum: Datum, faults: list[Fault], *, enclaves: bool
) -> Mapping[str, Any] | None:
    """The outline of a district: one polygon, or several that are one district, as geometry of
    WGS-84. A hole in it is a fault, unless it may have `enclaves`: ground of another district."""
    shapes = [found for _, found in _shapes(file, content, datum, faults)]
    if not shapes:
        return None
    whole = shapely.unary_union(shapes) if len(shapes) > 1 else shapes[0]
    for part in shapely.get_parts(whole):
        for ring in () if enclaves else part.interiors:
            at = shapely.Polygon(ring).representative_point()
            problem = (
                "has a hole, in which nothing would belong to the district; fill it, or say "
                "enclaves = true in city.toml if it is another district's ground"
            )
            faults.append(Fault(file, None, "geometry", f"around {at.x:.5f}, {at.y:.5f}", problem))
    return outline(whole)


def read_outlines(
    file: str, content: bytes, datum: Datum, faults: list[Fault]
) -> dict[str, Mapping[str, Any]]:
    """Outlines of divisions by the property `code` of their features, of WGS-84."""
    found: dict[str, Mapping[str, Any]] = {}
    shapes = _shapes(file, content, datum, faults)
    for number, (properties, geometry) in enumerate(shapes, start=1):
        code = str(properties.get("code", ""))
        if not code or code in found:
            problem = "is there twice" if code else "is a property that is missing"
            faults.append(Fault(file, number, "code", code, problem))
        else:
            found[code] = outline(geometry)
    return found


def write_outlines(outlines: Mapping[str, Mapping[str, Any]]) -> str:
    """The file of outlines that says the same; one feature a line."""
    return feature_collection(
        {"type": "Feature", "properties": {"code": code}, "geometry": geometry}
        for code, geometry in sorted(outlines.items())
    )


def feature_collection(features: Iterable[Mapping[str, Any]]) -> str:
    """GeoJSON in WGS-84, one feature a line."""
    body = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{"type": "FeatureCollection", "features": [\n{body}\n]}}\n'


def outline_rows(content: bytes) -> list[tuple[str, str]]:
    """Code and geometry of every feature as text, right or wrong."""
    found = decode(content)
    try:
        body = json.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        return []
    return [
        (str(told.get("code", "")), "" if geometry is None else json.dumps(geometry))
        for told, geometry in _features(body)
    ]


def with_outlines(rows: Iterable[Mapping[str, str]]) -> bytes:
    """The file with these rows; a geometry that is no JSON stays as it is, to be judged."""
    features = []
    for row in rows:
        try:
            geometry = json.loads(row.get("geometry") or "null")
        except (ValueError, RecursionError):
            geometry = row["geometry"]
        told = {"code": row.get("code", "")}
        features.append({"type": "Feature", "properties": told, "geometry": geometry})
    return feature_collection(features).encode()


def outline(geometry: BaseGeometry) -> dict[str, Any]:
    """As plain GeoJSON, lists where the library has tuples: as the database answers."""
    plain: dict[str, Any] = json.loads(json.dumps(mapping(geometry)))
    return plain


def _shapes(
    file: str, content: bytes, datum: Datum, faults: list[Fault]
) -> Iterator[tuple[Mapping[str, Any], BaseGeometry]]:
    """Properties and geometry of every feature that is whole; the others are faults."""
    found = decode(content)
    try:
        body = json.loads(found[0]) if found else None
    except (ValueError, RecursionError) as error:
        faults.append(Fault(file, None, "", "", f"is not JSON: {error}"))
        return
    try:
        datum = datum_of_crs(body) or datum
    except InvalidInput as error:
        faults.append(Fault(file, None, "crs", str(error.value), error.problem))
    features = _features(body)
    if not features:
        faults.append(Fault(file, None, "", "", "holds no polygon as GeoJSON has it"))
    for number, (properties, geometry) in enumerate(features, start=1):
        row = number if len(features) > 1 else None
        problem, value = "", ""
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if kind not in POLYGONS:
            problem, value = f"must be one of {', '.join(POLYGONS)}", str(kind)
        else:
            try:
                polygon = shape(geometry)
            except (ShapelyError, ValueError, TypeError, KeyError, IndexError) as error:
                problem, value = f"cannot be read: {error}", ""
            else:
                problem, value = _what_is_wrong(polygon)
        if problem:
            faults.append(Fault(file, row, "geometry", value, problem))
        else:
            yield properties, shape_of(polygon, datum)


def _features(body: Any) -> list[tuple[Mapping[str, Any], Any]]:
    if not isinstance(body, dict):
        return []
    if body.get("type") == "FeatureCollection":
        items = body.get("features")
        return [f for item in items for f in _features(item)] if isinstance(items, list) else []
    if body.get("type") == "Feature":
        properties = body.get("properties")
        return [(properties if isinstance(properties, dict) else {}, body.get("geometry"))]
    return [({}, body)] if "coordinates" in body else []


def _what_is_wrong(polygon: BaseGeometry) -> tuple[str, str]:
    """A problem and the value that shows it; both empty where there is none."""
    west, south, east, north = polygon.bounds if not polygon.is_empty else (math.nan,) * 4
    box = f"lon {west:g} to {east:g}, lat {south:g} to {north:g}"
    if polygon.is_empty or not all(map(math.isfinite, (west, south, east, north))):
        return "is empty", ""
    if max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 180:
        return "must be degrees of WGS 84, not metres of a projection", box
    if _is_swapped(west, south, east, north):
        return "has its axes swapped: GeoJSON has the longitude first", box
    if max(abs(south), abs(north)) > 90:
        return "has a latitude beyond 90 degrees", box
    if not polygon.is_valid:
        why = explain_validity(polygon)
        return "crosses or touches itself, or is open", why
    return ("has no area", box) if polygon.area == 0 else ("", "")


def _is_swapped(west: float, south: float, east: float, north: float) -> bool:
    return not _inside_china(west, south, east, north) and _inside_china(south, west, north, east)


def _inside_china(west: float, south: float, east: float, north: float) -> bool:
    return CHINA[0] <= west and CHINA[1] <= south and east <= CHINA[2] and north <= CHINA[3]
