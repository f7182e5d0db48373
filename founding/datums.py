"""In which datum the files of a city folder are, and whether one lies aside unsaid. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from city.datum import Datum, name_of_crs, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat, distance_m

SUSPECTS = (Datum.GCJ02, Datum.BD09)
# So much of a shape does not lie on what it should cover, and so little of that when shifted back.
MISFIT = 0.02
STILL_MISFIT = 0.35
# Corners of a shape that are converted to judge it: more would say the same.
CORNERS_MAX = 4_000

Degrees = NDArray[np.float64]  # (n, 2), longitude and latitude


@dataclass(frozen=True, slots=True)
class Datums:
    """`default` is that of the city, `stated` what somebody says of single files."""

    default: Datum = Datum.WGS84
    stated: Mapping[str, Datum] = field(default_factory=dict)

    def of(self, file: str) -> Datum:
        return self.stated.get(file, self.default)


def datum_of_crs(body: Any) -> Datum | None:
    """What the member `crs` of a GeoJSON of before 2016 says; None: nothing. Programs write the
    default there whatever the coordinates are in, so only another word is a statement. Raises
    `InvalidInput`."""
    crs = body.get("crs") if isinstance(body, dict) else None
    if crs is None:
        return None
    name = name_of_crs(crs)
    if name is None:
        raise InvalidInput("crs", str(crs)[:80], "must name a coordinate system")
    datum = parse_datum("crs", name)
    return None if datum is Datum.WGS84 else datum


def place_of(lon: float, lat: float, datum: Datum) -> LonLat:
    return to_wgs84(LonLat(lon, lat), datum)


def shape_of(geometry: BaseGeometry, datum: Datum) -> BaseGeometry:
    """A shape with every corner where it is."""
    if not datum.is_shifted:
        return geometry

    def convert(corners: Degrees) -> Degrees:
        places = (place_of(lon, lat, datum) for lon, lat in corners)
        return np.array([(p.lon, p.lat) for p in places], dtype=float).reshape(-1, 2)

    return shapely.transform(geometry, convert)


def box_of(
    west: float, south: float, east: float, north: float, datum: Datum
) -> tuple[float, float, float, float]:
    """Edges of a cell. Each edge is converted at its middle, so that neighbours go on sharing it:
    what is a box in one datum is askew by millimetres in another."""
    if not datum.is_shifted:
        return west, south, east, north
    lon, lat = (west + east) / 2, (south + north) / 2
    return (
        place_of(west, lat, datum).lon,
        place_of(lon, south, datum).lat,
        place_of(east, lat, datum).lon,
        place_of(lon, north, datum).lat,
    )


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`before` and `after` are parts of the area, 0 to 1, that do not fit."""

    datum: Datum
    offset_m: int
    before: float
    after: float

    def as_text(self, file: str, beside: str) -> str:
        label = self.datum.label
        return (
            f"lies aside of {beside} the way {label} does, by {self.offset_m} m: "
            f"{self.before:.0%} does not fit as it stands, {self.after:.0%} if shifted back. "
            f'Say in city.toml which it is: [datums] "{file}" = "{self.datum}", or "wgs84" if it '
            "is right as it stands"
        )


def suspect(given: BaseGeometry, fixed: BaseGeometry) -> Suspicion | None:
    """Whether a shape that should cover another one would do so if it were shifted back."""
    before = _misfit(given, fixed)
    if before < MISFIT:
        return None
    thin = _thinned(given)
    found = []
    for datum in SUSPECTS:
        moved = shape_of(thin, datum)
        after = _misfit(moved, fixed)
        if after <= STILL_MISFIT * before:
            offset = distance_m(_centre(moved), _centre(thin))
            found.append(Suspicion(datum, round(offset), before, after))
    return min(found, key=lambda s: s.after, default=None)


def _misfit(given: BaseGeometry, fixed: BaseGeometry) -> float:
    whole = given.union(fixed).area
    return float(given.symmetric_difference(fixed).area / whole) if whole else 0.0


def _centre(shape: BaseGeometry) -> LonLat:
    return LonLat(shape.centroid.x, shape.centroid.y)


def _thinned(shape: BaseGeometry) -> BaseGeometry:
    """The shape with fewer corners, to about ten metres."""
    if shapely.get_num_coordinates(shape) <= CORNERS_MAX:
        return shape
    return shape.simplify(0.0001)
