"""A device that counts again is judged at once by what it said last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from alerts.evaluate import evaluate_waiting
from alerts.known import Known
from alerts.steps import acknowledge, reset
from city.alarm import AlarmState
from city.incident import Role
from city.person import Caller
from city.requests import OutOfServiceRequest
from registry.out_of_service import return_to_service, take_out_of_service
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

People = Callable[[Role], Caller]


@pytest.fixture
def away(engine: Engine) -> Engine:
    """A detector out of service for two hours."""
    engine.device("G-1", "gas", interval_s=60)
    put_away(engine)
    return engine


def put_away(engine: Engine) -> None:
    take_out_of_service(
        engine.conn,
        "li",
        DISTRICT,
        "G-1",
        OutOfServiceRequest("repair", engine.now + timedelta(hours=2)),
        engine.now,
    )


def bring_back(engine: Engine) -> None:
    return_to_service(engine.conn, "li", DISTRICT, "G-1", version=None, now=engine.now)


def say(engine: Engine, value: float) -> None:
    engine.latest("G-1", "ch4_pct_lel", value, engine.now)
    engine.read(("G-1", "ch4_pct_lel", value))


def test_a_device_returned_with_gas_over_the_limit_raises_at_the_next_tick(away: Engine) -> None:
    say(away, 62.0)
    assert away.alarms() == []
    away.later(seconds=30)
    bring_back(away)
    assert tick(away.conn, away.later(seconds=1)) == 1
    (alarm,) = away.alarms()
    assert (alarm.condition, alarm.reason["value"]) == ("gas/G-1", 62.0)
    tick(away.conn, away.later(seconds=11))
    tick(away.conn, away.later(seconds=11))
    assert away.changes() == ["raised"]
    assert away.count("device_return") == 0


def test_the_day_it_was_due_back_counts_like_a_return(away: Engine) -> None:
    away.later(hours=1, minutes=59, seconds=30)
    say(away, 62.0)
    tick(away.conn, away.now)
    assert away.alarms() == []
    tick(away.conn, away.later(seconds=30))
    assert [a.condition for a in away.alarms() if "gas/" in a.condition] == ["gas/G-1"]


def test_a_value_too_old_raises_nothing_and_the_device_is_silent_instead(away: Engine) -> None:
    away.device("G-2", "gas", interval_s=86_400)
    say(away, 62.0)
    for _ in range(20):  # the installation goes on, and others are heard
        away.later(seconds=30)
        away.read(("G-2", "ch4_pct_lel", 1.0))
        tick(away.conn, away.now)
    bring_back(away)
    tick(away.conn, away.later(seconds=6))
    assert [alarm.condition for alarm in away.alarms()] == ["silent/G-1"]


def test_what_an_engine_missed_while_it_took_the_device_for_away_is_judged_again(
    away: Engine,
) -> None:
    known = Known()
    say(away, 1.0)
    evaluate_waiting(away.conn, away.now, known)
    bring_back(away)
    tick(away.conn, away.later(seconds=1))
    away.latest("G-1", "ch4_pct_lel", 62.0, away.later(seconds=1))
    tick(away.conn, away.later(seconds=11))
    assert away.changes() == ["raised"]


def test_a_device_that_is_still_away_is_not_judged(away: Engine) -> None:
    say(away, 62.0)
    bring_back(away)
    put_away(away)
    assert tick(away.conn, away.later(seconds=1)) == 0


def test_an_alarm_that_was_reset_for_the_repair_is_raised_anew(
    engine: Engine, person: People
) -> None:
    engine.device("G-1", "gas", interval_s=60)
    say(engine, 62.0)
    (alarm,) = engine.alarms()
    engineer = person(Role.GAS_ENGINEER)
    seen = acknowledge(engine.conn, engineer, alarm.id, alarm.version, engine.now)
    reset(engine.conn, engineer, alarm.id, seen.version, engine.now)
    put_away(engine)
    engine.later(seconds=60)
    say(engine, 62.0)
    bring_back(engine)
    tick(engine.conn, engine.later(seconds=1))
    states = [alarm.state for alarm in engine.alarms()]
    assert states == [AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED]
