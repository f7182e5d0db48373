"""Tasks of collectors: who is to look at which place, and how it ended."""

from __future__ import annotations

from datetime import datetime

from psycopg.rows import class_row

from city.clock import Deadline
from city.incident import FieldTask, Incident
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside


def give(
    conn: Connection,
    incident: Incident,
    clock: Deadline,
    collector: str,
    given_by: str,
    now: datetime,
) -> None:
    """The task is this collector's from now on, whoever had it before."""
    conn.execute(
        """
        INSERT INTO field_task
            (incident_id, clock, attempt, district, collector, given_by, given_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (incident_id, clock, attempt) DO UPDATE SET
            collector = excluded.collector, given_by = excluded.given_by,
            given_at = excluded.given_at
        WHERE field_task.collector <> excluded.collector
        """,
        (incident.id, clock.clock, clock.attempt, incident.district, collector, given_by, now),
    )


def end(conn: Connection, clock: Deadline, done_by: str, result: str, now: datetime) -> None:
    """The clock of a task has ended, and with it the task, if anybody had it."""
    conn.execute(
        """
        UPDATE field_task SET done_by = %s, done_at = %s, result = %s
        WHERE incident_id = %s AND clock = %s AND attempt = %s AND done_at IS NULL
        """,
        (done_by, now, result, clock.incident_id, clock.clock, clock.attempt),
    )


def find_collector(conn: Connection, clock: Deadline) -> str | None:
    """Who has the task of this clock."""
    row = conn.execute(
        """
        SELECT collector FROM field_task WHERE incident_id = %s AND clock = %s AND attempt = %s
        """,
        (clock.incident_id, clock.clock, clock.attempt),
    ).fetchone()
    return None if row is None else str(row[0])


def list_waiting(
    conn: Connection, scope: Scope, *, collector: str | None = None
) -> list[FieldTask]:
    """Tasks of a scope that wait, soonest due first; of one collector, if named, and those that
    nobody has."""
    with conn.cursor(row_factory=class_row(FieldTask)) as cursor:
        return cursor.execute(
            f"""
            SELECT i.id AS incident_id, i.number, i.state, i.severity, i.title_zh, i.title_en,
                   i.category, i.description, i.lon, i.lat, street.name AS street_name,
                   community.name AS community_name, i.reported_by, i.handled_by, d.clock,
                   d.attempt, d.started_at, d.due_at, t.collector, t.given_by, t.given_at,
                   i.version
            FROM deadline d
            JOIN incident i ON i.id = d.incident_id
            LEFT JOIN field_task t
                ON (t.incident_id, t.clock, t.attempt) = (d.incident_id, d.clock, d.attempt)
            LEFT JOIN division street ON street.code = i.street
            LEFT JOIN division community ON community.code = i.community
            WHERE d.met_at IS NULL AND d.stopped_at IS NULL AND d.clock IN ('verify', 'check')
              AND i.district = %(district)s AND {inside("i")}
              AND (%(collector)s::text IS NULL OR t.collector IS NULL
                   OR t.collector = %(collector)s)
            ORDER BY d.due_at, i.id
            """,
            {"district": scope.district, "within": scope.codes, "collector": collector},
        ).fetchall()


def list_collectors(conn: Connection, district: str) -> list[tuple[str, str, int]]:
    """Name, display name and number of waiting tasks of everybody who may be sent."""
    rows = conn.execute(
        """
        SELECT u.name, u.display_name, count(t.collector)
        FROM app_user u
        LEFT JOIN field_task t ON t.collector = u.name AND t.done_at IS NULL
        WHERE u.district = %s AND u.role = 'checker' AND u.disabled_at IS NULL
        GROUP BY u.name, u.display_name ORDER BY count(t.collector), u.name
        """,
        (district,),
    )
    return [(row[0], row[1], row[2]) for row in rows]
