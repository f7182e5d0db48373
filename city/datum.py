"""Pure: coordinates as they come (WGS-84, CGCS2000, GCJ-02, BD-09) and the one way between them.

Maps sold in mainland China carry GCJ-02, up to 700 m aside of WGS-84, or BD-09, up to 1.5 km. Both
are inverted by iteration to better than a millimetre; the formulas are the community's, for the
true one was never published. Outside the mainland nothing is shifted. Near that border a shifted
point of the mainland and an unshifted one beyond it look the same: they are read as the former.

CGCS2000 is WGS-84 to within centimetres as a frame. It is fixed to the year 2000 while receivers
follow the plates, some 3 cm a year: less than a metre, which is not corrected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from typing import Any

from city.errors import InvalidInput
from city.mainland import HONG_KONG, MACAU, MAINLAND
from city.place import LonLat


class Datum(StrEnum):
    """What a longitude and a latitude are measured in."""

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"

    @property
    def label(self) -> str:
        """As people write it."""
        return _LABELS[self]

    @property
    def is_shifted(self) -> bool:
        """Whether positions in it lie aside of where they are."""
        return self in (Datum.GCJ02, Datum.BD09)


_LABELS = {
    Datum.WGS84: "WGS-84", Datum.CGCS2000: "CGCS2000", Datum.GCJ02: "GCJ-02", Datum.BD09: "BD-09",
}  # fmt: skip
# How people and programs write them, without what `_normal` takes away.
SPELLINGS = {
    Datum.WGS84: (
        "wgs84", "wgs1984", "epsg4326", "4326", "crs84", "ogccrs84", "ogc13crs84", "gps",
    ),
    Datum.CGCS2000: (
        "cgcs2000", "cgcs", "epsg4490", "4490", "国家2000", "2000国家大地", "国家大地2000",
        "大地2000",
    ),
    Datum.GCJ02: (
        "gcj02", "gcj", "gcj2", "国测局", "国测局02", "火星", "mars", "高德", "腾讯", "amap",
        "gaode", "autonavi", "tencent",
    ),
    Datum.BD09: ("bd09", "bd9", "bd09ll", "百度", "百度09", "baidu", "baidu09"),
}  # fmt: skip
_IGNORED = str.maketrans("", "", " \t-_:./()（）")
_PREFIX = "urnogcdefcrs"
_SUFFIXES = ("坐标系统", "坐标系", "坐标")


def parse_datum(field: str, text: str) -> Datum:
    """The datum that a word means: `WGS-84`, `EPSG:4490`, `火星坐标`, `百度` and the like."""
    found = _BY_SPELLING.get(_normal(text))
    if found is None:
        allowed = ", ".join(Datum)
        raise InvalidInput(
            field, text, f"must be one of {allowed}", code="one_of", facts={"allowed": allowed}
        )
    return found


def name_of_crs(crs: Any) -> str | None:
    """The name in the member `crs` that a GeoJSON of before 2016 has; None where it holds none,
    as a link to one, which cannot be followed."""
    properties = crs.get("properties") if isinstance(crs, dict) else crs
    name = properties.get("name") if isinstance(properties, dict) else properties
    return name if isinstance(name, str) and name.strip() else None


def _normal(text: str) -> str:
    short = text.strip().casefold().translate(_IGNORED).removeprefix(_PREFIX)
    for suffix in _SUFFIXES:
        short = short.removesuffix(suffix)
    return short


_BY_SPELLING = {word: datum for datum, words in SPELLINGS.items() for word in words}

# Krasovsky's ellipsoid, which the formula of GCJ-02 stands on: half axis in metres, eccentricity².
_AXIS_M = 6_378_245.0
_ECCENTRICITY_2 = 0.006_693_421_622_965_943_23
# BD-09 turns and stretches GCJ-02 by waves of this argument.
_BD_WAVE = math.pi * 3000 / 180
# The iteration ends when a step is smaller than this, 0.1 mm.
_CLOSE_DEG = 1e-9
_STEPS_MAX = 12
# Beyond it no shifted point can come from the mainland: west, south, east, north.
_REACH = (73.0, 15.0, 136.0, 54.0)


def to_wgs84(given: LonLat, datum: Datum) -> LonLat:
    """Where a point in this datum is; at most 0.1 m from the formulas' own inverse."""
    if not datum.is_shifted or not _in_reach(given):
        return given
    found = _invert(_SHIFTS[datum], given)
    return found if in_mainland(found) else given


def from_wgs84(place: LonLat, datum: Datum) -> LonLat:
    """How a place is written in this datum."""
    if not datum.is_shifted or not in_mainland(place):
        return place
    return LonLat(*_SHIFTS[datum](place.lon, place.lat))


def in_mainland(place: LonLat) -> bool:
    """Whether positions are shifted here; coarse, see `city.mainland`."""
    if not _in_reach(place):
        return False
    edges = _edges().get(math.floor(place.lat), ())
    return _crosses_odd(edges, place) and not any(_crosses_odd(e, place) for e in _own_maps())


def _in_reach(place: LonLat) -> bool:
    west, south, east, north = _REACH
    return west <= place.lon <= east and south <= place.lat <= north


def _invert(shift: Callable[[float, float], tuple[float, float]], given: LonLat) -> LonLat:
    """The point that is shifted to the given one, by iteration."""
    lon, lat = given.lon, given.lat
    for _ in range(_STEPS_MAX):
        shifted_lon, shifted_lat = shift(lon, lat)
        east, north = given.lon - shifted_lon, given.lat - shifted_lat
        lon, lat = lon + east, lat + north
        if abs(east) < _CLOSE_DEG and abs(north) < _CLOSE_DEG:
            break
    return LonLat(lon, lat)


def _to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    x, y = lon - 105.0, lat - 35.0
    # The wave that both offsets share, and each one's own.
    common = (20 * math.sin(6 * math.pi * x) + 20 * math.sin(2 * math.pi * x)) * 2 / 3
    north_m = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north_m += common + _waves(y, (20, 1), (40, 3), (160, 12), (320, 30))
    east_m = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east_m += common + _waves(x, (20, 1), (40, 3), (150, 12), (300, 30))
    sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
    flat = 1 - _ECCENTRICITY_2 * sine * sine
    metres_north = _AXIS_M * (1 - _ECCENTRICITY_2) / (flat * math.sqrt(flat))
    metres_east = _AXIS_M / math.sqrt(flat) * cosine
    return lon + math.degrees(east_m / metres_east), lat + math.degrees(north_m / metres_north)


def _waves(at: float, *waves: tuple[float, float]) -> float:
    return sum(height * math.sin(at / length * math.pi) for height, length in waves) * 2 / 3


def _to_bd09(lon: float, lat: float) -> tuple[float, float]:
    x, y = _to_gcj02(lon, lat)
    radius = math.hypot(x, y) + 0.00002 * math.sin(y * _BD_WAVE)
    angle = math.atan2(y, x) + 0.000003 * math.cos(x * _BD_WAVE)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


_SHIFTS = {Datum.GCJ02: _to_gcj02, Datum.BD09: _to_bd09}

Edge = tuple[float, float, float, float]


@cache
def _edges() -> dict[int, list[Edge]]:
    """Edges of the mainland's outline by the whole degrees of latitude that they touch."""
    bands: dict[int, list[Edge]] = {}
    for block in MAINLAND.strip().split("\n\n"):
        for edge in _ring([_point(pair) for pair in block.split()]):
            low, high = sorted((edge[1], edge[3]))
            for band in range(math.floor(low), math.floor(high) + 1):
                bands.setdefault(band, []).append(edge)
    return bands


@cache
def _own_maps() -> tuple[Sequence[Edge], ...]:
    """Edges of what lies inside the outline and is not shifted."""
    return _ring(HONG_KONG), _ring(MACAU)


def _point(pair: str) -> tuple[float, float]:
    lon, _, lat = pair.partition(",")
    return float(lon), float(lat)


def _ring(points: Sequence[tuple[float, float]]) -> list[Edge]:
    return [(*a, *b) for a, b in zip(points, [*points[1:], points[0]], strict=True)]


def _crosses_odd(edges: Sequence[Edge], place: LonLat) -> bool:
    """Whether a ray to the east crosses the edges an odd number of times."""
    odd = False
    for ax, ay, bx, by in edges:
        if (ay > place.lat) != (by > place.lat):
            odd ^= place.lon < ax + (bx - ax) * (place.lat - ay) / (by - ay)
    return odd
