"""The unit grid of the demo district: cells of about 100 m x 100 m over its built-up north."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from city.errors import InvalidInput
from city.place import Division, LonLat, UnitGrid

GEO = Path(__file__).parent / "geo"
STREETS_FILE = GEO / "streets-460107.geojson"
DISTRICT = "460107"

# South-west corner of the grid. Above this latitude lie the four sub-districts of the town;
# south of it the district is countryside, and its communities get no cells.
GRID_WEST = 110.33
GRID_SOUTH = 19.94
# 100.4 m x 99.6 m at 19.98 degrees north: the 10,000 m2 grid (domain.md 2.3).
CELL_LON = 0.00096
CELL_LAT = 0.0009
# Places on an edge fall to the east or north cell although 0.00096 is no binary fraction.
EDGE_SLACK = 1e-6
# The last three digits of a cell's code number the cells of one community.
CELLS_PER_COMMUNITY = 999

# Metres in one degree at 19.98 degrees north (WGS 84, good to 0.1 % inside the district).
METRES_LON = 104_660.0
METRES_LAT = 110_690.0
# Fucheng, the old town: metres east and north of the grid's corner.
TOWN_CENTRE_M = (2_400.0, 6_600.0)
TOWN_RADIUS_M = 2_600.0


@dataclass(frozen=True, slots=True)
class CommunityPoint:
    community: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class GridCell:
    """A unit-grid cell with its place in the raster; rows count from the south."""

    grid: UnitGrid
    column: int
    row: int


def outline() -> BaseGeometry:
    """The district's outline as one valid polygon, lon/lat."""
    features = _read_geojson("district-460107.geojson")["features"]
    repaired = shapely.make_valid(shapely.from_geojson(json.dumps(features[0]["geometry"])))
    polygons = [part for part in shapely.get_parts(repaired) if part.geom_type == "Polygon"]
    return shapely.unary_union(polygons)


def divisions() -> list[Division]:
    """Official codes of the district, its sub-districts and its communities."""
    return [
        Division(code=row["code"], level=row["level"], name=row["name"], parent=row["parent"])
        for row in _read_tsv("divisions-460107.tsv")
    ]


def community_points() -> list[CommunityPoint]:
    """One point for each community that has cells (see geo/NOTICE)."""
    return [
        CommunityPoint(row["community"], float(row["lon"]), float(row["lat"]))
        for row in _read_tsv("community-points-460107.tsv")
    ]


def build_grid(area: BaseGeometry, points: Iterable[CommunityPoint]) -> list[GridCell]:
    """Every cell whose centre lies in `area`, given to the nearest point and numbered.

    Inside a community cells are numbered west to east, then north to south (domain.md 2.3).
    """
    places = sorted(points, key=lambda point: point.community)
    cells: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for column, row in _raster(area):
        centre = _centre(column, row)
        nearest = min(places, key=lambda point: _squared_distance(centre, point))
        cells[nearest.community].append((column, row))
    return [
        _cell(community, number, column, row)
        for community in sorted(cells)
        for number, (column, row) in enumerate(_reading_order(cells[community]), start=1)
    ]


@cache
def demo_grid() -> tuple[GridCell, ...]:
    """The demo district's cells, made once per process."""
    return tuple(build_grid(outline(), community_points()))


def cell_index(cells: Iterable[GridCell]) -> dict[tuple[int, int], UnitGrid]:
    """Cells by their place in the raster, for `find_cell`."""
    return {(cell.column, cell.row): cell.grid for cell in cells}


def find_cell(index: dict[tuple[int, int], UnitGrid], place: LonLat) -> UnitGrid | None:
    """The one cell that a place lies in; a west or south edge belongs to the cell."""
    column = math.floor((place.lon - GRID_WEST) / CELL_LON + EDGE_SLACK)
    row = math.floor((place.lat - GRID_SOUTH) / CELL_LAT + EDGE_SLACK)
    return index.get((column, row))


def _raster(area: BaseGeometry) -> Iterable[tuple[int, int]]:
    _, _, east, north = area.bounds
    columns = range(math.ceil((east - GRID_WEST) / CELL_LON))
    rows = range(math.ceil((north - GRID_SOUTH) / CELL_LAT))
    places = [(column, row) for row in rows for column in columns]
    centres = [_centre(column, row) for column, row in places]
    shapely.prepare(area)
    inside = shapely.contains_xy(area, [p.lon for p in centres], [p.lat for p in centres])
    return [place for place, is_inside in zip(places, inside, strict=True) if is_inside]


def _centre(column: int, row: int) -> LonLat:
    return LonLat(GRID_WEST + (column + 0.5) * CELL_LON, GRID_SOUTH + (row + 0.5) * CELL_LAT)


def _squared_distance(place: LonLat, point: CommunityPoint) -> float:
    shrink = math.cos(math.radians(GRID_SOUTH))
    return ((place.lon - point.lon) * shrink) ** 2 + (place.lat - point.lat) ** 2


def _reading_order(cells: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(cells, key=lambda cell: (-cell[1], cell[0]))


def _cell(community: str, number: int, column: int, row: int) -> GridCell:
    if number > CELLS_PER_COMMUNITY:
        raise InvalidInput("community", community, f"has more than {CELLS_PER_COMMUNITY} cells")
    west, south = GRID_WEST + column * CELL_LON, GRID_SOUTH + row * CELL_LAT
    edges = (round(edge, 6) for edge in (west, south, west + CELL_LON, south + CELL_LAT))
    return GridCell(UnitGrid(f"{community}{number:03d}", community, *edges), column, row)


def _read_geojson(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GEO / name).read_text(encoding="utf-8"))
    return content


def _read_tsv(name: str) -> list[dict[str, str]]:
    with (GEO / name).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows, delimiter="\t"))
