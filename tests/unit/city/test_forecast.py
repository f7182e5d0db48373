"""Lateness that is expected, by hand."""

from __future__ import annotations

import pytest

from city.forecast import Calibration, HandlingTimes, calibrate, find_times, forecast

# From 0 to 1000 seconds, evenly.
EVEN = HandlingTimes(100, tuple(50.0 * n for n in range(21)))
TABLES = {("c", "", -1): EVEN}


@pytest.mark.parametrize(
    ("elapsed", "limit", "expected"),
    [
        (0, 500, 0.5),
        (0, 1000, 0.0),
        (0, 0, 1.0),
        (400, 800, 1 / 3),  # of the 60 % that are still open at 400 a third is at 800
        (900, 500, 1.0),  # late already
        (1000, 1500, 1.0),  # longer than anybody before
    ],
)
def test_what_is_open_at_the_limit_of_what_is_open_now(
    elapsed: float, limit: float, expected: float
) -> None:
    found = forecast(TABLES, "c", "s", 9, elapsed, limit)
    assert found is not None
    assert found.probability == pytest.approx(expected)
    assert (found.count, found.basis) == (100, "category")


def test_the_closest_table_with_enough_cases_is_taken() -> None:
    few = HandlingTimes(29, EVEN.percentiles)
    tables = {("c", "s", 9): few, ("c", "s", -1): EVEN, ("c", "", -1): EVEN}
    assert find_times(tables, "c", "s", 9) == ("squad", EVEN)
    assert find_times({("c", "s", 9): few}, "c", "s", 9) is None
    assert forecast({}, "c", "s", 9, 0, 10) is None


def test_many_equal_times_are_no_division_by_nothing() -> None:
    same = HandlingTimes(40, (60.0,) * 21)
    assert same.share_done(59) == 0
    assert same.share_done(60) == 1
    steps = HandlingTimes(40, (10.0,) * 10 + (60.0,) * 11)
    assert steps.share_done(10) == pytest.approx(9 / 20)


def test_forecasts_are_held_against_what_came() -> None:
    outcomes = [(0.1, False), (0.1, True), (0.9, True), (1.0, True)]
    assert calibrate(outcomes) == [
        Calibration(0.0, 0.2, 2, 0.1, 1),
        Calibration(0.8, 1.0, 2, 0.95, 2),
    ]
    assert calibrate([]) == []
