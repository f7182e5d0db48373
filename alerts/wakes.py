"""Which devices of a batch a rule over a window has to look at, as whole arrays. Pure.

Evaluation never judges a window: it marks whose newest values could begin or change an alarm, and
the tick of the district looks at those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts import daylight
from alerts.history import moment
from alerts.limits import About, WindowRule
from alerts.rules import Rule
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.place import LonLat

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Wake:
    """One rule over all devices, indexed by device id: which values of a metric wake it. `by_day`
    is the middle of its devices where only values measured by day do; `low` and `high` are the
    ends of the bands of rules that have one for each device."""

    rule: WindowRule
    applies: Flags
    by_day: LonLat | None = None
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Devices that a rule has to look at, each from its oldest new reading on."""

    rule: WindowRule
    devices: Sequence[tuple[int, datetime]]

    def due_at(self, now: datetime) -> datetime:
        return now + self.rule.look_every

    def rows(self, now: datetime) -> list[tuple[str, int, datetime, datetime]]:
        """As `window_look` has it."""
        due_at = self.due_at(now)
        return [(self.rule.code, device_id, since, due_at) for device_id, since in self.devices]


def build_wakes(
    about: About,
    rules: Iterable[Rule],
    size: int,
) -> dict[int, list[Wake]]:
    """Rules over windows by the ids of the metrics that they look at."""
    wakes: dict[int, list[Wake]] = {}
    for rule in rules:
        if not isinstance(rule, WindowRule):
            continue
        mine = about.of(rule)
        if not mine:
            continue
        applies = np.zeros(size, bool)
        applies[[device.id for device in mine]] = True
        middle = None
        if rule.wakes_by_day:
            lon, lat = (sum(part) / len(mine) for part in zip(*((d.lon, d.lat) for d in mine),
                                                             strict=True))  # fmt: skip
            middle = LonLat(lon, lat)
        for metric in rule.looks_at:
            low, high = _bands(rule, metric, mine, size)
            wakes.setdefault(metric, []).append(Wake(rule, applies, middle, low, high))
    return wakes


def _bands(
    rule: WindowRule, metric: int, devices: Iterable[WatchedDevice], size: int
) -> tuple[Floats | None, Floats | None]:
    bands = [(device.id, rule.band_of(metric, device)) for device in devices]
    if any(band is None for _, band in bands):
        return None, None
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    for device_id, band in bands:
        if band is not None:
            low[device_id], high[device_id] = band
    return low, high


def awake(wake: Wake, device_id: NDArray[np.int32], ts_us: Ints, value: Floats) -> Flags:
    """Which of these values of one metric wake the rule."""
    found: Flags = value >= wake.rule.wake
    if wake.low is not None and wake.high is not None:
        found = (wake.low[device_id] <= value) & (value <= wake.high[device_id])
    elif wake.rule.wake_below is not None:
        found |= value <= wake.rule.wake_below
    found &= wake.applies[device_id]
    if wake.by_day is not None and found.any():
        rows = np.flatnonzero(found)
        found[rows] = daylight.is_day(ts_us[rows], wake.by_day)
    return found


class Marked:
    """What was marked lately and is still due: it is not marked again. An engine that begins knows
    of nothing and marks once more, which changes nothing."""

    def __init__(self) -> None:
        self._since: dict[str, Ints] = {}
        self._until: dict[str, Ints] = {}

    def news(self, rule: WindowRule, ids: Ints, since_us: Ints, now_us: int) -> Flags:
        """Which of these marks are not covered by one that is due later than now."""
        until = self._until.get(rule.code)
        if until is None or int(ids.max()) >= len(until):
            return np.ones(len(ids), bool)
        covered: Flags = (until[ids] > now_us) & (self._since[rule.code][ids] <= since_us)
        return ~covered

    def note(self, marks: Iterable[Mark], now: datetime) -> None:
        """These are stored."""
        for one in marks:
            ids = np.array([device_id for device_id, _ in one.devices])
            self._grow(one.rule.code, int(ids.max()) + 1)
            self._until[one.rule.code][ids] = as_microseconds(one.due_at(now))
            self._since[one.rule.code][ids] = [as_microseconds(at) for _, at in one.devices]

    def _grow(self, code: str, size: int) -> None:
        for kept, empty in ((self._since, FOREVER), (self._until, 0)):
            old = kept.get(code)
            if old is None or len(old) < size:
                grown = np.full(max(size, 2 * (0 if old is None else len(old))), empty)
                if old is not None:
                    grown[: len(old)] = old
                kept[code] = grown


def marks_of(
    found: Iterable[tuple[WindowRule, NDArray[np.int32], Ints]], marked: Marked, now: datetime
) -> list[Mark]:
    """The marks that follow from readings that wake rules: of each rule its devices, with the time
    of the oldest reading of each, unless they are marked already."""
    by_rule: dict[str, list[tuple[WindowRule, NDArray[np.int32], Ints]]] = {}
    for item in found:
        by_rule.setdefault(item[0].code, []).append(item)
    marks = []
    for items in by_rule.values():
        rule = items[0][0]
        device_id = np.concatenate([ids for _, ids, _ in items]).astype(np.int64)
        ts_us = np.concatenate([ts for _, _, ts in items])
        order = np.lexsort((ts_us, device_id))
        ids, first = np.unique(device_id[order], return_index=True)
        since_us = ts_us[order][first]
        new = marked.news(rule, ids, since_us, as_microseconds(now))
        pairs = zip(ids[new].tolist(), since_us[new].tolist(), strict=True)
        devices = [(device, moment(us)) for device, us in pairs]
        if devices:
            marks.append(Mark(rule, devices))
    return marks
