"""MQTT messages to publish: rows with a due time, taken by whichever worker is connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from city.message import NewMessage
from db.pool import Connection

# A message that could not be published waits this long; more with each attempt, to the limit.
RETRY_FIRST = timedelta(seconds=5)
RETRY_MAX = timedelta(minutes=5)
# Sent messages show what was asked of whom; after this nobody looks any more.
KEEP_SENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A message whose time has come, locked until the transaction ends."""

    id: int
    topic: str
    payload: bytes
    qos: int
    attempts: int


def insert_messages(conn: Connection, messages: Sequence[NewMessage]) -> None:
    """Put messages into the outbox."""
    if not messages:
        return
    conn.execute(
        """
        INSERT INTO mqtt_outbox (topic, payload, qos, due_at)
        SELECT * FROM unnest(%s::text[], %s::bytea[], %s::smallint[], %s::timestamptz[])
        """,
        (
            [message.topic for message in messages],
            [message.payload for message in messages],
            [message.qos for message in messages],
            [message.due_at for message in messages],
        ),
    )


def claim_due(conn: Connection, now: datetime, limit: int = 100) -> list[DueMessage]:
    """Due messages that no other worker is about to publish. Publish them, then mark them, in
    this same transaction: after a crash between they are sent again, never lost."""
    with conn.cursor(row_factory=class_row(DueMessage)) as cursor:
        return cursor.execute(
            """
            SELECT id, topic, payload, qos, attempts FROM mqtt_outbox
            WHERE sent_at IS NULL AND due_at <= %s
            ORDER BY due_at, id
            LIMIT %s
            FOR UPDATE SKIP LOCKED
            """,
            (now, limit),
        ).fetchall()


def mark_sent(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """These were published."""
    conn.execute(
        "UPDATE mqtt_outbox SET sent_at = %s, attempts = attempts + 1 WHERE id = ANY(%s)",
        (now, list(ids)),
    )


def mark_failed(conn: Connection, message: DueMessage, now: datetime) -> None:
    """It could not be published: it waits for its next attempt and the rest goes on."""
    wait = min(RETRY_FIRST * 2 ** min(message.attempts, 16), RETRY_MAX)
    conn.execute(
        "UPDATE mqtt_outbox SET attempts = attempts + 1, due_at = %s WHERE id = %s",
        (now + wait, message.id),
    )


def withdraw(conn: Connection, topics: Sequence[str]) -> None:
    """Call off what was to be published to these topics and is not sent yet."""
    if topics:
        conn.execute(
            "DELETE FROM mqtt_outbox WHERE sent_at IS NULL AND topic = ANY(%s)", (list(topics),)
        )


def delete_old(conn: Connection, now: datetime) -> int:
    """Forget what was sent long ago; how many."""
    return conn.execute("DELETE FROM mqtt_outbox WHERE sent_at < %s", (now - KEEP_SENT,)).rowcount
