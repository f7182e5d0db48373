"""What stands in the way of an action by the checklist of a case, and how it is shown. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from city.incident import Action
from city.run_card import Checklist, CheckStep, card_facts


def steps_in_the_way(checklist: Checklist | None, before: Action) -> list[dict[str, Any]]:
    """Blocking steps that are not passed, in the order of the card."""
    if checklist is None:
        return []
    return [
        {"code": step.code, "text_zh": step.text_zh, "text_en": step.text_en}
        for step in checklist.missing(before)
    ]


def as_dict(checklist: Checklist | None) -> dict[str, Any] | None:
    """JSON of `card` of an incident."""
    if checklist is None:
        return None
    steps = [_step(checklist, step) for step in checklist.card.steps]
    return {**card_facts(checklist.card), "steps": steps}


def _step(checklist: Checklist, step: CheckStep) -> dict[str, Any]:
    answer = checklist.answers.get(step.code)
    return {
        "code": step.code, "text_zh": step.text_zh, "text_en": step.text_en,
        "before": step.before.value, "blocking": step.blocking,
        "measures": [{**asdict(m), "unit": m.unit} for m in step.measures],
        "passed": checklist.is_passed(step),
        "answer": None if answer is None else {
            "measured": dict(answer.measured), "passed": answer.passed, "note": answer.note,
            "answered_by": answer.answered_by, "answered_at": answer.answered_at.isoformat(),
        },
    }  # fmt: skip
