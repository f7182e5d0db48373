"""Incidents, their alarms and assignments: every row the closed loop reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from city.errors import NotFound
from city.incident import Incident, ListedIncident
from city.scope import Scope
from db.pool import Connection
from db.row_columns import (
    assignments,
    insert_list,
    names_of,
    placeholders,
    select_list,
    values_of,
)
from db.scopes import inside

COLUMNS = select_list(Incident, "incident")
# What may change; the version counts such changes.
CHANGING = (
    "state", "resume_state", "severity", "squad", "handled_by", "checked_by", "released_by",
    "released_at", "filed_at", "dispatched_at", "acknowledged_at", "arrived_at", "handled_at",
    "checking_at", "closed_at", "outcome", "rework_count", "return_count", "postpone_count",
    "merged_into",
)  # fmt: skip
# Number and version are given by the table, and what else can change has not happened yet.
INSERTED = (
    *names_of(Incident, without=frozenset({"id", "number", "version", *CHANGING})),
    "state", "severity", "filed_at",
)  # fmt: skip
# What a list shows besides columns of the incident: names, and the clock that runs out first.
LISTED_COLUMNS = select_list(
    ListedIncident, "i",
    family="coalesce(c.family, 'other')",
    category_zh="coalesce(c.name_zh, i.category)",
    category_en="coalesce(c.name_en, i.category)",
    street_name="street.name", community_name="community.name",
    squad_zh="s.name_zh", squad_en="s.name_en", device="device.code",
    clock="d.clock", due_at="d.due_at", warn_at="d.warn_at", paused_at="d.paused_at",
    overdue="d.overdue_at IS NOT NULL",
)  # fmt: skip


def insert_incident(conn: Connection, incident: Incident, local_date: str) -> int | None:
    """Open an incident; None when its condition has an open one already.

    The case number is district (6 digits), local date (8) and a running number (5): 19 digits.
    """
    row = conn.execute(
        f"""
        INSERT INTO incident (number, {insert_list(INSERTED)})
        VALUES (
            %(district)s || %(local_date)s || lpad(nextval('incident_number')::text, 5, '0'),
            {placeholders(INSERTED)})
        ON CONFLICT (condition)
            WHERE condition IS NOT NULL
              AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
            DO NOTHING
        RETURNING id
        """,
        {**values_of(incident), "local_date": local_date},
    ).fetchone()
    return None if row is None else int(row[0])


def update_incident(conn: Connection, incident: Incident) -> None:
    """Write what may change; the version goes up by one. The row is locked by the caller."""
    conn.execute(
        f"UPDATE incident SET {assignments(CHANGING)}, version = version + 1 WHERE id = %(id)s",
        values_of(incident),
    )


def find(conn: Connection, incident_id: int, district: str | None = None) -> Incident:
    """One incident, of a given district if one is named."""
    return _one(list_by_id(conn, [incident_id], district), incident_id)


def find_for_update(conn: Connection, incident_id: int, district: str | None = None) -> Incident:
    """The same, locked until the commit."""
    return _one(lock(conn, [incident_id], district), incident_id)


def lock(conn: Connection, ids: Sequence[int], district: str | None = None) -> list[Incident]:
    """Lock several incidents in ascending order, which keeps two lockers from blocking."""
    conn.execute(
        """
        SELECT id FROM incident
        WHERE id = ANY(%(ids)s) AND (%(district)s::text IS NULL OR district = %(district)s)
        ORDER BY id FOR UPDATE
        """,
        {"ids": list(ids), "district": district},
    )
    return list_by_id(conn, ids, district)


def _one(found: list[Incident], incident_id: int) -> Incident:
    if not found:
        raise NotFound("incident", incident_id)
    return found[0]


def list_by_id(conn: Connection, ids: Sequence[int], district: str | None) -> list[Incident]:
    """Incidents by id, in that order; what does not exist is left out."""
    with conn.cursor(row_factory=class_row(Incident)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS}
            FROM incident
            WHERE id = ANY(%(ids)s) AND (%(district)s::text IS NULL OR district = %(district)s)
            ORDER BY id
            """,
            {"ids": list(ids), "district": district},
        ).fetchall()


def list_incidents(
    conn: Connection,
    scope: Scope,
    *,
    states: Sequence[str] | None = None,
    squad: str | None = None,
    category: str | None = None,
    family: str | None = None,
    device: str | None = None,
    severity: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Sequence[int] | None = None,
    before_id: int | None = None,
    limit: int | None = 100,
) -> list[ListedIncident]:
    """Incidents of a scope, newest first; the next page is what comes `before_id`.

    `device` finds the incidents at that device and those that an alarm of it has joined.
    """
    with conn.cursor(row_factory=class_row(ListedIncident)) as cursor:
        return cursor.execute(
            f"""
            SELECT {LISTED_COLUMNS}
            FROM incident i
            LEFT JOIN incident_category c ON c.code = i.category AND c.version = i.category_version
            LEFT JOIN division street ON street.code = i.street
            LEFT JOIN division community ON community.code = i.community
            LEFT JOIN squad s ON s.code = i.squad
            LEFT JOIN device ON device.id = i.device_id
            LEFT JOIN LATERAL (
                SELECT clock, due_at, warn_at, paused_at, overdue_at FROM deadline
                WHERE incident_id = i.id AND met_at IS NULL AND stopped_at IS NULL
                ORDER BY due_at LIMIT 1
            ) d ON true
            WHERE i.district = %(district)s AND {inside("i")}
              AND (%(states)s::text[] IS NULL OR i.state = ANY(%(states)s))
              AND (%(squad)s::text IS NULL OR i.squad = %(squad)s)
              AND (%(category)s::text IS NULL OR i.category = %(category)s)
              AND (%(family)s::text IS NULL OR c.family = %(family)s)
              AND (%(device)s::text IS NULL OR device.code = %(device)s
                   OR EXISTS (
                       SELECT FROM incident_alarm link
                       JOIN alarm a ON a.id = link.alarm_id
                       JOIN device sensed ON sensed.id = a.device_id
                       WHERE link.incident_id = i.id AND sensed.code = %(device)s))
              AND (%(severity)s::int IS NULL OR i.severity = %(severity)s)
              AND (%(since)s::timestamptz IS NULL OR i.opened_at >= %(since)s)
              AND (%(until)s::timestamptz IS NULL OR i.opened_at < %(until)s)
              AND (%(ids)s::bigint[] IS NULL OR i.id = ANY(%(ids)s))
              AND (%(before_id)s::bigint IS NULL OR i.id < %(before_id)s)
            ORDER BY i.id DESC
            LIMIT %(limit)s
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "states": None if states is None else list(states),
                "squad": squad,
                "category": category,
                "family": family,
                "device": device,
                "severity": severity,
                "since": since,
                "until": until,
                "ids": None if ids is None else list(ids),
                "before_id": before_id,
                "limit": limit,
            },
        ).fetchall()
