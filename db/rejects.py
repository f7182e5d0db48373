"""Quarantine: messages that were refused, with the reason and their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.pool import Connection

# Bytes kept of a refused message: enough to replay any honest one, not enough to fill the disk.
RAW_LIMIT = 64 * 1024
# Characters of the explanation and of the names in it.
TEXT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class NewReject:
    """A message, or a part of one, that was refused."""

    received_at: datetime
    format: str
    topic: str
    device: str
    reason: str
    detail: str
    raw: bytes
    whole_message: bool


@dataclass(frozen=True, slots=True)
class StoredReject:
    """One row of the quarantine; `raw` may have been cut, `raw_size` is what arrived."""

    id: int
    received_at: datetime
    format: str
    topic: str
    device: str
    reason: str
    detail: str
    raw: bytes
    raw_size: int
    whole_message: bool
    replayed_at: datetime | None

    @property
    def is_complete(self) -> bool:
        return len(self.raw) == self.raw_size


def insert_rejects(conn: Connection, rejects: Sequence[NewReject]) -> None:
    """Put refused messages into quarantine."""
    if not rejects:
        return
    with (
        conn.cursor() as cursor,
        cursor.copy(
            """
            COPY reject (received_at, format, topic, device, reason, detail, raw, raw_size,
                         whole_message)
            FROM STDIN
            """
        ) as copy,
    ):
        for reject in rejects:
            copy.write_row(
                (
                    *(reject.received_at, reject.format, _storable(reject.topic)),
                    *(_storable(reject.device), reject.reason, _storable(reject.detail)),
                    *(reject.raw[:RAW_LIMIT], len(reject.raw), reject.whole_message),
                )
            )


def _storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor half characters, which refused messages may hold."""
    clean = text[:TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\0", "\N{REPLACEMENT CHARACTER}")


def list_rejects(
    conn: Connection,
    *,
    format: str | None = None,
    reason: str | None = None,
    before: int | None = None,
    limit: int = 50,
    replayed: bool = False,
) -> list[StoredReject]:
    """Newest first; those that were replayed only on request. `before` is an id, for paging."""
    with conn.cursor(row_factory=class_row(StoredReject)) as cursor:
        return cursor.execute(
            """
            SELECT id, received_at, format, topic, device, reason, detail, raw, raw_size,
                   whole_message, replayed_at
            FROM reject
            WHERE (%(format)s::text IS NULL OR format = %(format)s)
              AND (%(reason)s::text IS NULL OR reason = %(reason)s)
              AND (%(before)s::bigint IS NULL OR id < %(before)s)
              AND (replayed_at IS NULL OR %(replayed)s)
            ORDER BY id DESC
            LIMIT %(limit)s
            """,
            {
                "format": format, "reason": reason, "before": before, "limit": limit,
                "replayed": replayed,
            },
        ).fetchall()  # fmt: skip


def claim_reject(conn: Connection, reject_id: int) -> StoredReject | None:
    """One row, locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(StoredReject)) as cursor:
        return cursor.execute(
            """
            SELECT id, received_at, format, topic, device, reason, detail, raw, raw_size,
                   whole_message, replayed_at
            FROM reject WHERE id = %s FOR UPDATE
            """,
            (reject_id,),
        ).fetchone()


def mark_replayed(conn: Connection, reject_id: int, now: datetime) -> None:
    conn.execute("UPDATE reject SET replayed_at = %s WHERE id = %s", (now, reject_id))
