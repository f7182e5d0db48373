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
) -> None:
    """Keep what a person decided; the measure of a camera's precision is made of these."""
    conn.execute(
        """
        UPDATE video_event
        SET review = %s, category = coalesce(%s, category), review_note = %s, reviewed_by = %s,
            reviewed_at = %s
        WHERE camera_id = %s AND event_id = %s
        """,
        (verdict, category, note, reviewed_by, now, event.camera_id, event.event_id),
    )


def end_overdue(conn: Connection, now: datetime) -> list[EndedEvent]:
    """End events whose camera never said that they ended."""
    with conn.cursor(row_factory=class_row(EndedEvent)) as cursor:
        return cursor.execute(
            """
            UPDATE video_event v
            SET phase = 'end', end_at = v.end_due_at
            FROM device d
            WHERE d.id = v.camera_id AND v.phase <> 'end' AND v.end_due_at <= %s
            RETURNING d.code AS camera, v.event_id, v.district
            """,
            (now,),
        ).fetchall()


def list_over(conn: Connection) -> list[tuple[int, str]]:
    """(alarm's camera, condition) of active video alarms whose event has ended."""
    return conn.execute(
        """
        SELECT a.device_id, a.condition
        FROM alarm a
        JOIN video_event v ON v.camera_id = a.device_id AND v.event_id = a.camera_event
        WHERE a.camera_event IS NOT NULL AND v.phase = 'end'
          AND a.state IN ('unacknowledged', 'acknowledged')
        """
    ).fetchall()
