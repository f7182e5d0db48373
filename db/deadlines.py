"""Clocks of incidents and the pauses that stop them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.clock import Deadline, PauseRow
from db.pool import Connection


def insert_deadline(conn: Connection, deadline: Deadline) -> None:
    """Start a clock."""
    conn.execute(
        """
        INSERT INTO deadline (
            district, incident_id, clock, attempt, started_at, limit_amount, limit_unit,
            calendar, calendar_version, due_at, beyond_calendar, counted, warn_at, escalate_at,
            overdue_at)
        VALUES (
            %(district)s, %(incident_id)s, %(clock)s, %(attempt)s, %(started_at)s,
            %(limit_amount)s, %(limit_unit)s, %(calendar)s, %(calendar_version)s, %(due_at)s,
            %(beyond_calendar)s, %(counted)s, %(warn_at)s, %(escalate_at)s, %(overdue_at)s)
        """,
        {**vars(deadline), "counted": Jsonb(deadline.counted)},
    )


def update_deadline(conn: Connection, deadline: Deadline) -> None:
    """Write what may change of a clock; the caller has written, or will write, the event."""
    update_deadlines(conn, [deadline])


def update_deadlines(conn: Connection, changed: Sequence[Deadline]) -> None:
    """The same of several clocks, in one turn to the server."""
    with conn.cursor() as cursor:
        cursor.executemany(
            UPDATE, [{**vars(row), "counted": Jsonb(row.counted)} for row in changed]
        )


UPDATE = """
        UPDATE deadline SET
            started_at = %(started_at)s, limit_amount = %(limit_amount)s,
            limit_unit = %(limit_unit)s, calendar = %(calendar)s,
            calendar_version = %(calendar_version)s, carried_at = %(carried_at)s,
            due_at = %(due_at)s, beyond_calendar = %(beyond_calendar)s, counted = %(counted)s,
            warn_at = %(warn_at)s, warned_at = %(warned_at)s, overdue_at = %(overdue_at)s,
            paused_at = %(paused_at)s, met_at = %(met_at)s, stopped_at = %(stopped_at)s,
            escalated = %(escalated)s, escalate_at = %(escalate_at)s
        WHERE id = %(id)s
        """


def list_deadlines(conn: Connection, incident_id: int) -> list[Deadline]:
    """Every attempt of every clock of an incident, in the order they were started."""
    return list_deadlines_of(conn, [incident_id])


def list_deadlines_of(conn: Connection, ids: Sequence[int]) -> list[Deadline]:
    """The same of several incidents."""
    with conn.cursor(row_factory=class_row(Deadline)) as cursor:
        return cursor.execute(
            """
            SELECT id, district, incident_id, clock, attempt, started_at, limit_amount,
                   limit_unit, calendar, calendar_version, due_at, beyond_calendar, counted,
                   warn_at, warned_at, overdue_at, paused_at, met_at, stopped_at, escalated,
                   escalate_at, carried_at
            FROM deadline WHERE incident_id = ANY(%s) ORDER BY started_at, id
            """,
            (list(ids),),
        ).fetchall()


def claim_incidents_with_due_clocks(conn: Connection, now: datetime, limit: int) -> list[int]:
    """Lock some incidents that have a moment to act on; others' locks are passed over."""
    rows = conn.execute(
        """
        SELECT i.id FROM incident i
        WHERE i.id IN (
            SELECT incident_id FROM deadline
            WHERE warn_at <= %(now)s AND met_at IS NULL AND stopped_at IS NULL
              AND paused_at IS NULL AND warned_at IS NULL
            UNION
            SELECT incident_id FROM deadline
            WHERE due_at < %(now)s AND met_at IS NULL AND stopped_at IS NULL
              AND paused_at IS NULL AND overdue_at IS NULL
            UNION
            SELECT incident_id FROM deadline
            WHERE escalate_at <= %(now)s AND met_at IS NULL AND stopped_at IS NULL
              AND paused_at IS NULL AND escalate_at IS NOT NULL
            UNION
            SELECT incident_id FROM pause
            WHERE resume_due_at <= %(now)s AND ended_at IS NULL
        )
        ORDER BY i.id
        LIMIT %(limit)s
        FOR UPDATE OF i SKIP LOCKED
        """,
        {"now": now, "limit": limit},
    )
    return [row[0] for row in rows]


def claim_incidents_to_recount(conn: Connection, now: datetime, limit: int) -> list[int]:
    """Lock incidents with a clock counted beyond its calendar that a newer version covers; one
    that has run out has."""
    rows = conn.execute(
        """
        SELECT i.id FROM incident i
        WHERE EXISTS (
            SELECT FROM deadline d
            JOIN work_calendar c ON c.code = d.calendar AND c.version > d.calendar_version
            WHERE d.incident_id = i.id AND d.beyond_calendar AND d.due_at >= %s
              AND d.met_at IS NULL AND d.stopped_at IS NULL AND d.paused_at IS NULL)
          AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        ORDER BY i.id
        LIMIT %s
        FOR UPDATE OF i SKIP LOCKED
        """,
        (now, limit),
    )
    return [row[0] for row in rows]


def list_pauses_of(conn: Connection, ids: Sequence[int]) -> list[tuple[int, PauseRow]]:
    """Pauses of several incidents with the incident of each, oldest first."""
    rows = conn.execute(
        """
        SELECT incident_id, id, started_at, ended_at, resume_due_at, reason, approved_by
        FROM pause WHERE incident_id = ANY(%s) ORDER BY started_at, id
        """,
        (list(ids),),
    ).fetchall()
    return [(row[0], PauseRow(row[1], row[0], *row[2:])) for row in rows]


def list_pauses(conn: Connection, incident_id: int) -> list[PauseRow]:
    """Pauses of an incident, oldest first."""
    with conn.cursor(row_factory=class_row(PauseRow)) as cursor:
        return cursor.execute(
            """
            SELECT id, incident_id, started_at, ended_at, resume_due_at, reason, approved_by
            FROM pause WHERE incident_id = %s ORDER BY started_at, id
            """,
            (incident_id,),
        ).fetchall()


def insert_pause(
    conn: Connection,
    incident_id: int,
    started_at: datetime,
    resume_due_at: datetime,
    reason: str,
    approved_by: str,
) -> None:
    """Stop every clock of an incident until a date."""
    conn.execute(
        """
        INSERT INTO pause (incident_id, started_at, resume_due_at, reason, approved_by)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (incident_id, started_at, resume_due_at, reason, approved_by),
    )


def end_pause(conn: Connection, incident_id: int, ended_at: datetime) -> None:
    """The clocks run again."""
    conn.execute(
        "UPDATE pause SET ended_at = %s WHERE incident_id = %s AND ended_at IS NULL",
        (ended_at, incident_id),
    )


def count_clocks(conn: Connection, district: str, clock: str) -> tuple[int, int]:
    """Open incidents of a district whose clock of this kind runs or stands still in a pause,
    and those that have never started one."""
    row = conn.execute(
        """
        SELECT count(*) FILTER (WHERE d.running), count(*) FILTER (WHERE d.running IS NULL)
        FROM incident i
        LEFT JOIN LATERAL (
            SELECT bool_or(met_at IS NULL AND stopped_at IS NULL) AS running
            FROM deadline WHERE incident_id = i.id AND clock = %s
        ) AS d ON true
        WHERE i.district = %s AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        """,
        (clock, district),
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def count_open_of(conn: Connection, district: str, category: str) -> int:
    """Open incidents of a category in a district, whatever version of it they were filed under."""
    row = conn.execute(
        """
        SELECT count(*) FROM incident
        WHERE district = %s AND category = %s
          AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        """,
        (district, category),
    ).fetchone()
    return row[0] if row else 0
