"""Picks the few readings of a batch that matter, as whole arrays. Pure.

A reading matters when it trips a rule, or when a condition of its device has a live alarm or a
running delay; everything else never becomes a Python object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.judge import NEVER_JUDGED
from alerts.limits import (
    About,
    ReadingRule,
    WindowRule,
    as_number,
    baseline_of,
    on_readings,
    trips,
)
from alerts.rules import Rule
from alerts.wakes import Wake, awake, build_wakes
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.reading import METRICS, SHOWN_METRICS
from columns.readings import credible_us

MICROSECOND = timedelta(microseconds=1)
NEVER, FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Place of each metric in the order of what a device's dot shows; a metric not shown is last.
RANK = np.full(256, len(SHOWN_METRICS), dtype=np.int64)
for _rank, _name in enumerate(SHOWN_METRICS):
    RANK[METRICS[_name].id] = _rank

# Which qualities are judged at all.
USABLE = np.array([quality not in NEVER_JUDGED for quality in range(128)])


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch's readings, each column on its own: packed rows are slow to compare."""

    device_id: NDArray[np.int32]
    metric_id: NDArray[np.int16]
    quality: NDArray[np.int8]
    ts_us: Ints
    received_us: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.device_id)

    def keep(self, rows: NDArray[Any]) -> Columns:
        """Only these rows."""
        return Columns(
            self.device_id[rows],
            self.metric_id[rows],
            self.quality[rows],
            self.ts_us[rows],
            self.received_us[rows],
            self.value[rows],
        )


@dataclass(frozen=True, slots=True)
class Lens:
    """One reading rule over all devices, indexed by device id."""

    rule: ReadingRule
    applies: Flags
    limit: Floats | float
    clear: Floats | float | None  # past which a value is clear of the mildest level; None: any is
    baseline: Floats | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The watched devices as arrays, indexed by device id."""

    size: int
    known: Flags
    districts: Sequence[str]
    district: NDArray[np.int32]  # place in `districts`
    away_from_us: Ints  # out of service from here
    away_until_us: Ints
    lenses: Mapping[int, Sequence[Lens]]  # by metric id
    wakes: Mapping[int, Sequence[Wake]] = field(default_factory=dict)  # by metric id

    def has(self, device_id: NDArray[np.int32]) -> Flags:
        """Which of these devices are in the fleet."""
        inside = device_id < self.size
        known: Flags = inside & self.known[np.where(inside, device_id, 0)]
        return known


@dataclass(frozen=True, slots=True)
class Heed:
    """Which readings of one condition matter even if they trip nothing, indexed by device id, in
    microseconds since 1970: those up to `until`, without the clear ones from `calm_from` to
    `calm_to`."""

    until: Ints
    calm_from: Ints
    calm_to: Ints


Attention = Mapping[str, Heed]  # by condition


@dataclass(frozen=True, slots=True)
class Hit:
    """Rows that one rule must judge one by one."""

    rule: ReadingRule
    rows: NDArray[np.intp]


def split(packed: NDArray[Any]) -> Columns:
    """Packed rows as columns."""
    return Columns(
        *(np.ascontiguousarray(packed[name]) for name in Columns.__slots__)  # same names
    )


def by_credible_time(columns: Columns) -> Columns:
    """A reading from the future is as old as its receipt: or, until that future has come, a low
    value would end the alarm of every true one, and a high one would keep it."""
    ts_us = credible_us({"ts_us": columns.ts_us, "received_us": columns.received_us})
    return replace(columns, ts_us=ts_us)


def build_fleet(devices: Collection[WatchedDevice], rules: Collection[Rule]) -> Fleet:
    """Prepare devices and rules for screening; made anew when either changes."""
    size = max((d.id for d in devices), default=0) + 1
    known = np.zeros(size, dtype=bool)
    away_from = np.full(size, FOREVER)
    away_until = np.full(size, FOREVER)
    districts = sorted({device.district for device in devices})
    place = {name: number for number, name in enumerate(districts)}
    district = np.full(size, -1, np.int32)
    for device in devices:
        known[device.id] = True
        district[device.id] = place[device.district]
        if device.out_of_service_since is not None:
            away_from[device.id] = as_microseconds(device.out_of_service_since)
        if device.return_due_at is not None:
            away_until[device.id] = as_microseconds(device.return_due_at)
    about = About(devices)
    lenses: dict[int, list[Lens]] = {}
    for rule in on_readings(rules):
        lenses.setdefault(rule.metric.id, []).append(_lens(rule, about, size))
    wakes = build_wakes(about, rules, size)
    return Fleet(size, known, districts, district, away_from, away_until, lenses, wakes)


def heed(
    fleet: Fleet,
    device_ids: Sequence[int],
    until_us: Sequence[int | None],
    calm_from_us: Sequence[int | None],
    calm_to_us: Sequence[int | None],
) -> Heed:
    """What is known of the devices of a condition as arrays; None: no such moment."""
    ids = np.array(device_ids, np.int64)
    inside = ids < fleet.size
    columns = []
    for moments, otherwise in ((until_us, FOREVER), (calm_from_us, FOREVER), (calm_to_us, NEVER)):
        column = np.full(fleet.size, NEVER)
        known = np.array([otherwise if us is None else us for us in moments], np.int64)
        column[ids[inside]] = known[inside]
        columns.append(column)
    return Heed(*columns)


def screen(columns: Columns, fleet: Fleet, attention: Attention, now: datetime) -> list[Hit]:
    """Rows to judge, by rule: of a device and condition all if any trips or deserves attention.

    All, because the good reading after a bad one in the same batch must clear the alarm.
    """
    watched: dict[str, Flags] = {}
    looks: list[tuple[Lens, NDArray[np.intp], NDArray[np.int32], Flags]] = []
    for metric_id, lenses in fleet.lenses.items():
        rows = np.flatnonzero(columns.metric_id == metric_id)
        if not len(rows):
            continue
        part = columns.keep(rows)
        in_service = serving(part.device_id, fleet, now)
        for lens in lenses:
            condition = lens.rule.condition
            applies = lens.applies[part.device_id] & in_service
            matters = _matters(part, lens, attention.get(condition))
            if condition not in watched:
                watched[condition] = np.zeros(fleet.size, dtype=bool)
            watched[condition][part.device_id[applies & matters]] = True
            looks.append((lens, rows, part.device_id, applies))
    hits = []
    for lens, rows, device_id, applies in looks:
        wanted = applies & watched[lens.rule.condition][device_id]
        if wanted.any():
            hits.append(Hit(lens.rule, rows[wanted]))
    return hits


def wake_up(
    columns: Columns, fleet: Fleet, attention: Attention, now: datetime
) -> list[tuple[WindowRule, NDArray[np.int32], Ints]]:
    """Readings that rules over windows have to look at, as (rule, devices, times): values that
    wake a rule, and any of a device with an alarm or a delay of its condition."""
    found = []
    for metric_id, wakes in fleet.wakes.items():
        rows = np.flatnonzero((columns.metric_id == metric_id) & _usable(columns))
        if not len(rows):
            continue
        device_id, ts_us, value = (
            columns.device_id[rows], columns.ts_us[rows], columns.value[rows]
        )  # fmt: skip
        for wake in wakes:
            wanted = awake(wake, device_id, ts_us, value)
            heeded = attention.get(wake.rule.condition)
            if heeded is not None:
                wanted |= wake.applies[device_id] & (ts_us <= heeded.until[device_id])
            if wanted.any():
                wanted &= serving(device_id, fleet, now)
                found.append((wake.rule, device_id[wanted], ts_us[wanted]))
    return [item for item in found if len(item[1])]


def serving(device_id: NDArray[np.int32], fleet: Fleet, now: datetime) -> Flags:
    """Which of these devices are not out of service."""
    now_us = as_microseconds(now)
    away: Flags = (fleet.away_from_us[device_id] <= now_us) & (
        now_us < fleet.away_until_us[device_id]
    )
    return ~away


def shown_rows(columns: Columns) -> NDArray[np.intp]:
    """One row a device, in the order of devices: its newest value of the metric that its dot on
    the map shows. Of two at one time it is the first."""
    if not len(columns):
        return np.zeros(0, np.intp)
    rank = RANK[columns.metric_id]
    rows = np.flatnonzero((rank < len(SHOWN_METRICS)) & _usable(columns))
    size = int(columns.device_id.max()) + 1
    best = np.full(size, len(SHOWN_METRICS))
    np.minimum.at(best, columns.device_id[rows], rank[rows])
    rows = rows[rank[rows] == best[columns.device_id[rows]]]
    newest = np.full(size, NEVER)
    np.maximum.at(newest, columns.device_id[rows], columns.ts_us[rows])
    rows = rows[columns.ts_us[rows] == newest[columns.device_id[rows]]][::-1]
    place = np.full(size, -1, np.intp)
    place[columns.device_id[rows]] = rows
    return place[place >= 0]


def _usable(columns: Columns) -> Flags:
    usable: Flags = USABLE[columns.quality]
    return usable


def _matters(part: Columns, lens: Lens, heeded: Heed | None) -> Flags:
    signal = _signal(part, lens)
    limit = lens.limit if isinstance(lens.limit, float) else lens.limit[part.device_id]
    fresh = part.received_us - part.ts_us <= lens.rule.max_age // MICROSECOND
    matters: Flags = trips(lens.rule.comparison, signal, limit) & fresh & _usable(part)
    if heeded is not None:
        device_id, ts_us = part.device_id, part.ts_us
        calm = (heeded.calm_from[device_id] < ts_us) & (ts_us < heeded.calm_to[device_id])
        if calm.any():
            calm &= _clear(part, lens, signal)
        matters |= (ts_us <= heeded.until[device_id]) & ~calm
    return matters


def _signal(part: Columns, lens: Lens) -> Floats:
    if lens.baseline is None:
        return part.value
    apart: Floats = np.abs(part.value - lens.baseline[part.device_id])
    return np.minimum(apart, 360 - apart) if lens.rule.metric.unit == "°" else apart


def _clear(part: Columns, lens: Lens, signal: Floats) -> Flags:
    bound = lens.clear
    if bound is None:
        return np.ones(len(part), dtype=bool)
    if not isinstance(bound, float):
        bound = bound[part.device_id]
    clear: Flags = signal > bound if lens.rule.is_falling else signal < bound
    return clear


def _lens(rule: ReadingRule, about: About, size: int) -> Lens:
    mine = about.of(rule)
    ids = [device.id for device in mine]
    applies = np.zeros(size, dtype=bool)
    applies[ids] = True
    limits = np.full(size, np.nan)
    if attribute := rule.levels[0].limit_attribute:
        limits[ids] = [as_number(device.attributes.get(attribute)) for device in mine]
    baselines = None
    if rule.baseline_attribute:
        baselines = np.zeros(size)
        baselines[ids] = [baseline_of(rule, device.attributes) for device in mine]
    fixed = rule.levels[0].limit
    limit = limits if fixed is None else fixed
    clear = rule.clear_limit if rule.clear_share is None else rule.clear_share * limit
    return Lens(rule, applies, limit, clear, baselines)
