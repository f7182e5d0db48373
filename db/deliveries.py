"""Deliveries: what of the log is to be told, the queue of each channel, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from city.delivery import DeliveryState, NewDelivery
from city.event import Event
from db.pool import Connection
from db.row_columns import insert_list, names_of, placeholders, select_list, values_of

_NEW = names_of(NewDelivery)


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as it stands."""

    id: int
    district: str
    incident_id: int | None
    step: str
    clock: str
    attempt: int
    person: str
    channel: str
    kind: str
    target: str
    lang: str
    title: str
    body: str
    token: str
    rings: bool
    urgent: bool
    state: str
    queued_at: datetime
    due_at: datetime | None
    expires_at: datetime
    tries: int
    tried_at: datetime | None
    text_sent: str
    sent_at: datetime | None
    delivered_at: datetime | None
    seen_at: datetime | None
    seen_by: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    ended_at: datetime | None
    problem: str


_ROW = select_list(DeliveryRow, "d")


# The log


def lock_cursor(conn: Connection) -> int | None:
    """Up to where the log was looked at, locked; None while somebody else looks."""
    row = conn.execute("SELECT seq FROM delivery_cursor FOR UPDATE SKIP LOCKED").fetchone()
    return int(row[0]) if row else None


def move_cursor(conn: Connection, seq: int) -> None:
    conn.execute("UPDATE delivery_cursor SET seq = %s", (seq,))


def list_news(
    conn: Connection, after: int, kinds: Collection[str], since: datetime, limit: int
) -> list[Event]:
    """Events of these kinds above `after` and not before `since`, oldest first."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            """
            SELECT seq, at, district, kind, subject, actor, payload, prev_hash, hash
            FROM event WHERE seq > %s AND kind = ANY(%s) AND at >= %s ORDER BY seq LIMIT %s
            """,
            (after, list(kinds), since, limit),
        ).fetchall()


# The queue


def insert_delivery(conn: Connection, new: NewDelivery) -> int | None:
    """Queue a message; None where the same was queued before."""
    row = conn.execute(
        f"""
        INSERT INTO delivery ({insert_list(_NEW)}) VALUES ({placeholders(_NEW)})
        ON CONFLICT DO NOTHING RETURNING id
        """,
        values_of(new),
    ).fetchone()
    return int(row[0]) if row else None


def claim_due(
    conn: Connection, district: str, channel: str, now: datetime, lease: timedelta
) -> DeliveryRow | None:
    """The next delivery of a channel, urgent ones first. It is due again after the lease, unless
    something becomes of it before."""
    with conn.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        return cursor.execute(
            f"""
            UPDATE delivery d
            SET tries = tries + 1, tried_at = %(now)s, due_at = %(until)s
            WHERE id = (
                SELECT id FROM delivery
                WHERE district = %(district)s AND channel = %(channel)s AND due_at <= %(now)s
                ORDER BY urgent DESC, due_at LIMIT 1
                FOR UPDATE SKIP LOCKED)
            RETURNING {_ROW}
            """,
            {"district": district, "channel": channel, "now": now, "until": now + lease},
        ).fetchone()


def mark_sent(
    conn: Connection, delivery_id: int, state: DeliveryState, text: str, now: datetime
) -> None:
    """The channel took it (`sent`), or says that it arrived (`delivered`)."""
    conn.execute(
        """
        UPDATE delivery
        SET due_at = NULL, problem = '', text_sent = %(text)s,
            sent_at = coalesce(sent_at, %(now)s),
            delivered_at = CASE WHEN %(state)s = 'delivered'
                                THEN coalesce(delivered_at, %(now)s) ELSE delivered_at END,
            state = CASE WHEN state = 'queued' THEN %(state)s ELSE state END
        WHERE id = %(id)s AND state IN ('queued', 'delivered', 'seen', 'acknowledged')
        """,
        {"id": delivery_id, "state": state.value, "text": text, "now": now},
    )


def mark_missed(conn: Connection, delivery_id: int, problem: str, due_at: datetime) -> None:
    """It did not go out; it is tried again."""
    conn.execute(
        "UPDATE delivery SET problem = %s, due_at = %s WHERE id = %s AND state = 'queued'",
        (problem, due_at, delivery_id),
    )


def put_off(conn: Connection, delivery_id: int, due_at: datetime) -> None:
    """It was not tried: somebody is not to be woken before this time."""
    conn.execute(
        """
        UPDATE delivery SET due_at = %s, tries = tries - 1 WHERE id = %s AND state = 'queued'
        """,
        (due_at, delivery_id),
    )


def end_delivery(
    conn: Connection, delivery_id: int, state: DeliveryState, problem: str, text: str, now: datetime
) -> None:
    """It failed for good, or nobody has to know any more."""
    conn.execute(
        """
        UPDATE delivery
        SET state = %s, problem = %s, text_sent = %s, due_at = NULL, ended_at = %s
        WHERE id = %s AND state = 'queued'
        """,
        (state.value, problem, text, now, delivery_id),
    )


def withdraw(conn: Connection, incident_id: int, person: str, problem: str, now: datetime) -> None:
    """Take back what waits of a case for a person."""
    conn.execute(
        """
        UPDATE delivery
        SET state = 'withdrawn', problem = %(problem)s, due_at = NULL, ended_at = %(now)s
        WHERE incident_id = %(incident)s AND state = 'queued' AND person = %(person)s
        """,
        {"incident": incident_id, "problem": problem, "now": now, "person": person},
    )


def withdraw_stranded(conn: Connection, problem: str, now: datetime) -> int:
    """Take back what waits for a channel that was taken out or switched off."""
    return conn.execute(
        """
        UPDATE delivery d SET state = 'withdrawn', problem = %s, due_at = NULL, ended_at = %s
        WHERE d.due_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM message_channel c
            WHERE c.district = d.district AND c.name = d.channel AND c.mode <> 'off')
        """,
        (problem, now),
    ).rowcount


# What people do


def mark_delivered(conn: Connection, token: str, now: datetime) -> int | None:
    """The browser that a push message was for has it; None where nothing is new."""
    row = conn.execute(
        """
        UPDATE delivery
        SET delivered_at = %(now)s, due_at = NULL, sent_at = coalesce(sent_at, %(now)s),
            state = CASE WHEN state IN ('queued', 'sent') THEN 'delivered' ELSE state END
        WHERE token = %(token)s AND kind = 'push' AND delivered_at IS NULL
          AND state NOT IN ('failed', 'withdrawn')
        RETURNING id
        """,
        {"token": token, "now": now},
    ).fetchone()
    return int(row[0]) if row else None


def find_by_token(conn: Connection, token: str) -> DeliveryRow | None:
    with conn.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        return cursor.execute(
            f"SELECT {_ROW} FROM delivery d WHERE token = %s", (token,)
        ).fetchone()


def mark_seen(conn: Connection, delivery_id: int, by: str, now: datetime) -> bool:
    """Its link was opened by somebody who is signed in; False where that is known."""
    changed = conn.execute(
        """
        UPDATE delivery
        SET seen_at = %(now)s, seen_by = %(by)s, due_at = NULL,
            sent_at = coalesce(sent_at, %(now)s),
            state = CASE WHEN state IN ('queued', 'sent', 'delivered') THEN 'seen' ELSE state END
        WHERE id = %(id)s AND seen_at IS NULL AND state NOT IN ('failed', 'withdrawn')
        """,
        {"id": delivery_id, "by": by, "now": now},
    )
    return changed.rowcount == 1


def mark_acknowledged(
    conn: Connection, incident_id: int, person: str, now: datetime, *, groups: bool
) -> list[int]:
    """A person says of a case that they know; gives what of theirs, and of groups', that is."""
    rows = conn.execute(
        """
        UPDATE delivery
        SET acknowledged_at = %(now)s, acknowledged_by = %(person)s, state = 'acknowledged'
        WHERE incident_id = %(incident)s AND acknowledged_at IS NULL
          AND (person = %(person)s OR %(groups)s AND person = '')
          AND state IN ('sent', 'delivered', 'seen')
        RETURNING id
        """,
        {"incident": incident_id, "person": person, "now": now, "groups": groups},
    ).fetchall()
    return [row[0] for row in rows]


def list_acknowledgers(conn: Connection, incident_id: int, since: datetime) -> set[str]:
    """Who has said of this case that they know, not before `since`."""
    rows = conn.execute(
        """
        SELECT DISTINCT acknowledged_by FROM delivery
        WHERE incident_id = %s AND acknowledged_at >= %s
        """,
        (incident_id, since),
    ).fetchall()
    return {row[0] for row in rows}


# Lists


def list_deliveries(
    conn: Connection,
    district: str,
    *,
    incident_id: int | None = None,
    person: str | None = None,
    states: Sequence[str] | None = None,
    channel: str | None = None,
    since: datetime | None = None,
    below: int | None = None,
    limit: int = 100,
) -> list[DeliveryRow]:
    """Deliveries of a district, the newest first; `since`: queued not before."""
    with conn.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_ROW} FROM delivery d
            WHERE district = %(district)s
              AND (%(incident_id)s::bigint IS NULL OR incident_id = %(incident_id)s)
              AND (%(person)s::text IS NULL OR person = %(person)s)
              AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
              AND (%(channel)s::text IS NULL OR channel = %(channel)s)
              AND (%(since)s::timestamptz IS NULL OR queued_at >= %(since)s)
              AND (%(below)s::bigint IS NULL OR id < %(below)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {
                "district": district, "incident_id": incident_id, "person": person,
                "states": None if states is None else list(states), "channel": channel,
                "since": since, "below": below, "limit": limit,
            },
        ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class LaneState:
    """How a channel does: what waits, since when, and how its last try went."""

    channel: str
    waiting: int
    oldest_at: datetime | None
    sent_24h: int
    failed_24h: int
    problem: str


def list_lane_states(conn: Connection, district: str, now: datetime) -> list[LaneState]:
    """By channel, of those that anything was queued for in the last day or that something waits
    for; `problem` is that of the newest try, empty where it went out."""
    with conn.cursor(row_factory=class_row(LaneState)) as cursor:
        return cursor.execute(
            """
            SELECT channel, count(*) FILTER (WHERE state = 'queued') AS waiting,
                   min(queued_at) FILTER (WHERE state = 'queued') AS oldest_at,
                   count(*) FILTER (WHERE sent_at > %(since)s) AS sent_24h,
                   count(*) FILTER (WHERE state = 'failed' AND ended_at > %(since)s) AS failed_24h,
                   coalesce((array_agg(problem ORDER BY tried_at DESC)
                             FILTER (WHERE tried_at IS NOT NULL))[1], '') AS problem
            FROM delivery
            WHERE district = %(district)s AND channel <> ''
              AND (queued_at > %(since)s OR due_at IS NOT NULL)
            GROUP BY channel ORDER BY channel
            """,
            {"district": district, "since": now - timedelta(days=1)},
        ).fetchall()


def forget_old(conn: Connection, before: datetime) -> int:
    """Drop deliveries that have ended long ago; the log keeps who was told."""
    return conn.execute(
        "DELETE FROM delivery WHERE queued_at < %s AND due_at IS NULL", (before,)
    ).rowcount
