"""How long one device's history of 30 days takes over 50 million stored readings.

73 devices, four metrics each, a reading every 15 s for 30 days, stored hour by hour as ingest
does it, with the roll-ups that the product keeps. Takes a quarter of an hour, most of it to make
the readings.
"""

from __future__ import annotations

import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import stack
from bench import city_load
from city.moment import as_microseconds
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, Rows
from db import readings, rollups
from db.pool import Connection, connect

DEVICES = 73
NAMES = ("ch4_pct_lel", "temperature_c", "humidity_pct", "battery_pct")
DAYS = 30
STEP_S = 15
POINTS = 500
ASKED = 400
HOUR = timedelta(hours=1)


def run(days: int = DAYS) -> dict[str, Any]:
    """Make the readings, then ask."""
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city_load.found(servers.postgres, servers.mqtt, DEVICES)
        with connect(servers.postgres, autocommit=True) as conn:
            to = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            began = time.monotonic()
            stored = _fill(conn, to - timedelta(days=days), to)
            conn.execute("VACUUM ANALYZE")
            figures: dict[str, Any] = {"readings": stored, "filled_s": time.monotonic() - began}
            return figures | _ask(conn, to, timedelta(days=days))


def _fill(conn: Connection, start: datetime, to: datetime) -> int:
    """Hour by hour: readings, and once a day the roll-ups."""
    device_ids = [row[0] for row in conn.execute("SELECT id FROM device ORDER BY id")]
    stored, hour = 0, start
    while hour < to:
        rows = _hour(device_ids, hour)
        with conn.transaction():
            new = readings.insert_readings(conn, rows, {}, np.ones(len(rows), dtype=bool))
            rollups.insert_due(conn, [hour + rollups.MINUTE * n for n in range(60)])
        stored += int(new.sum())
        hour += HOUR
        if hour.hour == 0 or hour == to:
            rollups.refresh(conn, hour)
    return stored


def _hour(device_ids: list[int], hour: datetime) -> Rows:
    """Sorted readings of everybody for an hour."""
    steps = 3600 // STEP_S
    rows = np.empty(len(device_ids) * len(NAMES) * steps, BATCH_DTYPE)
    rows["device_id"] = np.repeat(device_ids, len(NAMES) * steps)
    metric_ids = sorted(METRICS[name].id for name in NAMES)
    rows["metric_id"] = np.tile(np.repeat(metric_ids, steps), len(device_ids))
    times = as_microseconds(hour) + 1_000_000 * STEP_S * np.arange(steps)
    rows["ts_us"] = np.tile(times, len(device_ids) * len(NAMES))
    rows["received_us"] = rows["ts_us"] + 500_000
    rows["quality"] = 0
    rows["value"] = np.random.default_rng(hour.toordinal()).normal(20, 5, len(rows)).round(2)
    return rows


def _ask(conn: Connection, to: datetime, span: timedelta) -> dict[str, float]:
    """Histories of devices and metrics drawn at random, the whole span in at most 500 points."""
    device_ids = [row[0] for row in conn.execute("SELECT id FROM device")]
    draw = random.Random(1)
    took, points = [], 0
    for _ in range(ASKED):
        device_id, name = draw.choice(device_ids), draw.choice(NAMES)
        began = time.perf_counter()
        found = readings.list_history(conn, device_id, name, to - span, to, points=POINTS)
        took.append(1000 * (time.perf_counter() - began))
        points = max(points, len(found))
    size = conn.execute("SELECT pg_database_size(current_database()) / 1048576.0").fetchone()
    return {
        "points": points,
        "history_ms_p50": float(np.percentile(took, 50)),
        "history_ms_p95": float(np.percentile(took, 95)),
        "history_ms_max": max(took),
        "database_mib": float(size[0]) if size else 0.0,
    }
