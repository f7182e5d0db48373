"""Sunrise and sunset against published times, and when it counts as dark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.place import LonLat
from city.sun import is_dark, sun_elevation_deg

GRACE = timedelta(minutes=15)
HAIKOU = LonLat(110.35, 20.02)
BEIJING = LonLat(116.40, 39.90)
LONDON = LonLat(-0.13, 51.51)
SYDNEY = LonLat(151.21, -33.87)


@pytest.mark.parametrize(
    ("place", "rise", "set_"),
    [
        # Almanac times of Beijing, UTC: midsummer 04:46-19:46 and midwinter 07:32-16:52 CST.
        (BEIJING, "2024-06-20T20:46", "2024-06-21T11:46"),
        (BEIJING, "2023-12-21T23:32", "2023-12-22T08:53"),
        # London at the March equinox: 06:03 and 18:14 GMT.
        (LONDON, "2024-03-20T06:03", "2024-03-20T18:14"),
        # Sydney in midsummer: 05:41 and 20:05 AEDT.
        (SYDNEY, "2023-12-21T18:41", "2023-12-22T09:05"),
    ],
)
def test_it_gets_light_and_dark_when_the_almanac_says(place: LonLat, rise: str, set_: str) -> None:
    sunrise = datetime.fromisoformat(rise).replace(tzinfo=UTC)
    sunset = datetime.fromisoformat(set_).replace(tzinfo=UTC)
    tolerance = timedelta(minutes=3)
    assert is_dark(sunrise - tolerance, place)
    assert not is_dark(sunrise + tolerance, place)
    assert not is_dark(sunset - tolerance, place)
    assert is_dark(sunset + tolerance, place)


def test_a_grace_keeps_the_minutes_around_switching_out_of_the_dark() -> None:
    evening = datetime(2026, 5, 1, 10, tzinfo=UTC)
    minutes = [evening + timedelta(minutes=i) for i in range(240)]
    sunset = next(t for t in minutes if is_dark(t, HAIKOU))
    assert not is_dark(sunset + GRACE - timedelta(minutes=1), HAIKOU, GRACE)
    assert is_dark(sunset + GRACE + timedelta(minutes=1), HAIKOU, GRACE)


def test_every_day_of_a_year_has_one_dark_and_one_bright_stretch() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(0, 365, 7):
        times = [start + timedelta(days=day, minutes=10 * i) for i in range(144)]
        dark = [is_dark(t, HAIKOU, GRACE) for t in times]
        switches = sum(a != b for a, b in zip(dark, [*dark[1:], dark[0]], strict=True))
        assert switches == 2
        assert 40 < sum(dark) < 90


def test_beyond_the_polar_circle_the_sun_may_stay_up_or_down() -> None:
    assert not is_dark(datetime(2026, 6, 21, 0, tzinfo=UTC), LonLat(20, 78), GRACE)
    assert is_dark(datetime(2026, 12, 21, 12, tzinfo=UTC), LonLat(20, 78), GRACE)


@pytest.mark.parametrize(
    ("hour", "dark"), [(0, True), (5, True), (8, False), (12, False), (17, False), (20, True)]
)
def test_night_falls_in_haikou_by_local_hours(hour: int, dark: bool) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(hours=hour - 8)  # Shanghai time
    assert is_dark(at, HAIKOU) is dark


def test_the_sun_stands_right_over_the_equator_at_the_equinox() -> None:
    noon = datetime(2026, 3, 20, 12, 7, tzinfo=UTC)  # true noon at Greenwich that day
    assert sun_elevation_deg(noon, LonLat(0, 0)) > 89
