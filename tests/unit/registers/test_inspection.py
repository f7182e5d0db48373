"""What the answers of an inspection come to."""

from __future__ import annotations

from datetime import date

import pytest

from city.errors import InvalidInput
from city.register import Register
from registers.inspection import describe_finding, judge_answers, next_due
from registers.shipped import shipped_registers

SHOPS, USERS = shipped_registers()["shopfronts"], shipped_registers()["gas_users"]


def answers(register: Register, **other: str) -> dict[str, str]:
    return {item.code: other.get(item.code, "ok") for item in register.items}


@pytest.mark.parametrize(
    ("given", "score", "passed"),
    [
        ({}, 100, True),
        ({"parking": "fail"}, 80, True),
        ({"clean": "fail"}, 75, False),
        ({"clean": "na", "trade": "na", "parking": "na", "bills": "fail"}, 50, False),
        ({"clean": "na", "bills": "fail"}, 80, True),
        # 70 of 85 points are 82.35…: cut, not rounded.
        ({"bills": "na", "green": "fail"}, 82.3, True),
    ],
)
def test_a_score_is_of_what_applies(given: dict[str, str], score: float, passed: bool) -> None:
    verdict = judge_answers(SHOPS, answers(SHOPS, **given))
    assert (verdict.score, verdict.passed) == (score, passed)


def test_a_critical_item_fails_the_whole_inspection() -> None:
    verdict = judge_answers(USERS, answers(USERS, air="fail"))
    assert verdict.passed
    verdict = judge_answers(USERS, answers(USERS, hose="na", detector="na", leak="fail"))
    assert not verdict.passed
    assert [item.code for item in verdict.failed] == ["leak"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"clean": "ok"}, "answers.trade"),
        (answers(SHOPS, clean="maybe"), "answers.clean"),
        ({**answers(SHOPS), "roof": "ok"}, "answers"),
        (dict.fromkeys(answers(SHOPS), "na"), "answers"),
    ],
)
def test_an_inspection_answers_every_item(given: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        judge_answers(SHOPS, given)
    assert refused.value.field == field


def test_a_failed_inspection_is_due_again_sooner() -> None:
    today = date(2026, 12, 1)
    passed, failed = (judge_answers(SHOPS, answers(SHOPS, clean=a)) for a in ("ok", "fail"))
    assert next_due(SHOPS, passed, today) == date(2026, 12, 31)
    assert next_due(SHOPS, failed, today) == date(2026, 12, 4)


def test_a_finding_says_what_failed_in_both_languages() -> None:
    verdict = judge_answers(SHOPS, answers(SHOPS, clean="fail"))
    told = describe_finding(SHOPS, verdict, "王记面馆", "again")
    assert "门前三包商户 (Shopfront merchants): 王记面馆" in told
    assert "门前干净，无垃圾污水" in told
    assert told.endswith("again")
