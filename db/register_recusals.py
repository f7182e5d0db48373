"""Who does not inspect which entry because they are related to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from city.register import Recusal
from db.pool import Connection


def list_recusals(conn: Connection, entry_id: int) -> list[Recusal]:
    """Of one entry, by name."""
    with conn.cursor(row_factory=class_row(Recusal)) as cursor:
        return cursor.execute(
            """
            SELECT person, why, declared_by, declared_at FROM register_recusal
            WHERE entry_id = %s ORDER BY person
            """,
            (entry_id,),
        ).fetchall()


def list_recused(
    conn: Connection, district: str, register: str, people: Sequence[str]
) -> dict[str, list[str]]:
    """Of these people those who are related, by the code of the entry."""
    rows = conn.execute(
        """
        SELECT e.code, array_agg(r.person ORDER BY r.person)
        FROM register_recusal r JOIN register_entry e ON e.id = r.entry_id
        WHERE e.district = %s AND e.register = %s AND e.retired_at IS NULL
          AND r.person = ANY(%s)
        GROUP BY e.code ORDER BY e.code
        """,
        (district, register, list(people)),
    )
    return dict(rows.fetchall())


def put_recusal(
    conn: Connection, entry_id: int, person: str, why: str, actor: str, now: datetime
) -> None:
    conn.execute(
        """
        INSERT INTO register_recusal (entry_id, person, why, declared_by, declared_at)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (entry_id, person) DO UPDATE
        SET why = EXCLUDED.why, declared_by = EXCLUDED.declared_by,
            declared_at = EXCLUDED.declared_at
        """,
        (entry_id, person, why, actor, now),
    )


def delete_recusal(conn: Connection, entry_id: int, person: str) -> bool:
    """Whether there was one."""
    found = conn.execute(
        "DELETE FROM register_recusal WHERE entry_id = %s AND person = %s", (entry_id, person)
    )
    return found.rowcount > 0
