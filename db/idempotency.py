"""Repeated requests: one Idempotency-Key is one change, however often it arrives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from city.errors import InvalidInput
from db.pool import Connection

# Status of a key whose request is still at work in its own transaction; never visible outside it.
AT_WORK = 0


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request with this key was answered."""

    status: int
    body: Any


def claim_key(
    conn: Connection, caller: str, key: str, request_sha256: bytes, now: datetime
) -> StoredAnswer | None:
    """None: the key is ours, do the work. Otherwise the answer of the request that did it.

    A second request that comes while the first is at work waits here for its end. The same
    key with a different request is refused.
    """
    claimed = conn.execute(
        """
        INSERT INTO idempotency (caller, key, request_sha256, status, body, created_at)
        VALUES (%s, %s, %s, %s, 'null', %s)
        ON CONFLICT (caller, key) DO NOTHING
        RETURNING key
        """,
        (caller, key, request_sha256, AT_WORK, now),
    ).fetchone()
    if claimed is not None:
        return None
    row = conn.execute(
        "SELECT request_sha256, status, body FROM idempotency WHERE caller = %s AND key = %s",
        (caller, key),
    ).fetchone()
    if row is None or bytes(row[0]) != request_sha256:
        raise InvalidInput("Idempotency-Key", key, "was used for a different request")
    return StoredAnswer(row[1], row[2])


def store_answer(conn: Connection, caller: str, key: str, answer: StoredAnswer) -> None:
    """Keep the answer in the transaction of the change itself."""
    conn.execute(
        "UPDATE idempotency SET status = %s, body = %s WHERE caller = %s AND key = %s",
        (answer.status, Jsonb(answer.body), caller, key),
    )


def forget_answers(conn: Connection, before: datetime) -> int:
    """Drop answers so old that nobody repeats their requests any more."""
    return conn.execute("DELETE FROM idempotency WHERE created_at < %s", (before,)).rowcount
