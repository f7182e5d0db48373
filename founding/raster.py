"""The unit grid (单元网格): cells of about 100 m with codes of 15 digits (GB/T 30428.1). Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from city.place import Division, LonLat
from founding.ground import children_of
from founding.parts import Cell, Fault, Raster

CELL_M = 100.0
# Metres in a degree of latitude (WGS 84, good to half a per cent anywhere).
METRES_LAT = 111_000.0
# Edges are rounded to this decimal of a degree (0.1 m), and the size of a cell is a multiple of
# it: neighbours share an edge exactly.
DECIMALS = 6
# The last three digits of a code number the cells of one community.
CELLS_PER_COMMUNITY = 999
# Beyond this something else than a district was drawn.
CELLS_MAX = 500_000
# Distances worked out at a time.
CHUNK = 4_096

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.intp]


def default_raster(outline: Mapping[str, Any]) -> Raster:
    """100 m cells from the south-west corner of an outline."""
    west, south, _, north = shape(dict(outline)).bounds
    shrink = math.cos(math.radians((south + north) / 2))
    step_lat = round(CELL_M / METRES_LAT, DECIMALS)
    step_lon = round(CELL_M / METRES_LAT / shrink, DECIMALS)
    return Raster(_down(west, step_lon), _down(south, step_lat), step_lon, step_lat)


def _down(value: float, step: float) -> float:
    return round(math.floor(value / step) * step, DECIMALS)


def make_cells(
    district_outline: Mapping[str, Any],
    raster: Raster,
    streets: Mapping[str, str],
    points: Mapping[str, LonLat],
    outlines: Mapping[str, Mapping[str, Any]],
    faults: list[Fault],
    file: str,
) -> list[Cell]:
    """Every cell whose centre lies in the outline, for the community that it lies in, else for
    the one with the nearest point; numbered west to east, then north to south. `streets` are
    those of the communities, by their codes."""
    area = shape(dict(district_outline))
    _, _, east, north = area.bounds
    columns = math.ceil((east - raster.west) / raster.cell_lon)
    rows = math.ceil((north - raster.south) / raster.cell_lat)
    if columns * rows > CELLS_MAX * 20:
        faults.append(Fault(file, None, "cell_lon, cell_lat", "", "make far too many cells"))
        return []
    column, row = _inside(area, raster, max(columns, 0), max(rows, 0))
    lon = raster.west + (column + 0.5) * raster.cell_lon
    lat = raster.south + (row + 0.5) * raster.cell_lat
    codes = sorted(streets)
    owner = _owners(codes, points, outlines, lon, lat, math.cos(math.radians(raster.south)))
    _check(codes, owner, faults, file)
    return [] if faults else list(_numbered(codes, streets, owner, column, row, raster))


def place_below(
    cells: Sequence[Cell],
    divisions: Mapping[str, Division],
    points: Mapping[str, LonLat],
    outlines: Mapping[str, Mapping[str, Any]],
) -> list[Cell]:
    """The cells in the lowest divisions they lie in, level by level, each by its outline, else by
    the nearest point of those that have one."""
    found = list(cells)
    placed = {c: d for c, d in divisions.items() if c in points or c in outlines}
    parts = children_of(placed)
    waiting: dict[str, list[int]] = {}
    for number, cell in enumerate(found):
        waiting.setdefault(cell.division, []).append(number)
    while waiting:
        code, numbers = waiting.popitem()
        if code not in parts:
            continue
        lon = np.array([(found[n].west + found[n].east) / 2 for n in numbers])
        lat = np.array([(found[n].south + found[n].north) / 2 for n in numbers])
        shrink = math.cos(math.radians(float(lat[0])))
        owner = _owners(parts[code], points, outlines, lon, lat, shrink)
        for number, part in zip(numbers, owner, strict=True):
            if part >= 0:
                lower = parts[code][int(part)]
                found[number] = replace(found[number], division=lower)
                waiting.setdefault(lower, []).append(number)
    return found


def _inside(area: BaseGeometry, raster: Raster, columns: int, rows: int) -> tuple[Numbers, Numbers]:
    shapely.prepare(area)
    row, column = np.divmod(np.arange(columns * rows), max(columns, 1))
    lon = raster.west + (column + 0.5) * raster.cell_lon
    lat = raster.south + (row + 0.5) * raster.cell_lat
    inside = shapely.contains_xy(area, lon, lat)
    return column[inside], row[inside]


def _owners(
    codes: Sequence[str],
    points: Mapping[str, LonLat],
    outlines: Mapping[str, Mapping[str, Any]],
    lon: Floats,
    lat: Floats,
    shrink: float,
) -> Numbers:
    """For each centre the number of its division, -1 where there is none."""
    owner = np.full(lon.shape, -1, dtype=np.intp)
    for number, code in enumerate(codes):
        if code in outlines:
            polygon = shape(dict(outlines[code]))
            shapely.prepare(polygon)
            owner[(owner < 0) & shapely.contains_xy(polygon, lon, lat)] = number
    placed = [(number, points[code]) for number, code in enumerate(codes) if code in points]
    open_ones = np.flatnonzero(owner < 0)
    if placed:
        numbers = np.array([number for number, _ in placed], dtype=np.intp)
        x = np.array([point.lon for _, point in placed])
        y = np.array([point.lat for _, point in placed])
        for start in range(0, len(open_ones), CHUNK):
            part = open_ones[start : start + CHUNK, None]
            distance = ((lon[part] - x) * shrink) ** 2 + (lat[part] - y) ** 2
            owner[part[:, 0]] = numbers[distance.argmin(axis=1)]
    return owner


def _check(codes: Sequence[str], owner: Numbers, faults: list[Fault], file: str) -> None:
    if not len(owner):
        faults.append(Fault(file, None, "", "", "makes no cell inside the boundary"))
    if nowhere := int((owner < 0).sum()):
        problem = (
            f"{nowhere} cells lie in no community: give each a point (lon, lat in divisions.csv) "
            "or an outline (divisions.geojson)"
        )
        faults.append(Fault(file, None, "", "", problem))
    counts = np.bincount(owner[owner >= 0], minlength=len(codes))
    for number in np.flatnonzero(counts > CELLS_PER_COMMUNITY):
        problem = f"has {counts[number]} cells, and a code numbers {CELLS_PER_COMMUNITY}"
        faults.append(Fault(file, None, "community", codes[int(number)], problem))


def _numbered(
    codes: Sequence[str],
    streets: Mapping[str, str],
    owner: Numbers,
    column: Numbers,
    row: Numbers,
    raster: Raster,
) -> Iterator[Cell]:
    order = np.lexsort((column, -row, owner))
    of_last, number = -1, 0
    for place in order:
        mine = int(owner[place])
        number = number + 1 if mine == of_last else 1
        of_last = mine
        x, y = int(column[place]), int(row[place])
        west, south = raster.west + x * raster.cell_lon, raster.south + y * raster.cell_lat
        yield Cell(
            code=f"{codes[mine]}{number:03d}",
            street=streets[codes[mine]],
            community=codes[mine],
            division=codes[mine],
            column=x,
            row=y,
            west=round(west, DECIMALS),
            south=round(south, DECIMALS),
            east=round(west + raster.cell_lon, DECIMALS),
            north=round(south + raster.cell_lat, DECIMALS),
        )
