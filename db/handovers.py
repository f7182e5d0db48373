"""Handover sheets: what one shift leaves to the next, its notes and its two signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from db.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A sheet: `content` is what stood when it was given over, `notes` who said what when."""

    id: int
    since_at: datetime
    given_by: str
    given_at: datetime
    content: dict[str, Any]
    taken_by: str | None
    taken_at: datetime | None
    version: int
    notes: list[dict[str, Any]]


COLUMNS = """
    h.id, h.since_at, h.given_by, h.given_at, h.content, h.taken_by, h.taken_at, h.version,
    COALESCE((SELECT jsonb_agg(jsonb_build_object(
                  'by', n.said_by, 'at', n.said_at, 'text', n.said) ORDER BY n.ordinal)
              FROM handover_note n WHERE n.handover_id = h.id), '[]') AS notes
"""


def lock_handovers(conn: Connection, district: str) -> None:
    """One sheet after the other."""
    conn.execute("SELECT FROM district WHERE code = %s FOR NO KEY UPDATE", (district,))


def find_open(conn: Connection, district: str) -> Handover | None:
    """The sheet that nobody has taken over yet."""
    found = list_handovers(conn, district, is_open=True, limit=1)
    return found[0] if found else None


def find_handover(conn: Connection, district: str, handover_id: int) -> Handover | None:
    found = list_handovers(conn, district, handover_id=handover_id, limit=1)
    return found[0] if found else None


def list_handovers(
    conn: Connection,
    district: str,
    *,
    is_open: bool = False,
    handover_id: int | None = None,
    since: datetime | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Handover]:
    """Sheets, newest first."""
    with conn.cursor(row_factory=class_row(Handover)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM handover h
            WHERE h.district = %(district)s AND (NOT %(open)s OR h.taken_at IS NULL)
              AND (%(id)s::bigint IS NULL OR h.id = %(id)s)
              AND (%(since)s::timestamptz IS NULL OR h.given_at >= %(since)s)
              AND (%(before)s::bigint IS NULL OR h.id < %(before)s)
            ORDER BY h.id DESC LIMIT %(limit)s
            """,
            {
                "district": district, "open": is_open, "id": handover_id, "since": since,
                "before": before_id, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def last_taken_at(conn: Connection, district: str) -> datetime | None:
    """When the shift began that is on now."""
    row = conn.execute(
        "SELECT max(taken_at) FROM handover WHERE district = %s", (district,)
    ).fetchone()
    return row[0] if row else None


def insert_handover(
    conn: Connection,
    district: str,
    since_at: datetime,
    given_by: str,
    given_at: datetime,
    content: dict[str, Any],
) -> int:
    row = conn.execute(
        """
        INSERT INTO handover (district, since_at, given_by, given_at, content)
        VALUES (%s, %s, %s, %s, %s) RETURNING id
        """,
        (district, since_at, given_by, given_at, Jsonb(content)),
    ).fetchone()
    assert row is not None, "RETURNING of one row"
    return int(row[0])


def insert_note(conn: Connection, handover_id: int, by: str, now: datetime, text: str) -> None:
    conn.execute(
        """
        INSERT INTO handover_note (handover_id, ordinal, said_by, said_at, said)
        SELECT %(id)s, coalesce(max(ordinal), 0) + 1, %(by)s, %(at)s, %(text)s
        FROM handover_note WHERE handover_id = %(id)s
        """,
        {"id": handover_id, "by": by, "at": now, "text": text},
    )


def mark_taken(conn: Connection, handover_id: int, by: str, now: datetime) -> None:
    conn.execute(
        "UPDATE handover SET taken_by = %s, taken_at = %s, version = version + 1 WHERE id = %s",
        (by, now, handover_id),
    )


# What stands, for the sheet


def list_open_cases(conn: Connection, district: str) -> list[dict[str, Any]]:
    """Open cases that are red, overdue or suspended."""
    return _rows(
        conn,
        """
        SELECT i.id, i.number, i.state, i.severity, i.title_zh, i.title_en, i.squad,
               s.name_zh AS squad_zh, s.name_en AS squad_en, i.opened_at,
               (SELECT min(d.due_at) FROM deadline d
                WHERE d.incident_id = i.id AND d.met_at IS NULL AND d.stopped_at IS NULL
                  AND d.paused_at IS NULL) AS due_at,
               (SELECT p.resume_due_at FROM pause p
                WHERE p.incident_id = i.id AND p.ended_at IS NULL) AS resume_due_at,
               (SELECT p.reason FROM pause p
                WHERE p.incident_id = i.id AND p.ended_at IS NULL) AS reason
        FROM incident i LEFT JOIN squad s ON s.code = i.squad
        WHERE i.district = %s AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        ORDER BY i.severity, i.id
        """,
        district,
    )


def list_muted(conn: Connection, district: str) -> list[dict[str, Any]]:
    """Alarms that somebody has shelved."""
    return _rows(
        conn,
        """
        SELECT a.id, a.rule_code AS rule, a.severity, a.condition, d.code AS device,
               a.shelved_until AS until, a.shelved_by AS by, a.shelve_reason AS reason
        FROM alarm a LEFT JOIN device d ON d.id = a.device_id
        WHERE a.district = %s AND a.state <> 'normal' AND a.shelved_until IS NOT NULL
        ORDER BY a.shelved_until
        """,
        district,
    )


def list_out_of_service(conn: Connection, district: str) -> list[dict[str, Any]]:
    return _rows(
        conn,
        """
        SELECT code AS device, name, kind, out_of_service_since AS since,
               return_due_at AS until, out_of_service_by AS by, out_of_service_reason AS reason
        FROM device WHERE district = %s AND out_of_service_since IS NOT NULL
        ORDER BY return_due_at NULLS LAST, code
        """,
        district,
    )


def list_odd_sensors(conn: Connection, district: str) -> list[dict[str, Any]]:
    """Devices, gateways and feeds whose own alarm stands, but for explained ones."""
    return _rows(
        conn,
        """
        SELECT a.id, a.rule_code AS rule, a.severity, a.condition, d.code AS device, a.reason,
               a.raised_at AS since
        FROM alarm a LEFT JOIN device d ON d.id = a.device_id
        WHERE a.district = %s AND a.state NOT IN ('normal', 'returned_unacknowledged')
          AND split_part(a.condition, '/', 1) IN ('device', 'silent', 'gateway', 'feed', 'server')
          AND NOT EXISTS (SELECT FROM alarm_inhibition x WHERE x.condition = a.condition)
        ORDER BY a.severity, a.raised_at
        """,
        district,
    )


def count_period(conn: Connection, district: str, since: datetime, now: datetime) -> dict[str, int]:
    """Cases opened and closed, and calls taken, since then."""
    row = conn.execute(
        """
        SELECT (SELECT count(*) FROM incident WHERE district = %(district)s
                  AND opened_at >= %(since)s AND opened_at < %(now)s),
               (SELECT count(*) FROM incident WHERE district = %(district)s
                  AND closed_at >= %(since)s AND closed_at < %(now)s),
               (SELECT count(*) FROM intake WHERE district = %(district)s
                  AND received_at >= %(since)s AND received_at < %(now)s)
        """,
        {"district": district, "since": since, "now": now},
    ).fetchone()
    assert row is not None, "an aggregate"
    return {"opened": row[0], "closed": row[1], "calls": row[2]}


def _rows(conn: Connection, query: LiteralString, district: str) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, (district,)).fetchall()
