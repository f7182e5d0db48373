"""Lighting programmes: which level lamps should have at a moment, by sun, clock and calendar. Pure.

A programme is a list of steps. At a step the lamps go to its level and stay there until the next
one. A step stands at a fixed time of day (`23:30`) or some minutes from sunset or sunrise
(`sunset-10`, `sunrise+15`); `days` limits it to nights that began on working days or on days of
rest, as the city's calendar has them: what comes before noon belongs to the evening before.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from city.clock import WorkCalendar
from city.errors import InvalidInput
from city.lighting import check_level
from city.place import LonLat
from city.sun import HORIZON_DEG, sun_elevation_deg

STEPS_MAX = 24
OFFSET_MAX_MIN = 180
CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
# Between two steps of a programme there may be a weekend and a long holiday, in both directions.
DAYS_AROUND = 16
_AT = re.compile(r"(sunset|sunrise)(?:([+-])(\d{1,3}))?|([01]\d|2[0-3]):([0-5]\d)")
_KEYS = frozenset({"code", "name_zh", "name_en", "step"})
_STEP_KEYS = frozenset({"at", "level", "days"})
# How exactly a sunset is found; the sun itself is good to two minutes.
_SUN_S = 20


class Days(StrEnum):
    EVERY = "every"
    WORKDAY = "workday"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Step:
    """`at` as it is written; `level` in per cent, 0 is off."""

    at: str
    level: int
    days: Days = Days.EVERY

    def __post_init__(self) -> None:
        found = _AT.fullmatch(self.at)
        if found is None or int(found[3] or 0) > OFFSET_MAX_MIN:
            raise InvalidInput(
                "at", self.at,
                f"must be HH:MM, or sunset or sunrise with at most {OFFSET_MAX_MIN} minutes",
            )  # fmt: skip
        check_level(self.level)


@dataclass(frozen=True, slots=True)
class Programme:
    code: str
    name_zh: str
    name_en: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class StepAt:
    """A step at the moment on which it falls."""

    at: datetime
    level: int


def parse_programme(text: str) -> Programme:
    """Read the TOML of a programme; the first thing that is wrong is named by field and value."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("programme", text[:80], f"is not TOML: {error}") from error
    return programme_of(table)


def programme_of(table: Mapping[str, Any]) -> Programme:
    """A programme from the keys of its file."""
    _only(table, _KEYS, "programme")
    code = _text(table, "code")
    if not CODE.fullmatch(code):
        raise InvalidInput("code", code, "must have 1 to 48 small letters, digits or hyphens")
    steps = table.get("step")
    if not isinstance(steps, list) or not 1 <= len(steps) <= STEPS_MAX:
        raise InvalidInput("step", steps, f"must be 1 to {STEPS_MAX} tables [[step]]")
    parsed = tuple(_step(entry, number) for number, entry in enumerate(steps, start=1))
    if len({(step.at, step.days) for step in parsed}) < len(parsed):
        raise InvalidInput("step", [step.at for step in parsed], "has two steps at one time")
    return Programme(code, _text(table, "name_zh"), _text(table, "name_en"), parsed)


def programme_toml(programme: Programme) -> str:
    """The same as a file."""
    lines = [
        f'code = "{programme.code}"',
        f"name_zh = {_quoted(programme.name_zh)}",
        f"name_en = {_quoted(programme.name_en)}",
    ]
    for step in programme.steps:
        lines += ["", "[[step]]", f'at = "{step.at}"', f"level = {step.level}"]
        if step.days is not Days.EVERY:
            lines.append(f'days = "{step.days.value}"')
    return "\n".join(lines) + "\n"


def programme_level(
    programme: Programme, place: LonLat, at: datetime, calendar: WorkCalendar
) -> int | None:
    """The level in per cent that lamps of this programme should have at a place now; None where
    no step of it has come in the days before."""
    step = last_step(programme, place, at, calendar)
    return None if step is None else step.level


def last_step(
    programme: Programme, place: LonLat, at: datetime, calendar: WorkCalendar
) -> StepAt | None:
    """The newest step that is not later than `at`; None if none came in the days before."""
    for offsets in _further(-1):
        steps = _steps_of(programme, place, at, calendar, offsets)
        before = [step for step in steps if step.at <= at]
        if before:
            return max(before, key=lambda step: step.at)
    return None


def next_step(
    programme: Programme, place: LonLat, after: datetime, calendar: WorkCalendar
) -> StepAt | None:
    """The first step later than `after`; None if none comes in the next days."""
    for offsets in _further(1):
        steps = _steps_of(programme, place, after, calendar, offsets)
        later = [step for step in steps if step.at > after]
        if later:
            return min(later, key=lambda step: step.at)
    return None


def night_around(place: LonLat, day: date, timezone: str) -> tuple[datetime, datetime] | None:
    """Sunset of this local day and the sunrise after it; None where there is none."""
    sunset = sun_crosses(place, day, timezone, setting=True)
    sunrise = sun_crosses(place, day + timedelta(days=1), timezone, setting=False)
    return (sunset, sunrise) if sunset and sunrise else None


@lru_cache(maxsize=4096)
def sun_crosses(place: LonLat, day: date, timezone: str, *, setting: bool) -> datetime | None:
    """When the sun sets or rises on a local day; None on days when it does not."""
    # Noon by the sun, not by the clock: zones may be hours off.
    noon = datetime.combine(day, time(12), UTC) - timedelta(hours=place.lon / 15)
    shift = noon.astimezone(ZoneInfo(timezone)).date() - day
    noon -= timedelta(days=shift.days)
    up, down = noon, noon + timedelta(hours=12 if setting else -12)
    if not sun_elevation_deg(down, place) < HORIZON_DEG <= sun_elevation_deg(up, place):
        return None
    while abs((down - up).total_seconds()) > _SUN_S:
        middle = up + (down - up) / 2
        if sun_elevation_deg(middle, place) < HORIZON_DEG:
            down = middle
        else:
            up = middle
    return down.replace(microsecond=0)


def _further(direction: int) -> Iterator[list[int]]:
    """Days to look at, from today: the near ones at once, for a step may fall on another day than
    its sun's, then one by one."""
    yield [-1, 0, 1]
    yield from ([direction * days] for days in range(2, DAYS_AROUND + 1))


def _steps_of(
    programme: Programme,
    place: LonLat,
    at: datetime,
    calendar: WorkCalendar,
    offsets: Sequence[int],
) -> Iterator[StepAt]:
    today = at.astimezone(ZoneInfo(calendar.timezone)).date()
    for day in (today + timedelta(days=offset) for offset in offsets):
        for step in programme.steps:
            moment = _moment(step.at, place, day, calendar.timezone)
            if moment is not None and _is_of(step.days, moment, calendar):
                yield StepAt(moment, step.level)


def _is_of(days: Days, moment: datetime, calendar: WorkCalendar) -> bool:
    """Whether the night that a step belongs to is one of these."""
    if days is Days.EVERY:
        return True
    evening = (moment.astimezone(ZoneInfo(calendar.timezone)) - timedelta(hours=12)).date()
    return (days is Days.WORKDAY) == calendar.is_working_day(evening)


def _moment(text: str, place: LonLat, day: date, timezone: str) -> datetime | None:
    found = _AT.fullmatch(text)
    assert found is not None, "a Step refuses other texts"
    if found[4]:
        local = datetime.combine(day, time(int(found[4]), int(found[5])), ZoneInfo(timezone))
        return local.astimezone(UTC)
    # A thousandth of a degree is seven seconds of sun at most: lamps of a street share a sunset.
    spot = LonLat(round(place.lon, 2), round(place.lat, 2))
    crossing = sun_crosses(spot, day, timezone, setting=found[1] == "sunset")
    minutes = int(found[3] or 0) * (-1 if found[2] == "-" else 1)
    return None if crossing is None else crossing + timedelta(minutes=minutes)


def _step(entry: Any, number: int) -> Step:
    where = f"step {number}"
    if not isinstance(entry, dict):
        raise InvalidInput(where, entry, "must be a table: write [[step]]")
    _only(entry, _STEP_KEYS, where)
    level, days = entry.get("level"), entry.get("days", Days.EVERY.value)
    if type(level) is not int:
        raise InvalidInput(f"{where}: level", level, "must be a whole number, 0 to 100")
    if days not in list(Days):
        raise InvalidInput(f"{where}: days", days, "must be every, workday or rest")
    try:
        return Step(_text(entry, "at"), level, Days(days))
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.field}", error.value, error.problem) from error


def _only(table: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise InvalidInput(f"{where}: {key}", table[key], f"is none of {sorted(known)}")


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 100:
        raise InvalidInput(key, value, "must be a text of 1 to 100 characters")
    return value.strip()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
