"""Levels of an alarm on a real database: peaks that come again, rules that share a hazard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from alerts.backtest import backtest
from alerts.rule_files import parse_rule
from alerts.steps import acknowledge, default_rules, evaluate_waiting, shelve
from city.alarm import AlarmState, Severity
from city.incident import Role
from city.person import Caller
from db.events import list_events
from dispatch.steps import take_alarm_change
from replay.read_picture import read_picture
from replay.shown import alarm as shown_alarm
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.test_engine_order import drain, ingest
from tests.integration.alerts.ticking import tick

People = Callable[[Role], Caller]


def see(engine: Engine, person: People) -> None:
    alarm = engine.alarms()[-1]
    acknowledge(engine.conn, person(Role.DISPATCHER), alarm.id, alarm.version, engine.now)


def test_a_second_peak_after_an_acknowledged_one_is_new_on_the_wall_and_reaches_the_incident(
    engine: Engine, person: People
) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 60.0))
    while take_alarm_change(engine.conn, engine.now):
        pass
    see(engine, person)
    raised_at = engine.now
    for value in (30.0, 60.0):
        engine.later(seconds=20)
        engine.read(("G-1", "ch4_pct_lel", value))
    (alarm,) = engine.alarms()
    assert (alarm.state, alarm.acknowledged_by) == (AlarmState.UNACKNOWLEDGED, None)
    assert engine.changes() == ["raised", "acknowledged", "retripped"]
    assert engine.events()[-1] == "alarm.retripped"
    shown = shown_alarm(read_picture(engine.conn, DISTRICT), alarm.id)
    assert shown is not None
    assert (shown.raised_at, shown.announced_at) == (raised_at, engine.now)
    while take_alarm_change(engine.conn, engine.now):
        pass
    told = [e for e in list_events(engine.conn, after=engine.first_seq) if "incident" in e.kind]
    assert told[-1].payload["change"] == "retripped"


def test_a_level_that_falls_is_stored_and_told_to_nobody(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 60.0))
    engine.later(seconds=20)
    engine.read(("G-1", "ch4_pct_lel", 30.0))
    assert engine.changes() == ["raised"]
    row = engine.conn.execute("SELECT levels, severity, version FROM alarm").fetchone()
    assert row is not None
    assert [severity for _, severity in row[0]["gas-lel"]] == [1, 2]
    assert row[1:] == (1, 1)


def test_an_alarm_from_before_levels_were_kept_is_judged_as_its_rule_says(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    engine.conn.execute("UPDATE alarm SET levels = '{}', announced_at = NULL")
    for _ in range(2):
        engine.later(seconds=301)
        engine.read(("G-1", "ch4_pct_lel", 1.0))
    assert engine.changes() == ["raised", "cleared"]


def test_a_shelved_alarm_that_was_milder_when_it_was_shelved_speaks(
    engine: Engine, person: People
) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 60.0))
    engine.later(seconds=20)
    engine.read(("G-1", "ch4_pct_lel", 30.0))
    (alarm,) = engine.alarms()
    until = engine.now + timedelta(hours=2)
    caller = person(Role.DISPATCHER)
    shelve(engine.conn, caller, alarm.id, alarm.version, until, "works", engine.now)
    engine.later(seconds=20)
    engine.read(("G-1", "ch4_pct_lel", 60.0))
    assert engine.changes() == ["raised", "shelved", "retripped", "unshelved"]
    assert engine.alarms()[0].shelved_until is None


def test_an_off_delay_does_not_end_an_alarm_that_another_of_its_rules_holds(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    engine.read(("M-1", "tilt_deg", 95.0))
    engine.later(seconds=1)
    engine.read(("M-1", "cover_open", 1.0))
    engine.later(seconds=10)
    engine.read(("M-1", "tilt_deg", 0.0))
    tick(engine.conn, engine.later(seconds=120))
    assert engine.alarms()[0].state is AlarmState.UNACKNOWLEDGED
    engine.read(("M-1", "cover_open", 0.0))
    tick(engine.conn, engine.later(seconds=61))
    assert engine.alarms()[0].state is AlarmState.RETURNED
    assert engine.changes() == ["raised", "cleared"]


def test_late_readings_of_a_hazard_end_its_alarm_when_none_of_its_rules_stands(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    start = engine.now - timedelta(hours=1)

    def at(seconds: float, metric: str, value: float) -> tuple[str, str, float, object]:
        return ("G-1", metric, value, start + timedelta(seconds=seconds))

    ingest(engine, [at(0, "ch4_pct_lel", 25.0), at(1, "gas_alarm", 1.0)])
    ingest(engine, [at(400, "ch4_pct_lel", 0.0)])
    drain(engine)
    ingest(engine, [at(60, "ch4_pct_lel", 0.0)])
    drain(engine)
    assert engine.changes() == ["raised"]
    ingest(engine, [at(800, "gas_alarm", 0.0)])
    drain(engine)
    ingest(engine, [at(450, "gas_alarm", 0.0)])
    drain(engine)
    assert engine.changes() == ["raised", "cleared"]


def test_the_backtest_judges_the_rules_of_a_hazard_together_and_names_every_rise(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    start = engine.now - timedelta(hours=1)
    story = [(0, "ch4_pct_lel", 60), (10, "gas_alarm", 1), (20, "ch4_pct_lel", 0)]
    story += [(340, "ch4_pct_lel", 0), (400, "ch4_pct_lel", 60), (500, "gas_alarm", 0)]
    ingest(
        engine,
        [("G-1", metric, float(v), start + timedelta(seconds=s)) for s, metric, v in story],
    )
    rules = [parse_rule(default_rules()[f"{code}.toml"]) for code in ("gas-lel", "gas-detector")]
    (found,) = backtest(engine.conn, rules, start, engine.now)
    assert [level["severity"] for level in found.levels] == ["red", "red"]
    assert found.levels[1]["at"] == start + timedelta(seconds=400)
    evaluate_waiting(engine.conn, engine.now)
    (alarm,) = engine.alarms()
    assert alarm.severity is Severity.RED
    assert engine.changes() == ["raised", "retripped"]
