"""`gridwarden up` as a process: its port, its address, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.ports import read_ports

ROOT = Path(__file__).parents[2]
START_S = 120.0


def ignore_sigint() -> None:
    """As the shell does for a job in the background of a script."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def up(data_dir: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with (data_dir.parent / "up.log").open("a") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "app.cli",
                "up",
                "--no-demo",
                "--data-dir",
                str(data_dir),
                *arguments,
            ],
            cwd=ROOT,
            env={**os.environ},
            stdout=log,
            stderr=log,
            text=True,
            preexec_fn=ignore_sigint,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def address(data_dir: Path, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + START_S
    while not (data_dir / "endpoints.json").exists():
        assert process.poll() is None, (data_dir.parent / "up.log").read_text()
        assert time.monotonic() < deadline, "it did not become ready"
        time.sleep(0.1)
    return str(json.loads((data_dir / "endpoints.json").read_text())["http"])


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def serving(process: subprocess.Popen[str]) -> list[int]:
    return [
        pid
        for pid in children(process.pid)
        if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]


def healthy(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
        return bool(answer.status == 200)


def test_the_address_that_is_announced_stays_ours(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with up(data_dir) as process:
        first = address(data_dir, process)
        assert healthy(first)
        port = int(first.rpartition(":")[2])
        assert read_ports(data_dir / "ports.json")["web"] == port

        # The web server dies: nobody else can take its place, and who asks now is answered later.
        (serve,) = serving(process)
        os.kill(serve, signal.SIGKILL)
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                thief.bind(("127.0.0.1", port))
                thief.listen()
            except OSError:
                taken = True
            else:
                taken = False
        assert taken
        assert healthy(first)
    assert process.returncode == 0, "SIGINT ends it, though it was begun with SIGINT ignored"

    # Another program has the port meanwhile: an error where it was asked for, else another one.
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with up(data_dir, "--http-port", str(port)) as refused:
            assert refused.wait(START_S) == 1
        assert f"Port {port} is in use by another program" in (tmp_path / "up.log").read_text()
    with up(data_dir) as process:
        assert address(data_dir, process) == first, "the web port is remembered"
