"""Random draws from registers, with all that they were made from."""

from __future__ import annotations

from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.errors import NotFound
from city.register import StoredDraw
from db.pool import Connection
from db.row_columns import select_list

COLUMNS = select_list(StoredDraw, "register_draw")


def insert_draw(conn: Connection, district: str, made: StoredDraw) -> int:
    """Store a draw, whose own id counts for nothing; answers the one it got."""
    values: dict[str, Any] = {
        "district": district, "register": made.register, "at": made.at, "actor": made.actor,
        "why": made.why, "seed": made.seed, "algorithm": made.algorithm, "wanted": made.wanted,
        "each": made.each, "population": Jsonb(made.population),
        "inspectors": Jsonb(made.inspectors), "result": Jsonb(made.result),
        "recused": Jsonb(made.recused),
    }  # fmt: skip
    row = conn.execute(
        """
        INSERT INTO register_draw (
            district, register, at, actor, why, seed, algorithm, wanted, each, population,
            inspectors, result, recused)
        VALUES (
            %(district)s, %(register)s, %(at)s, %(actor)s, %(why)s, %(seed)s, %(algorithm)s,
            %(wanted)s, %(each)s, %(population)s, %(inspectors)s, %(result)s, %(recused)s)
        RETURNING id
        """,
        values,
    ).fetchone()
    assert row is not None, "RETURNING gives the row"
    return int(row[0])


def find_draw(conn: Connection, district: str, draw_id: int) -> StoredDraw:
    with conn.cursor(row_factory=class_row(StoredDraw)) as cursor:
        found = cursor.execute(
            f"SELECT {COLUMNS} FROM register_draw WHERE district = %s AND id = %s",
            (district, draw_id),
        ).fetchone()
    if found is None:
        raise NotFound("draw", draw_id)
    return found


def list_draws(conn: Connection, district: str, register: str, limit: int = 20) -> list[StoredDraw]:
    """The newest first."""
    with conn.cursor(row_factory=class_row(StoredDraw)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM register_draw WHERE district = %s AND register = %s
            ORDER BY id DESC LIMIT %s
            """,
            (district, register, limit),
        ).fetchall()
