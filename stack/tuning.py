"""How much of the machine's memory each embedded server may use."""

from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024

# Connections PostgreSQL accepts: every process of a one-machine installation, with its pool, plus
# the tests and a few people with psql.
MAX_CONNECTIONS = 200


@dataclass(frozen=True)
class Tuning:
    """Sizes in MiB."""

    shared_buffers_mib: int
    effective_cache_size_mib: int
    work_mem_mib: int
    maintenance_work_mem_mib: int
    max_wal_size_mib: int
    redis_maxmemory_mib: int
    mqtt_queue_mib: int
    parallel_workers: int


def tune(memory_bytes: int, cores: int) -> Tuning:
    """Sizes for a machine that the servers share with Gridwarden itself and a browser.

    An eighth for shared buffers instead of the usual quarter leaves room for the others. A query
    may use work_mem several times over, hence the small share per connection. A client that is
    away is owed what Mosquitto queued for it, up to a sixteenth of the memory.
    """
    memory = memory_bytes // MIB
    return Tuning(
        shared_buffers_mib=_between(128, memory // 8, 8192),
        effective_cache_size_mib=_between(256, memory // 2, 65536),
        work_mem_mib=_between(4, memory // (4 * MAX_CONNECTIONS), 64),
        maintenance_work_mem_mib=_between(64, memory // 32, 1024),
        max_wal_size_mib=_between(1024, memory // 6, 8192),
        redis_maxmemory_mib=_between(64, memory // 32, 512),
        mqtt_queue_mib=_between(64, memory // 16, 1024),
        parallel_workers=_between(1, cores // 2, 4),
    )


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def parse_meminfo(text: str) -> int:
    """Total memory in bytes out of /proc/meminfo."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no MemTotal line")


def parse_memory_limit(text: str) -> int | None:
    """A control group's limit in bytes; None for `max`, which is none."""
    value = text.strip()
    return int(value) if value.isdigit() else None


def machine_memory() -> int:
    """Bytes of memory that this machine, or the container around us, has."""
    total = parse_meminfo(Path("/proc/meminfo").read_text())
    limit_file = Path("/sys/fs/cgroup/memory.max")
    limit = parse_memory_limit(limit_file.read_text()) if limit_file.is_file() else None
    return min(total, limit) if limit else total
