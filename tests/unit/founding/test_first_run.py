"""The answers of the set-up page are the files of a city folder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from city.first_run import FirstRun
from founding.first_run import make_folder
from tests.unit.founding.conftest import Files, Judge


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
    city, faults = judge(make_folder(answers))
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
    _, faults = judge(make_folder(replace(answers, **change)))
    assert (file, field) in {(fault.file, fault.field) for fault in faults}


def test_without_divisions_and_grid_there_is_still_a_city(answers: FirstRun, judge: Judge) -> None:
    city, faults = judge(make_folder(replace(answers, divisions=None, grid=False)))
    assert not faults
    assert city is not None
    assert not city.cells
