"""How many readings a second the alarm engine evaluates.

Batches of 10,000 readings over 20,000 devices, one in a thousand over a limit. Once the array
path alone (unpack, screen, judge; no database), once whole steps against TimescaleDB: claim,
evaluate, save alarms and events, commit; once a backlog of batches until none is left; once a
backlog of two districts, by one engine process and by two. Beside it, in the same run: the same
rules applied one reading at a time in Python, the way of an engine without arrays.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import numpy as np

import stack
from alerts.book import AlarmBook
from alerts.course import judge_sample
from alerts.evaluate import in_time_order
from alerts.judge import Sample, Standing, judge
from alerts.known import Known
from alerts.limits import applies_to, on_readings
from alerts.rule_files import parse_rule
from alerts.screen import build_fleet, screen, split
from alerts.steps import apply_rules, default_rules, evaluate_waiting
from app.up import prepare_database
from bench import earlier, processes
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
TWO_BACKLOG = 160  # in each of two districts: some seconds
# How often one and two engines, or an earlier commit and today's, are measured in turn.
ROUNDS = 3
COMPARED_BATCHES = 150
COMPARED = ("step_readings_per_s", "step_ms_p50", "step_ms_p95", "backlog_readings_per_s")
DISTRICT, OTHER = "460107", "460108"
# What the devices of each kind report, with values far from every limit.
HARMLESS = {
    "gas": (("ch4_pct_lel", 3.0), ("temperature_c", 25.0), ("battery_pct", 90.0)),
    "manhole": (("tilt_deg", 1.0), ("water_level_cm", 10.0), ("cover_open", 0.0)),
    "light": (("lamp_on", 1.0), ("power_w", 100.0), ("voltage_v", 221.0)),
}
DANGEROUS = {"gas": ("ch4_pct_lel", 42.0), "manhole": ("tilt_deg", 40.0)}


# One engine: ready when it knows rules and devices, done when nothing waits.
DRAIN = """
import sys
from datetime import UTC, datetime
import numpy as np
from alerts.evaluate import evaluate_waiting
from alerts.known import Known
from db.pool import connect
with connect(sys.argv[1], application="engine") as conn:
    known = Known()
    known.refresh(conn, datetime.now(UTC), np.zeros(0, np.int32))
    conn.commit()
    print("ready", flush=True)
    sys.stdin.readline()
    while evaluate_waiting(conn, datetime.now(UTC), known) is not None:
        conn.commit()
print("done", flush=True)
"""


def run(seconds: float | None = None, *, against: str = "") -> dict[str, Any]:
    """All measurements as a table of figures; with `against` only those beside an earlier
    commit's."""
    began, machine_before = time.monotonic(), processes.machine_cpu_s()
    figures = run_against(against) if against else _run(seconds)
    busy = (processes.machine_cpu_s() - machine_before) / (time.monotonic() - began)
    return {**figures, "cores_busy_of_the_machine": busy}


def run_against(commit: str) -> dict[str, Any]:
    """Whole steps of an earlier commit and of today's, in turn."""
    rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with earlier.checked_out(commit) as tree:
        for _ in range(ROUNDS):
            before, now = (
                earlier.run_in(root, earlier.ENGINE, COMPARED_BATCHES)
                for root in (tree, earlier.ROOT)
            )
            rounds.append((before, now))
    compared = earlier.compare(rounds, {name: name for name in COMPARED})
    return {"against": commit, "batches": COMPARED_BATCHES, "rounds": rounds, **compared}


def _run(seconds: float | None) -> dict[str, Any]:
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
            figures |= _two_engines(conn, servers)
    return figures


def _array_path(devices: dict[int, WatchedDevice]) -> Callable[[], None]:
    rules = [parse_rule(text, name) for name, text in default_rules().items()]
    fleet = build_fleet(devices.values(), rules)
    now = datetime.now(UTC)
    payload = pack(_readings(list(devices.values()), now, np.random.default_rng(1)))

    def evaluate() -> None:
        columns = split(unpack(payload))
        book = AlarmBook(now)
        hits = screen(columns, fleet, {}, now)
        for rule, device, sample in in_time_order(columns, hits, devices):
            judge_sample(book, rule, device, sample)
        assert book.changes() > 0

    return evaluate


def _one_by_one(devices: dict[int, WatchedDevice]) -> Callable[[], None]:
    rules = [parse_rule(text, name) for name, text in default_rules().items()]
    now = datetime.now(UTC)
    rows = unpack(pack(_readings(list(devices.values()), now, np.random.default_rng(1))))
    by_metric = {
        m.id: [r for r in on_readings(rules) if r.metric.id == m.id] for m in METRICS.values()
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


def _two_engines(conn: Connection, servers: stack.RunningStack) -> dict[str, Any]:
    """A backlog of two districts, half of the devices in each, by one engine and by two, in turn.
    Cores that others took meanwhile are missing to two engines first."""
    conn.execute(
        "INSERT INTO district (code, name_zh, name_en, outline)"
        " SELECT %s, name_zh, name_en, outline FROM district WHERE code = %s",
        (OTHER, DISTRICT),
    )
    conn.execute("UPDATE device SET district = %s WHERE id %% 2 = 0", (OTHER,))
    conn.commit()
    devices = [d for d in list_watched_devices(conn) if d.kind in HARMLESS]
    rng, now = np.random.default_rng(10), datetime.now(UTC)
    waiting = [
        (pack(_readings([d for d in devices if d.district == district], now, rng)), district)
        for _ in range(TWO_BACKLOG)
        for district in (DISTRICT, OTHER)
    ]
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for engines, rounds in found.items():
            conn.execute("TRUNCATE alarm, alarm_change, rule_timer CASCADE")
            for payload, district in waiting:
                _store(conn, payload, now, district)
            conn.commit()
            seconds, others = _drain(servers, engines)
            rounds.append((BATCH * len(waiting) / seconds, others))
    one, two = (sum(rate for rate, _ in rounds) / ROUNDS for rounds in found.values())
    return {
        "one_engine_readings_per_s": one,
        "two_engines_readings_per_s": two,
        "two_engines_ratio": two / one,
        "cores_of_others_beside_one": sum(others for _, others in found[1]) / ROUNDS,
        "cores_of_others_beside_two": sum(others for _, others in found[2]) / ROUNDS,
        "rounds_of_one_and_two": [found[1], found[2]],
    }


def _drain(servers: stack.RunningStack, engines: int) -> tuple[float, float]:
    """Seconds until so many engines have evaluated what waits, and the cores that others took."""
    postgres = servers.services.pid("postgres")
    ours, machine, since = _cpu_s(postgres), processes.machine_cpu_s(), time.monotonic()
    with ExitStack() as running:
        started: Sequence[subprocess.Popen[str]] = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", DRAIN, servers.postgres],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=earlier.ROOT,
                )
            )
            for _ in range(engines)
        ]  # fmt: skip
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        began = time.perf_counter()
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "done\n"
        took = time.perf_counter() - began
    spent = processes.machine_cpu_s() - machine - (_cpu_s(postgres) - ours)
    return took, spent / (time.monotonic() - since)


def _cpu_s(postgres: int) -> float:
    """CPU seconds of PostgreSQL and of engines that have ended."""
    return processes.family_cpu_s(postgres) + sum(getrusage(RUSAGE_CHILDREN)[:2])


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


def _store(conn: Connection, payload: bytes, now: datetime, district: str = DISTRICT) -> None:
    conn.execute(
        """
        INSERT INTO ingest_batch (worker, received_from, received_to, received, stored, duplicate,
                                  rejected, readings_stored, payload, district)
        VALUES ('bench', %s, %s, %s, %s, 0, 0, %s, %s, %s)
        """,
        (now, now, BATCH, BATCH, BATCH, payload, district),
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
        id=number,
        code=f"B-{number}",
        district="990101",
        kind=kind,
        gas="methane" if kind == "gas" else None,
        lon=110.5,
        lat=20.3,
        unit_grid=None,
        attributes={"tilt_baseline_deg": 0.5, "water_limit_cm": 100},
        report_interval_s=300,
        demo=False,
        out_of_service_since=None,
        return_due_at=None,
    )


def _moment(epoch_us: int) -> datetime:
    return datetime.fromtimestamp(epoch_us / 1e6, UTC) if epoch_us else EPOCH
