"""Day and night at a place as spans of time, for whole arrays of moments. Pure.

By `city.sun`, good to two minutes: the grace around switching is a quarter of an hour, and one
formula serves the look at a lamp and the look back (decision 34).
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from city.moment import EPOCH
from city.place import LonLat
from city.sun import HORIZON_DEG, sun_elevation_deg

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

DAY_US = 86_400_000_000
STEP = timedelta(minutes=20)
# The sun of a place is that of its neighbourhood: 0.05 degrees are 12 s of sun time.
PLACES = 20


def is_night(ts_us: Ints, place: LonLat, grace: timedelta = timedelta(0)) -> Flags:
    """Whether the sun is down, and was or will be `grace` before and after."""
    return _state(ts_us, place, grace, up=False)


def is_day(ts_us: Ints, place: LonLat, grace: timedelta = timedelta(0)) -> Flags:
    """Whether the sun is up, and was or will be `grace` before and after."""
    return _state(ts_us, place, grace, up=True)


def _state(ts_us: Ints, place: LonLat, grace: timedelta, *, up: bool) -> Flags:
    if not len(ts_us):
        return np.zeros(0, bool)
    shift = grace // timedelta(microseconds=1)
    around = (ts_us,) if not shift else (ts_us - shift, ts_us, ts_us + shift)
    found = np.ones(len(ts_us), bool)
    for moments in around:
        found &= _is_up(moments, place) == up
    return found


def _is_up(ts_us: Ints, place: LonLat) -> Flags:
    lon, lat = round(place.lon * PLACES), round(place.lat * PLACES)
    days = range(int(ts_us.min() // DAY_US), int(ts_us.max() // DAY_US) + 1)
    edges = np.array([edge for day in days for edge, _ in _edges(day, lon, lat)], np.int64)
    ups = np.array([up for day in days for _, up in _edges(day, lon, lat)], bool)
    first = sun_elevation_deg(
        EPOCH + timedelta(days=days[0]), LonLat(lon / PLACES, lat / PLACES)
    ) >= HORIZON_DEG  # fmt: skip
    state = np.concatenate([[first], ups])
    return state[np.searchsorted(edges, ts_us, side="right")]


@lru_cache(maxsize=4096)
def _edges(day: int, lon: int, lat: int) -> tuple[tuple[int, bool], ...]:
    """When the sun rises (true) and sets (false) on a day of UTC, in microseconds since 1970."""
    place = LonLat(lon / PLACES, lat / PLACES)
    begin = EPOCH + timedelta(days=day)
    found = []
    was = sun_elevation_deg(begin, place) >= HORIZON_DEG
    at = begin
    while at < begin + timedelta(days=1):
        later = at + STEP
        now = sun_elevation_deg(later, place) >= HORIZON_DEG
        if now != was:
            low, high = at, later
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                if (sun_elevation_deg(middle, place) >= HORIZON_DEG) == was:
                    low = middle
                else:
                    high = middle
            found.append(((high - EPOCH) // timedelta(microseconds=1), now))
        at, was = later, now
    return tuple(found)
