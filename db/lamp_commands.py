"""Orders to lamps, the commands that they come to, and what was answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, dict_row

from city.lighting import (
    LIGHT,
    CommandState,
    HeardAnswer,
    Lamp,
    LampAnswer,
    LampCommand,
    Target,
    TargetKind,
)
from city.place import LonLat
from city.reading import METRICS
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

# As they are counted.
STATES = tuple(state.value for state in CommandState)
_LAMP_INSIDE = f"""
    (%(within)s::text[] IS NULL
     OR EXISTS (SELECT FROM device d WHERE d.id = c.device_id AND {inside("d")}))
"""
_LAMP_ON, _DIM = METRICS["lamp_on"].id, METRICS["dim_pct"].id


@dataclass(frozen=True, slots=True)
class TargetLamp:
    """A lamp that an order is for."""

    id: int
    code: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What is asked; `programme` and `step_at` where no person asks."""

    district: str
    target: Target
    level: int
    until: datetime | None
    actor: str
    why: str
    lamps: int
    ordered_at: datetime
    programme: str = ""
    step_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that is over, or was sent once more (`due_at` is then its next moment)."""

    id: int
    state: CommandState
    detail: str = ""
    code: str = ""
    fact: str = ""
    due_at: datetime | None = None
    sent: bool = False


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer that waits to be judged."""

    id: int
    device_id: int
    device: str
    district: str
    answer: LampAnswer
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SaidState:
    """The newest values of a lamp that came after it was commanded, None where none came."""

    command_id: int
    lamp_on: float | None
    dim_pct: float | None


# Targets


def list_target(conn: Connection, district: str, target: Target) -> list[TargetLamp]:
    """The lamps in service that a target means, by code."""
    column = {
        TargetKind.LAMP: "code = ANY(%(codes)s)",
        TargetKind.LAMPS: "code = ANY(%(codes)s)",
        TargetKind.CABINET: "attributes ->> 'cabinet' = %(code)s",
        TargetKind.STREET: "street = %(code)s",
        TargetKind.DISTRICT: "true",
    }[target.kind]
    with conn.cursor(row_factory=class_row(TargetLamp)) as cursor:
        return cursor.execute(
            f"""
            SELECT id, code, lon, lat FROM device
            WHERE kind = %(kind)s AND district = %(district)s AND retired_at IS NULL
              AND out_of_service_since IS NULL
              AND {column}
            ORDER BY code
            """,
            {
                "kind": LIGHT,
                "district": district,
                "code": target.code,
                "codes": [target.code] if target.kind is TargetKind.LAMP else list(target.lamps),
            },
        ).fetchall()


def name_of(conn: Connection, target: Target) -> str:
    """What people call a street; other targets go by their code."""
    if target.kind is not TargetKind.STREET:
        return target.code
    row = conn.execute("SELECT name FROM division WHERE code = %s", (target.code,)).fetchone()
    return target.code if row is None else str(row[0])


# Orders and commands


def lock_orders(conn: Connection, district: str) -> None:
    """Nobody else gives lamps of this district an order until the commit: a lamp has one open
    command at a time."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtext('lamp_order'), hashtext(%s))", (district,))


def insert_order(conn: Connection, order: NewOrder) -> int | None:
    """Its number; None if this step of a programme was asked for before."""
    row = conn.execute(
        """
        INSERT INTO lamp_order (district, target_kind, target, level, until, programme, step_at,
                                actor, why, lamps, ordered_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        (
            order.district, order.target.kind, order.target.code, order.level, order.until,
            order.programme, order.step_at, order.actor, order.why, order.lamps, order.ordered_at,
        ),
    ).fetchone()  # fmt: skip
    return None if row is None else int(row[0])


def insert_commands(
    conn: Connection,
    order_id: int,
    district: str,
    device_ids: Sequence[int],
    level: int,
    now: datetime,
) -> None:
    """A command for each lamp, to be sent at once. Those before must be over."""
    conn.execute(
        """
        INSERT INTO lamp_command (order_id, district, device_id, level, due_at, queued_at)
        SELECT %s, %s, device_id, %s, %s, %s FROM unnest(%s::int[]) AS device_id
        ORDER BY device_id
        """,
        (order_id, district, level, now, now, list(device_ids)),
    )


def list_open_of_lamps(conn: Connection, device_ids: Sequence[int]) -> list[LampCommand]:
    """Locked."""
    return _list_open(conn, "c.device_id = ANY(%(ids)s)", {"ids": list(device_ids)})


def list_open_of_order(conn: Connection, district: str, order_id: int) -> list[LampCommand]:
    """Locked."""
    return _list_open(
        conn, "c.order_id = %(order)s AND c.district = %(district)s",
        {"order": order_id, "district": district},
    )  # fmt: skip


def claim_due(conn: Connection, now: datetime, limit: int) -> list[LampCommand]:
    """Commands to be sent, or to be asked about once more; locked, and nobody else has them."""
    return _list_open(
        conn, "c.due_at <= %(now)s", {"now": now, "limit": limit}, "LIMIT %(limit)s", " SKIP LOCKED"
    )  # fmt: skip


def lock_commands(conn: Connection, ids: Sequence[int]) -> list[LampCommand]:
    """Those of these that are not over; locked."""
    return _list_open(conn, "c.id = ANY(%(ids)s)", {"ids": list(ids)})


def _list_open(
    conn: Connection, which: str, values: dict[str, Any], limit: str = "", skip: str = ""
) -> list[LampCommand]:
    rows = conn.execute(
        f"""
        SELECT c.id, c.order_id, c.device_id, c.token::text, c.level, o.until, c.state, c.attempts,
               c.sent_at, d.report_interval_s, d.code, d.district, d.format, d.model,
               coalesce(d.external_id, ''), d.attributes, coalesce(f.base, '')
        FROM lamp_command c
        JOIN lamp_order o ON o.id = c.order_id
        JOIN device d ON d.id = c.device_id
        LEFT JOIN device_feed f ON f.device_id = d.id
        WHERE c.state IN ('queued', 'sent') AND {which}
        ORDER BY c.due_at, c.id {limit}
        FOR UPDATE OF c{skip}
        """,
        values,
    )
    return [
        LampCommand(
            number, order, device, token, level, until, CommandState(state), attempts, sent_at,
            interval_s, Lamp(code, district, name, model, external, attributes, base),
        )
        for number, order, device, token, level, until, state, attempts, sent_at, interval_s,
            code, district, name, model, external, attributes, base in rows
    ]  # fmt: skip


def end_commands(conn: Connection, ended: Sequence[Ended], now: datetime) -> None:
    """Write down what became of these."""
    if not ended:
        return
    conn.execute(
        """
        UPDATE lamp_command c
        SET state = n.state, detail = n.detail, code = n.code, fact = n.fact,
            due_at = n.due_at,
            attempts = c.attempts + n.sent::int,
            sent_at = CASE WHEN n.sent THEN coalesce(c.sent_at, %(now)s) ELSE c.sent_at END,
            ended_at = CASE WHEN n.due_at IS NULL THEN %(now)s END
        FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(details)s::text[],
                    %(codes)s::text[], %(facts)s::text[], %(due)s::timestamptz[],
                    %(sent)s::boolean[])
             AS n (id, state, detail, code, fact, due_at, sent)
        WHERE c.id = n.id
        """,
        {
            "now": now,
            "ids": [each.id for each in ended],
            "states": [each.state.value for each in ended],
            "details": [each.detail for each in ended],
            "codes": [each.code for each in ended],
            "facts": [each.fact for each in ended],
            "due": [each.due_at for each in ended],
            "sent": [each.sent for each in ended],
        },
    )


# Answers


def insert_answers(conn: Connection, heard: Sequence[HeardAnswer]) -> None:
    """Hand over what devices said of commands."""
    if not heard:
        return
    conn.execute(
        """
        INSERT INTO lamp_answer (device_id, token, ok, level, detail, received_at)
        SELECT * FROM unnest(%s::int[], %s::text[], %s::boolean[], %s::float8[], %s::text[],
                             %s::timestamptz[])
        """,
        (
            [each.device_id for each in heard],
            [each.answer.token[:200] for each in heard],
            [each.answer.ok for each in heard],
            [each.answer.level for each in heard],
            [each.answer.detail[:200] for each in heard],
            [each.received_at for each in heard],
        ),
    )


def take_answers(conn: Connection, limit: int) -> list[StoredAnswer]:
    """The oldest answers, taken away with this transaction; nobody else has them."""
    rows = conn.execute(
        """
        WITH taken AS (
            DELETE FROM lamp_answer WHERE id IN (
                SELECT id FROM lamp_answer ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING *)
        SELECT t.id, t.device_id, d.code, d.district, t.token, t.ok, t.level, t.detail,
               t.received_at
        FROM taken t JOIN device d ON d.id = t.device_id ORDER BY t.id
        """,
        (limit,),
    )
    return [
        StoredAnswer(number, device, code, district, LampAnswer(token, ok, level, detail), at)
        for number, device, code, district, token, ok, level, detail, at in rows
    ]


def find_tokens(conn: Connection, tokens: Collection[str]) -> dict[str, tuple[int, int, str]]:
    """Command, device and state by token, of those that there are."""
    rows = conn.execute(
        """
        SELECT token::text, id, device_id, state FROM lamp_command
        WHERE token::text = ANY(%(all)s) AND token = ANY(%(uuids)s::uuid[])
        """,
        {"all": list(tokens), "uuids": [t for t in tokens if _is_uuid(t)]},
    )
    return {token: (number, device, state) for token, number, device, state in rows}


def _is_uuid(text: str) -> bool:
    bare = text.replace("-", "")
    return len(text) == 36 and len(bare) == 32 and all(c in "0123456789abcdef" for c in bare)


def list_said_states(conn: Connection, limit: int) -> list[SaidState]:
    """Lamps with a command on its way whose state came in after it was sent. Clocks of lamps may
    be some minutes behind; what is older than that was measured before."""
    with conn.cursor(row_factory=class_row(SaidState)) as cursor:
        return cursor.execute(
            """
            SELECT c.id AS command_id, lamp.value AS lamp_on, dim.value AS dim_pct
            FROM lamp_command c
            LEFT JOIN device_latest lamp ON lamp.device_id = c.device_id AND lamp.metric_id = %s
                 AND lamp.received_at > c.sent_at AND lamp.ts >= c.sent_at - interval '5 min'
            LEFT JOIN device_latest dim ON dim.device_id = c.device_id AND dim.metric_id = %s
                 AND dim.received_at > c.sent_at AND dim.ts >= c.sent_at - interval '5 min'
            WHERE c.state = 'sent' AND (lamp.value IS NOT NULL OR dim.value IS NOT NULL)
            ORDER BY c.id LIMIT %s
            """,
            (_LAMP_ON, _DIM, limit),
        ).fetchall()


def forget_steps(conn: Connection, before: datetime) -> int:
    """Forget what programmes asked for long ago; what people asked for stays. How many orders."""
    conn.execute(
        """
        DELETE FROM lamp_command WHERE order_id IN (
            SELECT id FROM lamp_order WHERE programme <> '' AND ordered_at < %s)
        """,
        (before,),
    )
    return conn.execute(
        "DELETE FROM lamp_order WHERE programme <> '' AND ordered_at < %s", (before,)
    ).rowcount


# What is shown


def list_orders(
    conn: Connection,
    scope: Scope,
    *,
    below: int | None,
    limit: int,
    state: str | None = None,
    order_id: int | None = None,
) -> list[dict[str, Any]]:
    """Orders, newest first, with how many of their commands stand how. `state`: only those that
    have a command in it; `open` and `lost` are several. Within divisions: those with a lamp there,
    and these lamps alone."""
    states = {"open": ["queued", "sent"], "lost": ["failed", "timed_out"]}.get(
        state or "", [state or ""]
    )
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT o.id, o.target_kind AS target, o.target AS code, v.name AS target_name, o.level,
                   o.until, o.programme, o.step_at, o.actor, o.why,
                   CASE WHEN %(within)s::text[] IS NULL THEN o.lamps ELSE n.lamps END AS lamps,
                   o.ordered_at,
                   n.queued, n.sent, n.acknowledged, n.failed, n.timed_out, n.cancelled
            FROM lamp_order o
            LEFT JOIN division v ON o.target_kind = 'street' AND v.code = o.target
            CROSS JOIN LATERAL (
                SELECT count(*) AS lamps, count(*) FILTER (WHERE state = 'queued') AS queued,
                       count(*) FILTER (WHERE state = 'sent') AS sent,
                       count(*) FILTER (WHERE state = 'acknowledged') AS acknowledged,
                       count(*) FILTER (WHERE state = 'failed') AS failed,
                       count(*) FILTER (WHERE state = 'timed_out') AS timed_out,
                       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
                FROM lamp_command c WHERE c.order_id = o.id AND {_LAMP_INSIDE}) n
            WHERE o.district = %(district)s
              AND (%(below)s::bigint IS NULL OR o.id < %(below)s)
              AND (%(order)s::bigint IS NULL OR o.id = %(order)s)
              AND (%(within)s::text[] IS NULL OR n.lamps > 0)
              AND (%(state)s::text IS NULL OR EXISTS (
                  SELECT FROM lamp_command c
                  WHERE c.order_id = o.id AND c.state = ANY(%(states)s) AND {_LAMP_INSIDE}))
            ORDER BY o.id DESC LIMIT %(limit)s
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "below": below,
                "order": order_id,
                "state": state,
                "states": states,
                "limit": limit,
            },
        ).fetchall()


def list_commands(
    conn: Connection, scope: Scope, order_id: int, limit: int
) -> list[dict[str, Any]]:
    """The commands of an order, those that went wrong first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT c.id, d.code AS device, c.level, c.state, c.attempts, c.queued_at, c.sent_at,
                   c.ended_at, c.due_at, c.code, c.fact, c.detail
            FROM lamp_command c JOIN device d ON d.id = c.device_id
            WHERE c.order_id = %(order)s AND c.district = %(district)s AND {inside("d")}
            ORDER BY array_position(ARRAY['failed', 'timed_out', 'sent', 'queued', 'cancelled',
                                          'acknowledged'], c.state), d.code
            LIMIT %(limit)s
            """,
            {
                "order": order_id, "district": scope.district, "within": scope.codes,
                "limit": limit,
            },
        ).fetchall()  # fmt: skip


def middle_of(lamps: Sequence[TargetLamp]) -> LonLat:
    """Where a number of lamps is, for the sun above them."""
    return LonLat(
        sum(lamp.lon for lamp in lamps) / len(lamps), sum(lamp.lat for lamp in lamps) / len(lamps)
    )
