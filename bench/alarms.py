"""Alarms at the rate of a city: from the commit of a reading to the commit of its alarm with 20,000
devices and 200 rules of all kinds, what the engine weighs, how fast it is back, and how fast rules
are tried on what is stored. An earlier commit beside today's in the same run (`--against`).

Readings go into the tables as ingest puts them there, a batch ten times a second; what ingest takes
before that is measured by `bench ingest` and `bench alarm_path`. The earlier commit has as many
rules, all on values: it knows no others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

import stack
from app.up import prepare_database
from bench import earlier, processes
from city.moment import as_microseconds
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, Rows, pack
from db.rules import default_texts

EARLIER = "309dba1"
DISTRICT = "460107"
DEVICES = 20_000
RULES = 200
RATES = (5_000, 15_000)
BATCHES_PER_S = 10
SECONDS = 20.0
# Readings stored for the backtest: 50 million on a quiet machine (`GRIDWARDEN_BENCH_READINGS`).
READINGS = int(os.environ.get("GRIDWARDEN_BENCH_READINGS", "5000000"))
BACKTEST_DEVICES = 2_000
# A share of the devices comes past a limit now and then.
RESTLESS = 0.05
TEN = (
    "gas-lel", "gas-methane-vol", "gas-oxygen-low", "gas-detector", "manhole-tilt", "manhole-open",
    "manhole-water", "manhole-flooded", "lamp-leakage", "gas-lel-2",
)  # fmt: skip
FILLED = ("ch4_pct_lel", "ch4_pct_vol", "o2_pct_vol", "tilt_deg", "water_level_cm")

# One engine or one scheduler of either tree: says when it has evaluated its first batch.
ENGINE = """
import sys, time
from datetime import UTC, datetime
from alerts.known import Known
from alerts.evaluate import evaluate_waiting
from db.pool import connect
with connect(sys.argv[1], application="engine") as conn:
    known, told = Known(), False
    while True:
        done = evaluate_waiting(conn, datetime.now(UTC), known)
        conn.commit()
        if done is None:
            time.sleep(0.02)
        elif not told:
            told = True
            print("evaluated", flush=True)
"""
TICKS = """
import sys, time
from datetime import UTC, datetime
from alerts.steps import tick_by_district
from db.pool import connect
with connect(sys.argv[1], application="scheduler") as conn:
    while True:
        for _ in tick_by_district(conn, datetime.now(UTC)):
            conn.commit()
        conn.commit()
        time.sleep(1)
"""
PUT = """
import sys, json
from datetime import UTC, datetime
from alerts.steps import put_in_force
from db.pool import connect
with connect(sys.argv[1]) as conn:
    put_in_force(conn, "bench", json.load(open(sys.argv[2])), datetime.now(UTC))
    conn.commit()
print("{}")
"""
BACKTEST = """
import json, sys, time, resource
from datetime import datetime
from alerts.backtest import backtest
from alerts.rule_files import parse_rule
from db.pool import connect
rules = [parse_rule(text, code) for code, text in json.load(open(sys.argv[2])).items()]
with connect(sys.argv[1]) as conn:
    began = time.perf_counter()
    found = backtest(conn, rules, *map(datetime.fromisoformat, sys.argv[3:5]))
    took = time.perf_counter() - began
print(json.dumps({"took_s": took, "alarms": len(found),
                  "cpu_s": time.process_time(),
                  "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def run(seconds: float | None = None, *, against: str = EARLIER) -> dict[str, Any]:
    """All figures; those of the earlier commit beside today's."""
    began, machine_before = time.monotonic(), processes.machine_cpu_s()
    with earlier.checked_out(against or EARLIER) as tree:
        trees = {"earlier": tree, "now": earlier.ROOT}
        figures: dict[str, Any] = {"against": against or EARLIER, "backtest": _backtests(trees)}
        for name, root in trees.items():
            figures[name] = _live(root, float(seconds or SECONDS), windows=name == "now")
    busy = (processes.machine_cpu_s() - machine_before) / (time.monotonic() - began)
    return figures | {"cores_busy_of_the_machine": busy}


def _backtests(trees: dict[str, Path]) -> dict[str, Any]:
    """The same ten rules on the same stored readings by both trees."""
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        prepare_database(servers.postgres, demo=True)
        with psycopg.connect(servers.postgres, autocommit=True) as conn:
            conn.execute("DELETE FROM rule")  # of both the ten alone are judged
            began = time.monotonic()
            from_, to, stored = fill(conn, READINGS)
            filled_s = time.monotonic() - began
        rules = Path(folder) / "rules.json"
        rules.write_text(json.dumps(ten_rules()))
        found = {
            name: earlier.run_in(
                root, BACKTEST, servers.postgres, rules, from_.isoformat(), to.isoformat()
            )
            for name, root in trees.items()
        }
    ratio = found["earlier"]["took_s"] / found["now"]["took_s"]
    return {"readings": stored, "filled_s": filled_s, **found, "times_as_fast": ratio}


def ten_rules() -> dict[str, str]:
    """Ten rules that both trees know."""
    texts = default_texts()
    found = {code: texts[f"{code}.toml"] for code in TEN if f"{code}.toml" in texts}
    found["manhole-water"] = found["manhole-water"].split("# The second step")[0]
    found["gas-lel-2"] = (
        found["gas-lel"].replace('"gas-lel"', '"gas-lel-2"').replace("limit = 20.0", "limit = 25.0")
    )
    return found


def fill(conn: psycopg.Connection[Any], readings: int) -> tuple[datetime, datetime, int]:
    """Devices and so many readings, a day after the other, straight into the hypertable."""
    to = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    ids = add_devices(conn, BACKTEST_DEVICES)
    steps = readings // (len(ids) * len(FILLED))
    step = timedelta(minutes=5)
    from_ = to - steps * step
    restless = ids[: int(len(ids) * RESTLESS)]
    conn.execute("CREATE TEMP TABLE wave AS SELECT id, id = ANY(%s) AS restless"
                 " FROM unnest(%s::int[]) AS id", (restless, ids))  # fmt: skip
    metrics = [METRICS[name].id for name in FILLED]
    begin = from_
    while begin < to:
        end = min(begin + timedelta(days=1), to)
        conn.execute(
            """
            INSERT INTO reading (device_id, metric_id, ts, value, received_at)
            SELECT wave.id, metric, ts,
                   CASE metric WHEN 5 THEN 20.9 WHEN 20 THEN 2 WHEN 21 THEN 40 ELSE 0.3 END
                   + random() * 0.4
                   + CASE WHEN restless AND extract(hour FROM ts)::int = wave.id %% 24 THEN
                       CASE metric WHEN 1 THEN 30 WHEN 20 THEN 40 WHEN 21 THEN 120 ELSE 0 END
                     ELSE 0 END,
                   ts + interval '1 second'
            FROM wave CROSS JOIN unnest(%s::int[]) AS metric
            CROSS JOIN generate_series(%s::timestamptz, %s::timestamptz - interval '1 second',
                                       %s::interval) AS ts
            """,
            (metrics, begin, end, step),
        )
        begin = end
    conn.execute("VACUUM ANALYZE reading")
    return from_, to, steps * len(ids) * len(FILLED)


def add_devices(conn: psycopg.Connection[Any], count: int) -> list[int]:
    """Gas detectors, manholes and lamps on a net of 60 m."""
    rows = conn.execute(
        """
        INSERT INTO device (code, district, kind, name, lon, lat, gas, report_interval_s,
                            attributes, created_at)
        SELECT 'BN-' || n, %s, (ARRAY['gas', 'manhole', 'light'])[n %% 3 + 1], 'BN-' || n,
               110.30 + (n %% 140) * 0.0006, 19.90 + (n / 140) * 0.0006,
               CASE WHEN n %% 3 < 2 THEN 'methane' END, 60,
               '{"water_limit_cm": 100, "rated_power_w": 120, "tilt_baseline_deg": 2}'::jsonb
               || jsonb_build_object('cabinet', 'BN-' || n / 60), now()
        FROM generate_series(1, %s) AS n RETURNING id
        """,
        (DISTRICT, count),
    ).fetchall()
    return [row[0] for row in rows]


def many_rules(count: int, *, windows: bool) -> dict[str, str]:
    """So many rules: the shipped ones, and copies of them with conditions of their own."""
    texts = default_texts()
    known = {n: t for n, t in texts.items() if windows or 'watch = "' not in t
             or any(f'watch = "{kind}"' in t for kind in ("reading", "silence", "feed", "gateway",
                                                          "lamp", "video"))}  # fmt: skip
    if not windows:
        water = known["manhole-water.toml"]
        known["manhole-water.toml"] = water.split("# The second step")[0]
    alone = [n for n, t in known.items() if 'watch = "reading"' in t or 'watch = "rise"' in t
             or 'watch = "mean"' in t or 'watch = "neighbours"' in t]  # fmt: skip
    found, number = dict(known), 0
    while len(found) < count:
        name = alone[number % len(alone)]
        number += 1
        code = name.removesuffix(".toml")
        text = known[name].replace(f'code = "{code}"', f'code = "{code}-{number}"', 1)
        lines = [line for line in text.splitlines() if not line.startswith("condition =")]
        body = "\n".join(lines).replace("\nwatch =", f'\ncondition = "bench-{number}"\nwatch =', 1)
        found[f"{code}-{number}.toml"] = body
    return found


def _live(root: Path, seconds: float, *, windows: bool) -> dict[str, Any]:
    """Latencies at both rates, memory with that state, and the way back after a kill."""
    with ExitStack() as stacked:
        folder = Path(stacked.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        servers = stacked.enter_context(stack.running(folder))
        prepare_database(servers.postgres, demo=True)
        with psycopg.connect(servers.postgres) as first:
            first.execute("DELETE FROM rule")
        rules = folder / "rules.json"
        rules.write_text(json.dumps(many_rules(RULES, windows=windows)))
        earlier.run_in(root, PUT, servers.postgres, rules)
        conn = stacked.enter_context(psycopg.connect(servers.postgres, autocommit=True))
        ids = add_devices(conn, DEVICES)
        gas = [i for n, i in enumerate(ids, start=1) if n % 3 == 0]
        engine, ready = _start(root, ENGINE, servers.postgres, stacked)
        store(conn, _rows(ids, gas, 1000, 0, np.random.default_rng(8)))
        ready.readline()  # it knows rules and devices
        _start(root, TICKS, servers.postgres, stacked)
        figures: dict[str, Any] = {"rules": RULES, "devices": len(ids)}
        for rate in RATES:
            figures[f"at_{rate}_per_s"] = _at_rate(conn, ids, gas, rate, seconds)
        figures["engine_mib"] = processes.rss_mib(engine.pid)
        engine.kill()
        engine.wait()
        began = time.monotonic()
        store(conn, _rows(ids, gas, 1000, 1, np.random.default_rng(9)))
        again, said = _start(root, ENGINE, servers.postgres, stacked)
        said.readline()
        figures["restart_s"] = time.monotonic() - began
        again.kill()
    return figures


def _at_rate(
    conn: psycopg.Connection[Any], ids: list[int], gas: list[int], rate: int, seconds: float
) -> dict[str, Any]:
    """Publish at a rate, one alarm a batch; percentiles of commit to commit in milliseconds."""
    chance = np.random.default_rng(rate)
    before = conn.execute("SELECT coalesce(max(id), 0) FROM alarm").fetchone()
    assert before is not None
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        store(conn, _rows(ids, gas, rate // BATCHES_PER_S, 1, chance))
        sent += rate // BATCHES_PER_S
        rest = began + sent / rate - time.monotonic()
        if rest > 0:
            time.sleep(rest)
    offered = sent / (time.monotonic() - began)
    for _ in range(600):
        row = conn.execute(
            "SELECT count(*) FROM ingest_batch WHERE evaluated_at IS NULL"
        ).fetchone()
        if row == (0,):
            break
        time.sleep(0.1)
    times = conn.execute(
        """
        SELECT extract(epoch FROM alarm.committed_at - batch.committed_at) * 1000
        FROM alarm JOIN LATERAL (
            SELECT committed_at FROM ingest_batch
            WHERE received_to = alarm.received_at ORDER BY id LIMIT 1
        ) batch ON true
        WHERE alarm.id > %s AND condition LIKE 'gas/%%'
        """,
        before,
    ).fetchall()
    took = [float(row[0]) for row in times]
    if not took:
        return {"offered_per_s": offered, "alarms": 0}
    return {
        "offered_per_s": offered,
        "alarms": len(took),
        "commit_to_alarm_ms_p50": float(np.percentile(took, 50)),
        "commit_to_alarm_ms_p95": float(np.percentile(took, 95)),
    }


def _rows(
    ids: list[int], gas: list[int], count: int, alarms: int, chance: np.random.Generator
) -> Rows:
    """Harmless readings of a moment, and so many gas readings over the limit."""
    now_us = as_microseconds(datetime.now(UTC))
    rows = np.zeros(count, BATCH_DTYPE)
    rows["device_id"] = chance.choice(ids, count, replace=False)
    rows["metric_id"] = METRICS["ch4_pct_lel"].id
    rows["value"] = chance.uniform(0.1, 0.9, count)
    rows["ts_us"], rows["received_us"] = now_us, now_us
    rows["device_id"][:alarms] = chance.choice(gas, alarms)
    rows["value"][:alarms] = 42.0
    _, first = np.unique(rows["device_id"], return_index=True)
    kept: Rows = rows[np.sort(first)]
    return kept


def store(conn: psycopg.Connection[Any], rows: Rows) -> None:
    """What an ingest worker commits: readings and their batch."""
    at = datetime.fromtimestamp(int(rows["received_us"][0]) / 1e6, UTC)
    with conn.transaction():
        conn.execute(
            """
            INSERT INTO reading (device_id, metric_id, ts, value, received_at)
            SELECT device_id, metric_id, %s, value, %s
            FROM unnest(%s::int[], %s::int[], %s::float8[]) AS r (device_id, metric_id, value)
            ON CONFLICT DO NOTHING
            """,
            (at, at, rows["device_id"].tolist(), rows["metric_id"].tolist(),
             rows["value"].tolist()),
        )  # fmt: skip
        conn.execute(
            """
            INSERT INTO ingest_batch (worker, received_from, received_to, received, stored,
                                      duplicate, rejected, readings_stored, payload, district)
            VALUES ('bench', %s, %s, %s, %s, 0, 0, %s, %s, %s)
            """,
            (at, at, len(rows), len(rows), len(rows), pack(rows), DISTRICT),
        )


def _start(
    root: Path, script: str, postgres: str, stacked: ExitStack
) -> tuple[subprocess.Popen[str], Any]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, postgres],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    stacked.callback(_end, process)
    assert process.stdout is not None
    return process, process.stdout


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
