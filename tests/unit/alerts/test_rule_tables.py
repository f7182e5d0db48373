"""Tables beside the rules: the shipped ones hold, and what differs is said line by line."""

from __future__ import annotations

import pytest

from alerts.limits import ReadingRule
from alerts.rule_files import parse_rule
from alerts.rule_tables import parse_tables, run_table
from alerts.series import Point, as_clock, parse_series, parse_time
from app.rule_tables import run_shipped, run_texts, shipped_rules
from city.errors import InvalidInput
from city.reading import Quality
from db.rules import DEFAULTS, default_texts

RULES = shipped_rules()
TABLE = """
rules = ["gas-lel"]
[[test]]
name = "one"
until = "21:00"
[[test.device]]
code = "G-1"
kind = "gas"
readings.ch4_pct_lel = ["20:00 25", "every 60s 1 x 10"]
[[test.alarm]]
device = "G-1"
severity = "orange"
rises = "20:00"
clears = "20:06"
"""


def refuse(value: str, problem: str) -> Exception:
    return InvalidInput("series", value, problem)


def test_the_shipped_tables_hold() -> None:
    outcomes = run_shipped()
    assert [line for outcome in outcomes if not outcome.ok for line in outcome.as_lines()] == []


def test_every_shipped_rule_on_readings_has_a_table() -> None:
    parsed = [parse_rule(text) for text in default_texts().values()]
    files = [f.read_text(encoding="utf-8") for f in (DEFAULTS / "tests").glob("*.toml")]
    tested = {code for text in files for t in parse_tables(text, "t", RULES) for code in t.rules}
    assert {rule.code for rule in parsed if isinstance(rule, ReadingRule)} <= tested


def test_a_difference_is_said_from_both_sides() -> None:
    changed = default_texts()["gas-lel.toml"].replace("off_delay_s = 300", "off_delay_s = 240")
    assert run_texts({"t.toml": TABLE}, {})[0].ok
    (outcome,) = run_texts({"t.toml": TABLE}, {"gas-lel.toml": changed})
    assert outcome.as_lines() == [
        "FAIL t.toml: one",
        "       - expected G-1: orange 20:00, clears 20:06",
        "       + raised   G-1: orange 20:00, clears 20:05 (gas-lel)",
    ]
    lenient = TABLE + "tolerance_s = 60\n"
    assert run_texts({"t.toml": lenient}, {"gas-lel.toml": changed})[0].ok


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"gas-lel"', '"gas-nel"', "t: rules: is no rule beside this file"),
        ('"gas-lel"', '"gas-silent"', "t: rules: watches silence, which has no history"),
        ("ch4_pct_lel", "ch4", "t: test[0].device[0].readings: is not a canonical metric"),
        ("20:00 25", "20:00 much", "t: test[0].device[0].readings.ch4_pct_lel: 'much' is not"),
        ('device = "G-1"', 'device = "G-2"', "t: test[0].alarm[0].device: must be one of G-1"),
        ('rises = "20:00"', 'rises = "8 pm"', "t: test[0].alarm[0].rises: must be a time"),
        ("21:00", "20:01", "t: test[0].until: is before the last reading at 20:10"),
        ("until =", "untill =", "t: test[0].untill: is not a field"),
        ("[[test.device]]", "[[test.device", "t: is not valid TOML"),
    ],
)
def test_a_faulty_table_names_field_and_value(before: str, after: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_tables(TABLE.replace(before, after), "t", RULES)
    assert message in str(error.value)


def test_every_alarm_has_to_be_expected() -> None:
    (table,) = parse_tables(TABLE.partition("[[test.alarm]]")[0], "t", RULES)
    outcome = run_table(table, RULES)
    assert not outcome.missing
    assert [alarm.device for alarm in outcome.unexpected] == ["G-1"]


def test_series() -> None:
    found = parse_series(
        ["20:00 0.5", "20:01 every 30s from 1 to 2 by 0.5", "every 60s 5 until 20:04 suspect"],
        refuse,
    )
    times = "20:00 20:01 20:01:30 20:02 20:02:30 20:03:30"
    assert [as_clock(p.at) for p in found] == times.split()
    assert [p.value for p in found] == [0.5, 1.0, 1.5, 2.0, 5.0, 5.0]
    assert [p.quality for p in found[-2:]] == [Quality.SUSPECT] * 2
    (late,) = parse_series(["25:30 -1e2"], refuse)
    assert late == Point(parse_time("25:30", refuse), -100.0)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["every 60s 1 2"], "must begin with a time"),
        (["20:00 1 2"], "several values need `every`"),
        (["20:00 every"], "needs a time span"),
        (["20:00 every 0s 1 2"], "must be a time span"),
        (["20:00"], "has no value"),
        (["20:00 every 1s from 1 to"], "must be `from A to B`"),
        (["20:00 every 1s from 1 to 9 by 0"], "at most"),
        (["20:00 every 1s 1 x 99999"], "at most"),
        (["20:00 every 1s 1 until 19:00"], "before the beginning"),
        (["20:00 1", "19:00 1"], "must begin after"),
        (["20:61 1"], "must begin with a time"),
    ],
)
def test_a_faulty_series_says_what_is_wrong(texts: list[str], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        parse_series(texts, refuse)
