"""Find and end processes by what they are, never by a number from a file."""

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

PROC = Path("/proc")

# A killed process is gone at once, unless the disk keeps it.
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Found:
    """A running process and the words it was started with."""

    pid: int
    words: tuple[str, ...]


def parse_cmdline(raw: bytes) -> tuple[str, ...]:
    """The words of /proc/PID/cmdline; none for a kernel thread or a dead process."""
    return tuple(os.fsdecode(raw).rstrip("\0").split("\0")) if raw else ()


def was_started_as(words: tuple[str, ...], program: str, argument: str) -> bool:
    """Whether these words are a call of this program (any folder) with exactly this argument."""
    return bool(words) and Path(words[0]).name == program and argument in words[1:]


def find(matches: Callable[[tuple[str, ...]], bool]) -> list[Found]:
    """Running processes whose words match, without ourselves."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            words = _words(int(entry.name))
            if words and matches(words):
                found.append(Found(int(entry.name), words))
    return found


def _words(pid: int) -> tuple[str, ...]:
    try:
        return parse_cmdline((PROC / str(pid) / "cmdline").read_bytes())
    except OSError:  # it ended while we looked
        return ()


def listens(pid: int, port: int) -> bool:
    """Whether this very process accepts connections on the TCP port (IPv4)."""
    sockets = {f"socket:[{inode}]" for inode in _listening_sockets(port)}
    try:
        handles = (PROC / str(pid) / "fd").iterdir()
        return any(str(handle.readlink()) in sockets for handle in handles)
    except OSError:  # it ended, or closed a handle, while we looked
        return False


def _listening_sockets(port: int) -> list[str]:
    """Inodes of the sockets in state LISTEN (0A) on this port."""
    lines = (PROC / "net" / "tcp").read_text().splitlines()[1:]
    columns = [line.split() for line in lines]
    suffix = f":{port:04X}"
    return [row[9] for row in columns if row[3] == "0A" and row[1].endswith(suffix)]


def kill_with_children(pid: int) -> None:
    """Kill a process and its direct children at one stroke, and wait until all are gone."""
    handles = [handle for each in (pid, *_children_of(pid)) if (handle := _open(each)) is not None]
    for handle in handles:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    for handle in handles:
        _ended(handle, KILL_SECONDS)
        os.close(handle)


def _children_of(pid: int) -> list[int]:
    try:
        text = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def end(found: Found, gently: signal.Signals, patience_seconds: float) -> None:
    """Ask a process to stop, and kill it when it has not stopped in time.

    A pidfd names the process itself: should it end and its number be given to another process,
    the signal goes nowhere.
    """
    handle = _open(found.pid)
    if handle is None:
        return
    try:
        if _words(found.pid) != found.words:
            return
        _signal(handle, found, gently)
        if not _ended(handle, patience_seconds):
            _signal(handle, found, signal.SIGKILL)
            _ended(handle, KILL_SECONDS)
    finally:
        os.close(handle)


def _open(pid: int) -> int | None:
    """A pidfd, or None when the process has ended."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _signal(handle: int, found: Found, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise StackError(
            f"{Path(found.words[0]).name} of an earlier start still runs as another account; "
            f"type `sudo kill {found.pid}` and start again."
        ) from None


def _ended(handle: int, patience_seconds: float) -> bool:
    ready, _, _ = select.select([handle], [], [], patience_seconds)
    return bool(ready)
