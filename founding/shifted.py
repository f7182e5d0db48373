"""A folder whose coordinates are those of a shifted map (GCJ-02, BD-09), moved to where they are.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

from city.datum import Datum, to_wgs84
from city.place import LonLat
from founding.boundary import outline
from founding.city_file import GRID_FILE
from founding.parts import Draft, Entry, Fault


def unshift(draft: Draft, datum: Datum, faults: list[Fault]) -> Draft:
    """Outlines and points in WGS-84. Cells that lie somewhere already, by their edges or by a
    raster, are a fault: moved, they were no boxes side by side any more."""
    if not datum.is_shifted:
        return draft
    if draft.cells is not None or draft.raster is not None:
        problem = f"cells must be in wgs84 or cgcs2000, and the folder is in {datum.value}"
        faults.append(Fault(GRID_FILE, None, "", "", problem))
    district = draft.district
    if district is not None and district.outline:
        district = replace(district, outline=_moved(district.outline, datum))
    return replace(
        draft,
        district=district,
        points={code: to_wgs84(point, datum) for code, point in draft.points.items()},
        outlines={code: _moved(found, datum) for code, found in draft.outlines.items()},
        squads=tuple(
            Entry(
                entry.row,
                replace(
                    entry.value,
                    home=to_wgs84(entry.value.home, datum) if entry.value.home else None,
                ),
            )
            for entry in draft.squads
        ),
    )


def _moved(geometry: Mapping[str, Any], datum: Datum) -> dict[str, Any]:
    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        found = (to_wgs84(LonLat(float(lon), float(lat)), datum) for lon, lat in points)
        # A millionth of a degree is 0.1 m, which is what the conversion is good to.
        return np.array([(round(p.lon, 6), round(p.lat, 6)) for p in found])

    return outline(shapely.transform(shape(dict(geometry)), move))
