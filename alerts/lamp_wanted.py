"""The level that the programme of a lamp wants, for arrays of its past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np

from alerts.history import Floats, History, Ints
from alerts.limits import as_number
from alerts.scope import WALL_CLOCK
from city.device import WatchedDevice

DAY_MIN = 1440


def programme_of(device: WatchedDevice) -> list[tuple[int, float]] | None:
    """Steps of a lamp's programme as (minute of the day, level); None: it has none."""
    given = device.attributes.get("programme")
    if not isinstance(given, list) or not given:
        return None
    steps = []
    for step in given:
        if not isinstance(step, list) or len(step) != 2 or not isinstance(step[0], str):
            return None
        hour, _, minute = step[0].partition(":")
        level = as_number(step[1])
        if level is None or not (hour.isdigit() and minute.isdigit()):
            return None
        steps.append((int(hour) * 60 + int(minute), level))
    return sorted(steps)


def _level_at(steps: Sequence[tuple[int, float]], ts_us: Ints) -> Floats:
    offset_us = int(WALL_CLOCK.utcoffset(None).total_seconds()) * 1_000_000
    minute = (ts_us + offset_us) // 60_000_000 % DAY_MIN
    at = np.array([minute for minute, _ in steps])
    level = np.array([level for _, level in steps])
    found: Floats = level[np.searchsorted(at, minute, side="right") - 1]  # -1: of the day before
    return found


def wanted_level(
    grace: timedelta, device: WatchedDevice, ts_us: Ints, history: History
) -> Floats | None:
    """The level that its programme wants; NaN within the grace of a step, None: the sun alone
    says."""
    ordered = history.lamp_levels
    if ordered is not None and ordered(device.id, ts_us) is not None:
        return _steady(lambda moments: ordered(device.id, moments), ts_us, grace)
    steps = programme_of(device)
    return None if steps is None else _steady(lambda m: _level_at(steps, m), ts_us, grace)


def _steady(
    level_at: Callable[[Ints], Floats | None], ts_us: Ints, grace: timedelta
) -> Floats | None:
    """The level where it is the same `grace` before and after, else NaN."""
    shift = grace // timedelta(microseconds=1)
    now, before, after = (level_at(ts_us + apart) for apart in (0, -shift, shift))
    if now is None or before is None or after is None:
        return None
    return np.where((now == before) & (now == after), now, np.nan)
