"""When the sun rises and sets at a place, good to about two minutes between the polar circles."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from city.place import LonLat

# Centre of the sun at sunrise: half its width and the refraction of the air below the horizon.
HORIZON_DEG = -0.833
_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_DAY_S = 86_400.0


def sun_elevation_deg(at: datetime, place: LonLat) -> float:
    """Height of the sun's centre above the horizon (Astronomical Almanac's low-precision sun)."""
    days = (at - _J2000).total_seconds() / _DAY_S
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360)
    mean_longitude = (280.460 + 0.9856474 * days) % 360
    longitude = math.radians(
        mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    tilt = math.radians(23.439 - 0.0000004 * days)
    right_ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    sidereal = math.radians((280.46062 + 360.985647366 * days + place.lon) % 360)
    hour_angle = sidereal - right_ascension
    latitude = math.radians(place.lat)
    height = math.sin(latitude) * math.sin(declination) + (
        math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    )
    return math.degrees(math.asin(max(-1.0, min(1.0, height))))


def is_dark(at: datetime, place: LonLat, grace: timedelta = timedelta(0)) -> bool:
    """Whether the sun is down now and was or will be down `grace` before and after."""
    moments = (at,) if not grace else (at - grace, at, at + grace)
    return all(sun_elevation_deg(moment, place) < HORIZON_DEG for moment in moments)
