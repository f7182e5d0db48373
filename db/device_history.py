"""What devices were at a moment, and what became of them since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from db.pool import Connection


def name_then(at: LiteralString) -> LiteralString:
    """SQL for the name that `device` had at the moment that `at` spells."""
    return f"""coalesce((SELECT past.name FROM device_past past
                         WHERE past.device_id = device.id AND past.valid_to > {at}
                         ORDER BY past.valid_to, past.version LIMIT 1), device.name)"""


@dataclass(frozen=True, slots=True)
class DeviceThen:
    """What a device was at a moment; place in WGS-84 degrees."""

    name: str
    model: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class _Found(DeviceThen):
    code: str


def list_then(conn: Connection, codes: Sequence[str], at: datetime) -> dict[str, DeviceThen]:
    """These devices as they were at a moment, by code."""
    with conn.cursor(row_factory=class_row(_Found)) as cursor:
        rows = cursor.execute(
            """
            SELECT device.code, was.name, was.model, was.lon, was.lat
            FROM device CROSS JOIN LATERAL (
                SELECT name, model, lon, lat, valid_to, version FROM device_past
                WHERE device_id = device.id AND valid_to > %(at)s
                UNION ALL
                SELECT device.name, device.model, device.lon, device.lat, 'infinity',
                       device.version
                ORDER BY valid_to, version LIMIT 1
            ) was
            WHERE device.code = ANY(%(codes)s)
            """,
            {"codes": list(codes), "at": at},
        ).fetchall()
    return {row.code: DeviceThen(row.name, row.model, row.lon, row.lat) for row in rows}


@dataclass(frozen=True, slots=True)
class SentSince:
    """Messages that a retired device sent all the same; `last_at` of those that are kept."""

    messages: int
    last_at: datetime | None


def count_since_retired(conn: Connection, code: str) -> SentSince:
    """What came of a device after it was retired, kept or only counted."""
    with conn.cursor(row_factory=class_row(SentSince)) as cursor:
        found = cursor.execute(
            """
            WITH it AS (
                SELECT format, retired_at, array[code, lower(code), upper(code), external_id,
                       lower(external_id), upper(external_id)] AS names
                FROM device WHERE code = %s AND retired_at IS NOT NULL
            ), kept AS (
                SELECT count(*) AS n, max(r.received_at) AS last_at FROM reject r JOIN it
                  ON r.format = it.format AND r.device = ANY(it.names)
                 AND r.reason = 'device_retired' AND r.received_at >= it.retired_at
            ), flood AS (
                SELECT coalesce(sum(f.counted), 0) AS n FROM reject_flood f JOIN it
                  ON f.format = it.format AND f.device = ANY(it.names)
                 AND f.reason = 'device_retired' AND f.hour >= date_trunc('hour', it.retired_at)
            )
            SELECT (kept.n + flood.n)::bigint AS messages, kept.last_at FROM kept, flood
            """,
            (code,),
        ).fetchone()
    assert found is not None, "an aggregate without GROUP BY always has a row"
    return found
