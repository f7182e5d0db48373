"""What `gridwarden up` does when a part of it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from city.incident import Role

VALUE = "o2_pct_vol"


@pytest.mark.parametrize(
    "part",
    [
        lambda i: child_of(i, "engine"),
        lambda i: child_of(i, "ingest"),
        lambda i: server_of(i, "mosquitto"),
        lambda i: server_of(i, "redis-server"),
        lambda i: server_of(i, "postgres"),
    ],
    ids=["engine", "ingest", "mosquitto", "redis", "postgres"],
)
def test_a_part_that_dies_comes_back_and_readings_flow_again(
    installation: Installation, part: Callable[[Installation], int]
) -> None:
    pid = part(installation)
    os.kill(pid, signal.SIGKILL)
    value = round(20 + (time.time() % 1), 3)

    def arrives() -> bool:
        try:
            installation.publish(
                f"city/v1/{DEMO_DISTRICT}/gas/GAS-000700/telemetry",
                {"ts": int(time.time() * 1000), "readings": {VALUE: value}},
            )
        except OSError:
            return False
        time.sleep(1)
        return newest(installation) == value

    wait_for(lambda: quietly(arrives), 60, pause_s=0.5)


def quietly(look: Callable[[], bool]) -> bool:
    """False while the installation answers with errors."""
    try:
        return look()
    except (httpx.HTTPError, subprocess.SubprocessError, KeyError, StopIteration):
        return False


def newest(installation: Installation) -> float:
    body = installation.api(Role.VIEWER).get("/devices/GAS-000700").json()
    return next(float(row["value"]) for row in body["latest"] if row["metric"] == VALUE)


def child_of(installation: Installation, verb: str) -> int:
    """The process of this installation that runs a verb."""
    return next(
        pid
        for pid, command in processes()
        if command[-1:] == [verb]
        and f"app.cli {verb}" in " ".join(command)
        and str(installation.data_dir) in environment(pid)
    )


def server_of(installation: Installation, program: str) -> int:
    return next(
        pid
        for pid, command in processes()
        if Path(command[0]).name == program and str(installation.data_dir) in " ".join(command)
    )


def processes() -> list[tuple[int, list[str]]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")[:-1]
        except OSError:
            continue
        if words:
            found.append((int(folder.name), words))
    return sorted(found)


def environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""
