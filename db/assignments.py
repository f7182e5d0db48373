"""Which squad was sent to an incident, when, by whom, and how it ended."""

from __future__ import annotations

from datetime import datetime

from city.incident import Incident
from db.pool import Connection


def start_assignment(
    conn: Connection, incident_id: int, squad: str, assigned_by: str, at: datetime
) -> None:
    """A squad was sent; an earlier assignment must have ended."""
    conn.execute(
        """
        INSERT INTO assignment (incident_id, squad, assigned_by, assigned_at)
        VALUES (%s, %s, %s, %s)
        """,
        (incident_id, squad, assigned_by, at),
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


def last_squad_sent(conn: Connection, incident_id: int) -> str | None:
    """The squad of the newest assignment, live or ended."""
    row = conn.execute(
        "SELECT squad FROM assignment WHERE incident_id = %s ORDER BY id DESC LIMIT 1",
        (incident_id,),
    ).fetchone()
    return row[0] if row else None
