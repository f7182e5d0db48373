"""Divisions of any depth, and the duty grids that a city makes of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from city.place import LonLat
from founding.compare import as_lines, compare, moved_cells, tables_of
from founding.export import write_folder
from founding.ground import (
    GridFinder,
    cells_without_duty_grid,
    uncovered_communities,
)
from founding.parts import City, DutyGrid, Fault, city_above
from tests.unit.founding.conftest import Files, Judge

BLOCK, OTHER_BLOCK = "99120100100101", "99120100100102"
COMMUNITY = "991201001001"


@pytest.mark.parametrize(
    ("district", "city"), [("460107", "460100"), ("441900", "440000"), ("620201", "620200")]
)
def test_a_district_lies_in_its_city_and_a_city_without_districts_in_its_province(
    district: str, city: str
) -> None:
    assert city_above(district) == city


def said(faults: list[Fault]) -> list[str]:
    return [str(fault) for fault in faults]


def change(files: Files, name: str, old: str, new: str) -> None:
    text = files[name].decode()
    assert text.count(old) == 1
    files[name] = text.replace(old, new).encode()


def whole(files: Files, judge: Judge) -> City:
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    return city


def at(city: City, place: LonLat) -> str:
    (cell,) = (
        c
        for c in city.cells.values()
        if c.west <= place.lon < c.east and c.south <= place.lat < c.north
    )
    return cell.division


def test_a_cell_lies_in_the_lowest_division(deep_files: Files, judge: Judge) -> None:
    city = whole(deep_files, judge)
    assert city.divisions[BLOCK].level == "block"
    assert at(city, LonLat(112.5125, 30.202)) == BLOCK
    assert at(city, LonLat(112.5175, 30.202)) == OTHER_BLOCK
    assert at(city, LonLat(112.514, 30.212)) == "991201001002"
    cell = next(c for c in city.cells.values() if c.division == BLOCK)
    assert (cell.community, cell.street) == (COMMUNITY, "991201001")
    in_community = Counter(c.division for c in city.cells.values() if c.community == COMMUNITY)
    assert set(in_community) == {BLOCK, OTHER_BLOCK}


def test_squads_name_duty_grids_or_divisions_of_any_level(deep_files: Files, judge: Judge) -> None:
    city = whole(deep_files, judge)
    assert {code: squad.grids for code, squad in city.squads.items()} == {
        "XZ-01": {"W", "E-2"},
        "XZ-02": {"E-1"},
        "XZ-GAS": {"E-1", "E-2", "W"},
    }
    change(deep_files, "squads.csv", f",{BLOCK},", ",991201001,")
    assert whole(deep_files, judge).squads["XZ-02"].grids == {"E-1", "E-2"}
    change(deep_files, "squads.csv", ",991201001,", ",991201,")
    assert whole(deep_files, judge).squads["XZ-02"].grids == {"E-1", "E-2", "W"}


def test_a_city_of_four_levels_is_written_out_and_read_as_the_same(
    deep_files: Files, judge: Judge
) -> None:
    city = whole(deep_files, judge)
    files = write_folder(city)
    again = whole(files, judge)
    assert compare(tables_of(again), tables_of(city)) == []
    assert write_folder(again) == files


def test_without_its_own_a_city_has_one_duty_grid_a_community(files: Files, judge: Judge) -> None:
    city = whole(files, judge)
    assert city.district.levels == ("district", "street", "community")
    assert city.duty_grids["DG991201001001"] == DutyGrid(
        "DG991201001001", "东一社区责任网格", frozenset({COMMUNITY})
    )
    written = write_folder(city)
    assert "duty-grids.csv" not in written
    assert b'"991201001001;991201001002"' not in written["squads.csv"]
    assert b",991201001001;991201001002," in written["squads.csv"]


def test_a_level_may_stand_between_street_and_community(files: Files, judge: Judge) -> None:
    files["city.toml"] += (
        b'levels = ["district", "street", "\xe7\x89\x87\xe5\x8c\xba", "community"]'
    )
    files["divisions.csv"] = (
        "code,name,level,parent,lon,lat\n"
        "991201001,东洲街道,street,991201,,\n"
        "9912010010,一片,片区,991201001,,\n"
        "991201001001,东一社区,community,9912010010,112.515,30.204\n"
    ).encode()
    for name in ("squads.csv", "people.csv"):
        del files[name]
    city = whole(files, judge)
    assert {(c.street, c.community) for c in city.cells.values()} == {("991201001", COMMUNITY)}
    again = whole(write_folder(city), judge)
    assert again.cells == city.cells


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (
            "city.toml", '"street", "community", "block"', '"community", "street"',
            "city.toml, levels: must be a list of words that has district, street, community in",
        ),
        ("city.toml", '["district", ', '["region", "district", ', "city.toml, levels: must be"),
        ("city.toml", '"block"]', '"block", "block"]', "city.toml, levels: must be a list"),
        ("city.toml", '"block"]', '"block", 5]', "city.toml, levels: must be a list"),
        ("city.toml", '"block"]', '"a, b"]', "city.toml, levels: must be a list"),
        (
            "city.toml", '["district", "street", "community", "block"]', '"block"',
            "city.toml, levels: must be a list of words",
        ),
        (
            "city.toml", ', "block"', "",
            "divisions.csv, row 9, level: must be one of district, street, community (got 'block')",
        ),
        (
            "divisions.csv", f"{BLOCK},一号微网格,block,991201001001",
            f"{BLOCK},一号微网格,block,991201001",
            "divisions.csv, row 9, parent: is a street, and a block lies in a community",
        ),
        (
            "divisions.csv", BLOCK, "99120100200101",
            "divisions.csv, row 9, parent: is not how 99120100200101 begins (got '991201001001')",
        ),
        (
            "divisions.csv", BLOCK, "991201001-1",
            "divisions.csv, row 9, code: must be digits (got '991201001-1')",
        ),
        (
            "duty-grids.csv", "W,西网格,991201002", "W,西网格,991201002001",
            "duty-grids.csv, divisions: is a community that no duty grid covers "
            "(got '991201002002')",
        ),
        (
            "duty-grids.csv", f"{OTHER_BLOCK};", "",
            "duty-grids.csv, divisions: is a community of which no duty grid covers "
            f"{OTHER_BLOCK} (got '{COMMUNITY}')",
        ),
        (
            "duty-grids.csv", "W,西网格,991201002", f"W,西网格,991201002;{BLOCK}",
            "duty-grids.csv, row 4, divisions: is in the duty grid of row 2 already "
            f"(got '{BLOCK}')",
        ),
        (
            "duty-grids.csv", "991201002", "991201002;991201001",
            f"duty-grids.csv, row 2, divisions: lies in 991201001, which is in the duty grid of "
            f"row 4 (got '{BLOCK}')",
        ),
        (
            "duty-grids.csv", "991201002", "991201003",
            "duty-grids.csv, row 4, divisions: is no division of divisions.csv (got '991201003')",
        ),
        ("duty-grids.csv", "991201002", "", "duty-grids.csv, row 4, divisions: is missing"),
        ("duty-grids.csv", "W,", "W 1,", "duty-grids.csv, row 4, code: must have 1 to 64"),
        ("duty-grids.csv", "W,", "E-1,", "duty-grids.csv, row 4, code: is in row 2 already"),
        (
            "duty-grids.csv", "W,", "991201001,",
            "duty-grids.csv, row 4, code: is the code of a division that is not all of it",
        ),
        (
            "squads.csv", f",{BLOCK},", ",991201001002,",
            "squads.csv, row 3, grids: has only a part of duty grid E-2 (got '991201001002')",
        ),
        (
            "squads.csv", f",{BLOCK},", f",{COMMUNITY},",
            "squads.csv, row 3, grids: has only a part of duty grid E-2",
        ),
        (
            "squads.csv", f",{BLOCK},", ",E-9,",
            "squads.csv, row 3, grids: is neither a duty grid nor a division of divisions.csv "
            "(got 'E-9')",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_ground_is_named(
    deep_files: Files, judge: Judge, file: str, old: str, new: str, fault: str
) -> None:
    change(deep_files, file, old, new)
    city, faults = judge(deep_files)
    assert city is None
    assert any(line.startswith(fault) for line in said(faults)), said(faults)


def test_a_street_without_a_duty_grid_is_nobodys_ground(files: Files, judge: Judge) -> None:
    files["divisions.csv"] += "991201003,新街道,street,991201,,\n".encode()
    change(files, "squads.csv", "parking;waste,,991201002,", "parking;waste,,991201003,")
    _, faults = judge(files)
    assert said(faults) == ["squads.csv, row 3, grids: has no duty grid in it (got '991201003')"]


def test_cells_beside_every_block_need_a_duty_grid(deep_files: Files, judge: Judge) -> None:
    """Blocks with outlines leave some of their community out."""
    corners = [[112.511, 30.201], [112.513, 30.201], [112.513, 30.203], [112.511, 30.203]]
    feature = {
        "type": "Feature",
        "properties": {"code": BLOCK},
        "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
    }
    collection = {"type": "FeatureCollection", "features": [feature]}
    deep_files["divisions.geojson"] = json.dumps(collection).encode()
    change(deep_files, "divisions.csv", "991201001001,112.5175,30.202", "991201001001,,")
    change(deep_files, "divisions.csv", "991201001001,112.5125,30.202", "991201001001,,")
    _, faults = judge(deep_files)
    (line,) = said(faults)
    assert line.startswith("duty-grids.csv, divisions: has ")
    assert line.endswith(
        f"cells in none of its parts, and no duty grid covers it (got '{COMMUNITY}')"
    )


def test_cells_of_its_own_may_name_a_lower_division(deep_files: Files, judge: Judge) -> None:
    deep_files["grid.toml"] = b'file = "cells.csv"'
    own = (
        "code,west,south,east,north,division\n"
        f"991201001001001,112.51,30.2,112.511,30.201,{BLOCK}\n"
        "991201001002001,112.511,30.2,112.512,30.201,\n"
    )
    deep_files["cells.csv"] = own.encode()
    city = whole(deep_files, judge)
    assert [c.division for c in city.cells.values()] == [BLOCK, "991201001002"]
    deep_files["cells.csv"] = own.replace("30.201,\n", f"30.201,{BLOCK}\n").encode()
    _, faults = judge(deep_files)
    assert said(faults) == [
        "cells.csv, row 3, division: is no division of divisions.csv in 991201001002 "
        f"(got '{BLOCK}')"
    ]


def test_a_cell_that_comes_into_a_block_does_not_move(deep_files: Files, judge: Judge) -> None:
    city = whole(deep_files, judge)
    cells = {code: replace(cell, division=cell.community) for code, cell in city.cells.items()}
    changes = compare(tables_of(city), tables_of(replace(city, cells=cells)))
    count = sum(cell.community == COMMUNITY for cell in cells.values())
    assert as_lines(changes) == [f"unit_grid: {count} changed"]
    assert moved_cells(changes) == []


def test_a_duty_grid_is_found_upwards(deep_files: Files, judge: Judge) -> None:
    city = whole(deep_files, judge)
    finder = GridFinder(city.divisions, city.duty_grids.values())
    assert finder.find("991201002002") == "W"
    assert finder.find(BLOCK) == "E-1"
    assert finder.find(COMMUNITY) is None
    assert list(uncovered_communities(city.divisions, city.duty_grids)) == []
    assert list(cells_without_duty_grid(city.divisions, city.duty_grids, city.cells.values())) == []
