"""The made-up street network of the demonstration."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from db.seeds import grid


@cache
def _streets() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(grid.STREETS_FILE.read_text(encoding="utf-8"))
    return content


def streets() -> dict[str, Any]:
    """GeoJSON FeatureCollection; treat it as read-only."""
    return _streets()


def duty_grid_code(community: str) -> str:
    """One duty grid (责任网格) for each community."""
    return f"DG{community}"
