"""Where squads are: on duty they patrol the streets, or go to the incident they accepted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from city.place import LonLat, distance_m
from city.squad import Squad
from simulator.cast import Cast
from simulator.noise import share
from simulator.weather import LOCAL

# A squad goes from one place to the next in this time, and reports its position this often.
LEG_S = 240.0
REPORT_EVERY_S = 30.0
# A squad does not go faster than this, whatever it is called to.
TOP_SPEED_M_PER_S = 12.0
# Patrols stay around the squad's home.
REACH_M = 1_200.0


@dataclass(frozen=True)
class Patrol:
    """The places beside streets that a squad goes to."""

    squad: Squad
    places: tuple[LonLat, ...]

    def place_at(self, seed: int, at: datetime) -> LonLat | None:
        """Where the squad is, None while it is off duty."""
        if not self.places or not self.squad.is_on_duty(at.astimezone(LOCAL)):
            return None
        position = at.timestamp() / LEG_S + share(seed, self.squad.code, "phase")
        leg = math.floor(position)
        part = position - leg
        here, there = self._stop(seed, leg), self._stop(seed, leg + 1)
        return LonLat(
            here.lon + (there.lon - here.lon) * part, here.lat + (there.lat - here.lat) * part
        )

    def _stop(self, seed: int, leg: int) -> LonLat:
        return self.places[int(share(seed, self.squad.code, leg) * len(self.places))]


def step_towards(here: LonLat | None, there: LonLat, seconds: float) -> LonLat:
    """Where a squad is after some seconds on its way; without a place yet it is there."""
    if here is None:
        return there
    way = distance_m(here, there)
    reach = TOP_SPEED_M_PER_S * seconds
    if way <= reach:
        return there
    part = reach / way
    return LonLat(
        here.lon + (there.lon - here.lon) * part, here.lat + (there.lat - here.lat) * part
    )


def plan_patrol(squad: Squad, cast: Cast) -> Patrol:
    """A patrol between manholes near the squad's home: covers lie in the street."""
    home = squad.position
    covers = [LonLat(device.lon, device.lat) for device in cast.of_kind("manhole")]
    if home is None:
        return Patrol(squad, ())
    return Patrol(squad, tuple(c for c in covers if distance_m(home, c) < REACH_M))
