"""Whether a lamp is lit, dark or unknown, and how many of a night's checks it was. Pure.

A night is looked at every half hour, from half an hour after sunset to half an hour before
sunrise. At such a check a lamp counts by the last that it said in the three reporting intervals
before (at least the half hour since the last check). It should be lit if its programme says so;
without a programme, because it is night.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# An inspector drives past some thirty times a night in no city: half an hour is what tells a lamp
# that failed at midnight from one that failed at five.
CHECK_EVERY = timedelta(minutes=30)
# Around sunset and sunrise lamps come on and go out one after the other.
TWILIGHT = timedelta(minutes=30)
# What a lamp said holds for so many of its reporting intervals.
FRESH_INTERVALS = 3
# A lamp that draws less than this share of its rated power times its level is dark (a lighting
# platform's default; the shipped rule of dark lamps has the same).
POWER_SHARE = 0.8


class LampState(StrEnum):
    LIT = "lit"
    DARK = "dark"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """What a lamp says of itself, None where it says nothing."""

    lamp_on: float | None = None
    power_w: float | None = None
    dim_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Checks at which a lamp should have been lit, by what it was."""

    lit: int = 0
    dark: int = 0
    unknown: int = 0

    @property
    def due(self) -> int:
        return self.lit + self.dark + self.unknown

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.lit + other.lit, self.dark + other.dark, self.unknown + other.unknown)


def state_of(said: Said | None, rated_power_w: float | None) -> LampState:
    """`lamp_on` off is dark; on, a lamp that draws too little for its level is dark too."""
    if said is None:
        return LampState.UNKNOWN
    if said.lamp_on == 0:
        return LampState.DARK
    if said.power_w is not None and rated_power_w:
        level = 100.0 if said.dim_pct is None else said.dim_pct
        enough = said.power_w >= POWER_SHARE * rated_power_w * level / 100
        return LampState.LIT if enough and level > 0 else LampState.DARK
    if said.lamp_on is not None:
        return LampState.LIT
    if said.dim_pct is not None:
        return LampState.LIT if said.dim_pct > 0 else LampState.DARK
    return LampState.UNKNOWN


def checks_of(sunset: datetime, sunrise: datetime) -> list[datetime]:
    """The moments at which a night is looked at."""
    first, last = sunset + TWILIGHT, sunrise - TWILIGHT
    count = max(0, math.floor((last - first) / CHECK_EVERY) + 1)
    return [first + number * CHECK_EVERY for number in range(count)]


def slots_kept(report_interval_s: int) -> int:
    """For so many half hours what a lamp said holds."""
    return max(1, math.ceil(FRESH_INTERVALS * report_interval_s / CHECK_EVERY.total_seconds()))


def count_checks(
    said: Mapping[int, Said],
    due: Sequence[bool],
    first_slot: int,
    kept: int,
    rated_power_w: float | None,
) -> Counts:
    """The checks of one lamp. `said` by slot of half an hour; check k stands at the end of slot
    `first_slot + k`, and `due[k]` says whether the lamp should be lit then."""
    found = dict.fromkeys(LampState, 0)
    for number, is_due in enumerate(due):
        if not is_due:
            continue
        slot = first_slot + number
        latest = next((said[s] for s in range(slot, slot - kept, -1) if s in said), None)
        found[state_of(latest, rated_power_w)] += 1
    return Counts(found[LampState.LIT], found[LampState.DARK], found[LampState.UNKNOWN])
