"""Merges of incidents, and what it takes to take them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.incident import Merge
from db.pool import Connection


def insert_merge(
    conn: Connection,
    incident_id: int,
    into_id: int,
    merged_at: datetime,
    stopped: Sequence[int],
    alarms: Sequence[int],
    kept: Sequence[Mapping[str, Any]],
    severity: int,
) -> None:
    """An incident was merged into another one; see `city.incident.Merge`."""
    conn.execute(
        """
        INSERT INTO incident_merge
            (incident_id, into_id, merged_at, stopped, alarms, kept, severity)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (incident_id, into_id, merged_at, list(stopped), list(alarms), Jsonb(kept), severity),
    )


def find_standing(conn: Connection, incident_id: int) -> Merge | None:
    """The merge that this incident is in; None for one from before merges were kept."""
    with conn.cursor(row_factory=class_row(Merge)) as cursor:
        return cursor.execute(
            """
            SELECT id, incident_id, into_id, merged_at, stopped, alarms, kept, severity
            FROM incident_merge WHERE incident_id = %s AND undone_at IS NULL
            """,
            (incident_id,),
        ).fetchone()


def list_merged_into(conn: Connection, incident_id: int) -> list[tuple[int, str]]:
    """Incidents that are merged into this one, by id and number."""
    return conn.execute(
        "SELECT id, number FROM incident WHERE merged_into = %s ORDER BY id", (incident_id,)
    ).fetchall()


def mark_undone(conn: Connection, merge_id: int, now: datetime) -> None:
    """The merge was taken back."""
    conn.execute("UPDATE incident_merge SET undone_at = %s WHERE id = %s", (now, merge_id))
