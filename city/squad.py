"""Squads (中队): who can be sent, when they are on duty and what they can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from city.place import LonLat


@dataclass(frozen=True, slots=True)
class Shift:
    """On duty on these ISO weekdays from `start` to `end`; end <= start runs past midnight."""

    weekdays: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Squad:
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
