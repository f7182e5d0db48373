"""Alarms gained and lost by other rules, and which rules are gas safety."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.foresight import Episode, as_json, as_lines, compare, will_take
from alerts.gas_rules import is_gas_rule
from alerts.rule_files import parse_rule
from db.rules import default_texts

START = datetime(2026, 11, 22, tzinfo=UTC)
END = START + timedelta(days=7)
GAS_CATEGORIES = frozenset({"05-02"})


def episode(condition: str, began_h: float, ended_h: float | None, severity: int = 2) -> Episode:
    ended = None if ended_h is None else START + timedelta(hours=ended_h)
    return Episode(condition, "gas-lel", severity, START + timedelta(hours=began_h), ended)


def test_an_alarm_that_begins_earlier_is_the_same_and_one_at_another_time_is_not() -> None:
    old = [episode("gas/A", 10, 12), episode("gas/B", 1, 2), episode("gas/C", 5, None)]
    new = [episode("gas/A", 9, 11), episode("gas/B", 3, 4), episode("gas/D", 5, 6)]
    found = compare(old, new, START, END)
    assert [one.condition for one in found.gained] == ["gas/B", "gas/D"]
    assert [one.condition for one in found.lost] == ["gas/B", "gas/C"]
    assert found.levels == []


def test_another_level_of_the_same_alarm_is_told_and_equal_rules_differ_in_nothing() -> None:
    old, new = [episode("gas/A", 1, 2, severity=2)], [episode("gas/A", 1, 2, severity=1)]
    found = compare(old, new, START, END, ["gas-silent"])
    assert (found.gained, found.lost) == ([], [])
    assert [(a.severity, b.severity) for a, b in found.levels] == [(2, 1)]
    told = as_json(found)
    assert told["levels"][0] | {"severity": 1, "severity_before": 2} == told["levels"][0]
    assert told["not_judged"] == ["gas-silent"]
    assert as_lines(found)[0].endswith("0 gained, 0 lost, 1 at another level")
    assert "no history to try them on: gas-silent" in as_lines(found)[-1]
    assert compare(old, old, START, END).levels == []


def test_what_is_read_once_counts_once_in_how_long_it_will_take() -> None:
    hour, day, week = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
    nothing = (timedelta(0), 0.0)
    assert will_take(nothing, (hour, 0.5), timedelta(hours=6)) == pytest.approx(3.0)
    assert will_take((hour, 1.0), (day, 1.0), week) == pytest.approx(1.0)
    assert will_take((hour, 1.0), (day, 3.3), week) == pytest.approx(17.7)


@pytest.mark.parametrize("name", sorted(default_texts()))
def test_shipped_rules_about_gas_are_known_as_such(name: str) -> None:
    rule = parse_rule(default_texts()[name])
    assert is_gas_rule(rule, GAS_CATEGORIES) is name.startswith("gas-")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('category = "05-02"', 'category = "0123"'),
        ('kind = ["gas", "manhole"]', 'kind = ["manhole"]'),
        ('metric = "ch4_pct_lel"', 'metric = "tilt_deg"'),
    ],
)
def test_one_word_less_makes_a_gas_rule_no_other_rule(old: str, new: str) -> None:
    text = default_texts()["gas-lel.toml"]
    assert old in text
    assert is_gas_rule(parse_rule(text.replace(old, new)), GAS_CATEGORIES)
