"""The map below the live layer: outline, cells, streets, pipes, where devices stand; built once."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shapely import STRtree, box
from shapely.geometry import shape

from city.area import Area, geometry_of
from city.scope import Scope, Within
from dashboard.screens.citymap.geometry import bounds_of
from dashboard.shell.packing import Packed, pack
from db import walls as wall_rows
from db.areas import list_areas
from db.pipes import PipeRow, list_pipes
from db.pool import Connection, Pool, transaction
from db.seeds import streets

# How long a map may be shown before somebody looks whether devices were registered since.
MAP_S = 10.0
METRES_PER_DEGREE = 111_320.0
CORNERS = 32


@dataclass(frozen=True, slots=True)
class MapDocument:
    """The map, packed; `etag` changes with its content."""

    etag: str
    packed: Packed


class CityMap:
    """The map of one district, or of a part of it; built when first asked for and when it or its
    devices change."""

    def __init__(
        self, pool: Pool, district: wall_rows.District, within: Within | None = None
    ) -> None:
        self._pool = pool
        self._district = district
        self._scope = Scope(district.code, within)
        # A browser that has the map of somebody else is not told that it is still right.
        self._mark = "" if within is None else f"-{digest_of(self._scope.codes or [])}"
        self._lock = threading.Lock()
        self._document: MapDocument | None = None
        self._read_at = 0.0

    def document(self) -> MapDocument:
        """The current map."""
        with self._lock:
            if self._document is None or time.monotonic() - self._read_at > MAP_S:
                with transaction(self._pool) as conn:
                    stamp = wall_rows.map_stamp(conn, self._district.code) + self._mark
                    if self._document is None or self._document.etag != stamp:
                        self._document = MapDocument(stamp, pack(self._read(conn)))
                self._read_at = time.monotonic()
            return self._document

    def forget(self) -> None:
        """Something of it was changed: whoever asks next gets it as it is now."""
        self._read_at = float("-inf")

    def _read(self, conn: Connection) -> dict[str, Any]:
        code = self._district.code
        cells, areas = wall_rows.map_cells(conn, self._scope), list_areas(conn, code)
        if self._scope.within is not None:
            areas = areas_on(areas, cells)
        return map_json(
            wall_rows.find_district(conn, code) or self._district,
            cells=cells,
            devices=wall_rows.map_devices(conn, self._scope),
            names=wall_rows.community_names(conn, code),
            streets=streets() if wall_rows.has_demo_rows(conn, code) else None,
            pipes=list_pipes(conn, code),
            areas=areas,
        )


def digest_of(codes: Sequence[str]) -> str:
    """Short, and another one for other divisions."""
    return hashlib.sha256(";".join(codes).encode()).hexdigest()[:16]


def map_json(
    district: wall_rows.District,
    *,
    cells: Sequence[tuple[Any, ...]],
    devices: Sequence[tuple[Any, ...]],
    names: dict[str, str],
    streets: dict[str, Any] | None,
    pipes: Sequence[PipeRow] = (),
    areas: Sequence[Area] = (),
) -> dict[str, Any]:
    """What a map shows below the live layer."""
    return {
        "district": {
            "code": district.code,
            "name_zh": district.name_zh,
            "name_en": district.name_en,
            "bbox": bounds_of(district.outline),
            "outline": district.outline,
        },
        "streets": streets,
        "pipes": {"type": "FeatureCollection", "features": [_pipe(row) for row in pipes]},
        "areas": [_area(area) for area in areas],
        "cells": cells,
        "devices": devices,
        "community_names": names,
    }


def areas_on(areas: Sequence[Area], cells: Sequence[tuple[Any, ...]]) -> list[Area]:
    """The areas that reach into the ground of these cells (code, west, south, east, north)."""
    tree = STRtree([box(*cell[1:5]) for cell in cells])
    return [area for area in areas if len(tree.query(shape(outline_of(area)), "intersects"))]


def outline_of(area: Area) -> dict[str, Any]:
    """The ground of an area as a GeoJSON polygon: of a circle one of many corners."""
    if area.centre is None:
        return geometry_of(area)
    lon, lat = area.centre
    r_lat = (area.radius_m or 0.0) / METRES_PER_DEGREE
    r_lon = r_lat / math.cos(math.radians(lat))
    turns = [math.tau * n / CORNERS for n in range(CORNERS + 1)]
    ring = [[lon + r_lon * math.cos(turn), lat + r_lat * math.sin(turn)] for turn in turns]
    return {"type": "Polygon", "coordinates": [ring]}


def _area(area: Area) -> dict[str, Any]:
    return {
        "code": area.code,
        "kind": area.kind.value,
        "name_zh": area.name_zh,
        "name_en": area.name_en,
        "rings": area.rings,
        "centre": area.centre,
        "radius_m": area.radius_m,
    }


def _pipe(row: PipeRow) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": row.code, "pressure": row.pressure},
        "geometry": {"type": "LineString", "coordinates": row.line},
    }
