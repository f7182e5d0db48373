"""What a form shows beside what is typed: places by name, and what is around a place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlace:
    """A place that a search finds; `kind` is a level of divisions, unit_grid,
    device or entry."""

    kind: str
    code: str
    name: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCategory:
    code: str
    family: str
    name_zh: str
    name_en: str
    severity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDevice:
    """A sensor or camera near a place; `alarm` is the severity of its gravest live alarm."""

    code: str
    kind: str
    name: str
    lon: float
    lat: float
    distance_m: float
    alarm: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NearCase:
    """An open case near a place; `same` it is of the same category."""

    id: int
    number: str
    state: str
    severity: int
    title_zh: str
    title_en: str
    distance_m: float
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known around a place: its names, open cases of the same class, devices."""

    unit_grid: str | None
    street_name: str | None
    community_name: str | None
    cases: list[NearCase]
    devices: list[NearDevice]
