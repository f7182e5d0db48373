"""Bounds of GeoJSON geometries, for the first view of the map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from city.place import LonLat


def centre_of(outline: dict[str, Any]) -> LonLat:
    """Middle of the bounding box of a GeoJSON geometry."""
    west, south, east, north = bounds_of(outline)
    return LonLat((west + east) / 2, (south + north) / 2)


def bounds_of(outline: dict[str, Any]) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a GeoJSON geometry."""
    points = list(_points(outline["coordinates"]))
    lons, lats = [p[0] for p in points], [p[1] for p in points]
    return min(lons), min(lats), max(lons), max(lats)


def _points(coordinates: Any) -> Iterator[Any]:
    if isinstance(coordinates[0], int | float):
        yield coordinates
        return
    for part in coordinates:
        yield from _points(part)
