"""Events that changed a part of the settings, with the rows of that part only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class SettingsEvent:
    """`rows` are elements of `event.rows`: {"key", "row" or None, "table"}."""

    seq: int
    at: datetime
    actor: str
    kind: str
    subject: str
    why: str
    rows: list[dict[str, Any]]


def list_settings_events(
    conn: Connection, district: str, subjects: Sequence[str], tables: Sequence[str]
) -> list[SettingsEvent]:
    """All events of a district, and of none, whose subject is of these kinds and that carry rows of
    these tables, oldest first; also those that put rows into the log which had no event. Migration
    0047 has the index for these subjects."""
    with conn.cursor(row_factory=class_row(SettingsEvent)) as cursor:
        return cursor.execute(
            """
            SELECT e.seq, e.at, e.actor, e.kind, e.subject,
                   coalesce(e.payload ->> 'why', '') AS why, r.rows
            FROM event e,
            LATERAL (
                SELECT jsonb_agg(one) AS rows FROM jsonb_array_elements(e.rows) AS one
                WHERE one ->> 'table' = ANY(%(tables)s)
            ) AS r
            WHERE split_part(e.subject, ':', 1) = ANY(%(subjects)s)
              AND split_part(e.subject, ':', 1) IN (
                  'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
                  'roster', 'feed', 'area', 'video_limit', 'duty_grid', 'model', 'district',
                  'setting', 'message_channel', 'escalation')
              AND e.rows IS NOT NULL AND e.district IN ('', %(district)s) AND r.rows IS NOT NULL
            ORDER BY e.seq
            """,
            {"district": district, "subjects": [*subjects, "log"], "tables": list(tables)},
        ).fetchall()
