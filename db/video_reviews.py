"""Video events from the reviewer's side: find one, keep the verdict, end those left open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.video import ReviewedEvent
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class EndedEvent:
    camera: str
    event_id: str
    district: str


def find_district(conn: Connection, camera_id: int, event_id: str) -> str | None:
    """The district of a video event."""
    row = conn.execute(
        "SELECT district FROM video_event WHERE camera_id = %s AND event_id = %s",
        (camera_id, event_id),
    ).fetchone()
    return row[0] if row else None


def find_event(conn: Connection, camera_id: int, event_id: str) -> ReviewedEvent | None:
    """One video event, locked until the commit."""
    with conn.cursor(row_factory=class_row(ReviewedEvent)) as cursor:
        return cursor.execute(
            """
            SELECT v.camera_id, d.code AS camera, v.event_id, v.district, v.type, v.category,
                   v.phase, v.start_at, v.received_at, v.confidence, v.snapshot, v.review,
                   v.reviewed_by, d.lon, d.lat, d.unit_grid, d.demo
            FROM video_event v
            JOIN device d ON d.id = v.camera_id
            WHERE v.camera_id = %s AND v.event_id = %s
            FOR UPDATE OF v
            """,
            (camera_id, event_id),
        ).fetchone()


def mark_reviewed(
    conn: Connection,
    event: ReviewedEvent,
    *,
    verdict: str,
    category: str | None,
    note: str,
    reviewed_by: str,
    now: datetime,
    reason: str = "",
    into: str = "",
) -> None:
    """Keep what a person decided; the measure of a camera's precision is made of these."""
    conn.execute(
        """
        UPDATE video_event
        SET review = %s, category = coalesce(%s, category), review_note = %s, reviewed_by = %s,
            reviewed_at = %s, dismiss_reason = %s, merged_into = %s, look_at = NULL
        WHERE camera_id = %s AND event_id = %s
        """,
        (
            verdict, category, note, reviewed_by, now, reason, into, event.camera_id,
            event.event_id,
        ),
    )  # fmt: skip


def end_overdue(conn: Connection, district: str, now: datetime) -> list[EndedEvent]:
    """End events of a district whose camera never said that they ended."""
    with conn.cursor(row_factory=class_row(EndedEvent)) as cursor:
        return cursor.execute(
            """
            UPDATE video_event v
            SET phase = 'end', end_at = v.end_due_at,
                look_at = CASE WHEN v.review = 'pending' THEN %s ELSE v.look_at END
            FROM device d
            WHERE d.id = v.camera_id AND v.phase <> 'end' AND v.end_due_at <= %s
              AND v.district = %s
            RETURNING d.code AS camera, v.event_id, v.district
            """,
            (now, now, district),
        ).fetchall()


def list_over(conn: Connection, district: str, now: datetime) -> list[str]:
    """Conditions of active video alarms of a district whose event has ended or is overdue."""
    rows = conn.execute(
        """
        SELECT a.condition
        FROM alarm a
        JOIN video_event v ON v.camera_id = a.device_id AND v.event_id = a.camera_event
        WHERE a.camera_event IS NOT NULL AND (v.phase = 'end' OR v.end_due_at <= %s)
          AND a.state IN ('unacknowledged', 'acknowledged') AND a.district = %s
        """,
        (now, district),
    ).fetchall()
    return [row[0] for row in rows]


def list_due_districts(conn: Connection, now: datetime) -> list[str]:
    """Districts with events that are overdue, or with active alarms of events that have ended."""
    rows = conn.execute(
        """
        SELECT district FROM video_event WHERE phase <> 'end' AND end_due_at <= %s
        UNION
        SELECT a.district
        FROM alarm a
        JOIN video_event v ON v.camera_id = a.device_id AND v.event_id = a.camera_event
        WHERE a.camera_event IS NOT NULL AND v.phase = 'end'
          AND a.state IN ('unacknowledged', 'acknowledged')
        """,
        (now,),
    ).fetchall()
    return [row[0] for row in rows]
