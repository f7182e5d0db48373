"""Memory for the servers."""

import pytest

from stack.tuning import MAX_CONNECTIONS, MIB, parse_meminfo, parse_memory_limit, tune

GIB = 1024 * MIB


@pytest.mark.parametrize("memory_gib", [1, 2, 4, 8, 24, 64, 512])
def test_the_servers_together_leave_most_of_the_memory_to_others(memory_gib: int) -> None:
    tuning = tune(memory_gib * GIB, cores=2)
    claimed = tuning.shared_buffers_mib + tuning.redis_maxmemory_mib + tuning.mqtt_queue_mib
    assert claimed <= memory_gib * 1024 * 0.4


@pytest.mark.parametrize("memory_gib", [2, 8, 24, 64])
def test_all_connections_sorting_at_once_still_fit(memory_gib: int) -> None:
    tuning = tune(memory_gib * GIB, cores=8)
    assert tuning.work_mem_mib * MAX_CONNECTIONS <= memory_gib * 1024 / 2


def test_a_large_machine_gets_more_than_a_small_one_up_to_a_bound() -> None:
    small, large, huge = (tune(n * GIB, cores=4) for n in (2, 64, 4096))
    assert small.shared_buffers_mib < large.shared_buffers_mib <= huge.shared_buffers_mib == 8192
    assert small.mqtt_queue_mib < large.mqtt_queue_mib == huge.mqtt_queue_mib


def test_the_smallest_machine_still_gets_workable_sizes() -> None:
    tuning = tune(256 * MIB, cores=1)
    assert tuning.shared_buffers_mib == 128
    assert tuning.work_mem_mib == 4
    assert tuning.parallel_workers == 1


def test_memory_is_read_in_bytes() -> None:
    assert parse_meminfo("MemTotal:       24576 kB\nMemFree: 1 kB\n") == 24 * MIB
    with pytest.raises(ValueError, match="MemTotal"):
        parse_meminfo("MemFree: 1 kB\n")


@pytest.mark.parametrize(("text", "limit"), [("max\n", None), ("1073741824\n", GIB)])
def test_a_control_groups_limit_is_bytes_or_none(text: str, limit: int | None) -> None:
    assert parse_memory_limit(text) == limit
