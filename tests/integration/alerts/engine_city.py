"""A small city for the engine: a few devices on the seeded district and the shipped rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from alerts.steps import Evaluation, evaluate_waiting
from city.alarm import Alarm
from city.moment import as_microseconds
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, pack
from db.events import list_events
from db.pool import Connection

DISTRICT = "460107"


@dataclass
class Engine:
    """Puts batches in and reads alarms out, on one open transaction."""

    conn: Connection
    now: datetime
    first_seq: int = 0
    ids: dict[str, int] = field(default_factory=dict)

    def device(
        self, code: str, kind: str, *, interval_s: int = 300, gas: str | None = None,
        at: tuple[float, float] = (110.35, 20.0), **attributes: Any,
    ) -> int:  # fmt: skip
        row = self.conn.execute(
            """
            INSERT INTO device (code, district, kind, name, lon, lat, gas, report_interval_s,
                                attributes, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
            """,
            (
                code, DISTRICT, kind, code, at[0], at[1], gas, interval_s, Jsonb(attributes),
                self.now,
            ),
        ).fetchone()  # fmt: skip
        assert row is not None
        self.ids[code] = row[0]
        return int(row[0])

    def store(self, readings: Sequence[tuple[Any, ...]]) -> int:
        """One waiting batch; a reading is (code, metric, value[, ts[, quality]])."""
        rows = np.zeros(len(readings), BATCH_DTYPE)
        for i, (code, metric, value, *rest) in enumerate(readings):
            ts = rest[0] if rest else self.now
            rows[i] = (
                self.ids[code], METRICS[metric].id, rest[1] if len(rest) > 1 else 0,
                as_microseconds(ts), as_microseconds(self.now), value,
            )  # fmt: skip
        return self.store_payload(pack(rows))

    def store_payload(self, payload: bytes | None, district: str = DISTRICT) -> int:
        row = self.conn.execute(
            """
            INSERT INTO ingest_batch (worker, received_from, received_to, received, stored,
                                      duplicate, rejected, readings_stored, payload, district)
            VALUES ('test', %s, %s, 1, 1, 0, 0, 1, %s, %s) RETURNING id
            """,
            (self.now, self.now, payload, district),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def read(self, *readings: tuple[Any, ...]) -> Evaluation:
        """Store and evaluate one batch."""
        self.store(readings)
        done = evaluate_waiting(self.conn, self.now)
        assert done is not None
        return done

    def latest(self, code: str, metric: str, value: float, at: datetime) -> None:
        """The latest-value row that ingest would have written."""
        self.conn.execute(
            """
            INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (device_id, metric_id)
            DO UPDATE SET ts = excluded.ts, value = excluded.value,
                          received_at = excluded.received_at
            """,
            (self.ids[code], METRICS[metric].id, at, value, at),
        )

    def later(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now

    def alarms(self) -> list[Alarm]:
        """All alarms of the test, oldest first."""
        with self.conn.cursor(row_factory=class_row(Alarm)) as cursor:
            return cursor.execute(
                """
                SELECT id, district, condition, rule_code, rule_version, category, device_id,
                       camera_event, severity, state, opens_incident, reason, sensed_at,
                       received_at, raised_at, lon, lat, unit_grid, demo, cleared_at,
                       acknowledged_at, acknowledged_by, ended_at, shelved_until, shelved_by,
                       shelve_reason, version
                FROM alarm ORDER BY id
                """
            ).fetchall()

    def changes(self) -> list[str]:
        rows = self.conn.execute("SELECT kind FROM alarm_change ORDER BY id").fetchall()
        return [row[0] for row in rows]

    def events(self) -> list[str]:
        return [e.kind for e in list_events(self.conn, after=self.first_seq)]

    def count(self, table: str) -> int:
        row = self.conn.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert row is not None
        return int(row[0])
