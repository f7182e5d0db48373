"""Next year's calendar comes from a file and makes a new version."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from city.clock import Limit, LimitUnit
from city.errors import InvalidInput
from db.calendars import build_china_calendar, extend_calendar, parse_calendar_file
from dispatch.sla import deadline

CHINA = build_china_calendar()
TOML = """
known_until = 2027-12-31

[[day]]
date = 2027-01-01
working = false
note = "New Year's Day"

[[day]]
date = 2027-01-02
working = true
note = "worked instead"
"""
CSV = "date,working,note\n2027-01-01,false,New Year's Day\n2027-01-02,true,worked instead\n"


@pytest.mark.parametrize(("text", "suffix"), [(TOML, ".toml"), (CSV, ".csv")])
def test_next_year_is_loaded_from_a_file(text: str, suffix: str) -> None:
    longer = extend_calendar(CHINA, parse_calendar_file(text, suffix))
    assert longer.version == CHINA.version + 1
    assert longer.known_until == date(2027, 12, 31)
    assert not longer.is_working_day(date(2027, 1, 1))
    assert longer.is_working_day(date(2027, 1, 2))
    assert not longer.is_working_day(date(2026, 10, 1))  # what was known stays known
    late = datetime(2026, 12, 31, 17, tzinfo=ZoneInfo("Asia/Shanghai"))
    guessed = deadline(late, Limit(2, LimitUnit.WORK_HOUR), CHINA)
    known = deadline(late, Limit(2, LimitUnit.WORK_HOUR), longer)
    assert guessed.beyond_calendar
    assert not known.beyond_calendar
    assert known.due_at.date() == date(2027, 1, 2)


def test_windows_can_change_with_a_version() -> None:
    windows = 'windows = [["09:00", "12:00"], ["13:00", "17:00"]]\n'
    summer = extend_calendar(CHINA, parse_calendar_file(windows + TOML, ".toml"))
    assert summer.windows == ((time(9), time(12)), (time(13), time(17)))


@pytest.mark.parametrize(
    ("text", "suffix", "field"),
    [
        ("", ".csv", "calendar"),
        ("= broken", ".toml", "calendar"),
        ("date,working\n2027-13-01,true\n", ".csv", "date"),
        ("date,working\n2027-01-01,perhaps\n", ".csv", "working"),
        ("day,free\n2027-01-01,yes\n", ".csv", "date"),
        ('windows = [["12:00", "08:00"]]\n' + TOML, ".toml", "windows"),
        ('windows = ["always"]\n' + TOML, ".toml", "windows"),
    ],
)
def test_a_broken_file_is_refused_by_field(text: str, suffix: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_calendar_file(text, suffix)
    assert refused.value.field == field
