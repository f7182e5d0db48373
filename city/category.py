"""Incident categories: what a matter is, and what closing it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from city.clock import Limit, LimitUnit


@dataclass(frozen=True)
class Category:
    """One version of a category (案件类别): what it is, how long it may take, what closes it."""

    code: str
    version: int
    code_system: str
    class_: str  # component or event
    family: str
    name_zh: str
    name_en: str
    filing_condition_zh: str
    filing_condition_en: str
    handle_limit: float
    handle_unit: str
    severity: int
    skill: str
    closing_evidence: list[str]
    gas_free_minutes: int
    source: str
    valid_from: date
    valid_to: date | None = None

    @property
    def needs_release(self) -> bool:
        """Closes only gas-free and with a gas engineer's release."""
        return GAS_RELEASE in self.closing_evidence

    @property
    def limit(self) -> Limit:
        return Limit(self.handle_limit, LimitUnit(self.handle_unit))


# The word among `closing_evidence` that asks for a gas engineer.
GAS_RELEASE = "gas_release"
