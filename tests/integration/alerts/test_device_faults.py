"""Stuck values and wrong clocks on a real database, and what lists show of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from alerts.steps import look_at_clocks, look_for_stuck_values
from city.reading import METRICS, Quality
from city.scope import Scope
from db import listings, quality
from tests.integration.alerts.engine_city import DISTRICT, Engine


def measure(
    engine: Engine, code: str, metric: str, value: Callable[[int], float], hours: int = 72,
    lag_s: float = 1.0, quality: int = Quality.GOOD,
) -> None:  # fmt: skip
    """Two readings an hour up to now, as ingest stores them."""
    rows = [
        (engine.now - timedelta(minutes=30 * back), value(back))
        for back in range(2 * hours, -1, -1)
    ]
    lag = timedelta(seconds=lag_s)
    with engine.conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO reading (device_id, metric_id, value, ts, received_at, quality)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [(engine.ids[code], METRICS[metric].id, v, ts, ts + lag, quality) for ts, v in rows],
        )
    engine.latest(code, metric, rows[-1][1], engine.now)


def stuck(engine: Engine) -> list[tuple[str, str]]:
    return [(f.code, f.metric) for f in quality.list_faults(engine.conn, "stuck")]


def test_a_temperature_that_never_moves_is_a_fault_until_it_moves_again(engine: Engine) -> None:
    engine.device("G-1", "gas")
    measure(engine, "G-1", "temperature_c", lambda _: 21.5)
    assert look_for_stuck_values(engine.conn, engine.now) == 1
    assert look_for_stuck_values(engine.conn, engine.now) == 0
    (fault,) = quality.list_faults(engine.conn)
    assert (fault.code, fault.metric, fault.detail["value"]) == ("G-1", "temperature_c", 21.5)
    assert fault.since <= engine.now - timedelta(hours=47)
    engine.later(minutes=10)
    engine.conn.execute(
        "INSERT INTO reading (device_id, metric_id, value, ts, received_at)"
        " VALUES (%s, %s, 21.6, %s, %s)",
        (engine.ids["G-1"], METRICS["temperature_c"].id, engine.now, engine.now),
    )
    engine.latest("G-1", "temperature_c", 21.6, engine.now)
    assert look_for_stuck_values(engine.conn, engine.now) == 1
    assert stuck(engine) == []
    assert engine.events() == ["device.fault_began", "device.fault_ended"]


def test_what_moves_what_is_new_and_what_may_stand_still_is_not_stuck(engine: Engine) -> None:
    for code in ("G-1", "G-2", "G-3", "G-4", "G-5"):
        engine.device(code, "gas")
    measure(engine, "G-1", "temperature_c", lambda back: 20 + back % 3 / 10)
    measure(engine, "G-2", "temperature_c", lambda _: 21.5, hours=24)  # known for a day only
    measure(engine, "G-3", "ch4_pct_lel", lambda _: 0.0)  # clean air
    measure(engine, "G-4", "battery_pct", lambda _: 90.0)
    measure(engine, "G-5", "temperature_c", lambda back: 21.5 if back else 21.6)
    assert look_for_stuck_values(engine.conn, engine.now) == 0


def test_gas_that_stands_above_zero_is_stuck(engine: Engine) -> None:
    engine.device("G-1", "gas")
    measure(engine, "G-1", "ch4_pct_lel", lambda _: 7.0)
    look_for_stuck_values(engine.conn, engine.now)
    assert stuck(engine) == [("G-1", "ch4_pct_lel")]


def test_two_sensors_side_by_side_that_read_the_same_are_not_stuck(engine: Engine) -> None:
    for code in ("G-1", "G-2"):
        engine.device(code, "gas")
        measure(engine, code, "temperature_c", lambda back: 20 + back % 5 / 10)
    assert look_for_stuck_values(engine.conn, engine.now) == 0


def test_a_device_may_have_a_time_of_its_own_or_be_exempt(engine: Engine) -> None:
    engine.device("G-1", "gas", stuck_after_s=0)
    engine.device("G-2", "gas", stuck_after_s=90_000)
    for code in ("G-1", "G-2"):
        measure(engine, code, "temperature_c", lambda _: 21.5, hours=30)
    engine.conn.execute("UPDATE stuck_limit SET readings = 40")
    look_for_stuck_values(engine.conn, engine.now)
    assert stuck(engine) == [("G-2", "temperature_c")]


def test_a_device_that_fell_silent_is_not_well_again(engine: Engine) -> None:
    engine.device("G-1", "gas")
    measure(engine, "G-1", "temperature_c", lambda _: 21.5)
    look_for_stuck_values(engine.conn, engine.now)
    look_for_stuck_values(engine.conn, engine.later(hours=12))
    assert stuck(engine) == [("G-1", "temperature_c")]


def test_clocks_are_measured_and_one_that_is_ahead_is_a_fault(engine: Engine) -> None:
    for code in ("G-1", "G-2", "G-3"):
        engine.device(code, "gas")
    measure(engine, "G-1", "temperature_c", lambda back: back % 7, lag_s=0.4)
    measure(engine, "G-2", "temperature_c", lambda back: back % 7, lag_s=-45)
    measure(engine, "G-3", "temperature_c", lambda back: back % 7, lag_s=0)  # ours
    assert look_at_clocks(engine.conn, engine.now) == 1
    (fault,) = quality.list_faults(engine.conn, "clock")
    assert (fault.code, fault.metric, fault.detail["why"]) == ("G-2", "", "ahead")
    clocks = quality.list_clocks(engine.conn, list(engine.ids.values()))
    assert [clocks[engine.ids[c]].least_s for c in ("G-1", "G-2", "G-3")] == [0.4, -45.0, None]
    assert engine.events() == ["device.fault_began"]


def test_a_clock_that_is_replaced_all_the_time_is_a_fault(engine: Engine) -> None:
    engine.device("G-1", "gas")
    measure(
        engine, "G-1", "temperature_c", lambda back: back % 7, lag_s=0,
        quality=Quality.CLOCK_REPLACED,
    )  # fmt: skip
    look_at_clocks(engine.conn, engine.now)
    (fault,) = quality.list_faults(engine.conn, "clock")
    assert fault.detail["why"] == "implausible"


def test_a_listed_value_says_that_it_is_stuck_stale_or_of_a_wrong_clock(engine: Engine) -> None:
    engine.device("G-1", "gas", interval_s=60)
    measure(engine, "G-1", "temperature_c", lambda _: 21.5, lag_s=-45)
    measure(engine, "G-1", "humidity_pct", lambda back: back % 9, lag_s=-45)
    look_for_stuck_values(engine.conn, engine.now)
    look_at_clocks(engine.conn, engine.now)
    device = listings.find_device(engine.conn, Scope(DISTRICT), "G-1", engine.now)
    assert {v.metric: v.trust for v in device.latest} == {
        "temperature_c": ["stuck", "clock"],
        "humidity_pct": ["clock"],
    }
    assert {fault.kind for fault in device.faults} == {"stuck", "clock"}
    assert device.clock is not None
    assert device.clock.least_s == -45
    later = listings.find_device(
        engine.conn, Scope(DISTRICT), "G-1", engine.now + timedelta(seconds=181)
    )
    assert "stale" in later.latest[0].trust
