"""Lit, dark or unknown: one look at a lamp, and the checks of a night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lighting.lit_rate import (
    Counts,
    LampState,
    Said,
    checks_of,
    count_checks,
    slots_kept,
    state_of,
)


@pytest.mark.parametrize(
    ("said", "rated", "state"),
    [
        (None, 150, LampState.UNKNOWN),
        (Said(), 150, LampState.UNKNOWN),
        (Said(lamp_on=1), None, LampState.LIT),
        (Said(lamp_on=0, power_w=150), 150, LampState.DARK),
        (Said(lamp_on=1, power_w=20), 150, LampState.DARK),  # it says on and draws nothing
        (Said(lamp_on=1, power_w=90, dim_pct=60), 150, LampState.LIT),
        (Said(lamp_on=1, power_w=60, dim_pct=60), 150, LampState.DARK),
        (Said(power_w=130), 150, LampState.LIT),
        (Said(power_w=130), None, LampState.UNKNOWN),  # of what?
        (Said(dim_pct=40), None, LampState.LIT),
        (Said(dim_pct=0), None, LampState.DARK),
        (Said(lamp_on=1, power_w=0.4, dim_pct=0), 150, LampState.DARK),
    ],
)
def test_a_lamp_is_what_it_says_and_what_it_draws(
    said: Said | None, rated: float | None, state: LampState
) -> None:
    assert state_of(said, rated) is state


def test_a_night_is_looked_at_every_half_hour_between_the_twilights() -> None:
    sunset = datetime(2026, 11, 29, 9, 58, tzinfo=UTC)
    checks = checks_of(sunset, sunset + timedelta(hours=13))
    assert len(checks) == 25
    assert (checks[0] - sunset, checks[-1] - sunset) == (
        timedelta(minutes=30),
        timedelta(hours=12, minutes=30),
    )
    assert checks_of(sunset, sunset + timedelta(minutes=50)) == []


def test_what_a_lamp_said_holds_for_three_of_its_intervals() -> None:
    assert [slots_kept(seconds) for seconds in (60, 600, 900, 3600)] == [1, 1, 2, 6]
    lit, dark = Said(lamp_on=1), Said(lamp_on=0)
    due = [True] * 6 + [False] * 2
    # Slots 0 to 4 lie before the first check, whose slot is 5.
    said = {4: lit, 6: dark, 12: lit}
    assert count_checks(said, due, 5, 1, None) == Counts(lit=0, dark=1, unknown=5)
    assert count_checks(said, due, 5, 3, None) == Counts(lit=1, dark=3, unknown=2)
    assert count_checks({}, due, 5, 3, None) == Counts(0, 0, 6)
    assert count_checks(said, [False] * 8, 5, 3, None).due == 0
