"""What processes cost, out of /proc: CPU seconds and memory."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat counted behind the name of the program, which may hold spaces.
_PARENT, _OWN_TIMES, _OWN_AND_ENDED_TIMES = 1, slice(11, 13), slice(11, 15)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, without children."""
    return sum(map(int, _stat(pid)[_OWN_TIMES])) / TICKS_PER_S


def machine_cpu_s() -> float:
    """CPU seconds of everything on this machine, and what its host took away."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def family_cpu_s(pid: int) -> float:
    """CPU seconds of a process with the children it has and those that ended."""
    own = sum(map(int, _stat(pid)[_OWN_AND_ENDED_TIMES])) / TICKS_PER_S
    return own + sum(map(cpu_s, children(pid)))


def children(pid: int) -> list[int]:
    """Processes that this one started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[_PARENT])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def rss_mib(pid: int, field: str = "VmRSS") -> float:
    """Memory of a process, 0 if it ended; `VmHWM` for the most it ever had, `RssAnon` for what is
    its own."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
