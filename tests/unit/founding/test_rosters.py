"""Rosters of a city folder: read, judged, compared, and who is on duty by them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, time

import pytest

from app.doctor import roster_finding
from city.roster import Duty, days_text, duty_at
from dashboard.screens.settings.page import fault_words
from dashboard.shell.i18n import CHINESE, texts
from founding.compare import as_lines, compare, tables_of
from founding.export import write_folder
from founding.folder import ROSTER
from founding.parts import City
from founding.tables import table_of, with_row, without_row
from tests.tables import cases
from tests.unit.founding.conftest import Files, Judge

HEADER = "squad,day,from,to,person,phone\n"
NIGHT = "XZ-GAS,2026-12-05,20:00,08:00,wu,13800000001\n"
DAY = "XZ-GAS,2026-12-06,08:00,20:00,wu,\n"


def with_roster(files: Files, *rows: str) -> Files:
    people = files["people.csv"] + "li,squad_leader,XZ-01,李队长\n".encode()
    text = HEADER + "".join(row if row.endswith("\n") else f"{row},\n" for row in rows)
    return {**files, "people.csv": people, ROSTER: text.encode()}


def city_of(judge: Judge, files: Files) -> City:
    city, faults = judge(files)
    assert city is not None, faults
    return city


@pytest.mark.parametrize(("roster", "said"), cases("faults_of_a_roster.csv", roster=str, said=str))
def test_every_fault_is_named_in_both_languages(
    files: Files, judge: Judge, roster: str, said: str
) -> None:
    _, faults = judge(with_roster(files, *roster.split(";")))
    if not said:
        assert faults == []
        return
    row, _, rest = said.rpartition("|")
    field, _, problem = rest.partition(": ")
    assert [(f.file, f.field, f.problem) for f in faults] == [(ROSTER, field, problem)]
    assert faults[0].row == (int(row.removeprefix("row ")) if row else None)
    patterns = [
        re.sub(r"\\\{\w+\\\}", ".+", re.escape(english))
        for english, _ in fault_words(texts(CHINESE))
    ]
    assert any(re.fullmatch(pattern, problem) for pattern in patterns)


def test_a_roster_goes_round_and_its_absence_says_nothing(files: Files, judge: Judge) -> None:
    city = city_of(judge, with_roster(files, NIGHT, DAY))
    again = city_of(judge, write_folder(city))
    assert again.rosters == city.rosters
    silent = replace(city, rosters=None)
    assert compare(tables_of(silent), tables_of(city)) == []
    none = replace(city, rosters={})
    assert as_lines(compare(tables_of(none), tables_of(city))) == ["roster XZ-GAS retired"]
    assert as_lines(compare(tables_of(city), tables_of(none))) == ["roster XZ-GAS added"]


def test_a_duty_is_a_row_of_the_settings_by_squad_day_and_hour(files: Files, judge: Judge) -> None:
    table = table_of("rosters")
    written = write_folder(city_of(judge, with_roster(files, NIGHT, DAY)))[ROSTER]
    names = [row.values["entry"] for row in table.rows(written)]
    assert names == ["XZ-GAS 2026-12-05 20:00", "XZ-GAS 2026-12-06 08:00"]
    assert [row.values["entry"] for row in table.rows((HEADER + NIGHT).encode())] == names[:1]
    fewer = without_row(table, written, names[0])
    values = {"squad": "XZ-GAS", "day": "2026-12-06", "from": "09:00", "to": "20:00"}
    later = with_row(table, fewer, names[1], values | {"person": "wu"})
    assert [row.values["entry"] for row in table.rows(later)] == ["XZ-GAS 2026-12-06 09:00"]
    assert table.rows(table.empty()) == []


@pytest.mark.parametrize(
    ("day", "written"),
    [("1,2,3,4,5", "1-5"), ("6,7", "6,7"), ("1,3,4,5,7", "1,3-5,7"), ("2026-12-05", "2026-12-05")],
)
def test_days_are_written_as_people_write_them(day: str, written: str) -> None:
    assert days_text(day) == written


@pytest.mark.parametrize(
    ("last", "ok", "said"),
    [
        (date(2026, 12, 4), False, "the roster of XZ-GAS has ended: it is off duty"),
        (date(2026, 12, 5), True, "the roster of XZ-GAS ends on 2026-12-05"),
        (date(2026, 12, 12), True, "go on for a week at least"),
    ],
)
def test_the_doctor_says_before_a_roster_ends(last: date, ok: bool, said: str) -> None:
    finding = roster_finding([("XZ-GAS", last)], date(2026, 12, 5))
    assert (finding.ok, finding.text.partition(";")[0]) == (ok, said)


def duty(day: str, start: int, end: int, person: str) -> Duty:
    return Duty(day, time(start), time(end), person)


# A week of nights and days, Saturday by its date.
ROSTER_OF_A_WEEK = (
    duty("1,2,3,4,5,6,7", 8, 20, "wu"),
    duty("5", 20, 8, "li"),
    duty("2026-12-05", 10, 12, "he"),
)


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2026-12-04T07:59", None),
        ("2026-12-04T08:00", "wu"),
        ("2026-12-04T20:00", "li"),
        ("2026-12-05T07:59", "li"),
        ("2026-12-05T08:00", None),
        ("2026-12-05T10:00", "he"),
        ("2026-12-05T12:00", None),
        ("2026-12-06T08:00", "wu"),
    ],
)
def test_a_date_goes_before_the_week_and_a_night_runs_into_the_morning(
    at: str, person: str | None
) -> None:
    found = duty_at(ROSTER_OF_A_WEEK, datetime.fromisoformat(at))
    assert (found.person if found else None) == person
