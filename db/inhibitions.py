"""What is not announced because another alarm explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.alarm import Inhibition
from db.pool import Connection


def list_inhibitions(conn: Connection) -> list[Inhibition]:
    """All there are now."""
    with conn.cursor(row_factory=class_row(Inhibition)) as cursor:
        return cursor.execute(
            """
            SELECT condition, by_condition, district, device_id, severity, reason, since
            FROM alarm_inhibition ORDER BY condition
            """
        ).fetchall()


def insert_inhibitions(conn: Connection, new: Sequence[Inhibition]) -> None:
    """Add some, or replace those of the same conditions."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO alarm_inhibition
                (condition, by_condition, district, device_id, severity, reason, since)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (condition) DO UPDATE
            SET by_condition = excluded.by_condition, severity = excluded.severity,
                reason = excluded.reason, since = excluded.since
            """,
            [
                (i.condition, i.by_condition, i.district, i.device_id, i.severity,
                 Jsonb(i.reason), i.since)
                for i in new
            ],
        )  # fmt: skip


def delete_inhibitions(conn: Connection, conditions: Sequence[str]) -> None:
    """These conditions speak for themselves again, or are over."""
    conn.execute("DELETE FROM alarm_inhibition WHERE condition = ANY(%s)", (list(conditions),))


def list_inhibitions_of(conn: Connection, device_id: int) -> list[Inhibition]:
    """What of one device is not announced, and why."""
    with conn.cursor(row_factory=class_row(Inhibition)) as cursor:
        return cursor.execute(
            """
            SELECT condition, by_condition, district, device_id, severity, reason, since
            FROM alarm_inhibition WHERE device_id = %s ORDER BY condition
            """,
            (device_id,),
        ).fetchall()


INHIBITION_FILTERS: dict[str, type] = {"by": str, "device": str, "severity": int}


@dataclass(frozen=True, slots=True)
class ListedInhibition:
    """What is not announced, with the reason it would have and the alarm that explains it."""

    condition: str
    by_condition: str
    device: str
    kind: str
    severity: int
    reason: dict[str, Any]
    since: datetime


def list_inhibited(
    conn: Connection,
    district: str,
    *,
    by: str | None = None,
    device: str | None = None,
    severity: int | None = None,
    since: datetime | None = None,
    after: str = "",
    limit: int = 100,
) -> list[ListedInhibition]:
    """Of a district, by condition from `after` on; `since`: with a last reading since then."""
    with conn.cursor(row_factory=class_row(ListedInhibition)) as cursor:
        return cursor.execute(
            """
            SELECT i.condition, i.by_condition, d.code AS device, d.kind, i.severity, i.reason,
                   i.since
            FROM alarm_inhibition i JOIN device d ON d.id = i.device_id
            WHERE i.district = %(district)s AND i.condition > %(after)s
              AND (%(by)s::text IS NULL OR i.by_condition = %(by)s)
              AND (%(device)s::text IS NULL OR d.code = %(device)s)
              AND (%(severity)s::int IS NULL OR i.severity = %(severity)s)
              AND (%(since)s::timestamptz IS NULL OR i.since >= %(since)s)
            ORDER BY i.condition LIMIT %(limit)s
            """,
            {
                "district": district, "by": by, "device": device, "severity": severity,
                "since": since, "after": after, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def list_explained(
    conn: Connection, district: str, codes: Sequence[str]
) -> dict[str, ListedInhibition]:
    """By device code what explains its silence, of these devices."""
    with conn.cursor(row_factory=class_row(ListedInhibition)) as cursor:
        rows = cursor.execute(
            """
            SELECT i.condition, i.by_condition, d.code AS device, d.kind, i.severity, i.reason,
                   i.since
            FROM alarm_inhibition i JOIN device d ON d.id = i.device_id
            WHERE i.district = %s AND d.code = ANY(%s)
            """,
            (district, list(codes)),
        ).fetchall()
    return {row.device: row for row in rows}
