"""Readings of a clock that is ahead: they raise at once, and true ones that follow are judged."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from alerts.evaluate import Evaluation
from alerts.steps import evaluate_waiting
from city.alarm import AlarmState
from city.moment import as_microseconds
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, RawValues, pack, sort_rows
from db.readings import insert_readings
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.ticking import tick

AHEAD = timedelta(minutes=9)
NONE_RAW: RawValues = {}
GAS, TILT = METRICS["ch4_pct_lel"].id, METRICS["tilt_deg"].id
Told = tuple[float, datetime]  # value, time of measurement


@pytest.fixture
def gas(engine: Engine) -> Engine:
    engine.device("G-1", "gas", interval_s=10)
    return engine


def tell(engine: Engine, *told: Told, code: str = "G-1", metric: int = GAS) -> Evaluation:
    """One batch received now, stored as ingest stores it, and evaluated."""
    received_us = as_microseconds(engine.now)
    rows = np.array(
        [(engine.ids[code], metric, 0, as_microseconds(ts), received_us, v) for v, ts in told],
        BATCH_DTYPE,
    )
    rows = rows[sort_rows(rows)]
    insert_readings(engine.conn, rows, NONE_RAW, np.zeros(len(rows), dtype=bool))
    engine.store_payload(pack(rows))
    done = evaluate_waiting(engine.conn, engine.now)
    assert done is not None
    return done


def tell_now(engine: Engine, value: float, ahead: timedelta = timedelta(0)) -> Evaluation:
    return tell(engine, (value, engine.now + ahead))


def test_a_true_peak_after_a_low_value_from_the_future_stands(gas: Engine) -> None:
    tell_now(gas, 0.0, AHEAD)
    for value in (62.5, 60.0, 58.0, 57.0, 56.0, 55.0, 54.0, 53.0, 52.0):
        gas.later(seconds=60)
        tick(gas.conn, gas.now)
        tell_now(gas, value)
        assert [alarm.state for alarm in gas.alarms()] == [AlarmState.UNACKNOWLEDGED]
    assert gas.changes() == ["raised"]


def test_a_peak_from_the_future_raises_at_once_by_the_time_of_its_receipt(gas: Engine) -> None:
    tell_now(gas, 62.5, AHEAD)
    (alarm,) = gas.alarms()
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    assert timedelta(0) <= alarm.sensed_at - gas.now <= timedelta(seconds=2)


def test_true_low_values_after_a_peak_from_the_future_end_it_after_the_usual_delay(
    gas: Engine,
) -> None:
    tell_now(gas, 62.5, AHEAD)
    cleared_after = None
    for minute in range(1, 12):
        gas.later(seconds=60)
        tell_now(gas, 0.0)
        tick(gas.conn, gas.now)
        if gas.alarms()[0].state is AlarmState.RETURNED:
            cleared_after = minute
            break
    assert cleared_after == 6  # five minutes of good readings, the first after one minute
    assert gas.changes() == ["raised", "cleared"]


def test_a_peak_between_values_of_a_clock_that_is_always_ahead_is_not_missed(gas: Engine) -> None:
    for value in (0.0, 0.0, 62.5):
        tell_now(gas, value, AHEAD)
        gas.later(seconds=10)
    assert gas.changes() == ["raised"]
    tell_now(gas, 0.0, AHEAD)
    assert gas.alarms()[0].state is AlarmState.UNACKNOWLEDGED  # its delay has only begun
    assert gas.count("rule_timer") == 1


def test_a_peak_among_values_from_the_future_that_came_together_raises(gas: Engine) -> None:
    start = gas.now + AHEAD
    values = (0.0, 62.5, 0.0, 0.0)
    tell(gas, *((value, start + timedelta(seconds=n)) for n, value in enumerate(values)))
    assert gas.changes() == ["raised"]
    gas.later(seconds=10)
    tell_now(gas, 61.0)
    assert [alarm.state for alarm in gas.alarms()] == [AlarmState.UNACKNOWLEDGED]


def test_a_low_value_from_the_future_breaks_off_no_delay_of_later_ones(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    tell(engine, (0.0, engine.now + AHEAD), code="M-1", metric=TILT)
    engine.later(seconds=10)
    tell(engine, (30.0, engine.now), code="M-1", metric=TILT)
    assert engine.count("rule_timer") == 1
    engine.later(minutes=5)
    tick(engine.conn, engine.now)
    assert engine.changes() == ["raised"]


def test_a_true_reading_that_was_overtaken_by_a_true_one_is_judged_beside_one_from_the_future(
    gas: Engine,
) -> None:
    """A low value from the future must not pass for the newest when a late peak is followed."""
    start = gas.now
    tell_now(gas, 0.0, AHEAD)
    gas.later(seconds=60)
    tell_now(gas, 55.0)
    tell(gas, (62.5, start + timedelta(seconds=30)))
    (alarm,) = gas.alarms()
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    assert "cleared" not in gas.changes()
