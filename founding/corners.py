"""A boundary as the corners that a person typed or clicked: a line a corner. Pure."""

from __future__ import annotations

import json
import math
import re

from founding.parts import Fault

# Between longitude and latitude; a blank will do.
SEPARATOR = re.compile(r"\s*[,;，；\t]\s*|\s+")
LEAST = 3


def read_corners(file: str, text: str, faults: list[Fault]) -> bytes:
    """The GeoJSON of the polygon with these corners (`lon, lat`), in their order; what it is like
    as an outline is judged with the file. Rows count lines from 1."""
    corners = []
    before = len(faults)
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        pair = _pair(line.strip())
        if pair is None:
            problem = "must be a longitude and a latitude in degrees, like 112.51, 30.21"
            faults.append(Fault(file, row, "lon, lat", line.strip(), problem))
        else:
            corners.append(pair)
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if len(faults) == before and len(corners) < LEAST:
        problem = f"has {len(corners)} corners, and an outline has {LEAST} or more"
        faults.append(Fault(file, None, "", "", problem))
    ring = [list(corner) for corner in [*corners, *corners[:1]]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]}).encode()


def _pair(line: str) -> tuple[float, float] | None:
    parts = SEPARATOR.split(line.rstrip(",;，；"))
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError:
        return None
    return (lon, lat) if math.isfinite(lon) and math.isfinite(lat) else None
