"""The help text of a rule: whole or not at all, and every shipped rule has one."""

from __future__ import annotations

import re

import pytest

from alerts.help import FIELDS, PARTS, as_json, help_warning, missing_help
from alerts.rule_files import parse_rule
from city.errors import InvalidInput
from db.rules import default_texts

SHIPPED = default_texts()
LEL = SHIPPED["gas-lel.toml"]
BEFORE = LEL[: LEL.index("[help]")]


@pytest.mark.parametrize("file", sorted(SHIPPED))
def test_every_shipped_rule_says_what_to_do_in_both_languages(file: str) -> None:
    rule = parse_rule(SHIPPED[file], file)
    assert not missing_help(rule.help), help_warning(rule.code, file)
    assert rule.help is not None
    shown = as_json(rule.help)
    assert shown is not None
    for part in PARTS:
        assert re.search(r"[\u4e00-\u9fff]", shown[f"{part}_zh"]), part
        assert re.search(r"[a-z]{3}", shown[f"{part}_en"]), part
        assert not re.search(r"[\u4e00-\u9fff]", shown[f"{part}_en"]), part
    gas = rule.code in ("gas-lel", "gas-methane-vol", "gas-detector")
    assert rule.help.minutes <= (5 if gas else 7 * 24 * 60)


def test_a_file_of_before_is_valid_and_told_every_field_that_it_lacks() -> None:
    rule = parse_rule(BEFORE, "mine.toml")
    assert rule.help is None
    said = help_warning(rule.code, "mine.toml")
    assert said.startswith("mine.toml: rule gas-lel has no help text")
    assert all(f"help.{name}" in said for name in FIELDS)
    assert len(missing_help(rule.help)) == 7


@pytest.mark.parametrize("name", FIELDS)
def test_a_text_that_is_half_filled_in_names_the_field(name: str) -> None:
    without = re.sub(rf"^{name} = .*\n", "", LEL, flags=re.MULTILINE)
    with pytest.raises(InvalidInput, match=f"mine.toml: help.{name}"):
        parse_rule(without, "mine.toml")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('cause_zh = ""', "help.cause_zh"),
        (f'cause_en = "{"long " * 200}"', "help.cause_en"),
        ("minutes = 0", "help.minutes"),
        ("minutes = true", "help.minutes"),
        ("minutes = 99999", "help.minutes"),
    ],
)
def test_a_text_that_helps_nobody_is_refused(line: str, field: str) -> None:
    name = line.partition(" ")[0]
    changed = re.sub(rf"^{name} = .*$", line, LEL, flags=re.MULTILINE)
    with pytest.raises(InvalidInput, match=field):
        parse_rule(changed)


@pytest.mark.parametrize(
    ("table", "field"),
    [("[help]\nwhy = 1\n", "help.cause_zh"), ('help = "none"\n', "help")],
)
def test_what_is_no_help_table_is_named(table: str, field: str) -> None:
    text = table + BEFORE if table.startswith("help") else BEFORE + table
    with pytest.raises(InvalidInput, match=field):
        parse_rule(text)


def test_an_unknown_field_of_the_table_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"help\.phone"):
        parse_rule(LEL + 'phone = "119"\n')
