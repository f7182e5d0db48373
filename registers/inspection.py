"""What the answers of an inspection come to, and when the next one is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from city.errors import InvalidInput
from city.register import Answer, ChecklistItem, Register

# What a description may have is 4,000 characters.
NOTE_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score` is per cent of the points that could be reached, one decimal, cut and not rounded:
    it never looks like a pass that it is not."""

    score: float
    passed: bool
    failed: tuple[ChecklistItem, ...]


def judge_answers(register: Register, answers: Mapping[str, str]) -> Verdict:
    """Every item of the checklist must be answered; raises `InvalidInput` naming the one that is
    not. What is not applicable counts nowhere."""
    if not register.items:
        raise InvalidInput("register", register.code, "has no checklist")
    known = {item.code for item in register.items}
    for code in answers:
        if code not in known:
            raise InvalidInput("answers", code, "is no item of the checklist")
    for item in register.items:
        word = answers.get(item.code)
        if word not in set(Answer):
            raise InvalidInput(f"answers.{item.code}", word, f"must be one of {', '.join(Answer)}")
    counted = [i for i in register.items if answers[i.code] != Answer.NOT_APPLICABLE]
    if not counted:
        raise InvalidInput("answers", None, "has no item that applies: nothing was inspected")
    failed = tuple(i for i in counted if answers[i.code] == Answer.FAIL)
    possible = sum(item.score for item in counted)
    earned = possible - sum(item.score for item in failed)
    enough = earned * 100 >= register.pass_mark * possible
    passed = enough and not any(item.critical for item in failed)
    return Verdict(earned * 1000 // possible / 10, passed, failed)


def next_due(register: Register, verdict: Verdict, today: date) -> date | None:
    """When the entry is due again; None: it is inspected once."""
    days = register.every_days if verdict.passed else register.recheck_days
    return today + timedelta(days=days) if days else None


def describe_finding(register: Register, verdict: Verdict, title: str, note: str) -> str:
    """The description of the case that a failed inspection becomes."""
    failed = "；".join(f"{item.name_zh} ({item.name_en})" for item in verdict.failed)
    lines = [
        f"{register.name_zh} ({register.name_en}): {title}",
        f"检查得分 {verdict.score:g}，合格线 {register.pass_mark} "
        f"(score {verdict.score:g}, pass mark {register.pass_mark})",
        f"不合格项 (failed): {failed}",
    ]
    return "\n".join([*lines, note] if note else lines)
