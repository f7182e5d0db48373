"""Alarms at the rate of a city: from publishing a reading to the commit of its alarm with 20,000
devices and 200 rules of all kinds, what the engine weighs, what killing it costs, and how fast
rules are tried on what is stored. An earlier commit beside today's in the same run (`--against`),
with the rules that shipped with it, as it knew no other kinds.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

import stack
from app.up import prepare_database
from bench import alarm_load, earlier, processes
from city.reading import METRICS
from db.rules import default_texts

EARLIER = "0b322df"
DISTRICT = "460107"
RULES = 200
SECONDS = 20
KILLS = int(os.environ.get("GRIDWARDEN_BENCH_KILLS", "30"))
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

BACKTEST = """
import json, sys, time, resource
from datetime import datetime
import alerts.backtest, alerts.rules
from db.pool import connect
try:
    from alerts.rule_files import parse_rule
    at_once = True
except ImportError:  # it tried a rule at a time
    from alerts.rules import parse_rule
    at_once = False
rules = [parse_rule(text, code) for code, text in json.load(open(sys.argv[2])).items()]
with connect(sys.argv[1]) as conn:
    began = time.perf_counter()
    span = [datetime.fromisoformat(text) for text in sys.argv[3:5]]
    if at_once:
        found = alerts.backtest.backtest(conn, rules, *span)
    else:
        found = [a for rule in rules for a in alerts.backtest.backtest(conn, rule, *span)]
    took = time.perf_counter() - began
print(json.dumps({"took_s": took, "alarms": len(found),
                  "cpu_s": time.process_time(),
                  "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def run(*, against: str = EARLIER) -> dict[str, Any]:
    """All figures; those of the earlier commit beside today's."""
    began, machine_before = time.monotonic(), processes.machine_cpu_s()
    with earlier.checked_out(against or EARLIER) as tree:
        trees = {"earlier": tree, "now": earlier.ROOT}
        shipped = (tree / "db" / "seeds" / "rules").glob("*.toml")
        figures: dict[str, Any] = {
            "against": against or EARLIER,
            "earlier": _live(tree, {file.name: file.read_text() for file in shipped}, kills=0),
            "now": _live(earlier.ROOT, many_rules(RULES), kills=KILLS),
            "backtest": _backtests(trees) if READINGS else {},
        }
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
    found = {
        code: texts[f"{code}.toml"].split("[help]")[0]
        for code in TEN if f"{code}.toml" in texts
    }  # fmt: skip
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


def many_rules(count: int) -> dict[str, str]:
    """So many rules: the shipped ones, and copies of them with conditions of their own, each for
    the devices of one zone, as a city has them by model, owner or quarter."""
    known = default_texts()
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
        scope = f"[scope]\nattributes = {{ zone = {number % alarm_load.ZONES} }}\n"
        found[f"{code}-{number}.toml"] = body.replace("[[level]]", f"{scope}\n[[level]]", 1)
    return found


def _live(root: Path, rules: dict[str, str], *, kills: int) -> dict[str, Any]:
    """`bench.alarm_load` in a tree, with that tree's own code and schema."""
    with tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder:
        file = Path(folder) / "rules.json"
        file.write_text(json.dumps(rules))
        script = Path(alarm_load.__file__).read_text()
        return dict(earlier.run_in(root, script, file, SECONDS, kills))
