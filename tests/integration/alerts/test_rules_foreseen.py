"""What other rules would have raised lately, on stored readings, in bounded time."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from alerts.foresight import BUDGET_S, PERIODS, foresee
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from alerts.steps import default_rules
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.test_engine_order import ingest

GAS = default_rules()["gas-lel.toml"]


def rule(old: str, new: str) -> Rule:
    assert old in GAS
    return parse_rule(GAS.replace(old, new))


@pytest.fixture
def leaky(engine: Engine) -> Engine:
    """17 %LEL half an hour ago and 30 %LEL three days ago, both over by now."""
    engine.device("G-1", "gas")
    for ago, value in ((timedelta(minutes=30), 17.0), (timedelta(days=3), 30.0)):
        at = engine.now - ago
        after = [at + timedelta(minutes=n) for n in (1, 10)]
        rows = [("G-1", "ch4_pct_lel", value, at)]
        ingest(engine, rows + [("G-1", "ch4_pct_lel", 0.0, when) for when in after])
    return engine


def no_time() -> float:
    return 0.0


def test_a_lower_limit_gains_an_alarm_and_a_higher_one_loses_one(leaky: Engine) -> None:
    before = leaky.count("event")
    lower = foresee(leaky.conn, [rule("limit = 20.0", "limit = 15.0")], (), leaky.now, no_time)
    assert [(e.condition, e.severity) for e in lower.gained] == [("gas/G-1", 2)]
    assert (lower.lost, lower.to - lower.from_) == ([], PERIODS[-1])
    higher = foresee(leaky.conn, [rule("limit = 20.0", "limit = 40.0")], (), leaky.now, no_time)
    assert ([e.condition for e in higher.lost], higher.gained) == (["gas/G-1"], [])
    worse = foresee(leaky.conn, [rule("limit = 50.0", "limit = 25.0")], (), leaky.now, no_time)
    assert [(a.severity, b.severity) for a, b in worse.levels] == [(2, 1)]
    assert leaky.count("event") == before


def test_a_retired_rule_loses_its_alarms_and_an_equal_one_changes_nothing(leaky: Engine) -> None:
    gone = foresee(leaky.conn, [], ["gas-lel"], leaky.now, no_time)
    assert [e.condition for e in gone.lost] == ["gas/G-1"]
    same = foresee(leaky.conn, [parse_rule(GAS)], (), leaky.now, no_time)
    assert (same.gained, same.lost, same.levels) == ([], [], [])


def test_where_time_is_short_the_period_is_shorter_and_says_so(leaky: Engine) -> None:
    ticks = count(0, BUDGET_S / 4)
    found = foresee(
        leaky.conn, [rule("limit = 20.0", "limit = 15.0")], (), leaky.now, lambda: next(ticks)
    )
    assert found.to - found.from_ == PERIODS[0]
    assert len(found.gained) == 1


def test_a_rule_without_a_history_is_named(engine: Engine) -> None:
    silent = parse_rule(default_rules()["gas-silent.toml"])
    assert foresee(engine.conn, [silent], (), engine.now, no_time).blind == ["gas-silent"]
