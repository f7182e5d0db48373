"""A rule as text and as form: one is put into the other, and nothing else of the text changes."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.foresight import Episode
from alerts.rule_form import as_json, change_text, find_faults, read_form, write_text
from alerts.scope import EVERYWHERE
from alerts.trial import less_permitted
from city.errors import InvalidInput
from city.permit import Span
from db.rules import default_texts

TEXTS = default_texts()
GAS = TEXTS["gas-lel.toml"]


def other_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    old, new = Counter(before.splitlines()), Counter(after.splitlines())
    return list((old - new).elements()), list((new - old).elements())


@pytest.mark.parametrize("file", TEXTS)
def test_every_shipped_rule_is_a_form_whose_values_put_back_change_nothing(file: str) -> None:
    form = read_form(TEXTS[file])
    assert form.fault is None
    assert form.rule is not None
    values = as_json(form)["values"]
    assert values.keys() <= {field.name for field in form.fields}
    assert tomllib.loads(change_text(TEXTS[file], values)) == form.table


def test_a_value_is_put_into_its_line_and_comments_stay() -> None:
    changed = change_text(GAS, {"off_delay_s": 600, "level[1].limit": 60, "gas": "lpg"})
    assert other_lines(GAS, changed) == (
        ["off_delay_s = 300        # ... for five minutes", "limit = 50.0"],
        ["off_delay_s = 600        # ... for five minutes", 'gas = "lpg"', "limit = 60"],
    )
    gone = change_text(GAS, {"level[0].on_delay_s": None, "clear_share": None})
    assert other_lines(GAS, gone) == (["on_delay_s = 0"], [])


def test_a_table_inside_is_part_of_the_form() -> None:
    changed = change_text(GAS, {"help.minutes": 7})
    assert other_lines(GAS, changed)[1] == ["minutes = 7"]
    without = GAS[: GAS.index("[help]")]
    added = change_text(without, {"help.minutes": 7})
    assert tomllib.loads(added) == {**tomllib.loads(without), "help": {"minutes": 7}}
    fault = read_form(added).fault
    assert fault is not None
    assert fault.field == "help.cause_zh"


def test_bounds_are_part_of_the_form_of_a_rule_that_has_none() -> None:
    asked = {field.name: field for field in read_form(GAS).fields}
    assert {name for name in asked if name.startswith("scope.")} == {
        "scope.model",
        "scope.device",
        "scope.category",
        "scope.area",
        "scope.area_kind",
        "scope.hours",
    }
    assert asked["scope.area_kind"].choices == ("stalls", "hazard", "important")
    changed = change_text(GAS, {"scope.area_kind": ["hazard"], "scope.area": ["HZ-1"]})
    gone, came = other_lines(GAS, changed)
    assert gone == []
    assert [line for line in came if line] == [
        "[scope]",
        'area_kind = ["hazard"]',
        'area = ["HZ-1"]',
    ]
    rule = read_form(changed).rule
    assert rule is not None
    assert (rule.scope.areas, rule.scope.area_kinds) == ({"HZ-1"}, {"hazard"})
    empty = change_text(changed, {"scope.area_kind": None, "scope.area": None})
    again = read_form(empty).rule
    assert again is not None
    assert again.scope is EVERYWHERE


def test_levels_come_and_go() -> None:
    one = change_text(GAS, {"level[1]": None})
    assert len(tomllib.loads(one)["level"]) == 1
    two = change_text(one, {"level[1]": {"severity": "red", "limit": 45.5}})
    assert tomllib.loads(two)["level"][1] == {"severity": "red", "limit": 45.5}
    assert two.startswith(one.rstrip())


def test_what_fits_into_no_line_is_written_anew() -> None:
    text = GAS.replace('kind = ["gas", "manhole"]', 'kind = [\n  "gas",\n  "manhole",\n]')
    changed = change_text(text, {"kind": ["gas"]})
    assert tomllib.loads(changed) == {**tomllib.loads(text), "kind": ["gas"]}
    assert tomllib.loads(write_text(tomllib.loads(GAS))) == tomllib.loads(GAS)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"level[0].limit": "much"}, "level[0].limit", "much"),
        ({"severity": "red"}, "severity", "red"),
        ({"comparison": "near"}, "comparison", "near"),
        ({"watch": "sea"}, "watch", "sea"),
        ({"title_en": None}, "title_en", ""),
    ],
)
def test_a_fault_names_field_and_value(changes: dict[str, Any], field: str, value: str) -> None:
    fault = read_form(change_text(GAS, changes)).fault
    assert fault is not None
    assert (fault.field, fault.value) == (field, value)


def test_all_faults_of_a_text_are_named_at_once_and_nothing_that_only_follows_from_them() -> None:
    wrong = change_text(
        GAS,
        {
            "title_en": None,
            "opens_incident": "yes",
            "off_delay_s": "long",
            "hurs": 3,
            "level[0].severity": "pink",
            "level[1].on_delay_s": -5,
            "valid_from": "yesterday",
            "help.minutes": 0,
            "help.cause_en": None,
            "scope.area_kind": ["park"],
        },
    )
    form = read_form(wrong)
    assert {fault.field for fault in form.faults} == {
        "title_en",
        "opens_incident",
        "off_delay_s",
        "hurs",
        "level[0].severity",
        "level[1].on_delay_s",
        "valid_from",
        "help.minutes",
        "help.cause_en",
        "scope.area_kind",
    }
    assert len(form.faults) == 10
    assert form.fault == form.faults[0]
    assert form.rule is None
    whole = {field.name for field in read_form(GAS).fields}
    assert whole <= {field.name for field in form.fields}  # the form is whole all the same
    assert as_json(form)["faults"][0] == as_json(form)["fault"]
    named = [str(error) for error in find_faults(wrong, "gas.toml")]
    assert len(named) == 10
    assert all(text.startswith("gas.toml: ") for text in named)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"watch": "sea", "title_en": 7}, ["watch"]),  # what else it should say nobody knows
        ({"level[0].limit": "much", "title_en": 7}, ["title_en", "level[0].limit"]),
        ({"clear_limit": 70.0, "kind": 7}, ["kind", "clear_limit"]),
        ({"comparison": "near", "metric": "smell"}, ["comparison", "metric"]),
    ],
)
def test_what_is_wrong_beside_others_is_named_once_these_are_right(
    changes: dict[str, Any], fields: list[str]
) -> None:
    assert sorted(f.field for f in read_form(change_text(GAS, changes)).faults) == sorted(fields)


@pytest.mark.parametrize("file", TEXTS)
def test_a_rule_without_faults_has_none(file: str) -> None:
    assert find_faults(TEXTS[file], file) == ()
    assert [str(e) for e in find_faults("x = ", file)] != []


@pytest.mark.parametrize(
    "name", ["level[7].limit", "level[3]", "a b", "level[0].x.y", "code[0].x", "code.x"]
)
def test_what_is_no_field_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        change_text(GAS, {name: {"severity": "red"} if name.endswith("]") else 1})


def test_no_toml_is_a_fault_of_the_text() -> None:
    for text in ("x = ", "x" * 20_001):
        form = read_form(text)
        assert (form.table, form.rule) == (None, None)
        assert form.fault is not None
        assert form.fault.field == ""


def test_a_trial_leaves_out_what_a_permit_covered() -> None:
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    hour = timedelta(hours=1)
    spans = {"M-1": [Span(1, "WP-1", at, at + hour)]}

    def left(began: timedelta, ended: timedelta | None, rule: str = "open") -> list[Episode]:
        end = None if ended is None else at + ended
        one = Episode("cover/M-1", rule, 2, at + began, end)
        return list(less_permitted(one, {"open"}, spans))

    assert left(hour / 2, hour) == []
    assert [one.began for one in left(hour / 2, 2 * hour)] == [at + hour]
    assert [one.began for one in left(hour / 2, None)] == [at + hour]
    assert [one.began for one in left(-hour, hour / 2)] == [at - hour]
    assert [one.began for one in left(hour / 2, hour, "gas")] == [at + hour / 2]
