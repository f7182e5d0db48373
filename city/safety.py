"""Whoever works alone: check-ins that are due, and calls for help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# A check-in every minute would be tapped blindly; after four hours nobody is alone by plan.
MINUTES = range(1, 241)


class DistressKind(StrEnum):
    DURESS = "duress"  # the button was held
    MISSED_CHECK_IN = "missed_check_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    """Somebody who says "I am fine" every so many minutes. `due_at` None: missed and told, or
    ended."""

    id: int
    district: str
    person: str
    squad: str
    incident_id: int | None
    every_minutes: int
    started_at: datetime
    heard_at: datetime
    due_at: datetime | None
    lon: float | None
    lat: float | None
    ended_at: datetime | None

    @property
    def subject(self) -> str:
        """Name of it in the event log."""
        return f"check_in:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistressCall:
    """A call for help; open until somebody of the centre has acknowledged it. `number`, `name_zh`
    and `name_en` are of its case and squad."""

    id: int
    district: str
    kind: str
    person: str
    squad: str
    incident_id: int | None
    check_in_id: int | None
    acted_at: datetime
    raised_at: datetime
    heard_at: datetime | None
    lon: float | None
    lat: float | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str
    number: str | None = None
    name_zh: str = ""
    name_en: str = ""

    @property
    def subject(self) -> str:
        """Name of it in the event log."""
        return f"distress_call:{self.id}"
