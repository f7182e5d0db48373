"""An earlier commit's ingest beside today's, in one run: machines and hours differ, ratios less."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".stack" / "bench" / "earlier"
# Run in the earlier tree, with its own benchmark: two workers, as much as is stored and then at a
# rate. It gave the largest worker's memory; the sum is wanted.
RUN = """
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


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The earlier tree, with today's servers."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "prune"], check=True)
    subprocess.run([*git, "add", "--quiet", "--detach", str(FOLDER), commit], check=True)
    try:
        (FOLDER / ".stack").symlink_to(ROOT / ".stack")
        (FOLDER / "run_ingest.py").write_text(RUN)
        yield FOLDER
    finally:
        (FOLDER / ".stack").unlink(missing_ok=True)
        subprocess.run([*git, "remove", "--force", str(FOLDER)], check=True)


def measure(tree: Path, seconds: float, rates: list[float]) -> list[dict[str, Any]]:
    """What two workers of the earlier commit store."""
    arguments = [sys.executable, "run_ingest.py", str(seconds), *map(str, rates)]
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(arguments, cwd=tree, env=environ, stdout=subprocess.PIPE, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """Means of both over the rounds, today's over the earlier ones'."""

    def mean(name: str, which: int) -> float:
        return sum(float(pair[which][name]) for pair in pairs) / len(pairs)

    names = {
        "messages_per_s": "messages_per_s",
        "published_to_committed_ms_p50": "published_to_committed_ms_p50",
        "published_to_committed_ms_p99": "published_to_committed_ms_p99",
        "worker_peak_rss_mib": "ingest_peak_rss_mib",
    }
    return {
        now: {
            "earlier": mean(before, 0),
            "now": mean(now, 1),
            "ratio": mean(now, 1) / mean(before, 0),
        }
        for before, now in names.items()
    }
