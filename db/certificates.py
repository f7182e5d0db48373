"""Certificates: what people may do, and until which day."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import class_row

from city.certificate import Certificate
from db.pool import Connection


def list_certificates(conn: Connection, people: Sequence[str] | None = None) -> list[Certificate]:
    """Those of these people, or of everybody, by person and skill."""
    with conn.cursor(row_factory=class_row(Certificate)) as cursor:
        return cursor.execute(
            """
            SELECT person, skill, number, valid_until FROM certificate
            WHERE %(people)s::text[] IS NULL OR person = ANY(%(people)s)
            ORDER BY person, skill
            """,
            {"people": None if people is None else list(people)},
        ).fetchall()


def list_by_person(conn: Connection, district: str) -> dict[str, tuple[Certificate, ...]]:
    """Those of the people of a district."""
    people = conn.execute("SELECT name FROM app_user WHERE district = %s", (district,)).fetchall()
    found: dict[str, tuple[Certificate, ...]] = {}
    for one in list_certificates(conn, [row[0] for row in people]):
        found[one.person] = (*found.get(one.person, ()), one)
    return found


def replace_certificates(
    conn: Connection, person: str, certificates: Sequence[Certificate]
) -> None:
    """Give a person these certificates and no others."""
    conn.execute("DELETE FROM certificate WHERE person = %s", (person,))
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO certificate (person, skill, number, valid_until) VALUES (%s, %s, %s, %s)",
            [(person, one.skill, one.number, one.valid_until) for one in certificates],
        )
