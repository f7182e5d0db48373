"""The event log: append in commit order, read from a cursor, verify the hash chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.event import Event, NewEvent
from city.hash_chain import GENESIS, chain_hash
from db.event_rows import are_waiting, give_rows, take_rows
from db.pool import Connection
from db.scopes import cell_at, inside

# Rows fetched at a time when the whole chain is recomputed.
VERIFY_PAGE = 1_000


def append_events(conn: Connection, events: Sequence[NewEvent]) -> list[Event]:
    """Append in the given order; call it last, the log's head stays locked until the commit.

    Each event takes the rows with it that its transaction has changed. What was changed without
    an event goes before them as events of its own.
    """
    return _append(conn, events, events[0].at)[-len(events) :] if events else []


def append_waiting(conn: Connection, now: datetime) -> int:
    """Put what was changed without an event into the log; answers how many events that took."""
    return len(_append(conn, (), now)) if are_waiting(conn) else 0


def _append(conn: Connection, events: Sequence[NewEvent], now: datetime) -> list[Event]:
    head = conn.execute(
        "SELECT seq, hash, pg_current_xact_id()::text::bigint FROM event_head FOR UPDATE"
    ).fetchone()
    assert head is not None, "migration 0001 puts the head row there"
    seq, prev, txid = head
    appended = []
    for told in give_rows(take_rows(conn), events, txid, now):
        seq += 1
        new = told.event
        digest = chain_hash(prev, seq, new, told.rows)
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
                told.rows,
            )
        )
        prev = digest
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO event (seq, at, district, kind, subject, actor, payload, prev_hash, hash,
                               rows)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
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
                    e.rows,
                )
                for e in appended
            ],
        )
    conn.execute("UPDATE event_head SET seq = %s, hash = %s", (seq, prev))
    return appended


_NUMBER = "substr(subject, strpos(subject, ':') + 1)"
_ENTRY_INSIDE = f"lies_within({cell_at('e')}, NULL, NULL, %(within)s)"
_ALARM_INSIDE = inside("device", cell="coalesce(a.unit_grid, device.unit_grid)")
# The matter of an event that lies in divisions. All else is the district's: rules, people, orders.
_INSIDE = f"""
    CASE
    WHEN subject ~ '^incident:[0-9]{{1,18}}$' THEN EXISTS (
        SELECT FROM incident i WHERE i.id = {_NUMBER}::bigint AND {inside("i")})
    WHEN subject ~ '^alarm:[0-9]{{1,18}}$' THEN EXISTS (
        SELECT FROM alarm a LEFT JOIN device ON device.id = a.device_id
        WHERE a.id = {_NUMBER}::bigint AND {_ALARM_INSIDE})
    WHEN subject ~ '^register_entry:[0-9]{{1,18}}$' THEN EXISTS (
        SELECT FROM register_entry e WHERE e.id = {_NUMBER}::bigint AND {_ENTRY_INSIDE})
    WHEN subject ~ '^(device|video):' THEN EXISTS (
        SELECT FROM device d
        WHERE d.code = split_part({_NUMBER}, '/', 1) AND d.district = event.district
          AND {inside("d")})
    ELSE false END
"""


def list_events(
    conn: Connection,
    *,
    after: int = 0,
    limit: int = 500,
    subject: str | None = None,
    district: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    with_rows: bool = False,
    within: Sequence[str] | None = None,
) -> list[Event]:
    """Events with a sequence number above `after`, oldest first; `since`: not before this time;
    `within`: about matters in these divisions alone."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            f"""
            SELECT seq, at, district, kind, subject, actor, payload, prev_hash, hash,
                   CASE WHEN %(with_rows)s THEN rows::text END AS rows
            FROM event
            WHERE seq > %(after)s
              AND (%(subject)s::text IS NULL OR subject = %(subject)s)
              AND (%(district)s::text IS NULL OR district = %(district)s)
              AND (%(kind)s::text IS NULL OR kind = %(kind)s)
              AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
              AND (%(within)s::text[] IS NULL OR {_INSIDE})
            ORDER BY seq
            LIMIT %(limit)s
            """,
            {
                "after": after, "subject": subject, "district": district, "kind": kind,
                "since": since, "limit": limit, "with_rows": with_rows,
                "within": None if within is None else list(within),
            },
        ).fetchall()  # fmt: skip


def list_newest(
    conn: Connection, subject: str, *, kind: str | None = None, limit: int = 200
) -> list[Event]:
    """Events of a subject without their rows, newest first."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            """
            SELECT seq, at, district, kind, subject, actor, payload, prev_hash, hash
            FROM event
            WHERE subject = %s AND (%s::text IS NULL OR kind = %s)
            ORDER BY seq DESC
            LIMIT %s
            """,
            (subject, kind, kind, limit),
        ).fetchall()


def list_actors(conn: Connection, subject: str, kinds: Sequence[str], since: datetime) -> set[str]:
    """Who did something of these kinds to a subject, not before `since`."""
    rows = conn.execute(
        "SELECT DISTINCT actor FROM event WHERE subject = %s AND kind = ANY(%s) AND at >= %s",
        (subject, list(kinds), since),
    )
    return {row[0] for row in rows}


def list_changes(conn: Connection, *, after: int, until: int, limit: int) -> list[Event]:
    """Events in (`after`, `until`] that carry rows, with them: all that a picture is made of."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            """
            SELECT seq, at, district, kind, subject, actor, payload, prev_hash, hash,
                   rows::text AS rows
            FROM event
            WHERE seq > %s AND seq <= %s AND rows IS NOT NULL
            ORDER BY seq
            LIMIT %s
            """,
            (after, until, limit),
        ).fetchall()


def last_seq(conn: Connection) -> int:
    """Sequence number of the newest committed event, 0 for an empty log."""
    row = conn.execute("SELECT seq FROM event_head").fetchone()
    return row[0] if row else 0


def seq_at(conn: Connection, at: datetime) -> int:
    """Sequence number of the last event that had happened at a moment, 0 for none."""
    row = conn.execute("SELECT coalesce(max(seq), 0) FROM event WHERE at <= %s", (at,)).fetchone()
    assert row is not None, "an aggregate"
    return int(row[0])


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
        if event.prev_hash != prev or event.hash != chain_hash(prev, event.seq, event, event.rows):
            return ChainReport(count, event.seq, f"event {event.seq} was changed")
        prev = event.hash
    head = conn.execute("SELECT seq, hash FROM event_head").fetchone()
    if head is None or head[0] != count or bytes(head[1]) != prev:
        return ChainReport(count, count + 1, "the newest events were removed")
    return ChainReport(count, None)


def _all_events(conn: Connection) -> Iterator[Event]:
    after = 0
    while page := list_events(conn, after=after, limit=VERIFY_PAGE, with_rows=True):
        yield from page
        after = page[-1].seq
