"""Where things are: coordinates, distances and the codes of divisions and grids."""

from __future__ import annotations

import math
from dataclasses import dataclass

from city.errors import InvalidInput

# Mean Earth radius in metres (IUGG); good to 0.5 % for distances inside one city.
EARTH_RADIUS_M = 6_371_008.8


@dataclass(frozen=True, slots=True)
class LonLat:
    """A point, degrees, WGS 84 unless the source says otherwise."""

    lon: float
    lat: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lon) and -180 <= self.lon <= 180):
            raise InvalidInput("lon", self.lon, "must be a longitude between -180 and 180")
        if not (math.isfinite(self.lat) and -90 <= self.lat <= 90):
            raise InvalidInput("lat", self.lat, "must be a latitude between -90 and 90")


def distance_m(a: LonLat, b: LonLat) -> float:
    """Great-circle distance in metres."""
    phi_a, phi_b = math.radians(a.lat), math.radians(b.lat)
    half_phi = (phi_b - phi_a) / 2
    half_lambda = math.radians(b.lon - a.lon) / 2
    h = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


@dataclass(frozen=True, slots=True)
class Division:
    """An administrative division; `level` is one of those the district has, from district down
    to street, community and what the city has below."""

    code: str
    level: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class UnitGrid:
    """One cell of about 100 m x 100 m.

    The 15-digit code is county (6) + sub-district (3) + community (3) + sequence (3),
    numbered west to east, then north to south (domain.md 2.3, Beijing guide).
    """

    code: str
    community: str
    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        if len(self.code) != 15 or not self.code.isdigit():
            raise InvalidInput("unit_grid", self.code, "must be 15 digits")

    @property
    def centre(self) -> LonLat:
        return LonLat((self.west + self.east) / 2, (self.south + self.north) / 2)
