"""How long a page and a process wait for a picture, beside an earlier commit in turn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import earlier

# Before the screens were the fold of the event log.
AGAINST = "0b322df"
ROUNDS = 2
LOOK = Path(__file__).with_name("picture_look.py")
COMPARED = ("snapshot_ms", "start_and_snapshot_ms", "snapshot_after_start_ms")


def run(against: str = "") -> dict[str, Any]:
    """Means of both over the rounds, and today's over the earlier ones'."""
    rounds = []
    with earlier.checked_out(against or AGAINST) as tree:
        shutil.copy(LOOK, tree / "run_look.py")
        for _ in range(ROUNDS):
            rounds.append((_look(tree / "run_look.py"), _look(LOOK)))
        (tree / "run_look.py").unlink()

    def mean(name: str, which: int) -> float:
        return sum(float(pair[which][name]) for pair in rounds) / len(rounds)

    return {
        "against": against or AGAINST,
        "rounds": rounds,
        **{
            name: {
                "earlier": mean(name, 0),
                "now": mean(name, 1),
                "ratio": mean(name, 1) / mean(name, 0),
            }
            for name in COMPARED
        },
        **{
            name: {"earlier": rounds[0][0][name], "now": rounds[0][1][name]}
            for name in ("plain_kb", "zipped_kb", "start_and_snapshot_worst_ms")
        },
    }


def _look(script: Path) -> dict[str, Any]:
    tree = script.parent.parent if script == LOOK else script.parent
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tree, env=environ, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
