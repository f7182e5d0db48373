"""How busy a day and an hour are: weekdays, seasons, rain, the week of the typhoon. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from simulator.noise import share

# Rainy days by month, from January on: a dry winter, rain from May to October.
RAIN_CHANCE = (0.15, 0.16, 0.2, 0.28, 0.45, 0.5, 0.48, 0.55, 0.55, 0.45, 0.25, 0.16)
# Of rainy days, those on which the streets flood.
CLOUDBURST_SHARE = 0.18
DRY, WET, CLOUDBURST = 0.6, 1.5, 3.2
# The typhoon comes ashore on the fourth day of its week; what follows is clearing up.
TYPHOON_WEEK = (1.5, 3.0, 9.0, 26.0, 20.0, 10.0, 4.0)
TYPHOON_MONTH, TYPHOON_EARLIEST_DAY = 9, 8
# Nobody trades on the street in a storm, or at New Year.
STORM_TRADE = 0.25
# More is reported on days of work than on others.
WORKDAY, DAY_OFF = 1.1, 0.75

# Share of a day's cases by the local hour, for what happens at its own time of day.
HOURS: Mapping[str, tuple[int, ...]] = {
    "any": (3, 2, 2, 2, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 5, 5, 5, 4, 3),
    "rush": (0, 0, 0, 0, 0, 1, 5, 14, 13, 6, 4, 4, 4, 3, 3, 4, 6, 12, 12, 7, 4, 3, 1, 0),
    "work": (0, 0, 0, 0, 0, 0, 2, 6, 11, 11, 10, 8, 4, 5, 9, 10, 9, 6, 3, 2, 1, 1, 0, 0),
    "street": (1, 0, 0, 0, 0, 1, 4, 8, 8, 6, 5, 6, 5, 3, 3, 4, 5, 8, 10, 11, 9, 6, 3, 2),
    "night": (8, 6, 4, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5, 14, 16, 15, 14, 11),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the city. `wet` multiplies what rain brings; `storm` is 0 to 1."""

    date: date
    works: bool
    wet: float
    storm: float

    def factor(self, *, rainy: bool, trade: bool, weekend: float, storm: float) -> float:
        """How many times its usual number a kind of matter has on this day; `storm` in a storm."""
        usual = WORKDAY if self.works else DAY_OFF * weekend
        if rainy:
            return usual * self.wet
        if trade:
            return usual * (1 - (1 - STORM_TRADE) * self.storm)
        return usual * (1 + (storm - 1) * self.storm)


def day_of(seed: int, day: date, *, works: bool) -> Day:
    """What kind of day it is."""
    since = (day - typhoon_of(day.year)).days
    if 0 <= since < len(TYPHOON_WEEK):
        wet = TYPHOON_WEEK[since]
        return Day(day, works, wet, min(1.0, wet / 20))
    rains = share(seed, day, "rain") < RAIN_CHANCE[day.month - 1]
    pours = share(seed, day, "pours") < CLOUDBURST_SHARE
    return Day(day, works, (CLOUDBURST if pours else WET) if rains else DRY, 0.0)


def typhoon_of(year: int) -> date:
    """The Monday of the year's typhoon."""
    earliest = date(year, TYPHOON_MONTH, TYPHOON_EARLIEST_DAY)
    return earliest + timedelta(days=-earliest.weekday() % 7)


def second_of_day(rng: Random, profile: str) -> float:
    """A moment of the local day, in seconds."""
    (hour,) = rng.choices(range(24), HOURS[profile])
    return hour * 3600 + rng.random() * 3600


def number_of(rng: Random, mean: float) -> int:
    """A number of cases around a mean, by Poisson."""
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count += 1
        left += rng.expovariate(1.0)
    return count
