"""Put the demo district's outline, divisions and grids in the database; read its streets."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import shapely
from psycopg.types.json import Jsonb

from db.pool import Connection
from db.seeds import grid

DISTRICT_NAMES = ("琼山区", "Qiongshan District")


@cache
def _streets() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(grid.STREETS_FILE.read_text(encoding="utf-8"))
    return content


def streets() -> dict[str, Any]:
    """The made-up demo street network, GeoJSON FeatureCollection; treat it as read-only."""
    return _streets()


def seed_geography(conn: Connection) -> None:
    """District, divisions, duty grids and unit grid; rows that exist stay as they are."""
    _insert_district(conn)
    _insert_divisions(conn)
    _insert_duty_grids(conn)
    _insert_cells(conn)


def duty_grid_code(community: str) -> str:
    """One duty grid (责任网格) for each community."""
    return f"DG{community}"


def _insert_district(conn: Connection) -> None:
    geometry = json.loads(shapely.to_geojson(grid.outline()))
    conn.execute(
        """
        INSERT INTO district (code, name_zh, name_en, outline) VALUES (%s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (grid.DISTRICT, *DISTRICT_NAMES, Jsonb(geometry)),
    )


def _insert_divisions(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO division (code, district, level, name, parent, source)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            [
                (d.code, grid.DISTRICT, d.level, d.name, d.parent, grid.DIVISION_SOURCE)
                for d in grid.divisions()
            ],
        )


def _insert_duty_grids(conn: Connection) -> None:
    names = {division.code: division.name for division in grid.divisions()}
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO duty_grid (code, district, name) VALUES (%s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            [
                (duty_grid_code(p.community), grid.DISTRICT, f"{names[p.community]}责任网格")
                for p in grid.community_points()
            ],
        )


def _insert_cells(conn: Connection) -> None:
    known = {row[0] for row in conn.execute("SELECT code FROM unit_grid")}
    statement = """
        COPY unit_grid (code, district, street, community, duty_grid, grid_column, grid_row,
                        west, south, east, north, source) FROM STDIN
    """
    missing = [cell for cell in grid.demo_grid() if cell.grid.code not in known]
    if not missing:
        return
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for cell in missing:
            copy.write_row(_cell_row(cell))


def _cell_row(cell: grid.GridCell) -> tuple[Any, ...]:
    g = cell.grid
    street, duty_grid = g.community[:9], duty_grid_code(g.community)
    return (
        *(g.code, grid.DISTRICT, street, g.community, duty_grid, cell.column, cell.row),
        *(g.west, g.south, g.east, g.north, grid.ASSIGNMENT_SOURCE),
    )
