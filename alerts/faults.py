"""Sensors that work no longer and clocks that are wrong: found by jobs, told once, never alarms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from city.event import NewEvent
from city.trust import FaultKind
from db import quality
from db.events import append_events
from db.pool import Connection
from db.quality import ClockLimit, DeviceClock, DeviceFault, FlatLine


def look_for_stuck_values(conn: Connection, now: datetime) -> int:
    """Note metrics that stand still and end what moves again; answers how many changed."""
    found = [stuck_fault(line) for line in quality.list_flat_lines(conn, now)]
    return _note(conn, FaultKind.STUCK, found, now)


def look_at_clocks(conn: Connection, now: datetime) -> int:
    """Measure the clocks of devices; answers how many turned out wrong or right again."""
    clocks = quality.measure_clocks(conn, now)
    limit = quality.find_clock_limit(conn, now)
    judged = [clock_fault(clock, limit, now) for clock in clocks] if limit else []
    return _note(conn, FaultKind.CLOCK, [fault for fault in judged if fault], now)


def stuck_fault(line: FlatLine) -> DeviceFault:
    """The fault of a metric that stands still."""
    detail = {
        "value": line.value, "readings": line.readings, "after_s": line.after_s,
        "limit_version": line.version,
    }  # fmt: skip
    return DeviceFault(
        line.device_id, line.code, line.district, FaultKind.STUCK, line.metric, line.since, detail
    )


def clock_fault(clock: DeviceClock, limit: ClockLimit, now: datetime) -> DeviceFault | None:
    """What is wrong with a clock, if anything.

    A message is never received before it was measured: the least lag says how far the clock is
    ahead. It is behind when even the least lag is more than the network can explain.
    """
    if clock.readings < limit.readings:
        return None
    if 2 * clock.replaced > clock.readings:
        why = "implausible"
    elif clock.least_s is not None and clock.least_s < -limit.ahead_s:
        why = "ahead"
    elif clock.least_s is not None and clock.least_s > limit.behind_s:
        why = "behind"
    else:
        return None
    detail = {
        "why": why, "lag_s": clock.lag_s, "least_s": clock.least_s, "readings": clock.readings,
        "replaced": clock.replaced, "limit_version": limit.version,
    }  # fmt: skip
    return DeviceFault(
        clock.device_id, clock.code, clock.district, FaultKind.CLOCK, "", now, detail
    )


def changes(
    before: Iterable[DeviceFault], now: Iterable[DeviceFault], reporting: Collection[int]
) -> tuple[list[DeviceFault], list[DeviceFault]]:
    """(faults that began, faults that are over). A device that says nothing is not well again."""
    known = {(fault.device_id, fault.metric): fault for fault in before}
    found = {(fault.device_id, fault.metric): fault for fault in now}
    began = [fault for key, fault in found.items() if key not in known]
    over = [f for key, f in known.items() if key not in found and f.device_id in reporting]
    return began, over


def _note(conn: Connection, kind: FaultKind, found: Sequence[DeviceFault], now: datetime) -> int:
    known = quality.list_faults(conn, kind)
    reporting = quality.list_reporting(conn, [fault.device_id for fault in known], now)
    began, over = changes(known, found, reporting)
    quality.insert_faults(conn, began, now)
    quality.delete_faults(conn, over)
    events = [_event("device.fault_began", fault, now) for fault in began]
    append_events(conn, [*events, *(_event("device.fault_ended", fault, now) for fault in over)])
    return len(began) + len(over)


def _event(kind: str, fault: DeviceFault, now: datetime) -> NewEvent:
    return NewEvent(
        at=now,
        district=fault.district,
        kind=kind,
        subject=f"device:{fault.code}",
        actor="system",
        payload={
            "device_id": fault.device_id,
            "fault": fault.kind,
            "metric": fault.metric,
            "since": fault.since.isoformat(),
            **fault.detail,
        },
    )
