"""Rain, warmth and daylight of the simulated city, from seed and time alone."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from city.place import LonLat
from city.sun import is_dark
from simulator.noise import drift, share

# The demo district's clock; mainland China has one zone and no summer time.
LOCAL = timezone(timedelta(hours=8))
# Showers are drawn for each quarter of a day.
SLOT_S = 6 * 3600
SHOWER_CHANCE = 0.3
# Water stays in the sewers for about this long after rain.
DRAIN_S = 2 * 3600
SAMPLES = 12
# Lamps are dimmed from this local hour to the other.
DIM_FROM, DIM_TO, DIM_PCT = 23, 5, 60.0


def rain_mm_per_h(seed: int, at: datetime) -> float:
    """How hard it rains now."""
    slot, into_slot = divmod(at.timestamp(), SLOT_S)
    if share(seed, int(slot), "shower") > SHOWER_CHANCE:
        return 0.0
    length = 1800 + 5400 * share(seed, int(slot), "length")
    start = (SLOT_S - length) * share(seed, int(slot), "start")
    if not start <= into_slot <= start + length:
        return 0.0
    return 25 * math.sin(math.pi * (into_slot - start) / length)


@lru_cache(maxsize=64)
def wetness(seed: int, minute: datetime) -> float:
    """Rain still on its way through the sewers, 0 to 1; pass the time rounded to the minute."""
    step = DRAIN_S / SAMPLES
    rain = sum(
        rain_mm_per_h(seed, minute - timedelta(seconds=i * step)) * (1 - i / SAMPLES)
        for i in range(SAMPLES)
    )
    return min(1.0, rain / 120)


def temperature_c(seed: int, at: datetime) -> float:
    """Air temperature: warmest in the early afternoon."""
    local = at.astimezone(LOCAL)
    hour = local.hour + local.minute / 60
    season = 23 + 5 * math.cos(2 * math.pi * (local.timetuple().tm_yday - 196) / 365)
    return season + 4 * math.cos(2 * math.pi * (hour - 14) / 24) + drift(seed, at, 40_000, "air")


@lru_cache(maxsize=64)
def lamps_due(minute: datetime, place: LonLat) -> bool:
    """Whether street lamps are switched on; pass the time rounded to the minute."""
    return is_dark(minute, place)


def dim_pct(at: datetime) -> float:
    """Dimming level while lamps are on: full in the evening, less deep in the night."""
    hour = at.astimezone(LOCAL).hour
    return DIM_PCT if hour >= DIM_FROM or hour < DIM_TO else 100.0
