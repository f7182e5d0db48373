"""Divisions, duty grids and the cells of the unit grid of a district."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.place import Division
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell of the unit grid; edges in degrees, rows count from the south. `division` is the
    lowest one it lies in, None where that is its community."""

    code: str
    street: str
    community: str
    division: str | None
    grid_column: int
    grid_row: int
    west: float
    south: float
    east: float
    north: float


def list_divisions(conn: Connection, district: str) -> list[Division]:
    with conn.cursor(row_factory=class_row(Division)) as cursor:
        return cursor.execute(
            "SELECT code, level, name, parent FROM division WHERE district = %s ORDER BY code",
            (district,),
        ).fetchall()


def list_outlines(conn: Connection, district: str) -> dict[str, dict[str, Any]]:
    """Outlines of divisions as GeoJSON geometries, by code."""
    rows = conn.execute(
        """
        SELECT division, outline FROM division_outline JOIN division ON code = division
        WHERE district = %s ORDER BY division
        """,
        (district,),
    ).fetchall()
    return dict(rows)


def save_outlines(conn: Connection, outlines: Mapping[str, Mapping[str, Any]]) -> None:
    """Put outlines in, in the place of those of the same divisions."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO division_outline (division, outline) VALUES (%s, %s)
            ON CONFLICT (division) DO UPDATE SET outline = excluded.outline
            """,
            [(code, Jsonb(outline)) for code, outline in outlines.items()],
        )


def delete_outlines(conn: Connection, divisions: Sequence[str]) -> None:
    conn.execute("DELETE FROM division_outline WHERE division = ANY(%s)", (list(divisions),))


def save_divisions(
    conn: Connection, district: str, divisions: Iterable[Division], source: str
) -> None:
    """Put divisions in, or give those that are there another name, level or parent."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO division (code, district, level, name, parent, source)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (code) DO UPDATE
            SET level = EXCLUDED.level, name = EXCLUDED.name, parent = EXCLUDED.parent,
                source = EXCLUDED.source
            """,
            [(d.code, district, d.level, d.name, d.parent, source) for d in divisions],
        )


def delete_divisions(conn: Connection, codes: Sequence[str]) -> None:
    """Divisions in which neither cells nor devices are."""
    conn.execute("DELETE FROM division WHERE code = ANY(%s)", (list(codes),))


def list_duty_grids(conn: Connection, district: str) -> dict[str, str]:
    """Names by code."""
    rows = conn.execute("SELECT code, name FROM duty_grid WHERE district = %s", (district,))
    return dict(rows.fetchall())


def save_duty_grids(conn: Connection, district: str, names: Iterable[tuple[str, str]]) -> None:
    """Put duty grids in, code and name, or give them another name."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO duty_grid (code, district, name) VALUES (%s, %s, %s)
            ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name
            """,
            [(code, district, name) for code, name in names],
        )


def delete_duty_grids(conn: Connection, codes: Sequence[str]) -> None:
    """Duty grids without cells; no squad answers for them any more."""
    conn.execute("DELETE FROM squad_duty_grid WHERE duty_grid = ANY(%s)", (list(codes),))
    conn.execute("DELETE FROM duty_grid WHERE code = ANY(%s)", (list(codes),))


def list_duty_grid_divisions(conn: Connection, district: str) -> dict[str, list[str]]:
    """Divisions by the duty grid that names them; empty where each community is one."""
    rows = conn.execute(
        """
        SELECT duty_grid, array_agg(division) FROM duty_grid_division
        JOIN duty_grid ON duty_grid.code = duty_grid WHERE district = %s GROUP BY duty_grid
        """,
        (district,),
    )
    return dict(rows.fetchall())


def replace_duty_grid_divisions(
    conn: Connection, district: str, parts: Sequence[tuple[str, str]]
) -> None:
    """Which divisions the duty grids of a district name: (division, duty grid), and no others."""
    conn.execute(
        """
        DELETE FROM duty_grid_division
        WHERE duty_grid IN (SELECT code FROM duty_grid WHERE district = %s)
        """,
        (district,),
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO duty_grid_division (division, duty_grid) VALUES (%s, %s)", parts
        )


def list_duty_grids_of_others(
    conn: Connection, district: str, codes: Sequence[str]
) -> list[tuple[str, str]]:
    """Those of these duty grids that another district has, and which one."""
    return conn.execute(
        """
        SELECT code, district FROM duty_grid WHERE code = ANY(%s) AND district <> %s
        ORDER BY code
        """,
        (list(codes), district),
    ).fetchall()


def list_cells(conn: Connection, district: str) -> list[CellRow]:
    with conn.cursor(row_factory=class_row(CellRow)) as cursor:
        return cursor.execute(
            """
            SELECT code, street, community, division, grid_column, grid_row, west, south, east,
                   north
            FROM unit_grid WHERE district = %s ORDER BY code
            """,
            (district,),
        ).fetchall()


def count_cells(conn: Connection, district: str) -> dict[str, int]:
    """Numbers of cells by community."""
    rows = conn.execute(
        "SELECT community, count(*)::int FROM unit_grid WHERE district = %s GROUP BY community",
        (district,),
    )
    return dict(rows.fetchall())


def delete_cells(conn: Connection, codes: Sequence[str]) -> None:
    """Cells in which no device stands."""
    conn.execute("DELETE FROM unit_grid WHERE code = ANY(%s)", (list(codes),))


def copy_cells(
    conn: Connection, district: str, cells: Iterable[tuple[CellRow, str]], source: str
) -> None:
    """Put cells in, each with the code of its duty grid. COPY: a district has tens of thousands."""
    statement = """
        COPY unit_grid (code, district, street, community, division, duty_grid, grid_column,
                        grid_row, west, south, east, north, source) FROM STDIN
    """
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for c, duty_grid in cells:
            copy.write_row(
                (
                    *(c.code, district, c.street, c.community, c.division, duty_grid),
                    *(c.grid_column, c.grid_row, c.west, c.south, c.east, c.north, source),
                )
            )


def place_cells(conn: Connection, cells: Sequence[tuple[str, str | None, str]]) -> None:
    """Give cells another division below their community, and another duty grid, where they are
    others: (code, division, duty grid)."""
    conn.execute(
        """
        UPDATE unit_grid u SET division = n.division, duty_grid = n.duty_grid
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS n (code, division, duty_grid)
        WHERE u.code = n.code
          AND (u.division, u.duty_grid) IS DISTINCT FROM (n.division, n.duty_grid)
        """,
        ([c for c, _, _ in cells], [d for _, d, _ in cells], [g for _, _, g in cells]),
    )


def list_cells_with_devices(conn: Connection, codes: Sequence[str]) -> list[tuple[str, int]]:
    """Those of these cells in which devices stand, and how many."""
    return conn.execute(
        """
        SELECT unit_grid, count(*) FROM device WHERE unit_grid = ANY(%s)
        GROUP BY unit_grid ORDER BY unit_grid
        """,
        (list(codes),),
    ).fetchall()


def list_divisions_with_devices(conn: Connection, codes: Sequence[str]) -> list[tuple[str, int]]:
    """Those of these divisions in which devices stand, and how many."""
    return conn.execute(
        """
        SELECT d.code, count(*) FROM division d
        JOIN device ON device.street = d.code OR device.community = d.code
        WHERE d.code = ANY(%s) GROUP BY d.code ORDER BY d.code
        """,
        (list(codes),),
    ).fetchall()


def list_of_others(conn: Connection, district: str, codes: Sequence[str]) -> list[tuple[str, str]]:
    """Those of these divisions that another district has, and which one."""
    return conn.execute(
        """
        SELECT code, district FROM division WHERE code = ANY(%s) AND district <> %s
        ORDER BY code
        """,
        (list(codes), district),
    ).fetchall()
