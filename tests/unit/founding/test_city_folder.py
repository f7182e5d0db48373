"""A city folder: what is right becomes a city, everything else is named by file, row and field."""

from __future__ import annotations

import json
from datetime import date, time

import pytest

from city.clock import Limit, LimitUnit, WorkCalendar
from db.calendars import build_china_calendar
from db.seeds import grid as demo
from founding.boundary import outline
from founding.compare import as_json, as_lines, compare, next_calendar, tables_of
from founding.export import write_folder
from founding.parts import CalendarPart, Fault, Raster
from founding.raster import default_raster, make_cells
from tests.tables import cases
from tests.unit.founding.conftest import Files, Judge

SQUARE = [[112.5, 30.2], [112.52, 30.2], [112.52, 30.22], [112.5, 30.22], [112.5, 30.2]]


def said(faults: list[Fault]) -> list[str]:
    return [str(fault) for fault in faults]


def polygon(points: list[list[float]]) -> bytes:
    return json.dumps({"type": "Polygon", "coordinates": [points]}).encode()


def test_a_whole_folder_is_a_city(files: Files, judge: Judge) -> None:
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    assert (city.district.code, city.district.calendar) == ("991201", "XZ")
    assert len(city.divisions) == 7
    assert city.squads["XZ-GAS"].grids == city.duty_grids.keys()
    assert city.squads["XZ-01"].grids == {"DG991201001001", "DG991201001002"}
    assert [shift.start for shift in city.squads["XZ-01"].shifts] == [time(6), time(14)]
    assert city.people["wu"].squad == "XZ-GAS"
    assert list(city.rules) == ["gas-lel"]


def test_what_a_folder_does_not_say_is_as_shipped(files: Files, judge: Judge) -> None:
    city, _ = judge(files)
    assert city is not None
    assert city.categories["05-02"].limit == Limit(0.5, LimitUnit.URGENT_HOUR)
    assert city.categories["01-10"].limit == Limit(2, LimitUnit.WORK_HOUR)
    assert city.categories["05-01"].limit == Limit(1, LimitUnit.URGENT_HOUR)
    assert city.stage_limits["acknowledge"].limit == Limit(0.25, LimitUnit.URGENT_HOUR)
    assert city.stage_limits["verify"].limit == Limit(0.5, LimitUnit.URGENT_HOUR)


def test_two_files_are_enough(files: Files, judge: Judge) -> None:
    least = {name: files[name] for name in ("city.toml", "boundary.geojson")}
    least["city.toml"] = least["city.toml"].replace(b'"XZ"', b'"CN"')
    city, faults = judge(least)
    assert said(faults) == []
    assert city is not None
    assert list(city.divisions) == ["991201"]
    assert (city.cells, city.squads, city.people) == ({}, {}, {})


@pytest.mark.parametrize("name", ["city.toml", "boundary.geojson"])
def test_without_one_of_the_two_there_is_no_city(files: Files, judge: Judge, name: str) -> None:
    del files[name]
    city, faults = judge(files)
    assert city is None
    assert f"{name}: is missing from the folder" in said(faults)


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    cases("faults_of_a_city_folder.csv", name=str, old=str, new=str, said=str),
)
def test_a_fault_is_named_by_file_row_field_and_value(
    files: Files, judge: Judge, name: str, old: str, new: str, fault: str
) -> None:
    text = files[name].decode()
    assert old in text
    files[name] = text.replace(old, new, 1).encode()
    city, faults = judge(files)
    assert city is None
    assert any(line.startswith(fault) for line in said(faults)), said(faults)


def test_every_fault_is_named_at_once(files: Files, judge: Judge) -> None:
    files["people.csv"] = files["people.csv"].replace(b"XZ-GAS", b"XZ-9")
    files["limits.csv"] = files["limits.csv"].replace(b"05-02", b"05-99")
    files["squad.csv"] = b"code\n"
    _, faults = judge(files)
    assert [fault.file for fault in faults] == ["limits.csv", "people.csv", "squad.csv"]
    assert said(faults)[-1] == "squad.csv: is no file of a city folder"


def test_the_district_needs_no_parent(files: Files, judge: Judge) -> None:
    before, _ = judge(files)
    told = files["divisions.csv"].decode()
    files["divisions.csv"] = told.replace(",district,991200,", ",district,,").encode()
    assert told.encode() != files["divisions.csv"]
    after, faults = judge(files)
    assert said(faults) == []
    assert before is not None
    assert after == before


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8-sig", "utf-16"])
def test_a_table_may_be_saved_as_offices_save_it(files: Files, judge: Judge, encoding: str) -> None:
    files["divisions.csv"] = files["divisions.csv"].decode().encode(encoding)
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    assert city.divisions["991201001001"].name == "东一社区"


def test_a_table_may_be_separated_by_semicolons(files: Files, judge: Judge) -> None:
    text = files["people.csv"].decode().replace(",", ";")
    files["people.csv"] = text.encode()
    city, _ = judge(files)
    assert city is not None
    assert len(city.people) == 5


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ([[lat, lon] for lon, lat in SQUARE], "has its axes swapped"),
        ([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]], "crosses or touches itself"),
        ([[x * 1000, y * 1000] for x, y in SQUARE], "must be degrees of WGS 84"),
        ([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]], "crosses or touches itself"),
    ],
)
def test_a_boundary_that_is_none_is_refused(
    files: Files, judge: Judge, points: list[list[float]], problem: str
) -> None:
    files["boundary.geojson"] = polygon(points)
    _, faults = judge(files)
    assert any(
        fault.file == "boundary.geojson" and fault.problem.startswith(problem) for fault in faults
    ), said(faults)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"type": "Point", "coordinates": [1, 2]}'])
def test_a_boundary_that_is_no_polygon_is_refused(
    files: Files, judge: Judge, content: bytes
) -> None:
    files["boundary.geojson"] = content
    _, faults = judge(files)
    assert "boundary.geojson" in {fault.file for fault in faults}


def test_categories_of_its_own_must_have_what_rules_raise(files: Files, judge: Judge) -> None:
    files["categories.csv"] = (
        "code,class,family,severity,skill,limit,closing_evidence,name_zh,name_en,source,"
        "valid_from\n05-02,event,gas,1,gas,30分,photo_after,燃气,Gas,rule,2026-01-01\n"
    ).encode()
    _, faults = judge(files)
    lines = said(faults)
    assert any(line.startswith("categories.csv, row 2, limit: must be a number") for line in lines)
    assert any("the shipped rule device-silent raises alarms of it" in line for line in lines)


# The unit grid


def test_every_place_of_the_district_lies_in_one_cell(files: Files, judge: Judge) -> None:
    city, _ = judge(files)
    assert city is not None
    cells = list(city.cells.values())
    assert all(len(cell.code) == 15 and cell.code.startswith(cell.community) for cell in cells)
    assert len({(cell.column, cell.row) for cell in cells}) == len(cells)
    by_place = {(cell.column, cell.row): cell for cell in cells}
    for cell in cells:
        east = by_place.get((cell.column + 1, cell.row))
        north = by_place.get((cell.column, cell.row + 1))
        assert east is None or east.west == cell.east
        assert north is None or north.south == cell.north
    first = city.cells["991201001001001"]
    assert all(c.row <= first.row for c in cells if c.community == first.community)


def test_a_community_with_an_outline_has_the_cells_inside_of_it(files: Files, judge: Judge) -> None:
    half = [[112.51, 30.2], [112.52, 30.2], [112.52, 30.22], [112.51, 30.22], [112.51, 30.2]]
    feature = {
        "type": "Feature",
        "properties": {"code": "991201001001"},
        "geometry": {"type": "Polygon", "coordinates": [half]},
    }
    files["divisions.geojson"] = json.dumps(
        {"type": "FeatureCollection", "features": [feature]}
    ).encode()
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    east = [cell for cell in city.cells.values() if (cell.west + cell.east) / 2 > 112.51]
    assert {cell.community for cell in east} == {"991201001001"}


def test_the_grid_of_the_demonstration_is_made_alike() -> None:
    raster = Raster(demo.GRID_WEST, demo.GRID_SOUTH, demo.CELL_LON, demo.CELL_LAT)
    points = {p.community: demo.LonLat(p.lon, p.lat) for p in demo.community_points()}
    streets = {d.code: d.parent for d in demo.divisions() if d.code in points}
    faults: list[Fault] = []
    made = make_cells(outline(demo.outline()), raster, streets, points, {}, faults, "grid")
    assert said(faults) == []
    ours = [(c.code, c.column, c.row, c.west, c.south, c.east, c.north) for c in made]
    theirs = [
        (c.grid.code, c.column, c.row, c.grid.west, c.grid.south, c.grid.east, c.grid.north)
        for c in demo.demo_grid()
    ]
    assert sorted(ours) == sorted(theirs)


def test_cells_are_about_100_m_without_a_word(files: Files, judge: Judge) -> None:
    raster = default_raster(json.loads(files["boundary.geojson"])["geometry"])
    assert raster.cell_lat == pytest.approx(100 / 110_900, rel=0.01)
    assert raster.cell_lon == pytest.approx(100 / 96_200, rel=0.01)
    files["grid.toml"] = b""
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    assert len(city.cells) > 300


def test_a_community_numbers_999_cells_and_no_more(files: Files, judge: Judge) -> None:
    files["grid.toml"] = files["grid.toml"].replace(b"0.00104", b"0.0002")
    files["grid.toml"] = files["grid.toml"].replace(b"0.0009", b"0.0002")
    _, faults = judge(files)
    assert any("and a code numbers 999" in line for line in said(faults))


OWN = b"""code,west,south,east,north
991201001001001,112.51,30.2,112.511,30.201
991201001001002,112.511,30.2,112.512,30.201
"""


def test_a_city_may_bring_cells_of_its_own(files: Files, judge: Judge) -> None:
    files |= {"grid.toml": b'file = "cells.csv"', "cells.csv": OWN}
    city, faults = judge(files)
    assert said(faults) == []
    assert city is not None
    assert [(cell.column, cell.row) for cell in city.cells.values()] == [(0, 0), (1, 0)]


def test_cells_of_its_own_are_looked_at(files: Files, judge: Judge) -> None:
    files["grid.toml"] = b'file = "cells.csv"'
    files["cells.csv"] = OWN.replace(b"002,112.511", b"002,112.5105")
    _, faults = judge(files)
    assert said(faults) == [
        "cells.csv, row 3, code: overlaps the cell of row 2 (got '991201001001002')"
    ]
    files["cells.csv"] = OWN.replace(b"991201001001002", b"9.91E+14")
    _, faults = judge(files)
    assert "a spreadsheet has shortened" in said(faults)[0]
    files["cells.csv"] = OWN.replace(b"991201001001002", b"991201001009002")
    _, faults = judge(files)
    assert "which is no community of divisions.csv" in said(faults)[0]
    del files["cells.csv"]
    _, faults = judge(files)
    assert said(faults) == ["grid.toml, file: is not in the folder (got 'cells.csv')"]


# Comparing and writing out


def test_a_city_that_is_written_out_is_read_as_the_same(files: Files, judge: Judge) -> None:
    city, _ = judge(files)
    assert city is not None
    again, faults = judge(write_folder(city))
    assert said(faults) == []
    assert again is not None
    assert compare(tables_of(again), tables_of(city)) == []
    assert again.calendar == city.calendar


def test_what_differs_is_named_part_by_part(files: Files, judge: Judge) -> None:
    before, _ = judge(files)
    files["squads.csv"] = files["squads.csv"].replace("东洲中队".encode(), "东中队".encode())
    files["people.csv"] = files["people.csv"].replace("zhou,checker,,周核查\n".encode(), b"")
    files["limits.csv"] = files["limits.csv"].replace(b"0.25", b"0.5")
    files["grid.toml"] = files["grid.toml"].replace(b"0.0009", b"0.001")
    after, faults = judge(files)
    assert said(faults) == []
    assert before is not None
    assert after is not None
    changes = compare(tables_of(after), tables_of(before))
    lines = as_lines(changes)
    assert "squad XZ-01 changed (name_zh)" in lines
    assert "stage_limit acknowledge changed (limit)" in lines
    assert not any("zhou" in line for line in lines), "people stay until somebody shuts them out"
    cells = [item for item in as_json(changes) if item["what"] == "unit_grid"]
    assert {item["how"] for item in cells} == {"changed", "retired"}


def test_a_calendar_file_is_the_whole_of_its_year() -> None:
    base = build_china_calendar()
    part = CalendarPart("CN", {2027: {date(2027, 1, 1): False}})
    made = next_calendar(base, part, "Asia/Shanghai")
    assert made is not None
    assert (made.version, made.known_until) == (base.version + 1, date(2027, 12, 31))
    assert not made.is_working_day(date(2027, 1, 1))
    assert made.is_working_day(date(2026, 10, 9)) == base.is_working_day(date(2026, 10, 9))
    assert next_calendar(made, part, "Asia/Shanghai") is None
    other = next_calendar(made, CalendarPart("CN", {2027: {}}), "Asia/Shanghai")
    assert other is not None
    assert other.is_working_day(date(2027, 1, 1))


def test_a_calendar_of_its_own_begins_with_version_1() -> None:
    part = CalendarPart("XZ", {2027: {date(2027, 1, 1): False}}, ((time(9), time(17)),))
    made = next_calendar(None, part, "Asia/Urumqi")
    assert made == WorkCalendar(
        "XZ", 1, {date(2027, 1, 1): False}, date(2027, 12, 31), "Asia/Urumqi", part.windows
    )
