"""When a clock counts as wrong, and when a fault begins and is over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerts.faults import changes, clock_fault
from db.quality import ClockLimit, DeviceClock, DeviceFault

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
LIMIT = ClockLimit(version=1, ahead_s=10, behind_s=300, readings=4)


def clock(lag: float | None, least: float | None, n: int = 32, replaced: int = 0) -> DeviceClock:
    return DeviceClock(1, "G-1", "460107", lag, least, n, replaced)


def fault(device_id: int, metric: str = "temperature_c") -> DeviceFault:
    return DeviceFault(device_id, f"G-{device_id}", "460107", "stuck", metric, NOW, {})


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (clock(1.2, 0.4), None),  # the way through the network
        (clock(-4.0, -9.0), None),  # seconds, as a clock set by hand
        (clock(-20.0, -31.0), "ahead"),
        (clock(400.0, 350.0), "behind"),
        (clock(400.0, 2.0), None),  # buffered for minutes now and then, the clock is right
        (clock(None, None), None),  # no time of its own
        (clock(None, None, replaced=32), "implausible"),
        (clock(1.0, 0.5, replaced=3), None),
        (clock(-90.0, -90.0, n=3), None),  # too few to say
    ],
)
def test_a_clock_is_wrong_when_the_least_lag_cannot_be_the_networks(
    measured: DeviceClock, why: str | None
) -> None:
    found = clock_fault(measured, LIMIT, NOW)
    assert (found.detail["why"] if found else None) == why


def test_a_fault_begins_once_and_ends_when_it_is_no_longer_found() -> None:
    began, over = changes([fault(1), fault(2)], [fault(2), fault(3)], {1, 2, 3})
    assert [f.device_id for f in began] == [3]
    assert [f.device_id for f in over] == [1]


def test_a_device_that_falls_silent_keeps_its_fault() -> None:
    assert changes([fault(1)], [], set()) == ([], [])
