"""A Mosquitto of a test's own, to be configured badly and killed."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from stack import provision
from tests.integration.ingest.workers import wait_until

READY_S = 10.0
CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
sys_interval 1
persistence true
persistence_location {folder}/
autosave_interval 1800
{more}
"""


class OwnBroker:
    """Keeps its port over kills; saves its queues only when it is stopped."""

    def __init__(self, folder: Path, *more: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._config = folder / "own-mosquitto.conf"
        self._config.write_text(
            CONFIGURATION.format(port=self._port, folder=folder, more="\n".join(more))
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._port}"

    def start(self) -> OwnBroker:
        program = str(provision().program("mosquitto"))
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, READY_S, 0.02)
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True
