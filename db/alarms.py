"""Alarms and their changes: one live alarm per condition, every change a hand-over row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.alarm import Alarm
from db.pool import Connection
from db.row_columns import (
    assignments,
    insert_list,
    names_of,
    placeholders,
    select_list,
    values_of,
)

# Rules are judged by one transaction at a time in a district, in the order of arrival: two engines
# that judge the same device at once could clear an alarm before it is raised. The order of locks,
# for everybody: the city (shared by whoever works on one district, exclusive for whoever works on
# all), then at most one district, then rows, the head of the event log last of all.
ALARM_LOCK = 0x616C_726D

COLUMNS = select_list(Alarm, "alarm")
# The number is given by the table.
INSERTED = names_of(Alarm, without=frozenset({"id"}))
# What may change during an alarm's life.
CHANGING = (
    "rule_code", "rule_version", "severity", "state", "reason", "cleared_at", "acknowledged_at",
    "acknowledged_by", "ended_at", "shelved_until", "shelved_by", "shelve_reason",
    "shelved_severity", "announced_at", "levels", "latch_s", "release_role", "releasable_at",
    "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChangeRow:
    alarm_id: int
    kind: str
    at: datetime


def lock_alarms(conn: Connection) -> None:
    """Wait until no other transaction judges rules anywhere; held until the commit."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (ALARM_LOCK,))


def lock_district(conn: Connection, district: str) -> None:
    """Wait until no other transaction judges rules in a district; held until the commit. Whoever
    holds the lock of all districts has this one, too."""
    conn.execute(
        """
        SELECT pg_advisory_xact_lock_shared(%(lock)s),
               pg_advisory_xact_lock(%(lock)s, hashtext(%(district)s))
        """,
        {"lock": ALARM_LOCK, "district": district},
    )


def try_lock_district(conn: Connection, district: str) -> bool:
    """The same, unless another transaction has the district; waits for one that has all."""
    row = conn.execute(
        """
        SELECT pg_advisory_xact_lock_shared(%(lock)s),
               pg_try_advisory_xact_lock(%(lock)s, hashtext(%(district)s))
        """,
        {"lock": ALARM_LOCK, "district": district},
    ).fetchone()
    return bool(row and row[1])


def lock_district_of(conn: Connection, alarm_id: int) -> None:
    """The same for the district of an alarm, which never changes; nothing for an unknown one."""
    row = conn.execute("SELECT district FROM alarm WHERE id = %s", (alarm_id,)).fetchone()
    if row is not None:
        lock_district(conn, row[0])


def list_live_alarms(
    conn: Connection,
    *,
    device_ids: Sequence[int] = (),
    conditions: Sequence[str] = (),
    rule_codes: Sequence[str] = (),
) -> list[Alarm]:
    """Live alarms of these devices, conditions or rules, locked until the commit."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM alarm
            WHERE state <> 'normal'
              AND (device_id = ANY(%s::int[]) OR condition = ANY(%s::text[])
                   OR rule_code = ANY(%s::text[]) OR levels ?| %s::text[])
            ORDER BY id
            FOR UPDATE
            """,
            (list(device_ids), list(conditions), list(rule_codes), list(rule_codes)),
        ).fetchall()


def list_devices_in_alarm(conn: Connection, rule_code: str) -> set[int]:
    """Devices of which a rule holds a live alarm; nothing is locked."""
    rows = conn.execute(
        """
        SELECT DISTINCT device_id FROM alarm
        WHERE state <> 'normal' AND device_id IS NOT NULL
          AND (rule_code = %(code)s OR levels ? %(code)s)
        """,
        {"code": rule_code},
    ).fetchall()
    return {row[0] for row in rows}


def list_active(conn: Connection) -> list[Alarm]:
    """Every alarm whose condition is present, locked until the commit."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM alarm
            WHERE state IN ('unacknowledged', 'acknowledged')
            ORDER BY id
            FOR UPDATE
            """
        ).fetchall()


def list_ended(conn: Connection, device_ids: Sequence[int], *, since: datetime) -> list[Alarm]:
    """Alarms of these devices that ended since then, oldest first."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM alarm
            WHERE device_id = ANY(%s) AND ended_at >= %s
            ORDER BY sensed_at, id
            """,
            (list(device_ids), since),
        ).fetchall()


def list_without_cause(conn: Connection, district: str, at_most: int) -> list[Alarm]:
    """Gas alarms of a district that stand and of which no likely cause was said."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM alarm
            WHERE state IN ('unacknowledged', 'acknowledged') AND district = %s
              AND condition LIKE 'gas/%%' AND device_id IS NOT NULL
              AND NOT reason -> 'facts' ? 'likely_cause'
            ORDER BY id LIMIT %s
            """,
            (district, at_most),
        ).fetchall()


def list_districts_without_cause(conn: Connection) -> list[str]:
    """Districts with such an alarm."""
    rows = conn.execute(
        """
        SELECT DISTINCT district FROM alarm
        WHERE state IN ('unacknowledged', 'acknowledged')
          AND condition LIKE 'gas/%' AND device_id IS NOT NULL
          AND NOT reason -> 'facts' ? 'likely_cause'
        """
    ).fetchall()
    return [row[0] for row in rows]


def find_alarm(conn: Connection, alarm_id: int) -> Alarm | None:
    """One alarm by its id, locked until the commit."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM alarm WHERE id = %s
            FOR UPDATE
            """,
            (alarm_id,),
        ).fetchone()


def find_live(conn: Connection, condition: str) -> Alarm | None:
    """The live alarm of a condition, if there is one."""
    found = list_live_alarms(conn, conditions=[condition])
    return found[0] if found else None


def insert_alarms(conn: Connection, new: Sequence[Alarm]) -> list[int]:
    """Store new alarms, answering their ids in order; a second live one of the same condition
    is refused by the index."""
    if not new:
        return []
    with conn.cursor() as cursor:
        cursor.executemany(
            f"""
            INSERT INTO alarm ({insert_list(INSERTED)}) VALUES ({placeholders(INSERTED)})
            RETURNING id
            """,
            [values_of(alarm) for alarm in new],
            returning=True,
        )
        return [row[0] for result in cursor.results() for row in result.fetchall()]


def update_alarms(conn: Connection, changed: Sequence[Alarm]) -> None:
    """Write what may change during an alarm's life."""
    if not changed:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            f"UPDATE alarm SET {assignments(CHANGING)} WHERE id = %(id)s",
            [values_of(alarm) for alarm in changed],
        )


def insert_changes(conn: Connection, changes: Sequence[ChangeRow]) -> None:
    """Hand changes over to the next stage, in order."""
    if not changes:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO alarm_change (alarm_id, kind, at) VALUES (%s, %s, %s)",
            [(c.alarm_id, c.kind, c.at) for c in changes],
        )
