"""Child processes of `gridwarden up`: started, restarted when they die, ended with the parent."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # linux/prctl.h: signal for a child when its parent dies
# A child that dies is started again at once, if it dies again after 1, 2, 4 ... seconds, at most
# this many.
RESTART_MAX_S = 30.0
# A child that lived this long is healthy; its next restart is at once again.
HEALTHY_S = 20.0
STOP_TIMEOUT_S = 10.0


@dataclass
class Child:
    name: str
    arguments: list[str]
    environ: Mapping[str, str]
    log_file: Path
    handed_over: tuple[int, ...] = ()  # file descriptors that it inherits
    started: float = 0.0
    deaths: int = 0
    restart_at: float = 0.0
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        with self.log_file.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *self.arguments],
                env=dict(self.environ),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                pass_fds=self.handed_over,
                start_new_session=True,  # Ctrl-C reaches the parent only, which stops in order
                preexec_fn=_die_with_parent,
            )
        self.started = time.monotonic()

    def watch(self) -> None:
        """Restart the child if it died, with growing pauses."""
        now = time.monotonic()
        if self.popen is not None:
            code = self.popen.poll()
            if code is None:
                return
            self.deaths = 1 if now - self.started > HEALTHY_S else self.deaths + 1
            pause = pause_before_restart(self.deaths)
            log.warning(
                "%s ended with code %s; starting it again in %g s (log: %s)",
                self.name,
                code,
                pause,
                self.log_file,
            )
            self.popen, self.restart_at = None, now + pause
        if now >= self.restart_at:
            self.start()

    def ask_to_stop(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)

    def wait_or_end(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic), then end the child the hard way."""
        if self.popen is None:
            return
        try:
            self.popen.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in %g s; ending it", self.name, STOP_TIMEOUT_S)
            self.popen.kill()
            self.popen.wait()


def pause_before_restart(deaths: int) -> float:
    """Seconds, by how often the child died without having been healthy in between."""
    return 0.0 if deaths <= 1 else min(2.0 ** (deaths - 2), RESTART_MAX_S)


def stop_all(children: Sequence[Child]) -> None:
    """All at once: what one leaves undone is a row that waits for the next start."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for child in children:
        child.wait_or_end(deadline)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:  # the parent died before prctl took effect
        os._exit(1)
