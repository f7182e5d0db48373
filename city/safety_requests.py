"""What people ask for while they work alone, as `city.requests`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from city.errors import InvalidInput
from city.safety import MINUTES


@dataclass(frozen=True, slots=True)
class CheckInRequest:
    """Begin to say "I am fine" every so many minutes; WGS 84 degrees where the phone knows them."""

    every_minutes: int
    incident_id: int | None = None
    lon: float | None = None
    lat: float | None = None

    def __post_init__(self) -> None:
        if self.every_minutes not in MINUTES:
            problem = f"must be {MINUTES[0]} to {MINUTES[-1]} minutes"
            raise InvalidInput("every_minutes", self.every_minutes, problem)


@dataclass(frozen=True, slots=True)
class FineRequest:
    """ "I am fine", and when it was said by the clock of the phone."""

    acted_at: datetime | None = None
    clock_offset_ms: int | None = None
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True)
class DuressRequest:
    """The button was held."""

    acted_at: datetime | None = None
    clock_offset_ms: int | None = None
    incident_id: int | None = None
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True)
class DistressSeenRequest:
    """Somebody of the centre takes a call for help on."""

    note: str = ""
