"""Inspections of entries of registers, and earlier offences of a party."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.register import Offence, StoredInspection
from db.pool import Connection

# A case that ended so says that there was nothing.
TURNED_DOWN = ("rejected", "cancelled")
OFFENCES_MAX = 100


def insert_inspection(
    conn: Connection,
    district: str,
    entry_id: int,
    at: datetime,
    actor: str,
    answers: Mapping[str, str],
    *,
    score: float,
    pass_mark: int,
    passed: bool,
    note: str,
    party: str,
    incident_id: int | None,
) -> int:
    """Store an inspection; answers its id."""
    row = conn.execute(
        """
        INSERT INTO register_inspection (
            district, entry_id, at, actor, answers, score, pass_mark, passed, note, party,
            incident_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING id
        """,
        (
            district, entry_id, at, actor, Jsonb(dict(answers)), score, pass_mark, passed, note,
            party, incident_id,
        ),
    ).fetchone()  # fmt: skip
    assert row is not None, "RETURNING gives the row"
    return int(row[0])


def list_inspections(conn: Connection, entry_id: int, limit: int = 50) -> list[StoredInspection]:
    """Of one entry, the newest first."""
    with conn.cursor(row_factory=class_row(StoredInspection)) as cursor:
        return cursor.execute(
            """
            SELECT n.id, n.entry_id, n.at, n.actor, n.answers, n.score, n.pass_mark, n.passed,
                   n.note, n.incident_id, i.number AS incident, i.state AS incident_state
            FROM register_inspection n
            LEFT JOIN incident i ON i.id = n.incident_id
            WHERE n.entry_id = %s ORDER BY n.at DESC, n.id DESC LIMIT %s
            """,
            (entry_id, limit),
        ).fetchall()


def list_offences(
    conn: Connection, district: str, party: str, *, before: int | None = None
) -> list[Offence]:
    """Failed inspections of whatever this party answered for, the newest first, without those
    whose case was turned down; `before` an inspection: without it and later ones."""
    if not party:
        return []
    with conn.cursor(row_factory=class_row(Offence)) as cursor:
        return cursor.execute(
            """
            SELECT n.id AS inspection_id, e.register, e.code AS entry, n.at, n.incident_id
            FROM register_inspection n
            JOIN register_entry e ON e.id = n.entry_id
            LEFT JOIN incident i ON i.id = n.incident_id
            WHERE n.district = %(district)s AND n.party = %(party)s AND NOT n.passed
              AND n.party <> ''
              AND coalesce(i.state, '') <> ALL(%(turned_down)s)
              AND (%(before)s::bigint IS NULL OR n.id < %(before)s)
            ORDER BY n.at DESC, n.id DESC LIMIT %(limit)s
            """,
            {
                "district": district, "party": party, "before": before,
                "turned_down": list(TURNED_DOWN), "limit": OFFENCES_MAX,
            },
        ).fetchall()  # fmt: skip
