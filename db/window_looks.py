"""Devices that rules over windows have yet to look at: marked by evaluation, taken by ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from db.pool import Connection

# Looked at in one transaction, which holds the lock of the district; the rest is due in the next.
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Look:
    """A rule has not looked at readings of a device from `since` on."""

    device_id: int
    rule_code: str
    since: datetime


def mark(conn: Connection, marks: Sequence[tuple[str, int, datetime, datetime]]) -> None:
    """Ask for looks: (rule, device, time of its oldest new reading, when it is due). One that is
    asked for already stays due when it was."""
    if not marks:
        return
    rules, devices, since, due = zip(*sorted(marks), strict=True)
    conn.execute(
        """
        INSERT INTO window_look (rule_code, device_id, since, due_at)
        SELECT * FROM unnest(%s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[])
        ON CONFLICT (device_id, rule_code) DO UPDATE
        SET since = least(window_look.since, excluded.since),
            due_at = least(window_look.due_at, excluded.due_at)
        WHERE excluded.since < window_look.since OR excluded.due_at < window_look.due_at
        """,
        (list(rules), list(devices), list(since), list(due)),
    )


def list_due_districts(conn: Connection, rule_codes: Sequence[str], now: datetime) -> list[str]:
    """Districts with a device that one of these rules is due to look at."""
    rows = conn.execute(
        """
        SELECT DISTINCT district FROM window_look JOIN device ON device.id = device_id
        WHERE due_at <= %s AND rule_code = ANY(%s)
        """,
        (now, list(rule_codes)),
    ).fetchall()
    return [row[0] for row in rows]


def list_due_devices(
    conn: Connection, district: str, rule_codes: Sequence[str], now: datetime
) -> set[int]:
    """Of which devices looks are due that `take_due` would take now; nothing is taken or locked."""
    rows = conn.execute(
        """
        SELECT device_id FROM window_look JOIN device ON device.id = device_id
        WHERE due_at <= %s AND rule_code = ANY(%s) AND district = %s
        ORDER BY due_at, device_id LIMIT %s
        """,
        (now, list(rule_codes), district, AT_ONCE),
    ).fetchall()
    return {row[0] for row in rows}


def take_due(
    conn: Connection, district: str, rule_codes: Sequence[str], now: datetime
) -> list[Look]:
    """Take what is due in a district that the caller has locked; undone with its transaction."""
    with conn.cursor(row_factory=class_row(Look)) as cursor:
        return cursor.execute(
            """
            DELETE FROM window_look USING (
                SELECT device_id, rule_code FROM window_look JOIN device ON device.id = device_id
                WHERE due_at <= %s AND rule_code = ANY(%s) AND district = %s
                ORDER BY due_at, device_id LIMIT %s
            ) AS due
            WHERE window_look.device_id = due.device_id
              AND window_look.rule_code = due.rule_code
            RETURNING window_look.device_id, window_look.rule_code, window_look.since
            """,
            (now, list(rule_codes), district, AT_ONCE),
        ).fetchall()


def forget_others(conn: Connection, rule_codes: Sequence[str], before: datetime) -> None:
    """Drop what rules asked for that are no longer in force."""
    conn.execute(
        "DELETE FROM window_look WHERE due_at < %s AND NOT rule_code = ANY(%s)",
        (before - timedelta(minutes=1), list(rule_codes)),
    )
