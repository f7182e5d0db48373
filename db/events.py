"""The event log: append in commit order, read from a cursor, verify the hash chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.event import GENESIS, Event, NewEvent, chain_hash
from db.pool import Connection

# Rows fetched at a time when the whole chain is recomputed.
VERIFY_PAGE = 5_000


def append_events(conn: Connection, events: Sequence[NewEvent]) -> list[Event]:
    """Append in the given order; call it last, the log's head stays locked until the commit."""
    if not events:
        return []
    head = conn.execute("SELECT seq, hash FROM event_head FOR UPDATE").fetchone()
    assert head is not None, "migration 0001 puts the head row there"
    seq, prev = head
    appended = []
    for new in events:
        seq += 1
        digest = chain_hash(prev, seq, new)
        appended.append(
            Event(
                seq,
                new.at,
                new.district,
                new.kind,
                new.subject,
                new.actor,
                new.payload,
                prev,
                digest,
            )
        )
        prev = digest
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO event (seq, at, district, kind, subject, actor, payload, prev_hash, hash)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    e.seq,
                    e.at,
                    e.district,
                    e.kind,
                    e.subject,
                    e.actor,
                    Jsonb(e.payload),
                    e.prev_hash,
                    e.hash,
                )
                for e in appended
            ],
        )
    conn.execute("UPDATE event_head SET seq = %s, hash = %s", (seq, prev))
    return appended


def list_events(
    conn: Connection,
    *,
    after: int = 0,
    limit: int = 500,
    subject: str | None = None,
    district: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
) -> list[Event]:
    """Events with a sequence number above `after`, oldest first; `since`: not before this time."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            """
            SELECT seq, at, district, kind, subject, actor, payload, prev_hash, hash
            FROM event
            WHERE seq > %(after)s
              AND (%(subject)s::text IS NULL OR subject = %(subject)s)
              AND (%(district)s::text IS NULL OR district = %(district)s)
              AND (%(kind)s::text IS NULL OR kind = %(kind)s)
              AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
            ORDER BY seq
            LIMIT %(limit)s
            """,
            {
                "after": after, "subject": subject, "district": district, "kind": kind,
                "since": since, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def last_seq(conn: Connection) -> int:
    """Sequence number of the newest committed event, 0 for an empty log."""
    row = conn.execute("SELECT seq FROM event_head").fetchone()
    return row[0] if row else 0


@dataclass(frozen=True)
class ChainReport:
    """`broken_at` is the first sequence number that does not follow from its predecessor."""

    events: int
    broken_at: int | None
    problem: str = ""


def verify_chain(conn: Connection) -> ChainReport:
    """Recompute every hash from the first event on, and compare the end with the head row."""
    prev, count = GENESIS, 0
    for event in _all_events(conn):
        count += 1
        if event.seq != count:
            return ChainReport(count, count, f"event {count} is missing")
        if event.prev_hash != prev or event.hash != chain_hash(prev, event.seq, event):
            return ChainReport(count, event.seq, f"event {event.seq} was changed")
        prev = event.hash
    head = conn.execute("SELECT seq, hash FROM event_head").fetchone()
    if head is None or head[0] != count or bytes(head[1]) != prev:
        return ChainReport(count, count + 1, "the newest events were removed")
    return ChainReport(count, None)


def _all_events(conn: Connection) -> Iterator[Event]:
    after = 0
    while page := list_events(conn, after=after, limit=VERIFY_PAGE):
        yield from page
        after = page[-1].seq
