"""What becomes of alarms when their device comes back to service, or is retired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.orphans import DEVICE_RETIRED
from alerts.steps import acknowledge, apply_rules
from city.incident import Role
from city.person import Caller
from city.reading import METRICS
from city.requests import OutOfServiceRequest, ReasonRequest
from db import evaluation
from db.events import list_events
from dispatch.steps import take_alarm_change
from registry.corrections import retire, revive
from registry.out_of_service import return_to_service, take_out_of_service
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

DESK = Caller("a dispatcher", Role.DISPATCHER, DISTRICT)
NOON = datetime.fromisoformat("2026-05-06T12:00:00+08:00")
HEAD = """
code = "tried"
title_zh = "试"
title_en = "tried"
watch = "{watch}"
kind = "{kind}"
condition = "tried"
category = "device"
opens_incident = false
source = "this test"
valid_from = 2020-01-01T00:00:00+08:00
{fields}
[[level]]
severity = "blue"
limit = {limit}
"""


def rule(watch: str, limit: float, fields: str, kind: str = "gas") -> str:
    head, _, parts = fields.partition("[[part]]")
    text = HEAD.format(watch=watch, kind=kind, fields=head, limit=limit)
    return text + (f"[[part]]{parts}" if parts else "")


LEL = 'metric = "ch4_pct_lel"\n'
STEADY = LEL + "window_s = 1200\nclear_limit = 2.0\n"
PARTS = """
[[part]]
metric = "ch4_pct_lel"
comparison = "at_or_above"
limit = 15.0
within_s = 900

[[part]]
metric = "temperature_c"
comparison = "at_or_above"
limit = 30.0
within_s = 900
"""
# One rule of every kind over a window: kind of device, metric, values of the last minutes.
WINDOWS: Sequence[tuple[str, str, str, dict[str, list[float]]]] = [
    (rule("rise", 10.0, STEADY), "gas", "rise", {"ch4_pct_lel": [1, 1, 1, 16, 18, 19]}),
    (rule("mean", 15.0, STEADY), "gas", "mean", {"ch4_pct_lel": [17, 18, 17, 18, 19, 18]}),
    (
        rule("repeat", 2, STEADY.replace("2.0", "1.0") + "past = 15.0\nback = 10.0\n"),
        "gas", "repeat", {"ch4_pct_lel": [1, 16, 2, 17, 16]},
    ),
    (
        rule("standstill", 0.2, LEL + "window_s = 3600\napart = 0.0\nrest = 1.0\n"
                                      "clear_limit = 0.1\n"),
        "gas", "standstill", {"ch4_pct_lel": [7, 7, 7, 7, 7]},
    ),
    (
        rule("drift", 4.0, LEL + "window_s = 1200\nwake = 3.5\nmost = 10.0\nclear_limit = 3.0\n"),
        "gas", "drift", {"ch4_pct_lel": [6, 6, 7, 6, 6, 6]},
    ),
    (
        rule("combination", 2, PARTS), "gas", "combination",
        {"ch4_pct_lel": [1, 1, 1, 16, 17], "temperature_c": [20, 20, 20, 33, 34]},
    ),
    (
        rule("schedule", 20, 'fault = "day_burn"\ngrace_s = 900\nwindow_s = 3600\n'
                             "clear_limit = 5\n", "light"),
        "light", "schedule", {"lamp_on": [1, 1, 1, 1, 1]},
    ),
]  # fmt: skip


def put_away(engine: Engine, code: str) -> None:
    due = engine.now + timedelta(hours=12)
    request = OutOfServiceRequest("repair", due)
    take_out_of_service(engine.conn, "li", DISTRICT, code, request, engine.now)


def bring_back(engine: Engine, code: str) -> None:
    return_to_service(engine.conn, "li", DISTRICT, code, version=None, now=engine.now)


def say(engine: Engine, code: str, **values: float) -> None:
    """As ingest would store it and hand it over."""
    for metric, value in values.items():
        engine.conn.execute(
            "INSERT INTO reading (device_id, metric_id, value, ts, received_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            (engine.ids[code], METRICS[metric].id, value, engine.now, engine.now),
        )
        engine.latest(code, metric, value, engine.now)
    engine.read(*((code, metric, value) for metric, value in values.items()))


def tried(engine: Engine) -> list[Any]:
    return [alarm for alarm in engine.alarms() if alarm.condition.startswith("tried/")]


@pytest.mark.parametrize(("text", "kind", "name", "values"), WINDOWS, ids=[w[2] for w in WINDOWS])
def test_rules_over_a_window_judge_a_returned_device_at_once(
    engine: Engine, text: str, kind: str, name: str, values: dict[str, list[float]]
) -> None:
    apply_rules(engine.conn, "li", [text], engine.now)
    engine.now = NOON
    engine.device("D-1", kind, interval_s=300, gas="methane" if kind == "gas" else None)
    put_away(engine, "D-1")
    for step in zip(*values.values(), strict=True):
        engine.later(minutes=4)
        say(engine, "D-1", **dict(zip(values, step, strict=True)))
        tick(engine.conn, engine.later(seconds=10))
    assert tried(engine) == [], "nothing is raised while it is away"
    bring_back(engine, "D-1")
    tick(engine.conn, engine.later(seconds=1))
    tick(engine.conn, engine.later(seconds=1))
    (alarm,) = tried(engine)
    assert (alarm.rule_code, alarm.state) == ("tried", "unacknowledged")


def test_a_passed_date_and_a_dark_lamp_are_seen_when_the_device_is_back(engine: Engine) -> None:
    engine.now = NOON + timedelta(hours=10)
    engine.device("G-1", "gas", interval_s=3600, calibration_due="2026-01-31")
    engine.device("L-1", "light", interval_s=3600)
    for code in ("G-1", "L-1"):
        put_away(engine, code)
    say(engine, "L-1", lamp_on=0)
    say(engine, "G-1", ch4_pct_lel=0)
    tick(engine.conn, engine.later(seconds=10))
    assert engine.alarms() == []
    for code in ("G-1", "L-1"):
        bring_back(engine, code)
    for _ in range(60):
        tick(engine.conn, engine.later(seconds=20))
    conditions = {alarm.condition for alarm in engine.alarms()}
    assert {"device/G-1", "lamp/L-1"} <= conditions


# Retired


def test_the_alarms_of_a_retired_device_end_with_the_reason_and_its_case_says_so(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas", interval_s=60)
    say(engine, "G-1", ch4_pct_lel=62.0)
    while take_alarm_change(engine.conn, engine.now):
        pass
    retire(engine.conn, "li", DISTRICT, "G-1", ReasonRequest("the house is gone"), engine.now)
    tick(engine.conn, engine.later(seconds=6))
    (alarm,) = engine.alarms()
    assert alarm.state not in ("unacknowledged", "acknowledged")
    while take_alarm_change(engine.conn, engine.now):
        pass
    told = [e for e in list_events(engine.conn, after=engine.first_seq, limit=10_000)
            if e.kind == "incident.alarm_changed"]  # fmt: skip
    assert told[-1].payload["why"] == "device_retired"
    assert told[-1].payload["because"] == DEVICE_RETIRED


def test_a_retired_device_raises_nothing_whatever_is_on_its_way(engine: Engine) -> None:
    engine.device("G-1", "gas", interval_s=60)
    say(engine, "G-1", ch4_pct_lel=1.0)
    retire(engine.conn, "li", DISTRICT, "G-1", ReasonRequest("gone"), engine.now)
    engine.later(seconds=30)
    say(engine, "G-1", ch4_pct_lel=80.0)  # a batch that was stored before
    for _ in range(20):
        tick(engine.conn, engine.later(seconds=30))
    assert [a.condition for a in engine.alarms() if a.condition != "feed/ingest"] == []


def test_a_device_brought_back_to_life_is_judged_at_once(engine: Engine) -> None:
    engine.device("G-1", "gas", interval_s=600)
    retire(engine.conn, "li", DISTRICT, "G-1", ReasonRequest("gone"), engine.now)
    say(engine, "G-1", ch4_pct_lel=62.0)
    tick(engine.conn, engine.later(seconds=30))
    assert engine.alarms() == []
    revive(engine.conn, "li", DISTRICT, "G-1", ReasonRequest("a mistake"), engine.now)
    tick(engine.conn, engine.later(seconds=1))
    assert [alarm.condition for alarm in engine.alarms()] == ["gas/G-1"]


def test_an_alarm_that_somebody_saw_ends_for_good_with_its_device(engine: Engine) -> None:
    engine.device("C-1", "manhole", interval_s=600)
    say(engine, "C-1", cover_open=1.0)
    (alarm,) = engine.alarms()
    acknowledge(engine.conn, DESK, alarm.id, alarm.version, engine.now)
    retire(engine.conn, "li", DISTRICT, "C-1", ReasonRequest("gone"), engine.now)
    tick(engine.conn, engine.later(seconds=6))
    (alarm,) = engine.alarms()
    assert alarm.state == "returned_unacknowledged", "its end has to be seen, too"


@pytest.mark.parametrize(
    "change",
    [
        """UPDATE device SET attributes = '{"zone": 1}' WHERE code = 'G-1'""",
        "DELETE FROM device WHERE code = 'G-2'",
        """INSERT INTO area (district, code, kind, name_zh, name_en, geometry, radius_m)
           VALUES ('460107', 'HZ-9', 'hazard', '区', 'Area',
                   '{"type": "Point", "coordinates": [110.35, 20.0]}', 500)""",
    ],
)
def test_devices_are_read_again_only_when_one_of_them_is_another(
    engine: Engine, change: str
) -> None:
    for code in ("G-1", "G-2"):
        engine.device(code, "gas", at=(110.35, 20.0))
    before = evaluation.mark_of_devices(engine.conn)
    assert evaluation.mark_of_devices(engine.conn) == before
    known = {d.id: d for d in evaluation.list_watched_devices(engine.conn)}
    engine.conn.execute(change)
    assert evaluation.mark_of_devices(engine.conn) != before
    assert {d.id: d for d in evaluation.list_watched_devices(engine.conn)} != known
