"""Reasons as sentences for people, by the kind of rule that gives them."""

from __future__ import annotations

from alerts.watch import KINDS
from city.alarm import Reason


def all_sentences() -> dict[str, tuple[str, str]]:
    """Chinese and English by the code of the reason."""
    return {code: pair for kind in KINDS.values() for code, pair in kind.sentences.items()}


def sentence(reason: Reason, language: str = "zh") -> str:
    """One sentence for a person, `zh` or `en`."""
    zh, en = all_sentences()[reason.code]
    known = {
        **reason.facts,
        "unit": reason.unit,
        "value": _short(reason.value),
        "limit": _short(reason.limit),
    }
    numbers = {k: _short(v) if isinstance(v, float) else v for k, v in known.items()}
    text = (zh if language == "zh" else en).format(**numbers)
    title = reason.facts.get(f"title_{language}")
    return f"{title}: {text}" if title and reason.code != "value_equals_limit" else text


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"
