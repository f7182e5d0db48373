"""Child processes of `gridwarden up` that die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from app.children import Child, pause_before_restart, stop_all


def test_a_child_that_dies_is_started_again_at_once_and_then_with_growing_pauses(
    tmp_path: Path,
) -> None:
    child = Child("short", ["--version"], dict(os.environ), tmp_path / "log")
    child.start()
    try:
        first = until_dead(child)
        child.watch()
        assert child.popen is not None, "the first death costs no time"
        assert child.popen.pid != first
        until_dead(child)
        child.watch()
        assert child.popen is None, "the second one in a row does"
        child.watch()
        assert child.popen is None
        time.sleep(pause_before_restart(child.deaths))
        child.watch()
        assert child.popen is not None
    finally:
        stop_all([child])


def test_the_pauses_grow_to_half_a_minute() -> None:
    assert [pause_before_restart(n) for n in (1, 2, 3, 4, 20)] == [0, 1, 2, 4, 30]


def until_dead(child: Child) -> int:
    assert child.popen is not None
    child.popen.wait(30)
    return child.popen.pid


def test_only_the_web_server_loads_what_draws_screens() -> None:
    """It is more than half of the time that a killed process needs to be back."""
    code = "import sys, app.cli; print('dash' in sys.modules or 'plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
