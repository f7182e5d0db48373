"""Squads (中队): who can be sent, when they are on duty and what they can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from city.place import LonLat
from city.roster import Duty, duty_at


@dataclass(frozen=True, slots=True)
class Shift:
    """On duty on these ISO weekdays from `start` to `end`; end <= start runs past midnight."""

    weekdays: frozenset[int]
    start: time
    end: time

    def covers(self, local: datetime) -> bool:
        """Whether a local wall-clock time is in this shift; the weekday is that of the start."""
        today, clock = local.isoweekday(), local.time()
        if self.start < self.end:
            return today in self.weekdays and self.start <= clock < self.end
        yesterday = (today + 5) % 7 + 1
        return (today in self.weekdays and clock >= self.start) or (
            yesterday in self.weekdays and clock < self.end
        )


@dataclass(frozen=True, slots=True)
class Squad:
    """`roster` None: on duty by its weekly shifts; else a day without a duty is off duty. Squads
    of one brigade (大队) have its names, `kit` is what a squad brings."""

    code: str
    district: str
    name_zh: str
    name_en: str
    kind: str  # territorial, mobile, inspection, special_duty, gas, lighting, drainage
    skills: frozenset[str]
    duty_grids: frozenset[str]
    shifts: tuple[Shift, ...]
    position: LonLat | None
    position_at: datetime | None
    open_incidents: int
    roster: tuple[Duty, ...] | None = None
    brigade_zh: str = ""
    brigade_en: str = ""
    kit: frozenset[str] = frozenset()

    def duty_at(self, local: datetime) -> Duty | None:
        """Who is on duty at this local wall-clock time, where a roster says so."""
        return None if self.roster is None else duty_at(self.roster, local)

    def is_on_duty(self, local: datetime) -> bool:
        """Whether its roster has somebody at this local wall-clock time; without a roster, whether
        any shift covers it."""
        if self.roster is not None:
            return self.duty_at(local) is not None
        return any(shift.covers(local) for shift in self.shifts)


@dataclass(frozen=True, slots=True)
class SquadPlace:
    """Where a squad said it is."""

    squad: str
    lon: float
    lat: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Why:
    """One fact behind a ranking, in both languages."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A squad with its score (0 to 100) and the parts it is made of. `called` is who of it is on
    duty by its roster, `phone` theirs, or else the squad's."""

    squad: str
    name_zh: str
    name_en: str
    kind: str
    eligible: bool  # on duty, able and certified
    score: float
    parts: dict[str, float]  # travel, grid, workload
    on_duty: bool
    has_skill: bool
    owns_grid: bool
    distance_m: float | None
    travel_minutes: float | None
    open_incidents: int
    reasons: tuple[Why, ...]
    why_not: tuple[Why, ...] = ()  # what speaks against it beside the one before all others
    called: str = ""
    phone: str = ""
