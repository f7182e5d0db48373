"""What the past is played with: places, devices, squads and people, and how time is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from city.category import Category
from city.clock import ClockKind, Limit
from city.device import WatchedDevice
from city.incident import Role
from city.person import Caller
from city.place import LonLat
from city.squad import Squad


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell of the unit grid in which there are streets."""

    code: str
    duty_grid: str
    west: float
    south: float
    east: float
    north: float

    def at(self, x: float, y: float) -> LonLat:
        """A point in it; x and y run from 0 to 1 from its south-west corner."""
        lon = self.west + (self.east - self.west) * x
        lat = self.south + (self.north - self.south) * y
        return LonLat(round(lon, 6), round(lat, 6))


@dataclass(frozen=True, slots=True)
class Sensor:
    """A device with its name and the duty grid that it stands in."""

    device: WatchedDevice
    name: str
    duty_grid: str


@dataclass(frozen=True)
class Town:
    """`people` are those who act, by role; `after` is the moment at which a limit has run out that
    began at another; `works` says which days are days of work."""

    district: str
    zone: ZoneInfo
    categories: Mapping[str, Category]
    stages: Mapping[ClockKind, Limit]
    squads: Sequence[Squad]
    spots: Sequence[Spot]
    sensors: Mapping[str, Sequence[Sensor]]
    people: Mapping[Role, Caller]
    after: Callable[[datetime, Limit], datetime]
    works: Callable[[date], bool]
