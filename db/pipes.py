"""Sections of gas pipes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class PipeRow:
    """`line` are GeoJSON coordinates: lon/lat in WGS-84."""

    code: str
    pressure: str
    material: str
    year: int | None
    diameter_mm: int | None
    line: list[Any]


def list_pipes(conn: Connection, district: str) -> list[PipeRow]:
    """Every section of a district."""
    rows = conn.execute(
        """
        SELECT code, pressure, material, year, diameter_mm, line FROM pipe_section
        WHERE district = %s ORDER BY code
        """,
        (district,),
    )
    return [PipeRow(*row) for row in rows]


def save_pipes(conn: Connection, district: str, rows: Iterable[PipeRow]) -> None:
    """Put sections in, in the place of those of their codes."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO pipe_section (district, code, pressure, material, year, diameter_mm, line)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (district, code) DO UPDATE
            SET pressure = excluded.pressure, material = excluded.material, year = excluded.year,
                diameter_mm = excluded.diameter_mm, line = excluded.line
            """,
            [
                (district, r.code, r.pressure, r.material, r.year, r.diameter_mm, Jsonb(r.line))
                for r in rows
            ],
        )


def delete_pipes(conn: Connection, district: str, codes: Sequence[str]) -> None:
    conn.execute(
        "DELETE FROM pipe_section WHERE district = %s AND code = ANY(%s)", (district, list(codes))
    )
