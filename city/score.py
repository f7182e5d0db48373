"""One score of several rates, as a city's formula has it, and how far a rate of few says something.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.errors import InvalidInput

# Rates that a formula may name; `dashboard.screens.kpi.key_figures` says of what they are.
RATES = (
    "handling", "handling_in_time", "in_time", "filing", "closing", "rework", "returning",
    "postponing", "overdue", "verify_in_time", "file_in_time", "dispatch_in_time",
    "acknowledge_in_time", "check_in_time",
)  # fmt: skip
# 95 % on both sides.
Z = 1.96


@dataclass(frozen=True, slots=True)
class Term:
    """`points` times the rate, or times what is missing of it (`inverse`). With a `target` (0 to 1)
    all points are given from there on, and `per_percent` is taken for each percent below it."""

    rate: str
    points: float
    inverse: bool = False
    target: float | None = None
    per_percent: float = 1.0


@dataclass(frozen=True, slots=True)
class ScoreFormula:
    """`bands`: letter and lowest score, from the best down."""

    version: int
    name_zh: str
    name_en: str
    terms: tuple[Term, ...]
    bands: tuple[tuple[str, float], ...]
    source: str
    valid_from: datetime | None


def score(formula: ScoreFormula, rates: Mapping[str, float | None]) -> float | None:
    """The score; None where a rate of it has nothing to count: no points are given for nothing."""
    total = 0.0
    for term in formula.terms:
        rate = rates.get(term.rate)
        if rate is None:
            return None
        got = max(0.0, 1 - rate) if term.inverse else rate
        if term.target is None:
            total += term.points * got
        else:
            off = max(0.0, term.target - got) * 100 * term.per_percent
            total += max(0.0, term.points - off)
    return total


def band(formula: ScoreFormula, value: float | None) -> str:
    """The letter of a score, empty without one."""
    if value is None:
        return ""
    return next((letter for letter, lowest in formula.bands if value >= lowest), "")


def sure_of(num: int, den: int) -> float | None:
    """What a rate is at least, as far as so many say (Wilson): 2 of 2 are less than 95 of 100.

    By this a league ranks who has much to do and who has little.
    """
    if not den:
        return None
    share = num / den
    middle = share + Z * Z / (2 * den)
    spread = Z * math.sqrt(share * (1 - share) / den + Z * Z / (4 * den * den))
    return max(0.0, (middle - spread) / (1 + Z * Z / den))


def parse_formula(written: Mapping[str, Any]) -> ScoreFormula:
    """A formula as a file has it: `name_zh`, `name_en`, `source`, `term` tables, `bands`."""
    texts = []
    for name in ("name_zh", "name_en", "source"):
        text = written.get(name)
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput(name, text, "must be a text")
        texts.append(text.strip())
    for name in written:
        if name not in ("name_zh", "name_en", "source", "term", "bands"):
            raise InvalidInput(name, written[name], "is no field of a formula")
    terms = tuple(_term(row) for row in written.get("term", ()))
    if not terms:
        raise InvalidInput("term", None, "must be there at least once")
    return ScoreFormula(
        0, texts[0], texts[1], terms, _bands(written.get("bands", ())), texts[2], None
    )


def _term(row: Mapping[str, Any]) -> Term:
    rate = row.get("rate")
    if rate not in RATES:
        raise InvalidInput("term.rate", rate, "must be one of " + ", ".join(RATES))
    numbers = {}
    for name, low, high in (("points", 0, 1000), ("target", 0, 1), ("per_percent", 0, 100)):
        if name in row:
            numbers[name] = _number(f"term.{name}", row[name], low, high)
    inverse = row.get("inverse", False)
    if not isinstance(inverse, bool):
        raise InvalidInput("term.inverse", inverse, "must be true or false")
    if "points" not in numbers:
        raise InvalidInput("term.points", None, "must be a number")
    for name in row:
        if name not in ("rate", "points", "inverse", "target", "per_percent"):
            raise InvalidInput(f"term.{name}", row[name], "is no field of a term")
    return Term(
        rate, numbers["points"], inverse, numbers.get("target"), numbers.get("per_percent", 1.0)
    )


def _number(field: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(field, value, f"must be a number from {low} to {high}")
    return float(value)


def _bands(rows: Sequence[Any]) -> tuple[tuple[str, float], ...]:
    found = []
    for row in rows:
        if not isinstance(row, list | tuple) or len(row) != 2 or not isinstance(row[0], str):
            raise InvalidInput("bands", row, "must be a letter and its lowest score")
        found.append((row[0], _number("bands", row[1], -1000, 10_000)))
    if found != sorted(found, key=lambda pair: -pair[1]):
        raise InvalidInput("bands", rows, "must go from the best down")
    return tuple(found)
