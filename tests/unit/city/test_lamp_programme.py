"""Which level lamps should have at a moment: sun, clock, calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from city.clock import WorkCalendar
from city.errors import InvalidInput
from city.lamp_programme import (
    last_step,
    next_step,
    night_around,
    parse_programme,
    programme_level,
    programme_toml,
    sun_crosses,
)
from city.place import LonLat
from city.sun import sun_elevation_deg

HAIKOU = LonLat(110.35, 20.03)
SHANGHAI = ZoneInfo("Asia/Shanghai")
# 1 to 3 October are days of rest, 10 October (a Saturday) is worked.
CALENDAR = WorkCalendar(
    "CN",
    1,
    {
        date(2026, 10, 1): False,
        date(2026, 10, 2): False,
        date(2026, 10, 10): True,
    },
    date(2026, 12, 31),
)
MAIN = parse_programme(
    """
    code = "main-road"
    name_zh = "主干道"
    name_en = "Main roads"
    [[step]]
    at = "sunset-10"
    level = 100
    [[step]]
    at = "23:30"
    level = 60
    days = "workday"
    [[step]]
    at = "00:30"
    level = 60
    days = "rest"
    [[step]]
    at = "sunrise+10"
    level = 0
    """
)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("at", "level"),
    [
        ("2026-09-29T12:00", 0),
        ("2026-09-29T18:22", 100),  # sunset is at 18:29
        ("2026-09-29T18:10", 0),
        ("2026-09-29T23:29", 100),
        ("2026-09-29T23:30", 60),
        ("2026-09-30T05:00", 60),
        ("2026-09-30T06:42", 0),  # sunrise is at 06:29
        ("2026-10-02T00:15", 100),  # the night of 1 October, a day of rest
        ("2026-10-02T00:45", 60),
        ("2026-10-01T00:45", 60),  # still the night of a working day: since 23:30
        ("2026-10-10T23:45", 60),  # a worked Saturday
        ("2026-10-17T23:45", 100),  # a plain one
    ],
)
def test_the_level_follows_sun_clock_and_calendar(at: str, level: int) -> None:
    assert programme_level(MAIN, HAIKOU, local(at), CALENDAR) == level


def test_the_next_step_is_the_first_later_one_and_holds_then() -> None:
    at = local("2026-09-29T12:00")
    seen = []
    for _ in range(8):
        step = next_step(MAIN, HAIKOU, at, CALENDAR)
        assert step is not None
        assert step.at > at
        assert last_step(MAIN, HAIKOU, step.at, CALENDAR) == step
        assert programme_level(MAIN, HAIKOU, step.at - timedelta(seconds=1), CALENDAR) != step.level
        seen.append(step.level)
        at = step.at
    assert seen == [100, 60, 0, 100, 60, 0, 100, 60]


def test_a_step_of_weekends_only_is_found_from_the_middle_of_a_week() -> None:
    text = 'code="w"\nname_zh="周末"\nname_en="w"\n[[step]]\nat="21:00"\nlevel=80\ndays="rest"\n'
    weekend = parse_programme(text)
    wednesday = local("2026-11-25T12:00")
    step = next_step(weekend, HAIKOU, wednesday, CALENDAR)
    assert step is not None
    assert step.at == local("2026-11-28T21:00")
    assert programme_level(weekend, HAIKOU, wednesday, CALENDAR) == 80


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        (HAIKOU, "Asia/Shanghai"),
        (LonLat(-122.4, 37.8), "America/Los_Angeles"),
        (LonLat(174.8, -36.8), "Pacific/Auckland"),
        (LonLat(-3.7, 40.4), "Europe/Madrid"),
    ],
)
def test_sunset_is_on_the_local_day_and_before_the_sunrise_of_the_next(
    place: LonLat, zone: str
) -> None:
    for month in range(1, 13):
        day = date(2026, month, 17)
        around = night_around(place, day, zone)
        assert around is not None
        sunset, sunrise = (moment.astimezone(ZoneInfo(zone)) for moment in around)
        assert (sunset.date(), sunrise.date()) == (day, day + timedelta(days=1))
        assert timedelta(hours=7) < sunrise - sunset < timedelta(hours=17)
        for moment in around:
            assert abs(sun_elevation_deg(moment, place) + 0.833) < 0.1


def test_where_the_sun_does_not_set_no_step_follows_it() -> None:
    north = LonLat(15.6, 78.2)
    assert sun_crosses(north, date(2026, 6, 20), "Europe/Oslo", setting=True) is None
    summer = datetime(2026, 6, 20, 12, tzinfo=UTC)
    assert next_step(parse_programme(SUN_ONLY), north, summer, CALENDAR) is None
    assert programme_level(parse_programme(SUN_ONLY), north, summer, CALENDAR) is None


SUN_ONLY = 'code="sun"\nname_zh="日"\nname_en="s"\n[[step]]\nat="sunset"\nlevel=100\n'


def test_a_file_says_the_same_after_it_was_read() -> None:
    assert parse_programme(programme_toml(MAIN)) == MAIN


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ('code = "Main Road"', "code", "Main Road"),
        ("colour = 1", "programme: colour", 1),
        ('[[step]]\nat = "25:00"\nlevel = 1', "step 1: at", "25:00"),
        ('[[step]]\nat = "sunset-999"\nlevel = 1', "step 1: at", "sunset-999"),
        ('[[step]]\nat = "22:00"\nlevel = 101', "step 1: level", 101),
        ('[[step]]\nat = "22:00"\nlevel = "60"', "step 1: level", "60"),
        ('[[step]]\nat = "22:00"\nlevel = 1\ndays = "monday"', "step 1: days", "monday"),
        ("[step]\nat = 1", "step", {"at": 1}),
        (
            '[[step]]\nat="22:00"\nlevel=1\n[[step]]\nat="22:00"\nlevel=2',
            "step",
            ["22:00", "22:00"],
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, field: str, value: object) -> None:
    head = 'name_zh = "主"\nname_en = "m"\n' + ("" if text.startswith("code") else 'code = "m"\n')
    with pytest.raises(InvalidInput) as refused:
        parse_programme(head + text)
    assert (refused.value.field, refused.value.value) == (field, value)
