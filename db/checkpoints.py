"""What the event log adds up to at some of its events, one district at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from db.pool import Connection


def find_newest(
    conn: Connection, district: str, body_format: int, until: int | None = None
) -> bytes | None:
    """Body of the newest checkpoint of a format, of those not after the event `until`."""
    row = conn.execute(
        """
        SELECT body FROM picture_checkpoint
        WHERE district = %(district)s AND format = %(format)s
          AND (%(until)s::bigint IS NULL OR seq <= %(until)s)
        ORDER BY seq DESC LIMIT 1
        """,
        {"district": district, "format": body_format, "until": until},
    ).fetchone()
    return None if row is None else bytes(row[0])


def list_made(conn: Connection, district: str, body_format: int) -> list[tuple[int, datetime]]:
    """(seq, made_at) of every checkpoint of a format, the newest first."""
    return conn.execute(
        """
        SELECT seq, made_at FROM picture_checkpoint WHERE district = %s AND format = %s
        ORDER BY seq DESC
        """,
        (district, body_format),
    ).fetchall()


def insert_checkpoint(
    conn: Connection,
    district: str,
    seq: int,
    body_format: int,
    at: datetime,
    made_at: datetime,
    body: bytes,
) -> None:
    """Keep one; the same event's is kept once."""
    conn.execute(
        """
        INSERT INTO picture_checkpoint (district, seq, format, at, made_at, body)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (district, seq, body_format, at, made_at, body),
    )


def delete_checkpoints(
    conn: Connection, district: str, body_format: int, seqs: Sequence[int]
) -> None:
    """Drop some of a format, and all that no build reads any more."""
    conn.execute(
        """
        DELETE FROM picture_checkpoint
        WHERE district = %(district)s
          AND (format < %(format)s OR (format = %(format)s AND seq = ANY(%(seqs)s)))
        """,
        {"district": district, "format": body_format, "seqs": list(seqs)},
    )
