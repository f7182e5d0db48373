"""Child processes of `gridwarden up` that die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


FOREIGN = {
    "app.cli": ("psycopg", "numpy", "dash", "shapely"),
    "app.process.ingest": ("numpy", "dash", "shapely", "google.protobuf"),
    "app.process.engine": ("dash", "plotly", "paho"),
    "app.scheduler": ("dash", "plotly", "paho"),
}


@pytest.mark.parametrize("module", FOREIGN)
def test_a_process_loads_nothing_of_the_others(module: str) -> None:
    """It is most of the time that a killed process needs to be back."""
    code = f"import sys, {module}; print([n for n in {FOREIGN[module]!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
