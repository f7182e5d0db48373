"""What is made of one device's values at the moment of each: rise, mean, count, standstill. Pure.

Every function takes times in microseconds (rising) and values, and answers with one value for each
moment, out of what was measured up to then; NaN where too little is known. A moment's answer never
depends on what came later, so a look at the newest readings and a look back agree.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# A single odd value, up or down, is no rise: three readings must agree.
AGREE = 3


def lowest_of(value: Floats, count: int) -> Floats:
    """The lowest of the last `count` values; fewer at the beginning."""
    return -highest_of(-value, count)


def highest_of(value: Floats, count: int) -> Floats:
    """The highest of the last `count` values; fewer at the beginning."""
    if not len(value):
        return value
    padded = np.concatenate([np.full(count - 1, -np.inf), value])
    found: Floats = sliding_window_view(padded, count).max(axis=1)
    return found


def window_starts(ts_us: Ints, window_us: int) -> NDArray[np.intp]:
    """For each moment the first row that is not older than the window."""
    return np.searchsorted(ts_us, ts_us - window_us, side="left")


def lowest_within(ts_us: Ints, value: Floats, window_us: int) -> Floats:
    """The lowest value from `window_us` before each moment up to it."""
    found = np.empty(len(value))
    queue: list[int] = []  # rows of rising values, the lowest first
    head = 0
    starts = window_starts(ts_us, window_us).tolist()
    for row, number in enumerate(value.tolist()):
        while len(queue) > head and value[queue[-1]] >= number:
            queue.pop()
        queue.append(row)
        while queue[head] < starts[row]:
            head += 1
        found[row] = value[queue[head]]
    return found


def rise(ts_us: Ints, value: Floats, window_us: int) -> Floats:
    """By how much the last values are above the lowest of the window before them.

    The last three values must all have risen, and three in a row must have been low before: one
    spike is no rise, and neither is the way back from one value that was missing its zero.
    """
    if not len(value):
        return value
    now = lowest_of(value, AGREE)
    before = highest_of(value, AGREE)
    base = lowest_within(ts_us, before, window_us)
    known = np.arange(len(value)) >= AGREE - 1
    return np.where(known, now - base, np.nan)


def mean_within(ts_us: Ints, value: Floats, window_us: int, covered: float = 0.8) -> Floats:
    """Mean over the window before each moment, where readings reach over `covered` of it."""
    sums = np.concatenate([[0.0], np.cumsum(value)])
    rows = np.arange(len(value))
    starts = window_starts(ts_us, window_us)
    count = rows - starts + 1
    mean = (sums[rows + 1] - sums[starts]) / np.maximum(count, 1)
    reach = ts_us - ts_us[starts]
    return np.where((count >= AGREE) & (reach >= covered * window_us), mean, np.nan)


def lasting(ts_us: Ints, value: Floats, window_us: int, covered: float = 0.8) -> Floats:
    """What the value was at least, all through the window before each moment."""
    if not len(value):
        return value
    low = lowest_within(ts_us, value, window_us)
    starts = window_starts(ts_us, window_us)
    count = np.arange(len(value)) - starts + 1
    # A device that reports less often than the window is long: its last readings count.
    reach = ts_us - ts_us[starts]
    known = (reach >= covered * window_us) & (count >= 2)
    sparse = (count < AGREE) & (np.arange(len(value)) >= AGREE - 1)
    return np.where(known, low, np.where(sparse, lowest_of(value, AGREE), np.nan))


def with_deadband(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether it is on: since it was said to be, until it is said not to be any more."""
    said = on | off
    last = np.maximum.accumulate(np.where(said, np.arange(len(on)), -1))
    return np.where(last >= 0, on[np.maximum(last, 0)], False)


def times_within(ts_us: Ints, passed: NDArray[np.bool_], window_us: int) -> Floats:
    """How many times a value came past its limit within the window before each moment."""
    came = passed.copy()
    came[1:] &= ~passed[:-1]
    counts = np.concatenate([[0], np.cumsum(came)])
    starts = window_starts(ts_us, window_us)
    found: Floats = (counts[1:] - counts[starts]).astype(np.float64)
    return found


def standstill_s(ts_us: Ints, value: Floats, apart: float) -> Floats:
    """For how many seconds the value has not moved by more than `apart`, step by step."""
    if not len(value):
        return value
    moved = np.ones(len(value), bool)
    moved[1:] = np.abs(np.diff(value)) > apart
    last = np.maximum.accumulate(np.where(moved, np.arange(len(value)), 0))
    return (ts_us - ts_us[last]) / 1e6


def last_known(ts_us: Ints, value: Floats, at_us: Ints, fresh_us: int) -> Floats:
    """The newest value at other moments; NaN where it is older than `fresh_us` or there is none."""
    place = np.searchsorted(ts_us, at_us, side="right") - 1
    if not len(ts_us):
        return np.full(len(at_us), np.nan)
    known = (place >= 0) & (at_us - ts_us[np.maximum(place, 0)] <= fresh_us)
    return np.where(known, value[np.maximum(place, 0)], np.nan)
