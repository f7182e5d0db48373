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
    number: int = 0  # of several pictures of an event, the first is 0


# Later pictures of an event that its case takes.
LATER_MOST = 3


def hand_over(
    conn: Connection, camera_id: int, event_id: str, district: str, url: str, content: bytes | None,
    now: datetime,
) -> None:  # fmt: skip
    """An event has a picture at an address, or came with one. The first one stays; another one is
    taken beside it where the event has opened a case."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()
    conn.execute(
        """
        INSERT INTO video_snapshot
            (camera_id, event_id, district, url, host, content, due_at, number)
        SELECT %(camera_id)s, %(event_id)s, %(district)s, %(url)s, %(host)s, %(content)s, %(now)s,
               coalesce((SELECT max(number) + 1 FROM video_snapshot
                         WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s), 0)
        WHERE NOT EXISTS (
            SELECT FROM video_snapshot WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s)
        OR (EXISTS (
                SELECT FROM video_case WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s)
            AND NOT EXISTS (
                SELECT FROM video_snapshot
                WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s
                  AND (number >= %(most)s OR (url <> '' AND url = %(url)s)
                       OR content = %(content)s OR sha256 = sha256(%(content)s::bytea))))
        ON CONFLICT (camera_id, event_id, number) DO NOTHING
        """,
        {
            "camera_id": camera_id, "event_id": event_id, "district": district, "url": url,
            "host": host, "content": content, "now": now, "most": LATER_MOST,
        },
    )  # fmt: skip


def claim_due(
    conn: Connection, now: datetime, lease_until: datetime, busy: Collection[str], limit: int
) -> list[WaitingSnapshot]:
    """Pictures to be taken now, one of a host, none of a host that is busy; those that were never
    tried first. Whoever takes them has them until `lease_until`, then they are due again."""
    with conn.cursor(row_factory=class_row(WaitingSnapshot)) as cursor:
        return cursor.execute(
            """
            WITH due AS (
                SELECT s.camera_id, s.event_id, s.number FROM video_snapshot s
                WHERE s.due_at <= %(now)s AND (s.host = '' OR s.host <> ALL(%(busy)s))
                  AND (s.host = '' OR NOT EXISTS (
                      SELECT FROM video_snapshot o
                      WHERE o.due_at <= %(now)s AND o.host = s.host
                        AND (o.attempts, o.due_at, o.camera_id, o.event_id, o.number)
                            < (s.attempts, s.due_at, s.camera_id, s.event_id, s.number)))
                ORDER BY s.attempts, s.due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            UPDATE video_snapshot s SET due_at = %(lease)s, attempts = s.attempts + 1
            FROM due, device d, video_event v
            WHERE s.camera_id = due.camera_id AND s.event_id = due.event_id
              AND s.number = due.number AND d.id = s.camera_id
              AND v.camera_id = s.camera_id AND v.event_id = s.event_id
            RETURNING s.camera_id, d.code AS camera, s.event_id, s.district, v.type, s.url, s.host,
                      s.attempts, s.content,
                      coalesce(d.attributes ->> 'address', '') AS address,
                      s.number
            """,
            {"now": now, "lease": lease_until, "busy": list(busy), "limit": limit},
        ).fetchall()


def store(
    conn: Connection, camera_id: int, event_id: str, *, media_type: str, width: int, height: int,
    sha256: bytes, content: bytes, now: datetime, forget_at: datetime | None, number: int = 0,
) -> None:  # fmt: skip
    conn.execute(
        """
        UPDATE video_snapshot
        SET state = 'stored', due_at = NULL, problem = '', media_type = %s, width = %s,
            height = %s, sha256 = %s, content = %s, stored_at = %s, forget_at = %s
        WHERE camera_id = %s AND event_id = %s AND number = %s
        """,
        (media_type, width, height, sha256, content, now, forget_at, camera_id, event_id, number),
    )


def give_up(
    conn: Connection, camera_id: int, event_id: str, state: str, problem: str,
    again_at: datetime | None, number: int = 0,
) -> None:  # fmt: skip
    """It did not come: why, and when to try again."""
    conn.execute(
        """
        UPDATE video_snapshot
        SET state = %(state)s, problem = %(problem)s, due_at = %(again)s,
            content = CASE WHEN %(again)s::timestamptz IS NULL THEN NULL ELSE content END
        WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s AND number = %(number)s
          AND state <> 'stored'
        """,
        {
            "camera_id": camera_id, "event_id": event_id, "state": state, "problem": problem,
            "again": again_at, "number": number,
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
    number: int


_STORED = """
    SELECT s.camera_id, d.code AS camera, s.event_id, s.district, v.type, v.review, v.start_at,
           s.media_type, s.sha256, s.content, s.blurred, v.bbox, v.attributes, s.number
    FROM video_snapshot s JOIN device d ON d.id = s.camera_id
    JOIN video_event v ON v.camera_id = s.camera_id AND v.event_id = s.event_id
"""


def find_stored(
    conn: Connection, district: str, camera_id: int, event_id: str
) -> StoredSnapshot | None:
    """The first picture, if it is there."""
    with conn.cursor(row_factory=class_row(StoredSnapshot)) as cursor:
        return cursor.execute(
            f"""{_STORED} WHERE s.district = %s AND s.camera_id = %s AND s.event_id = %s
                AND s.number = 0 AND s.state = 'stored' AND s.content IS NOT NULL""",
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
    conn: Connection, camera_id: int, event_id: str, content: bytes | None, media_type: str,
    number: int,
) -> None:  # fmt: skip
    """Nothing of it is left, or what is blurred; the hash of what came stays."""
    conn.execute(
        """
        UPDATE video_snapshot
        SET content = %(content)s, media_type = %(media_type)s, forget_at = NULL,
            blurred = %(content)s::bytea IS NOT NULL,
            state = CASE WHEN %(content)s::bytea IS NULL THEN 'forgotten' ELSE state END
        WHERE camera_id = %(camera_id)s AND event_id = %(event_id)s AND number = %(number)s
        """,
        {
            "camera_id": camera_id, "event_id": event_id, "content": content,
            "media_type": media_type, "number": number,
        },
    )  # fmt: skip


# Pictures and the case that an event has opened


@dataclass(frozen=True, slots=True)
class OwedPicture:
    """A picture that a case does not have yet."""

    incident_id: int
    picture: StoredSnapshot


def note_case(conn: Connection, camera_id: int, event_id: str, incident_id: int) -> None:
    """This event has opened a case: all pictures of it, also later ones, belong to it."""
    conn.execute(
        """
        INSERT INTO video_case (camera_id, event_id, incident_id)
        SELECT camera_id, event_id, %s FROM video_event WHERE camera_id = %s AND event_id = %s
        ON CONFLICT (camera_id, event_id)
        DO UPDATE SET incident_id = excluded.incident_id, taken = '{}'
        """,
        (incident_id, camera_id, event_id),
    )


def claim_owed(conn: Connection, incident_id: int | None = None) -> OwedPicture | None:
    """The oldest picture that a case (this one, or any) has not taken, its row locked."""
    with conn.cursor() as cursor:
        row = cursor.execute(
            """
            SELECT c.incident_id, s.camera_id, s.event_id, s.number
            FROM video_case c
            JOIN video_snapshot s ON s.camera_id = c.camera_id AND s.event_id = c.event_id
            WHERE s.state = 'stored' AND s.content IS NOT NULL AND NOT s.blurred
              AND s.sha256 <> ALL(c.taken)
              AND (%(incident)s::bigint IS NULL OR c.incident_id = %(incident)s)
            ORDER BY s.stored_at, s.number LIMIT 1 FOR UPDATE OF c SKIP LOCKED
            """,
            {"incident": incident_id},
        ).fetchone()
    if row is None:
        return None
    with conn.cursor(row_factory=class_row(StoredSnapshot)) as stored:
        found = stored.execute(
            f"{_STORED} WHERE s.camera_id = %s AND s.event_id = %s AND s.number = %s", row[1:]
        ).fetchone()
    assert found is not None, "it was there in this transaction"
    return OwedPicture(row[0], found)


def mark_taken(conn: Connection, picture: StoredSnapshot) -> None:
    """The case has it, or never will."""
    conn.execute(
        """
        UPDATE video_case SET taken = taken || %s::bytea WHERE camera_id = %s AND event_id = %s
        """,
        (picture.sha256, picture.camera_id, picture.event_id),
    )


def forget_cases(conn: Connection) -> None:
    """Cases that are over take no more pictures."""
    conn.execute(
        """
        DELETE FROM video_case c USING incident i
        WHERE i.id = c.incident_id AND i.state IN ('closed', 'rejected', 'cancelled')
        """
    )
