"""Which squad was sent to an incident, when, by whom, and how it ended."""

from __future__ import annotations

from datetime import datetime

from psycopg.rows import class_row

from city.incident import Assignment, Incident
from db.pool import Connection


def start_assignment(
    conn: Connection, incident_id: int, squad: str, assigned_by: str, at: datetime, attempt: int
) -> None:
    """A squad was sent, on this attempt of the handling clock; an earlier assignment must have
    ended."""
    conn.execute(
        """
        INSERT INTO assignment (incident_id, squad, assigned_by, assigned_at, attempt)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (incident_id, squad, assigned_by, at, attempt),
    )


def mark_assignment(conn: Connection, incident: Incident) -> None:
    """Copy the times of acknowledging and arriving to the live assignment."""
    conn.execute(
        """
        UPDATE assignment SET acknowledged_at = %s, arrived_at = %s
        WHERE incident_id = %s AND ended_at IS NULL
        """,
        (incident.acknowledged_at, incident.arrived_at, incident.id),
    )


def end_assignment(conn: Connection, incident_id: int, at: datetime, reason: str) -> None:
    """The squad is no longer on it."""
    conn.execute(
        """
        UPDATE assignment SET ended_at = %s, end_reason = %s
        WHERE incident_id = %s AND ended_at IS NULL
        """,
        (at, reason, incident_id),
    )


def restart_assignment(conn: Connection, incident_id: int, ended_at: datetime) -> None:
    """The squad is on it again, as if it had not been taken off at that time."""
    conn.execute(
        """
        UPDATE assignment SET ended_at = NULL, end_reason = NULL
        WHERE incident_id = %s AND ended_at = %s
        """,
        (incident_id, ended_at),
    )


def list_assignments(conn: Connection, incident_id: int) -> list[Assignment]:
    """Who was sent to an incident, oldest first."""
    with conn.cursor(row_factory=class_row(Assignment)) as cursor:
        return cursor.execute(
            """
            SELECT id, incident_id, squad, assigned_by, assigned_at, acknowledged_at, arrived_at,
                   ended_at, end_reason, attempt
            FROM assignment WHERE incident_id = %s ORDER BY id
            """,
            (incident_id,),
        ).fetchall()
