"""Rules over windows as they run: marked by evaluation, looked at by ticks, and the same alarms as
in the backtest of what was stored."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from alerts.backtest import WouldRaise, backtest
from alerts.known import Known, load_rules
from alerts.steps import acknowledge, evaluate_waiting
from city.alarm import Alarm, AlarmState, Severity
from city.incident import Role
from city.moment import as_microseconds
from city.person import Caller
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, pack
from simulator import histories
from simulator.histories import BEGIN, Conditions, MadeReading, Maker
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

DESK = Caller("a dispatcher", Role.DISPATCHER, DISTRICT)
HOURS = 8.5


def town(seed: int, conditions: Conditions) -> Maker:
    """Half a day of a slow leak, two neighbours, a wobble, a well and a spike."""
    maker = Maker(seed, conditions)
    leak = maker.device("G", "gas", 300)
    plume = maker.plume(3 * 3600, 36, 6000, 6.5 * 3600)
    maker.hear(leak, {"ch4_pct_lel": maker.gas(plume)}, HOURS)
    one = maker.device("G", "gas", 300)
    for device in (one, maker.device("G", "gas", 120, near=one)):
        shape = maker.gas(maker.plume(2 * 3600, 13, 1500, 7 * 3600))
        maker.hear(device, {"ch4_pct_lel": shape}, HOURS)
    wobble = maker.device("G", "gas", 120)
    level = lambda at: 19.5 + 3 * (-1) ** int(at // 300) if 7200 < at < 12_000 else 0.0  # noqa: E731
    maker.hear(wobble, {"ch4_pct_lel": maker.gas(level)}, HOURS)
    well = maker.device("W", "manhole", 300)
    maker.hear(well, {"ch4_pct_lel": maker.gas(maker.plume(9000, 60, 900, 5 * 3600))}, HOURS)
    lamp = maker.device("L", "light", 900, rated_power_w=histories.RATED_W)
    burning = {"lamp_on": lambda at: float(at < 5000 or at > 20_000), "power_w": lambda at: 0.0}
    maker.hear(lamp, burning, HOURS)
    maker.made.readings.sort(key=lambda r: r.received_at)
    return maker


def install(engine: Engine, maker: Maker) -> None:
    engine.now = BEGIN
    for one in maker.made.devices:
        gas = "methane" if one.kind != "light" else None
        engine.device(
            one.code,
            one.kind,
            interval_s=one.interval_s,
            gas=gas,
            at=(one.lon, one.lat),
            **one.attributes,
        )


def arrive(engine: Engine, readings: Sequence[MadeReading]) -> None:
    """What an ingest worker commits of these."""
    rows = np.zeros(len(readings), BATCH_DTYPE)
    with engine.conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO reading (device_id, metric_id, value, ts, received_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            [
                (engine.ids[r.device], METRICS[r.metric].id, r.value, r.ts, r.received_at)
                for r in readings
            ],
        )
    for place, r in enumerate(readings):
        rows[place] = (
            engine.ids[r.device],
            METRICS[r.metric].id,
            0,
            as_microseconds(r.ts),
            as_microseconds(r.received_at),
            r.value,
        )
    engine.store_payload(pack(rows))


def play(
    engine: Engine, readings: Sequence[MadeReading], every: timedelta, chance: random.Random
) -> None:
    """Batch after batch in the order of arrival, shuffled inside, with a tick after each; the
    engine is started anew now and then, and whoever is told acknowledges."""
    known = Known()
    waiting = list(readings)
    while waiting:
        engine.now += every
        batch = [r for r in waiting if r.received_at <= engine.now]
        waiting = waiting[len(batch) :]
        if not batch:
            continue
        chance.shuffle(batch)
        arrive(engine, batch)
        if chance.random() < 0.1:
            known = Known()
        while evaluate_waiting(engine.conn, engine.now, known):
            pass
        tick(engine.conn, engine.now)
        engine.now += timedelta(seconds=6)
        tick(engine.conn, engine.now)
        see(engine)
    for _ in range(2):
        engine.now += timedelta(hours=1)
        tick(engine.conn, engine.now)
        see(engine)


def see(engine: Engine) -> None:
    for alarm in engine.alarms():
        if alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED):
            acknowledge(engine.conn, DESK, alarm.id, alarm.version, engine.now)


def of_rules(engine: Engine, conditions: set[str]) -> list[tuple[Any, ...]]:
    """The alarms as they were stored: what, how bad, since when, until when."""
    return sorted(
        (a.condition, a.severity.name.lower(), str(a.cleared_at))
        for a in engine.alarms()
        if a.condition.split("/")[0] in conditions
    )


def would(found: Sequence[WouldRaise]) -> list[tuple[Any, ...]]:
    return sorted((f"{w.condition}/{w.device}", w.severity, str(w.cleared_at)) for w in found)


def look_back(engine: Engine, conditions: set[str]) -> list[WouldRaise]:
    rules = [r for r in load_rules(engine.conn, engine.now).values() if r.condition in conditions]
    return backtest(engine.conn, rules, BEGIN - timedelta(hours=1), engine.now)


@pytest.mark.parametrize(
    ("seed", "conditions"),
    [(1, Conditions(lost=0.0, late=0.0)), (2, Conditions(lost=0.05, late=0.05))],
)
def test_a_day_as_it_runs_gives_the_alarms_of_its_backtest(
    engine: Engine, seed: int, conditions: Conditions
) -> None:
    conditions_told = {"gas"}
    maker = town(seed, conditions)
    install(engine, maker)
    play(engine, maker.made.readings, timedelta(minutes=15), random.Random(seed))
    found = look_back(engine, conditions_told)
    stored = of_rules(engine, conditions_told)
    assert [item[:2] for item in would(found)] == [item[:2] for item in stored]
    if not conditions.late:
        assert would(found) == stored
    codes = [device.code for device in maker.made.devices]
    together = [a for a in found if a.members]
    assert together
    assert set(together[0].members) == {codes[1], codes[2]}
    assert engine.count("window_look") == 0


def test_a_detector_out_of_service_is_no_neighbour(engine: Engine) -> None:
    maker = Maker(1, Conditions(lost=0.0, late=0.0))
    one = maker.device("G", "gas", 300)
    for device in (one, maker.device("G", "gas", 300, near=one)):
        shape = maker.gas(maker.plume(3600, 13, 1500, 7 * 3600))
        maker.hear(device, {"ch4_pct_lel": shape}, 3)
    maker.made.readings.sort(key=lambda r: r.received_at)
    install(engine, maker)
    engine.conn.execute(
        "UPDATE device SET out_of_service_since = %s WHERE code = %s", (engine.now, one.code)
    )
    play(engine, maker.made.readings, timedelta(minutes=30), random.Random(1))
    assert "gas-neighbours" not in {a.rule_code for a in engine.alarms()}


def test_a_leak_is_told_by_its_rise_before_it_reaches_the_limit(engine: Engine) -> None:
    maker = Maker(3, Conditions(lost=0.0, late=0.0))
    device = maker.device("G", "gas", 300)
    maker.hear(device, {"ch4_pct_lel": maker.gas(maker.plume(3600, 36, 6000))}, 2.2)
    install(engine, maker)
    play(engine, maker.made.readings, timedelta(minutes=10), random.Random(3))
    (alarm,) = engine.alarms()
    assert (alarm.rule_code, alarm.severity) == ("gas-rise", Severity.ORANGE)
    assert alarm.reason["code"] == "rose_within"
    assert alarm.reason["facts"]["likely_cause"] == "pipeline"
    assert "alarm.assessed" in engine.events()
    assert _first(maker.made.readings, 20.0) is None


def _first(readings: Sequence[MadeReading], limit: float) -> datetime | None:
    return histories.first_at(readings, limit)


def test_a_detector_that_goes_silent_in_a_rise_keeps_its_alarm(engine: Engine) -> None:
    maker = Maker(4, Conditions(lost=0.0, late=0.0))
    device = maker.device("G", "gas", 60)
    maker.hear(device, {"ch4_pct_lel": maker.gas(maker.plume(3600, 36, 3000))}, 1.5)
    install(engine, maker)
    play(engine, maker.made.readings, timedelta(minutes=10), random.Random(4))
    engine.now += timedelta(hours=30)
    tick(engine.conn, engine.now)
    gas: list[Alarm] = [a for a in engine.alarms() if a.condition.startswith("gas/")]
    assert [a.cleared_at for a in gas] == [None]
