"""What is odd about a rule is named before it is in force."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.openings import is_opening, memory_of
from alerts.rule_files import parse_rule
from alerts.sanity import Grade, look_at, look_at_count, worst
from city.device import WatchedDevice
from db.rules import default_texts

TEXTS = default_texts()
SHIPPED = [parse_rule(text) for text in TEXTS.values()]


def device(kind: str) -> WatchedDevice:
    return WatchedDevice(1, "D-1", "t", kind, None, 0, 0, None, {}, 60, False, None, None)


def named(file: str, changes: str) -> list[str]:
    """The oddities of a shipped rule with every other part replaced by the next one."""
    text, parts = TEXTS[f"{file}.toml"], changes.split("|")
    for before, after in zip(parts[::2], parts[1::2], strict=True):
        assert before in text
        text = text.replace(before, after)
    found = look_at(parse_rule(text), SHIPPED)
    return [f"{remark.code} {remark.grade} {remark.field}" for remark in found]


def test_the_shipped_rules_are_not_odd_beside_each_other() -> None:
    assert [str(remark) for rule in SHIPPED for remark in look_at(rule, SHIPPED)] == []


@pytest.mark.parametrize(
    ("file", "changes", "expected"),
    [
        # Past what can be measured: no level is ever reached, or only the worst is not.
        (
            "gas-oxygen-low",
            "limit = 19.5|limit = -5.0|20.0|3.0",
            "never_raises error level[0].limit",
        ),
        ("gas-lel", "limit = 50.0|limit = 2001", "never_raises ask level[1].limit"),
        ("manhole-tilt", "limit = 90.0|limit = 180.0", "never_raises ask level[1].limit"),
        ("manhole-open", "limit = 1.0|limit = 0.5", "never_raises error level[0].limit"),
        # No value lets the alarm go; gas below zero is drift.
        ("gas-lel", "clear_limit = 10.0|clear_limit = 0.0", "never_clears error clear_limit"),
        (
            "gas-oxygen-low",
            "clear_limit = 20.0|clear_limit = 100.0",
            "never_clears error clear_limit",
        ),
        # Devices that measure something else.
        ("gas-lel", '["gas", "manhole"]|"light"', "no_such_metric ask metric"),
        # Another rule of the condition sees it the other way round.
        ("gas-lel", '"gas-lel"|"mine"|= 20.0|= 15|= 50.0|= 18', "contradicts ask level[1].limit"),
        # Clears past the limit of one that is as bad: this limit does nothing.
        ("gas-lel", '"gas-lel"|"mine"|= 10.0 |= 25.0 |= 20.0|= 30', "clears_past ask clear_limit"),
    ],
)
def test_oddities(file: str, changes: str, expected: str) -> None:
    assert named(file, changes) == [expected]


def test_permits_cover_rules_on_covers_and_nothing_else() -> None:
    covers = [rule for rule in SHIPPED if is_opening(rule)]
    assert {rule.condition for rule in covers} == {"cover"}
    assert {"manhole-open", "manhole-tilt", "manhole-shifted"} == {rule.code for rule in covers}
    memory = {rule.code: memory_of(rule) for rule in covers}
    assert memory["manhole-open"] == timedelta(0)
    assert memory["manhole-shifted"] == timedelta(hours=2)


def test_a_scope_without_devices_is_noted_only_where_devices_are_known() -> None:
    rule = parse_rule(TEXTS["manhole-open.toml"])
    assert look_at(rule, SHIPPED) == []
    (note,) = look_at(rule, SHIPPED, [device("gas")])
    assert (note.code, note.grade) == ("no_device", Grade.NOTE)
    assert look_at(rule, SHIPPED, [device("gas"), device("manhole")]) == []
    feed = parse_rule(TEXTS["feed-silent.toml"])
    assert look_at(feed, SHIPPED, []) == []


def test_more_than_a_hundred_alarms_are_asked_about_in_two_languages() -> None:
    assert look_at_count("r", 100, 30) == []
    (remark,) = look_at_count("r", 101, 7)
    assert worst([remark]) is Grade.ASK
    assert remark.text("en") == (
        "it would have raised 101 alarms in the last 7 days, more than 100"
    )
    assert "101" in remark.text("zh")
    assert worst([]) is None
    assert isinstance(SHIPPED[0].valid_from, datetime)
