"""Incidents, their alarms and assignments: every row the closed loop reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from city.errors import NotFound
from city.incident import Incident, ListedIncident
from db.pool import Connection


def insert_incident(conn: Connection, incident: Incident, local_date: str) -> int | None:
    """Open an incident; None when its condition has an open one already.

    The case number is district (6 digits), local date (8) and a running number (5): 19 digits.
    """
    row = conn.execute(
        """
        INSERT INTO incident (
            number, district, condition, category, category_version, source, state, severity,
            title_zh, title_en, description, lon, lat, unit_grid, street, community, device_id,
            opened_at, filed_at, reported_by, split_from, demo)
        VALUES (
            %(district)s || %(local_date)s || lpad(nextval('incident_number')::text, 5, '0'),
            %(district)s, %(condition)s, %(category)s, %(category_version)s, %(source)s,
            %(state)s, %(severity)s, %(title_zh)s, %(title_en)s, %(description)s, %(lon)s,
            %(lat)s, %(unit_grid)s, %(street)s, %(community)s, %(device_id)s, %(opened_at)s,
            %(filed_at)s, %(reported_by)s, %(split_from)s, %(demo)s)
        ON CONFLICT (condition)
            WHERE condition IS NOT NULL
              AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
            DO NOTHING
        RETURNING id
        """,
        {
            **vars(incident),
            "state": incident.state.value,
            "source": incident.source.value,
            "local_date": local_date,
        },
    ).fetchone()
    return None if row is None else int(row[0])


def update_incident(conn: Connection, incident: Incident) -> None:
    """Write what may change; the version goes up by one. The row is locked by the caller."""
    conn.execute(
        """
        UPDATE incident SET
            state = %(state)s, resume_state = %(resume_state)s, severity = %(severity)s,
            squad = %(squad)s, handled_by = %(handled_by)s, checked_by = %(checked_by)s,
            released_by = %(released_by)s, released_at = %(released_at)s,
            filed_at = %(filed_at)s, dispatched_at = %(dispatched_at)s,
            acknowledged_at = %(acknowledged_at)s, arrived_at = %(arrived_at)s,
            handled_at = %(handled_at)s, checking_at = %(checking_at)s,
            closed_at = %(closed_at)s, outcome = %(outcome)s, rework_count = %(rework_count)s,
            return_count = %(return_count)s, postpone_count = %(postpone_count)s,
            merged_into = %(merged_into)s, version = version + 1
        WHERE id = %(id)s
        """,
        {**vars(incident), "state": incident.state.value, "source": incident.source.value},
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
            """
            SELECT id, number, district, condition, category, category_version, source, state,
                   severity, title_zh, title_en, description, lon, lat, unit_grid, street,
                   community, device_id, opened_at, reported_by, demo, resume_state, squad,
                   handled_by, checked_by, released_by, released_at, filed_at, dispatched_at,
                   acknowledged_at, arrived_at, handled_at, checking_at, closed_at, outcome,
                   rework_count, return_count, postpone_count, merged_into, split_from, version
            FROM incident
            WHERE id = ANY(%(ids)s) AND (%(district)s::text IS NULL OR district = %(district)s)
            ORDER BY id
            """,
            {"ids": list(ids), "district": district},
        ).fetchall()


def list_incidents(
    conn: Connection,
    district: str,
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
    """Incidents of a district, newest first; the next page is what comes `before_id`.

    `device` finds the incidents at that device and those that an alarm of it has joined.
    """
    with conn.cursor(row_factory=class_row(ListedIncident)) as cursor:
        return cursor.execute(
            """
            SELECT i.id, i.number, i.state, i.severity, coalesce(c.family, 'other') AS family,
                   i.category, coalesce(c.name_zh, i.category) AS category_zh,
                   coalesce(c.name_en, i.category) AS category_en, i.title_zh, i.title_en,
                   i.lon, i.lat, i.unit_grid, street.name AS street_name,
                   community.name AS community_name, i.source, i.squad, s.name_zh AS squad_zh,
                   s.name_en AS squad_en, device.code AS device, i.opened_at, i.dispatched_at,
                   i.handled_at, i.closed_at, i.outcome, d.clock, d.due_at, d.warn_at,
                   d.paused_at, d.overdue_at IS NOT NULL AS overdue, i.version, i.demo
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
            WHERE i.district = %(district)s
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
                "district": district,
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
