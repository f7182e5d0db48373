"""The processes of one running installation, found below its `gridwarden up` and nowhere else."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
VERBS = ("ingest", "engine", "scheduler", "serve", "notify")
SERVERS = {"broker": "mosquitto", "database": "postgres", "redis": "redis-server"}
# A storing process is a child of the process that holds the broker's sessions.
WORKER = "storing worker"
PARTS = ("broker", "ingest", WORKER, "engine", "scheduler", "serve", "database", "redis")
# Python's own child that every multiprocessing program has.
TRACKER = "multiprocessing.resource_tracker"


class Parts:
    """The parts of the installation that `up` (a process number) runs."""

    def __init__(self, up: int) -> None:
        self._up = up

    def find(self, part: str) -> int | None:
        """The process of a part; None where this build has none or it is gone."""
        if part == WORKER:
            ingest = self.find("ingest")
            return next(iter(storing_workers(ingest)), None) if ingest else None
        found = [pid for pid in children(self._up) if part_of(words(pid)) == part]
        # Of several inboxes the one with workers behind it holds the sessions.
        found.sort(key=lambda pid: (-len(children(pid)), pid))
        return found[0] if found else None

    def family(self, part: str) -> list[int]:
        """All processes of a part with everything below them."""
        if part == WORKER:
            pid = self.find(part)
            return [pid, *descendants(pid)] if pid else []
        found = [pid for pid in children(self._up) if part_of(words(pid)) == part]
        return [each for pid in found for each in (pid, *descendants(pid))]

    def signal(self, part: str, number: signal.Signals) -> int:
        """Send it to the part's first process; answers which that was."""
        pid = self.find(part)
        if pid is None:
            raise LookupError(f"there is no {part} below process {self._up}")
        os.kill(pid, number)
        return pid

    def freeze(self, part: str) -> list[int]:
        """Stop a part with everything below it; answers what `thaw` is to be given."""
        frozen = self.family(part)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        return frozen


def thaw(frozen: list[int]) -> None:
    """Let go on what was frozen."""
    for pid in frozen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def part_of(command: list[str]) -> str:
    """Which part a command line belongs to; empty for none."""
    if "app.cli" in command:
        verbs = [word for word in command if word in VERBS]
        return verbs[0] if verbs else ""
    # Redis and PostgreSQL write what they do behind their name.
    program = Path(command[0].split()[0]).name if command and command[0].strip() else ""
    return next((part for part, name in SERVERS.items() if program == name), "")


def storing_workers(ingest: int) -> list[int]:
    """What stores for an inbox process."""
    return [pid for pid in children(ingest) if TRACKER not in " ".join(words(pid))]


def wait_until_gone(pid: int, timeout_s: float) -> float:
    """Epoch seconds of the moment at which the process was seen to have ended."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if not words(pid):  # ended, or a zombie, which has no words
            return time.time()
        time.sleep(0.001)
    raise TimeoutError(f"process {pid} did not end in {timeout_s:g} s")


def words(pid: int) -> list[str]:
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode(errors="replace").split("\0")[:-1] if raw else []


def children(pid: int) -> list[int]:
    """Processes that this one started, the oldest first."""
    try:
        # Of every thread: `up` starts servers from more than one.
        lists = [path.read_text() for path in (PROC / str(pid) / "task").glob("*/children")]
    except OSError:
        return []
    return sorted(int(word) for text in lists for word in text.split())


def descendants(pid: int) -> list[int]:
    return [each for child in children(pid) for each in (child, *descendants(child))]
