"""Rule files: what they may say, and what the complaint says when they are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.limits import Comparison, ReadingRule
from alerts.rule_files import as_definition, parse_rule, rule_from
from city.alarm import Severity
from city.errors import InvalidInput
from db.rules import default_texts

GOOD = """
code = "gas-lel"
title_zh = "可燃气体浓度超限"
title_en = "Combustible gas above the limit"
kind = "gas"
metric = "ch4_pct_lel"
comparison = "at_or_above"
category = "05-02"
opens_incident = true
clear_share = 0.5
off_delay_s = 300
source = "a standard"
valid_from = 2026-01-01T00:00:00+08:00

[[level]]
severity = "orange"
limit = 20

[[level]]
severity = "red"
limit = 50
on_delay_s = 10
"""


def test_a_good_file_becomes_a_rule() -> None:
    rule = parse_rule(GOOD)
    assert rule.code == rule.condition == "gas-lel"
    assert isinstance(rule, ReadingRule)
    assert rule.watch == "reading"
    assert rule.kinds == {"gas"}
    assert rule.metric.name == "ch4_pct_lel"
    assert rule.comparison is Comparison.AT_OR_ABOVE
    assert [(x.severity, x.limit) for x in rule.levels] == [
        (Severity.ORANGE, 20.0),
        (Severity.RED, 50.0),
    ]
    assert rule.levels[0].on_delay == timedelta(0)
    assert rule.off_delay == timedelta(minutes=5)
    assert rule.worst is Severity.RED


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ('code = "gas-lel"', 'code = "Gas LEL"', "code", "small letters"),
        ('code = "gas-lel"', "", "code", "missing"),
        ('"ch4_pct_lel"', '"ch5"', "metric", "one of"),
        ('"at_or_above"', '"over"', "comparison", "one of"),
        ('"orange"', '"purple"', "level[0].severity", "one of"),
        ("limit = 50", 'limit = "50"', "level[1].limit", "number"),
        ("limit = 50", "limit = nan", "level[1].limit", "number"),
        ("limit = 50", "limit = 10", "level.limit", "stricter"),
        ("on_delay_s = 10", "on_delay_s = -1", "level[1].on_delay_s", "between"),
        ("on_delay_s = 10", "on_dealy_s = 10", "level[1].on_dealy_s", "not a field"),
        ("off_delay_s = 300", "off_delay_s = 1e9", "off_delay_s", "between"),
        ("clear_share = 0.5", "clear_limit = 30", "clear_limit", "past the limit"),
        ("clear_share = 0.5", "clear_share = 1.5", "clear_share", "at most 1"),
        ("clear_share = 0.5", "clear_share = 0.5\nclear_limit = 9", "clear_share", "too"),
        ("opens_incident = true", 'opens_incident = "yes"', "opens_incident", "true or false"),
        ('kind = "gas"', "kind = [1]", "kind", "list of texts"),
        ("2026-01-01T00:00:00+08:00", "2026-01-01T00:00:00", "valid_from", "zone"),
        ('severity = "orange"', 'severity = "red"', "level", "mildest"),
        ('source = "a standard"', 'source = " "', "source", "text"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_value(
    old: str, new: str, field: str, problem: str
) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput) as caught:
        parse_rule(GOOD.replace(old, new, 1), "my.toml")
    assert caught.value.field == f"my.toml: {field}"
    assert problem in caught.value.problem


def test_text_that_is_not_toml_is_refused_with_the_place_of_the_mistake() -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        parse_rule("code = = 1", "my.toml")


def test_a_huge_text_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidInput, match="characters"):
        parse_rule("#" * 30_000)


def test_a_stored_definition_gives_the_same_rule_as_the_text() -> None:
    for name, text in default_texts().items():
        assert rule_from(as_definition(text), name) == parse_rule(text, name)


def test_every_default_rule_is_valid_and_says_where_its_numbers_come_from() -> None:
    rules = [parse_rule(text, name) for name, text in default_texts().items()]
    assert {f"{rule.code}.toml" for rule in rules} == set(default_texts())
    assert all(rule.source for rule in rules)


def test_gas_rules_raise_at_once_and_clear_late() -> None:
    for name in ("gas-lel", "gas-methane-vol", "gas-detector"):
        rule = parse_rule(default_texts()[f"{name}.toml"])
        assert all(level.on_delay == timedelta(0) for level in rule.levels)
        assert rule.off_delay == timedelta(minutes=5)
        assert rule.clear_needs_reading
        assert rule.opens_incident
        assert rule.condition == "gas"


def test_methane_limits_by_volume_are_those_by_lel() -> None:
    by_lel = parse_rule(default_texts()["gas-lel.toml"])
    by_volume = parse_rule(default_texts()["gas-methane-vol.toml"])
    lower_explosive_limit = 5.0
    expected = [level.limit / 100 * lower_explosive_limit for level in by_lel.levels if level.limit]
    assert [level.limit for level in by_volume.levels] == expected
