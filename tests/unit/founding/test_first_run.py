"""The answers of the set-up page are the files of a city folder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from shapely.geometry import shape

from app.city_commands import shipped
from city.datum import Datum, from_wgs84
from city.first_run import FirstRun
from city.place import LonLat
from founding.first_run import judge_answers, make_folder
from founding.parts import Shipped
from tests.unit.founding.conftest import Files, Judge


@cache
def known() -> Shipped:
    return shipped()


@pytest.fixture
def answers(files: Files) -> FirstRun:
    return FirstRun(
        code="991201",
        name_zh="星洲区",
        name_en='Xingzhou "District"',
        timezone="Asia/Shanghai",
        languages=("zh", "en"),
        datum="wgs84",
        boundary=files["boundary.geojson"],
        divisions=files["divisions.csv"],
        grid=True,
        admin="lin.admin",
    )


def test_answers_make_a_city_without_a_fault(answers: FirstRun, judge: Judge) -> None:
    city, faults = judge(make_folder(answers, []))
    assert not faults
    assert city is not None
    assert (city.district.name_en, len(city.cells) > 0) == ('Xingzhou "District"', True)
    assert {person.role for person in city.people.values()} == {"admin"}


@pytest.mark.parametrize(
    ("change", "file", "field"),
    [
        ({"code": "12"}, "city.toml", "code"),
        ({"code": '991201"\ncalendar = "X'}, "city.toml", "code"),
        ({"timezone": "Mars/Base"}, "city.toml", "timezone"),
        ({"languages": ()}, "city.toml", "languages"),
        ({"datum": "beijing54"}, "city.toml", "datum"),
        ({"boundary": None}, "boundary.geojson", ""),
        ({"divisions": None}, "grid.toml", ""),
        ({"admin": "two words"}, "people.csv", "name"),
        ({"admin": ""}, "people.csv", "name"),
    ],
)
def test_a_wrong_answer_is_a_fault_of_its_file(
    answers: FirstRun, judge: Judge, change: dict[str, object], file: str, field: str
) -> None:
    _, faults = judge(make_folder(replace(answers, **change), []))
    assert (file, field) in {(fault.file, fault.field) for fault in faults}


def test_without_divisions_and_grid_there_is_still_a_city(answers: FirstRun, judge: Judge) -> None:
    city, faults = judge(make_folder(replace(answers, divisions=None, grid=False), []))
    assert not faults
    assert city is not None
    assert not city.cells


def test_official_names_are_the_divisions_of_a_district(answers: FirstRun, judge: Judge) -> None:
    square = "110.3, 19.9\n110.4, 19.9\n110.4, 20.0\n110.3, 20.0"
    official = replace(
        answers,
        code="460107",
        name_zh="",
        official=True,
        divisions=None,
        grid=False,
        corners=square,
    )
    city, faults = judge_answers(official, known())
    assert not faults
    assert city is not None
    assert city.district.name_zh == "琼山区"
    levels = Counter(division.level for division in city.divisions.values())
    assert levels == {"district": 1, "street": 12, "community": 118}
    assert city.divisions["460107001001"].name == "巴伦社区居委会"
    assert city.divisions["460107001001"].parent == "460107001"
    _, faults = judge_answers(replace(official, grid=True), known())
    assert ["cells lie in no community" in fault.problem for fault in faults] == [True]


def test_a_code_without_official_names_is_a_fault_and_no_empty_city(answers: FirstRun) -> None:
    _, faults = judge_answers(replace(answers, official=True, grid=False), known())
    assert [(f.file, f.field, f.value) for f in faults] == [("divisions.csv", "code", "991201")]


@pytest.mark.parametrize(
    "text",
    [
        "112.5,30.2\n112.52,30.2\n112.52,30.22",
        " 112.5 30.2\r\n\r\n112.52\t30.2\n112.52，30.22,\n112.5; 30.2",
    ],
)
def test_corners_are_an_outline_however_they_are_typed(answers: FirstRun, text: str) -> None:
    city, faults = judge_answers(
        replace(answers, corners=text, boundary=None, divisions=None, grid=False), known()
    )
    assert not faults
    assert city is not None
    ring = [[112.5, 30.2], [112.52, 30.2], [112.52, 30.22], [112.5, 30.2]]
    assert city.district.outline == {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize(
    ("text", "row", "problem"),
    [
        ("112.5,30.2\n112.52", 2, "must be a longitude and a latitude in degrees, like"),
        ("112.5,30.2\nnan, inf\n112.52,30.22", 2, "must be a longitude and a latitude"),
        ("112.5,30.2\n112.52,30.2", None, "has 2 corners, and an outline has 3 or more"),
        ("30.2,112.5\n30.2,112.52\n30.22,112.52", None, "has its axes swapped"),
        ("112.5,30.2\n112.52,30.22\n112.52,30.2\n112.5,30.22", None, "crosses or touches itself"),
    ],
)
def test_wrong_corners_are_named_by_their_line(
    answers: FirstRun, text: str, row: int | None, problem: str
) -> None:
    _, faults = judge_answers(replace(answers, corners=text), known())
    found = [(f.row, f.problem) for f in faults if f.file == "boundary.geojson"]
    assert len(found) == 1
    assert (found[0][0], found[0][1][: len(problem)]) == (row, problem)


def test_cells_of_the_city_itself_are_its_grid(answers: FirstRun) -> None:
    table = (
        b"code,west,south,east,north\n"
        b"991201001001001,112.510,30.200,112.511,30.201\n"
        b"991201001001002,112.511,30.200,112.512,30.201\n"
    )
    city, faults = judge_answers(replace(answers, cells=table), known())
    assert not faults
    assert city is not None
    assert list(city.cells) == ["991201001001001", "991201001001002"]
    _, faults = judge_answers(
        replace(answers, cells=table.replace(b",112.511,", b",1,", 1)), known()
    )
    assert [(f.file, f.row, f.problem) for f in faults] == [("grid.csv", 2, "are no box")]


def test_a_file_that_was_asked_for_and_did_not_come_is_a_fault(answers: FirstRun) -> None:
    _, faults = judge_answers(replace(answers, divisions=b"", cells=b""), known())
    assert {(f.file, f.problem) for f in faults} >= {
        ("divisions.csv", "is missing from the folder"),
        ("grid.toml", "is not in the folder"),
    }


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_a_shifted_map_makes_the_city_where_it_is(answers: FirstRun, datum: Datum) -> None:
    def shifted(lon: float, lat: float) -> tuple[float, float]:
        point = from_wgs84(LonLat(lon, lat), datum)
        return point.lon, point.lat

    def place(row: list[str]) -> list[str]:
        return [*row[:-2], *map(repr, shifted(float(row[-2]), float(row[-1])))] if row[-1] else row

    head, *rows = (row.split(",") for row in (answers.divisions or b"").decode().splitlines())
    moved = "\n".join(",".join(row) for row in [head, *map(place, rows)])
    there = json.loads(answers.boundary or b"")
    boundary = shape(there["features"][0]["geometry"] if "features" in there else there)
    text = "\n".join(
        "{:.9f}, {:.9f}".format(*shifted(lon, lat)) for lon, lat in boundary.exterior.coords
    )
    plain, _ = judge_answers(answers, known())
    told = replace(answers, datum=datum.value, corners=text, divisions=moved.encode())
    city, faults = judge_answers(told, known())
    assert not faults
    assert city is not None
    assert plain is not None
    assert shape(city.district.outline).equals_exact(shape(plain.district.outline), 2e-6)
    assert len(city.cells) == pytest.approx(len(plain.cells), abs=10)
    unsaid, _ = judge_answers(replace(told, datum="wgs84"), known())
    assert unsaid is not None
    aside = shape(unsaid.district.outline).centroid.distance(boundary.centroid)
    assert aside > 0.003
