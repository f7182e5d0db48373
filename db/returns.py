"""The hand-over from the registry to the alarms: devices to be judged by their latest values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from db.pool import Connection
from db.readings_past import PastReading


def judge_at(conn: Connection, device_ids: Sequence[int], at: datetime) -> None:
    """These devices count again from a moment on; said again it moves the moment."""
    conn.execute(
        """
        INSERT INTO device_return (device_id, judge_at)
        SELECT DISTINCT device_id, %s::timestamptz FROM unnest(%s::int[]) AS due (device_id)
        ON CONFLICT (device_id) DO UPDATE SET judge_at = excluded.judge_at, judged = false
        """,
        (at, list(device_ids)),
    )


def claim_due(conn: Connection, district: str, now: datetime, again_at: datetime) -> list[int]:
    """Devices of a district whose moment has come, each a second time from `again_at` on."""
    rows = conn.execute(
        """
        WITH due AS (
            SELECT device_id, judged FROM device_return JOIN device ON device.id = device_id
            WHERE judge_at <= %(now)s AND district = %(district)s
            FOR UPDATE OF device_return
        ), over AS (
            DELETE FROM device_return USING due
            WHERE device_return.device_id = due.device_id AND due.judged
        ), once AS (
            UPDATE device_return SET judged = true, judge_at = %(again_at)s FROM due
            WHERE device_return.device_id = due.device_id AND NOT due.judged
        )
        SELECT device_id FROM due ORDER BY device_id
        """,
        {"district": district, "now": now, "again_at": again_at},
    ).fetchall()
    return [row[0] for row in rows]


def list_latest(conn: Connection, device_ids: Sequence[int]) -> list[PastReading]:
    """The newest value of each metric of these devices, oldest first."""
    with conn.cursor(row_factory=class_row(PastReading)) as cursor:
        return cursor.execute(
            """
            SELECT device_id, metric_id::int, ts, received_at, value, quality::int
            FROM device_latest WHERE device_id = ANY(%s) ORDER BY ts, metric_id
            """,
            (list(device_ids),),
        ).fetchall()
