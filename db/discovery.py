"""Identities that report and that nobody registered: a bounded list that waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from city.device import STRANGERS_PER_BATCH, Stranger
from city.errors import NotFound
from db.pool import Connection

# Rows that may wait at once: more than any delivery of new devices, and 10 MB at most.
WAITING_MAX = 5_000


# Bytes kept of the newest message: enough to see what it is.
PAYLOAD_LIMIT = 2_048

STATES = ("waiting", "approved", "ignored")


def note_strangers(
    conn: Connection, strangers: Sequence[Stranger], *, waiting_max: int = WAITING_MAX
) -> None:
    """Add to the list or count again, one row an identity; call it shortly before the commit.

    Keys are taken in order and the trimming waits for nobody, so that workers never deadlock.
    """
    if not strangers:
        return
    ordered = sorted(strangers[:STRANGERS_PER_BATCH], key=lambda s: (s.format, s.identity))
    came = conn.execute(
        """
        INSERT INTO discovered_device AS known
            (format, identity, kind, first_seen, last_seen, messages, last_topic, last_payload,
             payload_size)
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[],
                             %s::timestamptz[], %s::bigint[], %s::text[], %s::bytea[], %s::int[])
        ON CONFLICT (format, identity) DO UPDATE
        SET messages = known.messages + excluded.messages,
            kind = coalesce(nullif(excluded.kind, ''), known.kind),
            first_seen = least(known.first_seen, excluded.first_seen),
            last_seen = greatest(known.last_seen, excluded.last_seen),
            last_topic = excluded.last_topic, last_payload = excluded.last_payload,
            payload_size = excluded.payload_size
        RETURNING xmax = 0
        """,
        (
            [s.format for s in ordered],
            [s.identity for s in ordered],
            [s.kind for s in ordered],
            [s.first_seen for s in ordered],
            [s.last_seen for s in ordered],
            [s.messages for s in ordered],
            [s.last_topic for s in ordered],
            [s.last_payload[:PAYLOAD_LIMIT] for s in ordered],
            [len(s.last_payload) for s in ordered],
        ),
    ).fetchall()
    if any(is_new for (is_new,) in came):
        _trim(conn, waiting_max)


def _trim(conn: Connection, waiting_max: int) -> None:
    """Forget those seen once before those that keep coming, and the longest unseen first: a
    flood of invented identities pushes out its own kind."""
    conn.execute(
        """
        DELETE FROM discovered_device WHERE id IN (
            SELECT id FROM discovered_device WHERE id IN (
                SELECT id FROM discovered_device WHERE state = 'waiting'
                ORDER BY messages > 1 DESC, last_seen DESC, id DESC OFFSET %s)
            ORDER BY id FOR UPDATE SKIP LOCKED)
        """,
        (waiting_max,),
    )


@dataclass(frozen=True, slots=True)
class DiscoveredDevice:
    """One identity of the list; `last_payload` may have been cut, `payload_size` is what came."""

    id: int
    format: str
    identity: str
    kind: str
    state: str
    first_seen: datetime
    last_seen: datetime
    messages: int
    last_topic: str
    last_payload: bytes
    payload_size: int
    decided_by: str | None
    decided_at: datetime | None
    device: str | None


_FOUND: LiteralString = """
    SELECT id, format, identity, kind, state, first_seen, last_seen, messages, last_topic,
           last_payload, payload_size, decided_by, decided_at, device
    FROM discovered_device AS found
    """


def list_discovered(
    conn: Connection,
    *,
    state: str = "waiting",
    format: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[DiscoveredDevice]:
    """Last seen first. An identity that was registered in any way no longer waits."""
    before_at, before_id = before or (None, None)
    with conn.cursor(row_factory=class_row(DiscoveredDevice)) as cursor:
        return cursor.execute(
            _FOUND
            + """
            WHERE state = %(state)s
              AND (%(state)s <> 'waiting' OR NOT EXISTS (
                   SELECT FROM device d WHERE d.format = found.format
                   AND (d.external_id = found.identity OR d.code = found.identity)))
              AND (%(format)s::text IS NULL OR format = %(format)s)
              AND (%(kind)s::text IS NULL OR kind = %(kind)s)
              AND (%(since)s::timestamptz IS NULL OR last_seen >= %(since)s)
              AND (%(before_at)s::timestamptz IS NULL
                   OR (last_seen, id) < (%(before_at)s, %(before_id)s))
            ORDER BY last_seen DESC, id DESC
            LIMIT %(limit)s
            """,
            {
                "state": state, "format": format, "kind": kind, "since": since,
                "before_at": before_at, "before_id": before_id, "limit": limit,
            },
        ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiscoveredCounts:
    waiting: int
    ignored: int
    ignored_messages: int  # what the ignored ones have sent so far


def count_discovered(conn: Connection) -> DiscoveredCounts:
    """How many wait, how many are ignored."""
    with conn.cursor(row_factory=class_row(DiscoveredCounts)) as cursor:
        found = cursor.execute(
            """
            SELECT count(*) FILTER (WHERE state = 'waiting' AND NOT EXISTS (
                       SELECT FROM device d WHERE d.format = found.format
                       AND (d.external_id = found.identity OR d.code = found.identity)))::int
                       AS waiting,
                   count(*) FILTER (WHERE state = 'ignored')::int AS ignored,
                   coalesce(sum(messages) FILTER (WHERE state = 'ignored'), 0)::bigint
                       AS ignored_messages
            FROM discovered_device AS found
            """
        ).fetchone()
    assert found is not None, "an aggregate without GROUP BY always has a row"
    return found


def claim_discovered(conn: Connection, discovered_id: int) -> DiscoveredDevice:
    """One row, locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(DiscoveredDevice)) as cursor:
        found = cursor.execute(_FOUND + "WHERE id = %s FOR UPDATE", (discovered_id,)).fetchone()
    if found is None:
        raise NotFound("discovered device", discovered_id)
    return found


def mark_decided(
    conn: Connection, discovered_id: int, state: str, by: str, now: datetime, device: str | None
) -> None:
    """What a person made of it: `approved` under a code, or `ignored`."""
    conn.execute(
        """
        UPDATE discovered_device SET state = %s, decided_by = %s, decided_at = %s, device = %s
        WHERE id = %s
        """,
        (state, by, now, device, discovered_id),
    )


def list_stranger_rejects(
    conn: Connection, format: str, names: Sequence[str], *, after: int = 0, limit: int
) -> list[int]:
    """Quarantined messages under these names from when nobody knew them, as they came."""
    rows = conn.execute(
        """
        SELECT id FROM reject
        WHERE format = %s AND device = ANY(%s) AND reason = 'device_unknown'
          AND replayed_at IS NULL AND id > %s
        ORDER BY id LIMIT %s
        """,
        (format, _spellings(names), after, limit),
    )
    return [row[0] for row in rows]


def count_stranger_rejects(
    conn: Connection, format: str, names: Sequence[str], *, after: int = 0
) -> int:
    """How many of them wait."""
    row = conn.execute(
        """
        SELECT count(*)::int FROM reject
        WHERE format = %s AND device = ANY(%s) AND reason = 'device_unknown'
          AND replayed_at IS NULL AND id > %s
        """,
        (format, _spellings(names), after),
    ).fetchone()
    return int(row[0]) if row else 0


def _spellings(names: Sequence[str]) -> list[str]:
    """An EUI is kept in lower case; a message may have written it in upper case."""
    return sorted({spelled for n in names for spelled in (n, n.lower(), n.upper())})
