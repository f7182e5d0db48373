"""On-delays and off-delays in progress: rows with a due time, never memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A row of `rule_timer`; `severity` says which level an on-delay leads to."""

    condition: str
    rule_code: str
    device_id: int
    direction: str
    severity: int | None
    started_at: datetime
    received_at: datetime
    due_at: datetime
    reason: dict[str, Any]


def list_timers(
    conn: Connection, device_ids: Sequence[int], rule_codes: Sequence[str]
) -> list[TimerRow]:
    """Delays of these rules in progress at these devices."""
    with conn.cursor(row_factory=class_row(TimerRow)) as cursor:
        return cursor.execute(
            """
            SELECT condition, rule_code, device_id, direction, severity, started_at, received_at,
                   due_at, reason
            FROM rule_timer
            WHERE device_id = ANY(%s) AND rule_code = ANY(%s)
            """,
            (list(device_ids), list(rule_codes)),
        ).fetchall()


def list_timers_of_rule(conn: Connection, rule_code: str) -> list[TimerRow]:
    """Every delay of one rule in progress."""
    with conn.cursor(row_factory=class_row(TimerRow)) as cursor:
        return cursor.execute(
            """
            SELECT condition, rule_code, device_id, direction, severity, started_at, received_at,
                   due_at, reason
            FROM rule_timer WHERE rule_code = %s
            """,
            (rule_code,),
        ).fetchall()


def list_due_devices(
    conn: Connection, district: str, now: datetime, *, on: Sequence[str], off: Sequence[str]
) -> list[int]:
    """Devices of a district with an on-delay (rules `on`) or off-delay (rules `off`) that has run
    out."""
    rows = conn.execute(
        """
        SELECT DISTINCT device_id FROM rule_timer JOIN device ON device.id = device_id
        WHERE due_at <= %(now)s AND district = %(district)s
          AND ((direction = 'on' AND rule_code = ANY(%(on)s))
               OR (direction = 'off' AND rule_code = ANY(%(off)s)))
        ORDER BY device_id
        """,
        {"now": now, "district": district, "on": list(on), "off": list(off)},
    ).fetchall()
    return [row[0] for row in rows]


def list_due_districts(
    conn: Connection, now: datetime, *, on: Sequence[str], off: Sequence[str]
) -> list[str]:
    """Districts in which such a delay has run out."""
    rows = conn.execute(
        """
        SELECT DISTINCT district FROM rule_timer JOIN device ON device.id = device_id
        WHERE due_at <= %(now)s
          AND ((direction = 'on' AND rule_code = ANY(%(on)s))
               OR (direction = 'off' AND rule_code = ANY(%(off)s)))
        """,
        {"now": now, "on": list(on), "off": list(off)},
    ).fetchall()
    return [row[0] for row in rows]


def save_timers(conn: Connection, timers: Sequence[TimerRow]) -> None:
    """Store delays that began; one that runs already keeps its start."""
    if not timers:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO rule_timer (condition, rule_code, device_id, direction, severity,
                                    started_at, received_at, due_at, reason)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (condition) DO NOTHING
            """,
            [
                (t.condition, t.rule_code, t.device_id, t.direction, t.severity, t.started_at,
                 t.received_at, t.due_at, Jsonb(t.reason))
                for t in timers
            ],
        )  # fmt: skip


def delete_timers(conn: Connection, conditions: Sequence[str]) -> None:
    """Delays that ended or were broken off."""
    if conditions:
        conn.execute("DELETE FROM rule_timer WHERE condition = ANY(%s)", (list(conditions),))


def delete_timers_of_others(conn: Connection, rule_codes: Sequence[str]) -> None:
    """Delays of rules that are no longer in force: should one come back, they are long over."""
    conn.execute("DELETE FROM rule_timer WHERE rule_code <> ALL(%s)", (list(rule_codes),))
