"""Pictures of video events: handed over with the event, taken by a worker, kept and forgotten."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class WaitingSnapshot:
    """A picture to be taken. `content` is there where it came with the message; `address` is the
    camera's own, as its registry row has it."""

    camera_id: int
    camera: str
    event_id: str
    district: str
    type: str
    url: str
    host: str
    attempts: int
    content: bytes | None
    address: str


def hand_over(
    conn: Connection, camera_id: int, event_id: str, district: str, url: str, content: bytes | None,
    now: datetime,
) -> None:  # fmt: skip
    """An event has a picture at an address, or came with one. The first one stays."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()
    conn.execute(
        """
        INSERT INTO video_snapshot (camera_id, event_id, district, url, host, content, due_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (camera_id, event_id) DO NOTHING
        """,
        (camera_id, event_id, district, url, host, content, now),
    )


def claim_due(
    conn: Connection, now: datetime, lease_until: datetime, busy: Collection[str], limit: int
) -> list[WaitingSnapshot]:
    """Pictures to be taken now, one of a host, none of a host that is busy; those that were never
    tried first. Whoever takes them has them until `lease_until`, then they are due again."""
    with conn.cursor(row_factory=class_row(WaitingSnapshot)) as cursor:
        return cursor.execute(
            """
            WITH due AS (
                SELECT s.camera_id, s.event_id FROM video_snapshot s
                WHERE s.due_at <= %(now)s AND (s.host = '' OR s.host <> ALL(%(busy)s))
                  AND (s.host = '' OR NOT EXISTS (
                      SELECT FROM video_snapshot o
                      WHERE o.due_at <= %(now)s AND o.host = s.host
                        AND (o.attempts, o.due_at, o.camera_id, o.event_id)
                            < (s.attempts, s.due_at, s.camera_id, s.event_id)))
                ORDER BY s.attempts, s.due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            UPDATE video_snapshot s SET due_at = %(lease)s, attempts = s.attempts + 1
            FROM due, device d, video_event v
            WHERE s.camera_id = due.camera_id AND s.event_id = due.event_id
              AND d.id = s.camera_id AND v.camera_id = s.camera_id AND v.event_id = s.event_id
            RETURNING s.camera_id, d.code AS camera, s.event_id, s.district, v.type, s.url, s.host,
                      s.attempts, s.content,
                      coalesce(d.attributes ->> 'address', '') AS address
            """,
            {"now": now, "lease": lease_until, "busy": list(busy), "limit": limit},
        ).fetchall()


def store(
    conn: Connection, camera_id: int, event_id: str, *, media_type: str, width: int, height: int,
    sha256: bytes, content: bytes, now: datetime, forget_at: datetime | None,
) -> None:  # fmt: skip
    conn.execute(
        """
        UPDATE video_snapshot
        SET state = 'stored', due_at = NULL, problem = '', media_type = %s, width = %s,
            height = %s, sha256 = %s, content = %s, stored_at = %s, forget_at = %s
        WHERE camera_id = %s AND event_id = %s
        """,
        (media_type, width, height, sha256, content, now, forget_at, camera_id, event_id),
    )


def give_up(
    conn: Connection, camera_id: int, event_id: str, state: str, problem: str,
    again_at: datetime | None,
) -> None:  # fmt: skip
    """It did not come: why, and when to try again."""
    conn.execute(
        """
        UPDATE video_snapshot
        SET state = %(state)s, problem = %(problem)s, due_at = %(again)s,
            content = CASE WHEN %(again)s::timestamptz IS NULL THEN NULL ELSE content END
        WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s AND state <> 'stored'
        """,
        {
            "camera_id": camera_id, "event_id": event_id, "state": state, "problem": problem,
            "again": again_at,
        },
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    camera_id: int
    camera: str
    event_id: str
    district: str
    type: str
    review: str
    start_at: datetime
    media_type: str
    sha256: bytes
    content: bytes
    blurred: bool
    bbox: list[float] | None
    attributes: dict[str, object]


_STORED = """
    SELECT s.camera_id, d.code AS camera, s.event_id, s.district, v.type, v.review, v.start_at,
           s.media_type,           s.sha256, s.content, s.blurred, v.bbox, v.attributes
    FROM video_snapshot s JOIN device d ON d.id = s.camera_id
    JOIN video_event v ON v.camera_id = s.camera_id AND v.event_id = s.event_id
"""


def find_stored(
    conn: Connection, district: str, camera_id: int, event_id: str
) -> StoredSnapshot | None:
    """A picture that is there."""
    with conn.cursor(row_factory=class_row(StoredSnapshot)) as cursor:
        return cursor.execute(
            f"""{_STORED} WHERE s.district = %s AND s.camera_id = %s AND s.event_id = %s
                AND s.state = 'stored' AND s.content IS NOT NULL""",
            (district, camera_id, event_id),
        ).fetchone()


def list_to_forget(conn: Connection, now: datetime, limit: int) -> list[StoredSnapshot]:
    """Pictures that are kept no longer, locked until the commit."""
    with conn.cursor(row_factory=class_row(StoredSnapshot)) as cursor:
        return cursor.execute(
            f"""{_STORED} WHERE s.forget_at <= %s AND s.content IS NOT NULL
                ORDER BY s.forget_at LIMIT %s FOR UPDATE OF s SKIP LOCKED""",
            (now, limit),
        ).fetchall()


def forget(
    conn: Connection, camera_id: int, event_id: str, content: bytes | None, media_type: str
) -> None:
    """Nothing of it is left, or what is blurred; the hash of what came stays."""
    conn.execute(
        """
        UPDATE video_snapshot
        SET content = %(content)s, media_type = %(media_type)s, forget_at = NULL,
            blurred = %(content)s::bytea IS NOT NULL,
            state = CASE WHEN %(content)s::bytea IS NULL THEN 'forgotten' ELSE state END
        WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s
        """,
        {
            "camera_id": camera_id, "event_id": event_id, "content": content,
            "media_type": media_type,
        },
    )  # fmt: skip
