"""Judgements of clock and range, at their edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.reading import METRICS, REASON_NAN, REASON_RANGE
from db.rollups import KEEP
from wire.quality import (
    FUTURE_LIMIT,
    HISTORY_LIMIT,
    STALE_LIMIT,
    is_beyond_history,
    is_implausibly_old,
    is_in_future,
    out_of_range,
)

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def test_ten_minutes_ahead_is_a_clock_a_moment_more_is_the_future() -> None:
    assert not is_in_future(NOW + FUTURE_LIMIT, NOW)
    assert is_in_future(NOW + FUTURE_LIMIT + TICK, NOW)
    assert not is_in_future(NOW - timedelta(days=400), NOW)


def test_seven_days_may_be_a_delay_a_moment_more_is_a_wrong_clock() -> None:
    assert not is_implausibly_old(NOW - STALE_LIMIT, NOW)
    assert is_implausibly_old(NOW - STALE_LIMIT - TICK, NOW)
    assert is_implausibly_old(datetime(1970, 1, 1, tzinfo=UTC), NOW)


def test_history_ends_a_month_before_readings_are_dropped() -> None:
    assert not is_beyond_history(NOW - HISTORY_LIMIT, NOW)
    assert is_beyond_history(NOW - HISTORY_LIMIT - TICK, NOW)
    assert KEEP.history == HISTORY_LIMIT
    assert KEEP.readings - HISTORY_LIMIT >= timedelta(days=30)


@pytest.mark.parametrize(
    ("metric", "value", "reason"),
    [
        ("humidity_pct", 0, None),
        ("humidity_pct", 100, None),
        ("humidity_pct", 100.001, REASON_RANGE),
        ("humidity_pct", -0.001, REASON_RANGE),
        ("flooded", 1, None),
        ("flooded", 0.5, REASON_RANGE),
        ("temperature_c", float("nan"), REASON_NAN),
        ("temperature_c", float("inf"), REASON_NAN),
    ],
)
def test_a_value_must_be_possible_for_its_metric(
    metric: str, value: float, reason: str | None
) -> None:
    problem = out_of_range("name", value, METRICS[metric])
    assert (problem.reason if problem else None) == reason
    assert problem is None or problem.detail.startswith("name: ")


def test_a_models_own_limits_narrow_the_metrics_and_never_widen_them() -> None:
    metric = METRICS["temperature_c"]
    assert out_of_range("t", 90, metric, high=85) is not None
    assert out_of_range("t", 84, metric, high=85) is None
    assert out_of_range("t", 1000, metric, high=5000) is not None
    assert out_of_range("t", -50, metric, low=-40) is not None
