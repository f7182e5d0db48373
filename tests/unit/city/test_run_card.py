"""Run cards: which one is about a matter, what a checklist asks for, what is wrong with a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from city.errors import InvalidInput
from city.incident import Action
from city.run_card import Answer, Checklist, RunCard, choose, judge_answer, parse_card

GAS = """
code = "gas-leak"
title_zh = "燃气泄漏"
title_en = "Gas leak"
plan_zh = "先断火源，再进入"
categories = ["05-"]

[[send]]
skill = "gas"

[[step]]
code = "measured"
text_zh = "进入前测氧和可燃气"
text_en = "Oxygen and gas measured before entry"
before = "handle"
blocking = true

[[step.measure]]
metric = "o2_pct_vol"
low = 19.5
high = 23.5

[[step.measure]]
metric = "ch4_pct_lel"
high = 10

[[step]]
code = "cordon"
text_zh = "设警戒"
text_en = "Cordon set up"
"""
NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
CARD = parse_card(GAS, "gas-leak.toml")


def other(code: str, **change: object) -> RunCard:
    return replace(CARD, code=code, **change)  # type: ignore[arg-type]


def chosen(*cards: RunCard, category: str = "05-02", at: datetime = NOON) -> str | None:
    found = choose(cards, category, {"school", "important"}, at)
    return found.code if found else None


def test_the_more_exact_card_is_taken() -> None:
    night = parse_card(GAS.replace('["05-"]', '["05-"]\nhours = "22:00-06:00"'), "x").hours
    exact = other("exact", categories=("05-02",))
    school = other("school", areas=("school",))
    late = other("late", hours=night)
    assert chosen(CARD) == "gas-leak"
    assert chosen(CARD, exact) == "exact"
    assert chosen(CARD, exact, school) == "school"
    assert chosen(CARD, late) == "gas-leak"
    assert chosen(CARD, late, at=datetime(2026, 7, 15, 23, tzinfo=UTC)) == "late"
    assert chosen(CARD, other("b"), other("a")) == "a", "else by code"
    assert chosen(CARD, category="0137") is None
    assert chosen(other("x", areas=("market",))) is None


def test_a_blocking_step_is_in_the_way_until_its_values_are_inside_their_limits() -> None:
    step = CARD.steps[0]
    good = {"o2_pct_vol": 20.9, "ch4_pct_lel": 10.0}
    assert judge_answer(step, good)
    assert not judge_answer(step, {**good, "o2_pct_vol": 19.4})
    assert not judge_answer(step, {**good, "ch4_pct_lel": 10.1})
    with pytest.raises(InvalidInput, match=r"measured.ch4_pct_lel: is missing"):
        judge_answer(step, {"o2_pct_vol": 20.9})
    with pytest.raises(InvalidInput, match=r"measured.co_ppm: is not asked for"):
        judge_answer(step, {**good, "co_ppm": 1.0})

    def missing(*answers: Answer, before: Action = Action.HANDLE) -> list[str]:
        checklist = Checklist(CARD, {answer.step: answer for answer in answers})
        return [one.code for one in checklist.missing(before)]

    now = datetime(2026, 7, 15, tzinfo=UTC)
    assert missing() == ["measured"], "what does not block is not in the way"
    assert missing(before=Action.ARRIVE) == []
    assert missing(Answer("measured", good, False, "", "chen", now)) == ["measured"]
    assert missing(Answer("measured", good, True, "", "chen", now)) == []


@pytest.mark.parametrize(
    ("put", "instead", "fault"),
    [
        ('code = "gas-leak"', "", "code: is missing"),
        ('code = "gas-leak"', 'code = "Gas leak"', "code: must be small letters"),
        ('categories = ["05-"]', "categories = []", "categories: is empty"),
        ('categories = ["05-"]', 'categories = "05-"', "categories: must be a list"),
        ('categories = ["05-"]', 'categories = ["05-"]\nhours = "noon"', "hours: must be like"),
        ('skill = "gas"', "", "send.skill: is missing"),
        ('skill = "gas"', 'skill = "gas"\nsquads = 0', "send.squads: must be a whole number"),
        ('before = "handle"', 'before = "cancel"', "step.before: must be one of"),
        ("blocking = true", 'blocking = "yes"', "step.blocking: must be true or false"),
        ("blocking = true", "blocks = true", "step.blocks: is not known here"),
        ("low = 19.5", "low = 30", "step.measure.low: is above high"),
        ('metric = "o2_pct_vol"', 'metric = "o2"', "step.measure.metric: is no metric"),
        ('code = "cordon"', 'code = "measured"', "step.code: is there twice"),
        ("[[send]]", "[send", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_card_is_named_with_its_field(
    put: str, instead: str, fault: str
) -> None:
    assert put in GAS
    with pytest.raises(InvalidInput) as refused:
        parse_card(GAS.replace(put, instead, 1), "f.toml")
    assert fault in str(refused.value)
    assert str(refused.value).startswith("f.toml")
