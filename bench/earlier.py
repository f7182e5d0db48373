"""An earlier commit beside today's, in one run: machines and hours differ, ratios less."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".stack" / "bench" / "earlier"
# Run in the earlier tree, with its own benchmark: two workers, as much as is stored and then at a
# rate. It gave the largest worker's memory; the sum is wanted.
INGEST = """
import json, sys, tempfile
from pathlib import Path
import stack
from bench import city_load, ingest
if __name__ == "__main__":
    ingest.max = sum
    seconds, *rates = map(float, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder:
        with stack.running(Path(folder)) as servers:
            city = city_load.found(servers.postgres, servers.mqtt, ingest.DEVICES)
            found = [ingest.measure(servers, city, 2, seconds, rate) for rate in rates]
    print(json.dumps(found))
"""
# Run in both trees with the benchmark of each: so many whole steps, a batch each, then a backlog.
# As many batches in both, because alarms pile up that every further batch has to heed.
ENGINE = """
import json, sys, tempfile, time
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
import stack
from alerts.known import Known
from alerts.steps import apply_rules, default_rules, evaluate_waiting
from app.up import prepare_database
from bench import engine
from db.evaluation import list_watched_devices
from db.pool import connect

def steps(conn, batches):
    apply_rules(conn, "system", default_rules(), datetime.now(UTC))
    devices = [d for d in list_watched_devices(conn) if d.kind in engine.HARMLESS]
    chance, known, took = np.random.default_rng(2), Known(), []
    for _ in range(batches):
        now = datetime.now(UTC)
        engine._store(conn, engine.pack(engine._readings(devices, now, chance)), now)
        conn.commit()
        began = time.perf_counter()
        evaluate_waiting(conn, now, known)
        conn.commit()
        took.append(time.perf_counter() - began)
    return {
        "step_readings_per_s": engine.BATCH * len(took) / sum(took),
        "step_ms_p50": float(np.percentile(took, 50)) * 1000,
        "step_ms_p95": float(np.percentile(took, 95)) * 1000,
    }

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder:
        with stack.running(Path(folder)) as servers:
            prepare_database(servers.postgres, demo=True)
            with connect(servers.postgres) as conn:
                found = steps(conn, int(sys.argv[1])) | engine._backlog(conn)
    print(json.dumps(found))
"""


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The earlier tree, with today's servers."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "prune"], check=True)
    subprocess.run([*git, "add", "--quiet", "--detach", str(FOLDER), commit], check=True)
    try:
        # A copy: an earlier tree links programs to the folder that it finds them in.
        shutil.copytree(ROOT / ".stack" / "servers", FOLDER / ".stack" / "servers", symlinks=True)
        yield FOLDER
    finally:
        shutil.rmtree(FOLDER / ".stack", ignore_errors=True)
        subprocess.run([*git, "remove", "--force", str(FOLDER)], check=True)


def run_in(tree: Path, script: str, *arguments: object) -> Any:
    """What a script prints at last as JSON, run with the modules of a tree."""
    path = FOLDER.with_name("run_in_tree.py")
    path.write_text(script)
    done = subprocess.run(
        [sys.executable, str(path), *map(str, arguments)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], names: Mapping[str, str]
) -> dict[str, Any]:
    """Means of both over the rounds, today's over the earlier ones'; `names` are the figures'
    names then, where they had others, and now."""

    def mean(name: str, which: int) -> float:
        called = name if name in pairs[0][which] else names[name]
        return sum(float(pair[which][called]) for pair in pairs) / len(pairs)

    return {
        now: {
            "earlier": mean(before, 0),
            "now": mean(now, 1),
            "ratio": mean(now, 1) / mean(before, 0),
        }
        for before, now in names.items()
    }
