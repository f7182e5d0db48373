"""A kind of rule that nobody has heard of: one class and one line of the registry make it work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from alerts.backtest import backtest
from alerts.book import Finding, place_of
from alerts.fields import Fields
from alerts.judge import Clear, Raise
from alerts.orphans import OUT_OF_SCOPE, RETIRED
from alerts.reasons import from_json
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from alerts.sentences import sentence
from alerts.steps import put_in_force, retire_rule
from alerts.watch import KINDS
from alerts.watch.kind import Kind, Look, one_level
from city.alarm import Alarm, AlarmState, Reason, Severity
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.reading import METRICS
from db import alarms, evaluation, returns
from db.pool import Connection
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.ticking import tick

TEXT = """
code = "battery-weak"
title_zh = "电量不足"
title_en = "Battery weak"
watch = "battery"
kind = "manhole"
condition = "battery"
category = "device"
opens_incident = false
low_pct = 20
source = "a test"
valid_from = 2020-01-01T00:00:00+08:00

[[level]]
severity = "blue"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryRule(Rule):
    low_pct: float


@dataclass(frozen=True, slots=True)
class Batteries:
    left_pct: Sequence[tuple[WatchedDevice, float, datetime]]
    live: Sequence[Alarm]


class BatteryKind(Kind[BatteryRule, Batteries]):
    name = "battery"
    sentences: ClassVar = {"battery_weak": ("剩余 {value} %", "{value} % is left")}

    def parse(self, fields: Fields, common: dict[str, Any]) -> BatteryRule:
        low_pct = fields.number("low_pct", low=0, high=100)
        return BatteryRule(low_pct=low_pct, levels=one_level(fields), **common)

    def load(self, conn: Connection, rules: Sequence[BatteryRule], look: Look) -> Batteries:
        look.book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code for rule in rules]))
        devices = {device.id: device for device in evaluation.list_watched_devices(conn)}
        left = [
            (devices[latest.device_id], latest.value, latest.ts)
            for latest in returns.list_latest(conn, sorted(devices))
            if latest.metric_id == METRICS["battery_pct"].id
        ]
        return Batteries(left, [a for rule in rules for a in look.book.live_of(rule.code)])

    def judge(
        self, rules: Sequence[BatteryRule], state: Batteries, now: datetime
    ) -> Iterator[Finding]:
        for rule in rules:
            for device, value, ts in state.left_pct:
                if device.kind in rule.kinds and value < rule.low_pct:
                    reason = Reason("battery_weak", rule.code, rule.version, value=value, since=ts)
                    raised = Raise(rule.levels[0].severity, reason, ts, ts)
                    yield Finding(raised, rule, place_of(device, rule))
                elif device.kind in rule.kinds:
                    yield Finding(Clear(ts), rule, place_of(device, rule))


@pytest.fixture
def town(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setitem(KINDS, BatteryKind.name, BatteryKind())
    engine.device("M-1", "manhole")
    engine.device("G-1", "gas")
    put_in_force(engine.conn, "a person", {"battery.toml": TEXT}, engine.now)
    for code in ("M-1", "G-1"):
        engine.latest(code, "battery_pct", 12.0, engine.now)
    return engine


def battery(engine: Engine) -> list[Alarm]:
    return [alarm for alarm in engine.alarms() if alarm.condition.startswith("battery/")]


def test_a_rule_of_a_new_kind_raises_and_clears(town: Engine) -> None:
    tick(town.conn, town.later(seconds=6))
    (alarm,) = battery(town)
    assert (alarm.condition, alarm.severity) == ("battery/M-1", Severity.BLUE)
    assert sentence(from_json(alarm.reason), "en") == "12 % is left"
    town.latest("M-1", "battery_pct", 80.0, town.later(seconds=6))
    tick(town.conn, town.now)
    (alarm,) = battery(town)
    assert (alarm.state, alarm.cleared_at) == (AlarmState.RETURNED, town.now)
    assert town.changes() == ["raised", "cleared"]


def test_its_fields_are_checked_like_those_of_any_other(town: Engine) -> None:
    assert isinstance(parse_rule(TEXT), BatteryRule)
    with pytest.raises(InvalidInput, match="low_pct"):
        parse_rule(TEXT.replace("low_pct = 20", "low_pct = 120"), "my.toml")
    with pytest.raises(InvalidInput, match="intervals"):
        parse_rule(TEXT.replace("low_pct = 20", "low_pct = 20\nintervals = 3"), "my.toml")
    with pytest.raises(InvalidInput, match="have no history"):
        backtest(town.conn, parse_rule(TEXT), town.now - timedelta(hours=1), town.now)


@pytest.mark.parametrize(("narrowed", "because"), [(True, OUT_OF_SCOPE), (False, RETIRED)])
def test_its_alarms_end_with_their_rule(town: Engine, narrowed: bool, because: str) -> None:
    tick(town.conn, town.later(seconds=6))
    if narrowed:
        text = TEXT.replace('"manhole"', '"gas"')
        orphans = put_in_force(town.conn, "me", {"f": text}, town.now, agreed=()).orphans
    else:
        orphans = retire_rule(town.conn, "me", "battery-weak", town.now, agreed=())
    assert [(o.alarm.condition, o.because) for o in orphans] == [("battery/M-1", because)]
    assert [alarm.state for alarm in battery(town)] == [AlarmState.NORMAL]
