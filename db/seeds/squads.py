"""The demo squads (中队): read from their table, put in the database once."""

from __future__ import annotations

import tomllib
from datetime import datetime, time
from typing import Any

from city.place import LonLat
from city.squad import Shift, Squad
from db.pool import Connection
from db.seeds import grid
from db.seeds.geography import duty_grid_code
from db.seeds.reference import TABLES


def read_squads() -> list[Squad]:
    """The squads of the demo table, without a reported position."""
    table = tomllib.loads((TABLES / "squads.toml").read_text(encoding="utf-8"))
    shifts = {name: tuple(map(_shift, rows)) for name, rows in table["shift"].items()}
    return [_squad(row, shifts[row["shifts"]]) for row in table["squad"]]


def seed_squads(conn: Connection, now: datetime) -> None:
    """Put in squads that are missing; one that is there keeps its shifts, grids and place."""
    for squad in read_squads():
        if _insert_squad(conn, squad, now):
            _insert_shifts(conn, squad)
            _insert_grids(conn, squad)


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


def _insert_squad(conn: Connection, squad: Squad, now: datetime) -> bool:
    place = squad.position
    inserted = conn.execute(
        """
        INSERT INTO squad (code, district, name_zh, name_en, kind, skills, lon, lat, position_at,
                           demo)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, true)
        ON CONFLICT DO NOTHING
        """,
        (
            *(squad.code, squad.district, squad.name_zh, squad.name_en, squad.kind),
            sorted(squad.skills),
            *((place.lon, place.lat) if place else (None, None)),
            now,
        ),
    )
    return inserted.rowcount == 1


def _insert_shifts(conn: Connection, squad: Squad) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO squad_shift (squad, weekdays, start_at, end_at) VALUES (%s, %s, %s, %s)",
            [(squad.code, sorted(s.weekdays), s.start, s.end) for s in squad.shifts],
        )


def _insert_grids(conn: Connection, squad: Squad) -> None:
    conn.execute(
        "INSERT INTO squad_duty_grid (squad, duty_grid) SELECT %s, unnest(%s::text[])",
        (squad.code, sorted(squad.duty_grids)),
    )
