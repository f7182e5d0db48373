"""How many readings a second the alarm engine evaluates.

Batches of 10,000 readings over 20,000 devices, one in a thousand over a limit. Once the array
path alone (unpack, screen, judge; no database), once whole steps against TimescaleDB: claim,
evaluate, save alarms and events, commit; once a backlog of batches until none is left. Beside
it, in the same run: the same rules applied one reading at a time in Python, the way of an engine
without arrays.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import stack
from alerts.book import AlarmBook
from alerts.course import judge_sample
from alerts.evaluate import in_time_order
from alerts.judge import Sample, Standing, judge
from alerts.known import Known
from alerts.rule_files import parse_rule
from alerts.screen import applies_to, build_fleet, screen, split
from alerts.steps import apply_rules, default_rules, evaluate_waiting
from app.up import prepare_database
from city.device import WatchedDevice
from city.moment import EPOCH, as_microseconds
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, Rows, pack, unpack
from db.evaluation import list_watched_devices
from db.pool import Connection, connect

BATCH = 10_000
DEVICES = 20_000
TRIPPING = 0.001
SECONDS = 5.0
BACKLOG = 64  # batches that wait
# What the devices of each kind report, with values far from every limit.
HARMLESS = {
    "gas": (("ch4_pct_lel", 3.0), ("temperature_c", 25.0), ("battery_pct", 90.0)),
    "manhole": (("tilt_deg", 1.0), ("water_level_cm", 10.0), ("cover_open", 0.0)),
    "light": (("lamp_on", 1.0), ("power_w", 100.0), ("voltage_v", 221.0)),
}
DANGEROUS = {"gas": ("ch4_pct_lel", 42.0), "manhole": ("tilt_deg", 40.0)}


def run(seconds: float | None = None) -> dict[str, Any]:
    """All measurements as a flat table of figures."""
    span = float(seconds or SECONDS)
    devices = {n: _device(n) for n in range(1, DEVICES + 1)}
    figures: dict[str, Any] = {
        "batch_readings": BATCH,
        "array_path_readings_per_s": _per_second(_array_path(devices), BATCH, span),
        "one_by_one_readings_per_s": _per_second(_one_by_one(devices), BATCH, span),
    }
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        prepare_database(servers.postgres, demo=True)
        with connect(servers.postgres) as conn:
            figures |= _whole_steps(conn, span)
            figures |= _backlog(conn)
    return figures


def _array_path(devices: dict[int, WatchedDevice]) -> Callable[[], None]:
    rules = [parse_rule(text, name) for name, text in default_rules().items()]
    fleet = build_fleet(devices.values(), rules)
    now = datetime.now(UTC)
    payload = pack(_readings(list(devices.values()), now, np.random.default_rng(1)))

    def evaluate() -> None:
        columns = split(unpack(payload))
        book = AlarmBook(now)
        hits = screen(columns, fleet, (), now)
        for rule, device, sample in in_time_order(columns, hits, devices):
            judge_sample(book, rule, device, sample)
        assert book.changes() > 0

    return evaluate


def _one_by_one(devices: dict[int, WatchedDevice]) -> Callable[[], None]:
    rules = [parse_rule(text, name) for name, text in default_rules().items()]
    now = datetime.now(UTC)
    rows = unpack(pack(_readings(list(devices.values()), now, np.random.default_rng(1))))
    by_metric = {
        m.id: [r for r in rules if r.metric is not None and r.metric.id == m.id]
        for m in METRICS.values()
    }

    def evaluate() -> None:
        found = 0
        for device_id, metric_id, quality, ts_us, received_us, value in rows.tolist():
            device = devices[device_id]
            for rule in by_metric[metric_id]:
                if applies_to(rule, device):
                    sample = Sample(_moment(ts_us), _moment(received_us), value, quality)
                    standing = Standing()
                    found += len(list(judge(rule, device_id, device.attributes, standing, sample)))
        assert found > 0

    return evaluate


def _whole_steps(conn: Connection, span: float) -> dict[str, Any]:
    now = datetime.now(UTC)
    apply_rules(conn, "system", default_rules(), now)
    devices = [d for d in list_watched_devices(conn) if d.kind in HARMLESS]
    rng = np.random.default_rng(2)
    known = Known()
    took: list[float] = []
    changes = 0
    while sum(took) < span:
        now = datetime.now(UTC)
        _store(conn, pack(_readings(devices, now, rng)), now)
        conn.commit()
        started = time.perf_counter()
        done = evaluate_waiting(conn, now, known)
        conn.commit()
        took.append(time.perf_counter() - started)
        assert done is not None
        changes += done.changes
    return {
        "step_readings_per_s": BATCH * len(took) / sum(took),
        "step_ms_p50": float(np.percentile(took, 50)) * 1000,
        "step_ms_p95": float(np.percentile(took, 95)) * 1000,
        "step_devices": len(devices),
        "step_batches": len(took),
        "step_alarm_changes": changes,
    }


def _backlog(conn: Connection) -> dict[str, Any]:
    """Batches that have piled up, until none is left."""
    devices = [d for d in list_watched_devices(conn) if d.kind in HARMLESS]
    rng = np.random.default_rng(3)
    known = Known()
    for _ in range(BACKLOG):
        now = datetime.now(UTC)
        _store(conn, pack(_readings(devices, now, rng)), now)
    conn.commit()
    took: list[float] = []
    while True:
        started = time.perf_counter()
        done = evaluate_waiting(conn, datetime.now(UTC), known)
        conn.commit()
        if done is None:
            break
        took.append(time.perf_counter() - started)
    return {
        "backlog_readings_per_s": BATCH * BACKLOG / sum(took),
        "backlog_step_ms_max": max(took) * 1000,
    }


def _readings(devices: list[WatchedDevice], now: datetime, rng: np.random.Generator) -> Rows:
    rows = np.zeros(BATCH, BATCH_DTYPE)
    chosen = rng.integers(0, len(devices), BATCH)
    which = rng.integers(0, 3, BATCH)
    now_us = as_microseconds(now)
    for i, number in enumerate(chosen.tolist()):
        device = devices[number]
        metric, value = HARMLESS[device.kind][which[i]]
        rows[i] = (device.id, METRICS[metric].id, 0, now_us + i, now_us, value)
    risky = [i for i, n in enumerate(chosen.tolist()) if devices[n].kind in DANGEROUS]
    for i in risky[: int(BATCH * TRIPPING)]:
        metric, value = DANGEROUS[devices[chosen[i]].kind]
        rows[i]["metric_id"], rows[i]["value"] = METRICS[metric].id, value
    return rows


def _store(conn: Connection, payload: bytes, now: datetime) -> None:
    conn.execute(
        """
        INSERT INTO ingest_batch (worker, received_from, received_to, received, stored, duplicate,
                                  rejected, readings_stored, payload)
        VALUES ('bench', %s, %s, %s, %s, 0, 0, %s, %s)
        """,
        (now, now, BATCH, BATCH, BATCH, payload),
    )


def _per_second(work: Callable[[], None], size: int, span: float) -> float:
    work()
    rounds, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < span:
        work()
        rounds += 1
    return size * rounds / elapsed


def _device(number: int) -> WatchedDevice:
    kind = ("gas", "manhole", "light")[number % 3]
    return WatchedDevice(
        id=number, code=f"B-{number}", district="990101", kind=kind,
        gas="methane" if kind == "gas" else None, lon=110.5, lat=20.3, unit_grid=None,
        attributes={"tilt_baseline_deg": 0.5, "water_limit_cm": 100}, report_interval_s=300,
        demo=False, out_of_service_since=None, return_due_at=None,
    )  # fmt: skip


def _moment(epoch_us: int) -> datetime:
    return datetime.fromtimestamp(epoch_us / 1e6, UTC) if epoch_us else EPOCH
