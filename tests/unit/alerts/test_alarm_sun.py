"""Sunrise and sunset against published times, and when lamps should be lit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.sun import should_be_lit, sun_day

GRACE = timedelta(minutes=15)
HAIKOU = (110.35, 20.02)
BEIJING = (116.40, 39.90)


@pytest.mark.parametrize(
    ("place", "noon_utc", "rise", "set_"),
    [
        # Almanac times of Beijing, UTC: midsummer 04:46-19:46 and midwinter 07:32-16:52 CST.
        (BEIJING, "2024-06-21T04:00", "2024-06-20T20:46", "2024-06-21T11:46"),
        (BEIJING, "2023-12-22T04:00", "2023-12-21T23:32", "2023-12-22T08:53"),
        # London at the March equinox: 06:03 and 18:14 GMT.
        ((-0.13, 51.51), "2024-03-20T12:00", "2024-03-20T06:03", "2024-03-20T18:14"),
        # Sydney in midsummer: 05:41 and 20:05 AEDT.
        ((151.21, -33.87), "2023-12-22T02:00", "2023-12-21T18:41", "2023-12-22T09:05"),
    ],
)
def test_sun_times_agree_with_the_almanac(
    place: tuple[float, float], noon_utc: str, rise: str, set_: str
) -> None:
    day = sun_day(*place, datetime.fromisoformat(noon_utc).replace(tzinfo=UTC))
    assert day.sunrise is not None
    assert day.sunset is not None
    tolerance = timedelta(minutes=2)
    assert abs(day.sunrise - datetime.fromisoformat(rise).replace(tzinfo=UTC)) <= tolerance
    assert abs(day.sunset - datetime.fromisoformat(set_).replace(tzinfo=UTC)) <= tolerance


def test_lamps_are_lit_from_a_grace_after_sunset_to_a_grace_before_sunrise() -> None:
    day = sun_day(*HAIKOU, datetime(2026, 5, 1, 4, tzinfo=UTC))
    assert day.sunset is not None
    assert day.sunrise is not None
    minute = timedelta(minutes=1)
    assert not should_be_lit(*HAIKOU, day.sunset + GRACE - minute, GRACE)
    assert should_be_lit(*HAIKOU, day.sunset + GRACE + minute, GRACE)
    assert should_be_lit(*HAIKOU, day.sunrise - GRACE - minute, GRACE)
    assert not should_be_lit(*HAIKOU, day.sunrise - GRACE + minute, GRACE)


def test_every_day_of_a_year_has_one_dark_and_one_bright_stretch() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(0, 365, 7):
        times = [start + timedelta(days=day, minutes=10 * i) for i in range(144)]
        lit = [should_be_lit(*HAIKOU, t, GRACE) for t in times]
        switches = sum(a != b for a, b in zip(lit, [*lit[1:], lit[0]], strict=True))
        assert switches == 2
        assert 40 < sum(lit) < 90


def test_beyond_the_polar_circle_the_sun_may_stay_up_or_down() -> None:
    assert not should_be_lit(20, 78, datetime(2026, 6, 21, 0, tzinfo=UTC), GRACE)
    assert should_be_lit(20, 78, datetime(2026, 12, 21, 12, tzinfo=UTC), GRACE)


def test_the_far_side_of_the_date_line_has_its_own_night() -> None:
    assert not should_be_lit(179.9, -17, datetime(2026, 3, 1, 0, tzinfo=UTC), GRACE)
    assert should_be_lit(-179.9, -17, datetime(2026, 3, 1, 12, tzinfo=UTC), GRACE)
