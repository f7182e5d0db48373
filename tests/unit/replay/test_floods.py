"""Floods of alarms: when there is one, what is shown of it, and the measures of a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.floods import (
    KINDS,
    FloodAlarm,
    alarm_load,
    flood_since,
    flood_spans,
    top_causes,
)

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)


def at(*minutes: float) -> list[datetime]:
    return [T0 + timedelta(minutes=m) for m in minutes]


BURST = at(*[m / 10 for m in range(11)])  # eleven within a minute


def test_a_flood_begins_with_the_eleventh_alarm_in_ten_minutes_and_not_with_the_tenth() -> None:
    assert flood_since(BURST[:10], 1, BURST[9]) is None
    assert flood_since(BURST, 1, BURST[10]) == BURST[10]
    assert flood_since(BURST, 2, BURST[10]) is None, "two people take twice as many"


def test_it_ends_with_fewer_than_five_and_goes_on_between() -> None:
    assert flood_since(BURST, 1, T0 + timedelta(minutes=10, seconds=35)) == BURST[10]
    # After eleven minutes all have left the window; the seventh to leave makes it four.
    ((began, ended),) = flood_spans(BURST, lambda moment: 1, T0 + timedelta(minutes=20))
    assert (began, ended) == (BURST[10], BURST[6] + timedelta(minutes=10))
    kept_up = [*BURST, *at(3, 5, 7, 9, 11, 13, 15, 17)]
    assert flood_since(kept_up, 1, T0 + timedelta(minutes=18)) == BURST[10]


def test_the_measures_of_an_hour_counted_by_hand() -> None:
    """Eleven in the first ten minutes, one in the fourth: twelve in an hour, two people in it."""
    times = [*BURST, *at(35)]
    alone = alarm_load(times, {}, T0, T0 + timedelta(hours=1))
    assert (alone.announced, alone.operator_hours, alone.per_operator_hour) == (12, 1.0, 12.0)
    assert (alone.per_operator_10min, alone.worst_10min) == (2.0, 11)
    assert (alone.windows, alone.full_windows, alone.floods) == (6, 1, 1)
    assert alone.flood_s == pytest.approx((10.6 - 1.0) * 60)
    together = alarm_load(times, {T0: 2}, T0, T0 + timedelta(hours=1))
    assert (together.operator_hours, together.per_operator_hour) == (2.0, 6.0)
    assert (together.full_windows, together.floods, together.flood_s) == (0, 0, 0.0)


def alarm(number: int, **more: object) -> FloodAlarm:
    values: dict[str, object] = {
        "severity": 3,
        "gas": False,
        "announced_at": T0 + timedelta(seconds=number),
        "condition": "silent",
    }
    return FloodAlarm(id=number, **(values | more))  # type: ignore[arg-type]


def test_red_and_orange_gas_stands_by_itself_on_top_of_the_causes() -> None:
    shared = {"gateway": "GW-1", "place": "Haixiu"}
    alarms = [
        alarm(1, **shared),
        alarm(2, **shared),
        alarm(3, place="Haixiu"),
        alarm(4, place="Haixiu"),
        alarm(5, gas=True, severity=2, **shared),
        alarm(6, gas=True, severity=1, **shared),
        alarm(7, gas=True, severity=3, **shared),
        alarm(8, condition="cover", times=9, severity=2),
    ]
    found = top_causes(alarms)
    assert found.alone == (6, 5)
    assert [(c.kind, c.name, c.alarms, c.times) for c in found.causes] == [
        ("alarm", "cover", (8,), 9),
        ("place", "Haixiu", (7, 4, 3, 2, 1), 5),
    ]


def test_of_equal_groups_the_nearest_cause_is_named() -> None:
    both = dict.fromkeys(("gateway", "cabinet", "pipe", "place"), "X")
    (cause,) = top_causes([alarm(1, **both), alarm(2, **both)]).causes
    assert (cause.kind, cause.alarms) == ("gateway", (2, 1))


NAMES = st.sampled_from(["", "A", "B"])
ALARMS = st.lists(
    st.builds(
        FloodAlarm,
        id=st.integers(1, 10_000),
        severity=st.integers(1, 4),
        gas=st.booleans(),
        announced_at=st.integers(0, 900).map(lambda s: T0 + timedelta(seconds=s)),
        condition=st.sampled_from(["gas", "silent", "cover"]),
        **dict.fromkeys(list(KINDS)[:4], NAMES),
    ),
    unique_by=lambda a: a.id,
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(ALARMS)
def test_every_alarm_is_shown_once_and_no_gas_is_inside_a_group(alarms: list[FloodAlarm]) -> None:
    found = top_causes(alarms)
    inside = [i for cause in found.causes for i in cause.alarms]
    assert sorted([*found.alone, *inside]) == sorted(a.id for a in alarms)
    loud = {a.id for a in alarms if a.gas and a.severity <= 2}
    assert set(found.alone) == loud
    for cause in found.causes:
        assert cause.severity == min(a.severity for a in alarms if a.id in cause.alarms)
