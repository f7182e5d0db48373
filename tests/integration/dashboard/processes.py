"""A web server process that a test starts and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

PROGRAM = Path(__file__).with_name("serving.py")
ROOT = PROGRAM.parents[3]


class Process:
    """A running web server that the test may stop and start."""

    def __init__(self, site: Any, **settings: Any) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port = unused.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = {
            "database_url": site.database_url,
            "redis_url": site.redis_url,
            "secret_key": "only for this process",
            "port": self.port,
            "threads": 120,
            **settings,
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(self._settings)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        ended = time.monotonic() + 30
        while time.monotonic() < ended:
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the server did not come up")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """(exit code, seconds it took, what it said)."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, time.monotonic() - started, said
