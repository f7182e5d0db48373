"""Photos and documents of an incident: the file itself, its hash, when and where it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.errors import NotFound
from city.incident import Evidence
from db.pool import Connection


@dataclass(frozen=True)
class NewEvidence:
    incident_id: int
    stage: str
    filename: str
    media_type: str
    sha256: bytes
    content: bytes
    taken_at: datetime | None
    lon: float | None
    lat: float | None
    uploaded_by: str
    uploaded_at: datetime
    shown: bytes | None = None  # an upright JPEG


def insert_evidence(conn: Connection, new: NewEvidence) -> tuple[int, bool]:
    """Store a file once for each stage; gives its id and whether it is new."""
    row = conn.execute(
        """
        INSERT INTO evidence (incident_id, stage, filename, media_type, size_bytes, sha256,
                              content, taken_at, lon, lat, uploaded_by, uploaded_at, shown)
        VALUES (%(incident_id)s, %(stage)s, %(filename)s, %(media_type)s, %(size_bytes)s,
                %(sha256)s, %(content)s, %(taken_at)s, %(lon)s, %(lat)s, %(uploaded_by)s,
                %(uploaded_at)s, %(shown)s)
        ON CONFLICT (incident_id, stage, sha256) DO NOTHING
        RETURNING id
        """,
        {**vars(new), "size_bytes": len(new.content)},
    ).fetchone()
    if row is not None:
        return row[0], True
    known = conn.execute(
        "SELECT id FROM evidence WHERE incident_id = %s AND stage = %s AND sha256 = %s",
        (new.incident_id, new.stage, new.sha256),
    ).fetchone()
    if known is None:
        raise NotFound("evidence", new.filename)
    return known[0], False


def list_evidence(conn: Connection, incident_id: int) -> list[Evidence]:
    """What is stored for an incident, oldest first, without the files' content."""
    with conn.cursor(row_factory=class_row(Evidence)) as cursor:
        return cursor.execute(
            """
            SELECT id, incident_id, stage, filename, media_type, size_bytes, sha256, taken_at,
                   lon, lat, uploaded_by, uploaded_at, shown IS NOT NULL AS has_shown
            FROM evidence WHERE incident_id = %s ORDER BY id
            """,
            (incident_id,),
        ).fetchall()


def list_also_in(conn: Connection, incident_id: int) -> dict[int, list[str]]:
    """Of each file of an incident that others hold, too: their numbers, by id of the file."""
    rows = conn.execute(
        """
        SELECT own.id, array_agg(DISTINCT i.number ORDER BY i.number)
        FROM evidence own
        JOIN evidence e ON e.sha256 = own.sha256 AND e.incident_id <> own.incident_id
        JOIN incident i ON i.id = e.incident_id
        WHERE own.incident_id = %s GROUP BY own.id
        """,
        (incident_id,),
    )
    return {row[0]: row[1] for row in rows}


def list_uses_elsewhere(conn: Connection, incident_id: int, sha256: bytes) -> list[str]:
    """Numbers of other incidents that hold the very same file: a photo used twice."""
    rows = conn.execute(
        """
        SELECT DISTINCT i.number FROM evidence e JOIN incident i ON i.id = e.incident_id
        WHERE e.sha256 = %s AND e.incident_id <> %s ORDER BY i.number
        """,
        (sha256, incident_id),
    )
    return [row[0] for row in rows]


@dataclass(frozen=True)
class StoredFile:
    incident_id: int
    district: str
    filename: str
    media_type: str
    sha256: bytes
    content: bytes
    shown: bytes | None


def find_content(conn: Connection, evidence_id: int) -> StoredFile:
    """One file with its content."""
    with conn.cursor(row_factory=class_row(StoredFile)) as cursor:
        row = cursor.execute(
            """
            SELECT e.incident_id, i.district, e.filename, e.media_type, e.sha256, e.content, e.shown
            FROM evidence e JOIN incident i ON i.id = e.incident_id WHERE e.id = %s
            """,
            (evidence_id,),
        ).fetchone()
    if row is None:
        raise NotFound("evidence", evidence_id)
    return row
