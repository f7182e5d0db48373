"""Coordinates of a folder in other datums, and ground that is there twice or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import shapely
from shapely.geometry import mapping, shape

from city.datum import Datum, from_wgs84
from city.place import LonLat, distance_m
from founding.export import write_folder
from founding.parts import City
from tests.unit.founding.conftest import Files, Judge
from tests.unit.founding.test_city_folder import said

BOUNDARY, OUTLINES, DIVISIONS = "boundary.geojson", "divisions.geojson", "divisions.csv"
# The sample is 2 km wide: everything in it lies aside by a quarter of that.
WEST, SOUTH, EAST, NORTH = 112.5, 30.2, 112.52, 30.22
EAST_STREET, WEST_STREET = "991201001", "991201002"
METRE = 1e-5


def shifted(geometry: object, datum: Datum) -> dict[str, object]:
    def convert(corners: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
        places = (from_wgs84(LonLat(lon, lat), datum) for lon, lat in corners)
        return [(p.lon, p.lat) for p in places]

    return dict(mapping(shapely.transform(shape(geometry), convert)))


def in_datum(files: Files, datum: Datum, *names: str) -> None:
    """Files of the folder as somebody would have them who works in this datum."""
    for name in names:
        if name == DIVISIONS:
            lines = []
            for line in files[name].decode().splitlines():
                *cells, lon, lat = line.split(",")
                if lon and lon != "lon":
                    place = from_wgs84(LonLat(float(lon), float(lat)), datum)
                    lon, lat = repr(place.lon), repr(place.lat)
                lines.append(",".join([*cells, lon, lat]))
            files[name] = "\n".join(lines).encode()
            continue
        body = json.loads(files[name])
        for feature in body.get("features", [body]):
            where = feature if "coordinates" in feature else feature["geometry"]
            where.update(json.loads(json.dumps(shifted(dict(where), datum))))
        files[name] = json.dumps(body).encode()


# Without the corner that the boundary cuts off.
AREA = shapely.Polygon(
    [(WEST, SOUTH), (EAST, SOUTH), (EAST, 30.21), (112.515, 30.218), (WEST, 30.218)]
)


def outlines(boxes: Mapping[str, tuple[float, float, float, float]], **more: object) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"code": code},
            "geometry": mapping(shapely.box(*box).intersection(AREA)),
        }
        for code, box in boxes.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": features, **more}).encode()


STREETS = {
    WEST_STREET: (WEST, SOUTH, 112.51, NORTH),
    EAST_STREET: (112.51, SOUTH, EAST, NORTH),
}


def city_of(files: Files, judge: Judge) -> City:
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    return city


def same_ground(one: City, other: City) -> None:
    assert one.cells.keys() == other.cells.keys()
    for code, cell in one.cells.items():
        there = other.cells[code]
        corner = LonLat(cell.west, cell.south)
        assert distance_m(corner, LonLat(there.west, there.south)) < 0.5
        assert cell.community == there.community
        assert (cell.column, cell.row) == (there.column, there.row)


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_a_folder_in_another_datum_is_the_same_city(
    files: Files, judge: Judge, datum: Datum
) -> None:
    """Also one that says it file by file, and one whose grid is its own."""
    plain = city_of(files, judge)
    moved = files | {}
    in_datum(moved, datum, BOUNDARY, DIVISIONS)
    lines = [b"[datums]"]
    lines += [f'"{n}" = "{datum}"'.encode() for n in (BOUNDARY, DIVISIONS)]
    moved["city.toml"] = files["city.toml"] + b"\n" + b"\n".join(lines)
    same_ground(plain, city_of(moved, judge))


def test_cells_of_ones_own_in_another_datum_go_on_sharing_their_edges(
    files: Files, judge: Judge
) -> None:
    plain = city_of(files, judge)
    own = write_folder(plain)
    rows = []
    for line in own["cells.csv"].decode("utf-8-sig").splitlines():
        code, *edges, below, column, row = line.split(",")
        if code != "code":
            low = from_wgs84(LonLat(float(edges[0]), float(edges[1])), Datum.GCJ02)
            high = from_wgs84(LonLat(float(edges[2]), float(edges[3])), Datum.GCJ02)
            edges = [repr(v) for v in (low.lon, low.lat, high.lon, high.lat)]
        rows.append(",".join([code, *edges, below, column, row]))
    own["cells.csv"] = "\n".join(rows).encode()
    said_nothing, faults = judge(own)
    assert said_nothing is None
    (fault,) = (f for f in faults if "the way" in f.problem)
    assert fault.file == "cells.csv"
    assert "the way GCJ-02 does" in fault.problem
    own["city.toml"] += b'\n[datums]\n"cells.csv" = "gcj02"\n'
    moved = city_of(own, judge)
    for code, cell in plain.cells.items():
        there = moved.cells[code]
        corner = LonLat(there.west, there.south)
        assert distance_m(LonLat(cell.west, cell.south), corner) < 1


def test_a_column_says_it_row_by_row(files: Files, judge: Judge) -> None:
    plain = city_of(files, judge)
    home = plain.squads["XZ-GAS"].home
    assert home is not None
    moved = from_wgs84(home, Datum.BD09)
    text = files["squads.csv"].decode()
    head, *rows = text.splitlines()
    gas = next(row for row in rows if row.startswith("XZ-GAS"))
    at = [i for i, name in enumerate(head.split(",")) if name in ("lon", "lat")]
    cells = gas.split(",")
    cells[at[0]], cells[at[1]] = repr(moved.lon), repr(moved.lat)
    changed = [",".join(cells) if row is gas else row for row in rows]
    lines = [f"{head},datum", *(f"{row},{'百度' if 'XZ-GAS' in row else ''}" for row in changed)]
    files["squads.csv"] = "\n".join(lines).encode()
    back = city_of(files, judge).squads["XZ-GAS"].home
    assert back is not None
    assert distance_m(back, home) < 0.1
    files["squads.csv"] = files["squads.csv"].replace("百度".encode(), b"moon")
    _, faults = judge(files)
    assert ("squads.csv", "datum", "moon") in [(f.file, f.field, f.value) for f in faults]


def test_outlines_that_lie_aside_are_asked_about(files: Files, judge: Judge) -> None:
    files[OUTLINES] = outlines(STREETS)
    city_of(files, judge)
    in_datum(files, Datum.GCJ02, OUTLINES)
    city, faults = judge(files)
    assert city is None
    assert [(f.file, f.field) for f in faults] == [(OUTLINES, "geometry")]
    assert "the way GCJ-02 does, by 6" in faults[0].problem
    assert '[datums] "divisions.geojson" = "gcj02", or "wgs84"' in faults[0].problem
    # Programs write the default there, whatever the coordinates are in.
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    body = json.loads(files[OUTLINES])
    files[OUTLINES] = json.dumps(body | {"crs": crs}).encode()
    assert len(judge(files)[1]) == 1
    said_so = files | {
        "city.toml": files["city.toml"] + b'\n[datums]\n"divisions.geojson" = "gcj02"'
    }
    city_of(said_so, judge)
    crs["properties"] = {"name": "GCJ-02"}
    files[OUTLINES] = json.dumps(body | {"crs": crs}).encode()
    city_of(files, judge)


def test_points_that_lie_aside_are_asked_about(files: Files, judge: Judge) -> None:
    files[OUTLINES] = outlines(
        {
            f"{EAST_STREET}001": (112.51, SOUTH, EAST, 30.208),
            f"{EAST_STREET}002": (112.51, 30.208, EAST, NORTH),
            f"{WEST_STREET}001": (WEST, SOUTH, 112.51, 30.208),
            f"{WEST_STREET}002": (WEST, 30.208, 112.51, NORTH),
        }
    )
    city_of(files, judge)
    in_datum(files, Datum.BD09, DIVISIONS)
    _, faults = judge(files)
    assert [(f.file, f.field) for f in faults] == [(DIVISIONS, "lon, lat")]
    assert "the way BD-09 does" in faults[0].problem


def test_outlines_share_no_ground_and_leave_none_over(files: Files, judge: Judge) -> None:
    west, east = STREETS[WEST_STREET], STREETS[EAST_STREET]
    over = (112.507, *east[1:])
    files[OUTLINES] = outlines({WEST_STREET: west, EAST_STREET: over})
    (fault,) = judge(files)[1]
    assert (fault.file, fault.value) == (OUTLINES, WEST_STREET)
    assert fault.problem.startswith(f"shares ground with {EAST_STREET} around 112.508")
    short = (112.513, *east[1:])
    files[OUTLINES] = outlines({WEST_STREET: west, EAST_STREET: short})
    (fault,) = judge(files)[1]
    assert fault.problem.startswith("ground in no street: a hole between their outlines around")
    # As exactly as outlines are drawn.
    nearly = (112.51 - 40 * METRE, *east[1:])
    files[OUTLINES] = outlines({WEST_STREET: west, EAST_STREET: nearly})
    city_of(files, judge)


def test_an_outline_of_elsewhere_is_named(files: Files, judge: Judge) -> None:
    files[OUTLINES] = outlines(STREETS).replace(b"112.51", b"113.51").replace(b"112.52", b"113.52")
    assert EAST_STREET in [f.value for f in judge(files)[1] if "outside" in f.problem]


def test_a_boundary_has_no_hole_that_nobody_means(files: Files, judge: Judge) -> None:
    whole = shapely.box(WEST, SOUTH, EAST, NORTH)
    hole = shapely.box(112.512, 30.205, 112.514, 30.207)
    files[BOUNDARY] = json.dumps(mapping(whole.difference(hole))).encode()
    (fault,) = judge(files)[1]
    assert (fault.file, fault.value) == (BOUNDARY, "around 112.51300, 30.20600")
    files["city.toml"] = b"enclaves = true\n" + files["city.toml"]
    city = city_of(files, judge)
    assert city.district.outline["coordinates"][1]
    # Written out, it says so again.
    written = write_folder(replace(city, cells={}))
    assert b"enclaves = true" in written["city.toml"]


def test_nothing_is_shifted_where_no_map_is(files: Files, judge: Judge) -> None:
    """A folder of Hong Kong says gcj02 as its maps do, and stays where it is."""
    box = shapely.box(114.15, 22.27, 114.17, 22.29)
    least = {
        "city.toml": files["city.toml"].replace(b"wgs84", b"gcj02").replace(b'"XZ"', b'"CN"'),
        BOUNDARY: json.dumps(mapping(box)).encode(),
    }
    assert shape(dict(city_of(least, judge).district.outline)).equals(box)
