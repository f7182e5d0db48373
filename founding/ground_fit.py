"""Whether outlines of divisions, points and cells fit the boundary and one another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from city.datum import to_wgs84
from city.place import Division, LonLat, distance_m
from founding.datums import SUSPECTS, Datums, Suspicion, suspect
from founding.folder import BOUNDARY, OUTLINES
from founding.parts import Cell, Fault

# Outlines are drawn to about 100 m: what overlaps, is left over or sticks out must be wider.
TOLERANCE_DEG = 0.001
# So many points lie outside, at least this part of all, and so few of these when shifted back.
POINTS_ASIDE, SHARE_ASIDE, SHARE_LEFT = 3, 0.2, 0.1

Outlines = Mapping[str, Mapping[str, Any]]


def judge_outlines(
    boundary: Mapping[str, Any],
    outlines: Outlines,
    divisions: Mapping[str, Division],
    datums: Datums,
) -> Iterator[Fault]:
    """Of the divisions of a level that have an outline: each has ground in the boundary (what
    reaches beyond it is cut off by it), no two share any, and where each has one they leave none
    over. Where they all lie aside as in another datum, that alone is asked."""
    area = shape(dict(boundary))
    shapes = {code: shape(dict(o)) for code, o in outlines.items() if code in divisions}
    levels: dict[str, list[str]] = {}
    for code in sorted(shapes):
        levels.setdefault(divisions[code].level, []).append(code)
    whole = [level for level, codes in levels.items() if _all_have(level, codes, divisions)]
    if whole and OUTLINES not in datums.stated:
        together = shapely.union_all([shapes[code] for code in levels[whole[0]]])
        if found := suspect(together, area):
            yield Fault(OUTLINES, None, "geometry", "", found.as_text(OUTLINES, BOUNDARY))
            return
    for code, one in shapes.items():
        if not area.intersects(one):
            yield _at(code, one, "lies outside the boundary,")
    for level, codes in levels.items():
        mine = [shapes[code] for code in codes]
        yield from _overlaps(codes, mine)
        if level in whole:
            yield from _gaps(area, mine, level)


def _all_have(level: str, codes: Sequence[str], divisions: Mapping[str, Division]) -> bool:
    return len(codes) == sum(division.level == level for division in divisions.values())


def _at(code: str, ground: BaseGeometry, problem: str) -> Fault:
    """`ground` is where it shows."""
    at = ground.representative_point()
    return Fault(OUTLINES, None, "code", code, f"{problem} around {at.x:.5f}, {at.y:.5f}")


def _overlaps(codes: Sequence[str], shapes: Sequence[BaseGeometry]) -> Iterator[Fault]:
    """Ground of two that is wider than outlines are drawn."""
    inner = shapely.buffer(shapes, -TOLERANCE_DEG / 2)
    for a, b in shapely.STRtree(inner).query(inner, predicate="intersects").T:
        if a < b:
            shared = inner[a].intersection(inner[b])
            if shared.area:
                yield _at(codes[b], shared, f"shares ground with {codes[a]}")


def _gaps(area: BaseGeometry, shapes: Sequence[BaseGeometry], level: str) -> Iterator[Fault]:
    covered = shapely.union_all(shapes).buffer(TOLERANCE_DEG / 2)
    for part in shapely.get_parts(area.buffer(-TOLERANCE_DEG / 2).difference(covered)):
        if not part.is_empty:
            yield _at("", part, f"ground in no {level}: a hole between their outlines")


def judge_points(
    boundary: Mapping[str, Any],
    outlines: Outlines,
    points: Mapping[str, LonLat],
    rows: Mapping[str, int],
    file: str,
    *,
    stated: bool,
) -> Iterator[Fault]:
    """Points that lie outside the boundary. Where enough lie outside it or their own outline and
    would not in another datum, that alone is asked. `rows` are those of the codes in `file`."""
    area = shape(dict(boundary)).buffer(TOLERANCE_DEG)
    shapely.prepare(area)
    ground = {c: shape(dict(o)).buffer(TOLERANCE_DEG) for c, o in outlines.items() if c in rows}
    mine = {code: point for code, point in points.items() if code in rows}

    def outside(moved: Mapping[str, LonLat]) -> dict[str, str]:
        found = {}
        for code, p in moved.items():
            if not area.covers(shapely.Point(p.lon, p.lat)):
                swapped = area.covers(shapely.Point(p.lat, p.lon))
                found[code] = "are swapped" if swapped else "lie outside the boundary"
            elif code in ground and not ground[code].covers(shapely.Point(p.lon, p.lat)):
                found[code] = ""  # an office may lie elsewhere: no fault by itself
        return found

    now = outside(mine)
    if len(now) >= max(POINTS_ASIDE, SHARE_ASIDE * len(mine)) and not stated:
        for datum in SUSPECTS:
            back = {code: to_wgs84(point, datum) for code, point in mine.items()}
            if len(left := outside(back)) <= SHARE_LEFT * len(now):
                facts = Suspicion(
                    datum,
                    round(distance_m(*_first(mine, back))),
                    len(now) / len(mine),
                    len(left) / len(mine),
                )
                yield Fault(file, None, "lon, lat", "", facts.as_text(file, BOUNDARY))
                return
    for code, problem in now.items():
        if not problem:
            continue
        place = f"{mine[code].lon:g}, {mine[code].lat:g}"
        yield Fault(file, rows[code], "lon, lat", place, problem)


def _first(given: Mapping[str, LonLat], back: Mapping[str, LonLat]) -> tuple[LonLat, LonLat]:
    code = min(given)
    return given[code], back[code]


def judge_cells(
    boundary: Mapping[str, Any], cells: Sequence[Cell], datums: Datums, file: str
) -> Iterator[Fault]:
    """Whether a city's own cells lie aside of its boundary as one does in another datum."""
    if not cells or file in datums.stated:
        return
    ground = shapely.union_all([shapely.box(c.west, c.south, c.east, c.north) for c in cells])
    if found := suspect(ground, shape(dict(boundary))):
        yield Fault(file, None, "", "", found.as_text(file, BOUNDARY))
