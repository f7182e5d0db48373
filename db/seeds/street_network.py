"""Make up a street network for the demo district; `python -m db.seeds.street_network` writes it.

No street here exists. A slightly turned and wavy raster of roads, arterials every fourth line and
side streets between them, is clipped to the district; side streets thin out away from the town.
The same code gives the same file, which is kept in `geo/` so that readers need not run this.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import shapely
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry

from db.seeds.grid import (
    GRID_SOUTH,
    GRID_WEST,
    METRES_LAT,
    METRES_LON,
    STREETS_FILE,
    TOWN_CENTRE_M,
    TOWN_RADIUS_M,
    demo_grid,
    outline,
)

SEED = 460107

# The raster of crossings, metres; every fourth line in both directions is an arterial.
SPACING_M = 195.0
ARTERIAL_EVERY = 4
JITTER_M = 22.0
TURN_DEG = -9.0
# Enough lines to cover the district's north after turning.
LINES = range(-16, 68)

SIDE_STREETS_IN_TOWN = 0.86  # chance that a block's side street is there
SIDE_STREETS_OUTSIDE = 0.42
# A clipped rest shorter than this is no street.
SHORTEST_M = 120.0
# Streets keep this far from the edge of grid and district: what stands beside them lies inside.
EDGE_M = 30.0

FIRST = """
    和he 安an 泰tai 康kang 永yong 嘉jia 瑞rui 祥xiang 庆qing 福fu 昌chang 盛sheng 明ming
    景jing 清qing 秀xiu 锦jin 华hua 文wen 德de 仁ren 信xin 智zhi 朗lang
"""
SECOND = """
    宁ning 平ping 丰feng 源yuan 达da 顺shun 荣rong 岭ling 湖hu 泉quan 林lin 园yuan 桥qiao
    江jiang 溪xi 陵ling 坡po 塘tang 洲zhou 湾wan
"""
SUFFIXES = {
    "east_west": ("大道", "Avenue"),
    "north_south": ("路", "Road"),
    "side": ("街", "Street"),
}


@dataclass(frozen=True, slots=True)
class Course:
    """A line through crossings, before it is clipped and named."""

    suffix: str
    street_class: str  # arterial or side
    line: LineString


def build_streets() -> dict[str, Any]:
    """The network as a GeoJSON FeatureCollection, lon/lat rounded to 0.1 m."""
    area = _area()
    names = _names()
    features = []
    for course in _courses():
        pieces = _clip(course.line, area)
        if pieces:
            name = next(names)
            features += [_feature(course, name, piece) for piece in pieces]
    for number, feature in enumerate(features, start=1):
        feature["id"] = feature["properties"]["code"] = f"ST-{number:04d}"
    return {
        "type": "FeatureCollection",
        "generated": True,
        "note": "made-up demo streets, see NOTICE",
        "features": features,
    }


def _area() -> BaseGeometry:
    cells = [shapely.box(c.grid.west, c.grid.south, c.grid.east, c.grid.north) for c in demo_grid()]
    return shapely.unary_union(cells).intersection(outline()).buffer(-EDGE_M / METRES_LAT)


def _courses() -> Iterator[Course]:
    nodes = _crossings(random.Random(SEED))
    arterials = [line for line in LINES if line % ARTERIAL_EVERY == 0]
    for line in arterials:
        yield Course("north_south", "arterial", LineString([nodes[line, j] for j in LINES]))
        yield Course("east_west", "arterial", LineString([nodes[i, line] for i in LINES]))
    chance = random.Random(SEED + 1)
    for line in LINES:
        if line % ARTERIAL_EVERY:
            for block in arterials[:-1]:
                steps = range(block, block + ARTERIAL_EVERY + 1)
                for path in ([nodes[line, s] for s in steps], [nodes[s, line] for s in steps]):
                    if chance.random() < _side_street_chance(path[ARTERIAL_EVERY // 2]):
                        yield Course("side", "side", LineString(path))


def _crossings(rng: random.Random) -> dict[tuple[int, int], tuple[float, float]]:
    turn = math.radians(TURN_DEG)
    nodes = {}
    for i in LINES:
        for j in LINES:
            u = i * SPACING_M + 70 * math.sin(j / 9) + rng.uniform(-JITTER_M, JITTER_M)
            v = j * SPACING_M + 60 * math.sin(i / 8 + 1) + rng.uniform(-JITTER_M, JITTER_M)
            x = u * math.cos(turn) - v * math.sin(turn)
            y = u * math.sin(turn) + v * math.cos(turn)
            nodes[i, j] = (x, y)
    return nodes


def _side_street_chance(place: tuple[float, float]) -> float:
    in_town = math.dist(place, TOWN_CENTRE_M) < TOWN_RADIUS_M
    return SIDE_STREETS_IN_TOWN if in_town else SIDE_STREETS_OUTSIDE


def _clip(line: LineString, area: BaseGeometry) -> list[LineString]:
    lonlat = LineString(
        [(GRID_WEST + x / METRES_LON, GRID_SOUTH + y / METRES_LAT) for x, y in line.coords]
    )
    parts = shapely.get_parts(lonlat.intersection(area))
    return [part for part in parts if length_m(part.coords) >= SHORTEST_M]


def length_m(coordinates: Any) -> float:
    """Length of a lon/lat line in metres."""
    places = [(lon * METRES_LON, lat * METRES_LAT) for lon, lat in coordinates]
    return sum(math.dist(a, b) for a, b in pairwise(places))


def _names() -> Iterator[tuple[str, str]]:
    firsts, seconds = FIRST.split(), SECOND.split()
    pairs = [(a, b) for a in firsts for b in seconds]
    random.Random(SEED + 2).shuffle(pairs)
    for a, b in pairs:
        yield a[0] + b[0], (a[1:] + b[1:]).capitalize()


def _feature(course: Course, name: tuple[str, str], piece: LineString) -> dict[str, Any]:
    suffix_zh, suffix_en = SUFFIXES[course.suffix]
    return {
        "type": "Feature",
        "id": "",
        "properties": {
            "code": "",
            "name_zh": f"{name[0]}{suffix_zh}（演示）",
            "name_en": f"{name[1]} {suffix_en} (demo)",
            "class": course.street_class,
            "demo": True,
        },
        "geometry": {
            "type": "LineString",
            "coordinates": [[round(lon, 6), round(lat, 6)] for lon, lat in piece.coords],
        },
    }


def main() -> None:
    """Write the network to `geo/`."""
    text = json.dumps(build_streets(), ensure_ascii=False, separators=(",", ":"))
    STREETS_FILE.write_text(text.replace('{"type":"Feature",', '\n{"type":"Feature",') + "\n")


if __name__ == "__main__":
    main()
