"""Sunrise and sunset of a place, and whether a street lamp should be lit there. Pure.

The low-precision formulas of the Astronomical Almanac: good to about a minute between 60°
north and south, which is far inside the grace around switching.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
# The sun's upper edge is on the horizon: half its width plus the bending of the light.
HORIZON_DEG = -0.833


@dataclass(frozen=True, slots=True)
class SunDay:
    """The solar day around a noon. No sunrise: the sun stays down, or up when `always_up`."""

    noon: datetime
    sunrise: datetime | None
    sunset: datetime | None
    always_up: bool = False


def sun_day(lon: float, lat: float, at: datetime) -> SunDay:
    """The solar day that `at` belongs to: from midnight to midnight by the sun of the place."""
    days = round((at - J2000) / DAY + lon / 360)  # whole solar days since J2000
    mean_noon = days - lon / 360
    anomaly = math.radians((357.5291 + 0.98560028 * mean_noon) % 360)
    centre = 1.9148 * math.sin(anomaly) + 0.02 * math.sin(2 * anomaly)
    ecliptic = math.radians((math.degrees(anomaly) + centre + 282.9372) % 360)
    equation_of_time = 0.0053 * math.sin(anomaly) - 0.0069 * math.sin(2 * ecliptic)
    noon = J2000 + (mean_noon + equation_of_time) * DAY
    sin_declination = math.sin(ecliptic) * math.sin(math.radians(23.4397))
    cos_declination = math.cos(math.asin(sin_declination))
    phi = math.radians(lat)
    cos_hour = (math.sin(math.radians(HORIZON_DEG)) - math.sin(phi) * sin_declination) / (
        math.cos(phi) * cos_declination
    )
    if not -1 <= cos_hour <= 1:
        return SunDay(noon, None, None, always_up=cos_hour < -1)
    half_day = math.acos(cos_hour) / (2 * math.pi) * DAY
    return SunDay(noon, noon - half_day, noon + half_day)


def should_be_lit(lon: float, lat: float, at: datetime, grace: timedelta) -> bool:
    """Whether a lamp here must be on: `grace` after sunset until `grace` before sunrise."""
    day = sun_day(lon, lat, at)
    if day.sunrise is None or day.sunset is None:
        return not day.always_up
    return at > day.sunset + grace or at < day.sunrise - grace
