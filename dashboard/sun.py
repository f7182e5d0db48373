"""Whether lamps should be lit: the height of the sun over a place."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from city.place import LonLat

# Lamps have been on for a while when the sun is this far below the horizon (civil twilight ends).
NIGHT_BELOW_DEG = -6.0
# Astronomical Almanac's low-precision formulas count days from this moment (J2000).
J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_height_deg(at: datetime, place: LonLat) -> float:
    """Degrees above the horizon, good to about 0.1 degree from 1950 to 2050."""
    days = (at - J2000).total_seconds() / 86_400
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(
        280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    tilt = math.radians(23.439 - 0.0000004 * days)
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    sidereal = math.radians((280.46062 + 360.98564737 * days + place.lon) % 360)
    latitude = math.radians(place.lat)
    height = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(
        declination
    ) * math.cos(sidereal - ascension)
    return math.degrees(math.asin(height))


def is_night(at: datetime, place: LonLat) -> bool:
    """Dark enough that every street lamp should be on."""
    return sun_height_deg(at, place) < NIGHT_BELOW_DEG
