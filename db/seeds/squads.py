"""The demo squads (中队) as the simulator plays them; `cities/` has the same as a city folder."""

from __future__ import annotations

import tomllib
from datetime import time
from typing import Any

from city.place import LonLat
from city.squad import Shift, Squad
from db.seeds import grid
from db.seeds.geography import duty_grid_code
from db.seeds.reference import TABLES


def read_squads() -> list[Squad]:
    """The squads of the demo table, without a reported position."""
    table = tomllib.loads((TABLES / "squads.toml").read_text(encoding="utf-8"))
    shifts = {name: tuple(map(_shift, rows)) for name, rows in table["shift"].items()}
    return [_squad(row, shifts[row["shifts"]]) for row in table["squad"]]


def _shift(row: dict[str, Any]) -> Shift:
    start, end = time.fromisoformat(row["start"]), time.fromisoformat(row["end"])
    return Shift(frozenset(row["days"]), start, end)


def _squad(row: dict[str, Any], shifts: tuple[Shift, ...]) -> Squad:
    communities = [point.community for point in grid.community_points()]
    grids = frozenset(
        duty_grid_code(community)
        for community in communities
        if not row["grids"] or community[:9] in row["grids"]
    )
    return Squad(
        code=row["code"],
        district=grid.DISTRICT,
        name_zh=f"{row['zh']}（演示）",
        name_en=f"{row['en']} (demo)",
        kind=row["kind"],
        skills=frozenset(row["skills"]),
        duty_grids=grids,
        shifts=shifts,
        position=LonLat(*row["home"]),
        position_at=None,
        open_incidents=0,
    )
