"""Rules with limits over a whole history: only the moments at which anything can change are judged.

Between two values of which the same limits are passed nothing happens but delays that run out, so
a device of a million readings costs as much as its alarms. `fold` comes to what judging one
reading after the other comes to (`alerts.course.judge_sample`); a property test compares them.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.book import SYSTEM, AlarmBook, condition_of
from alerts.course import fallen_due
from alerts.history import Flags, Floats, History, MetricColumns, Series, as_us
from alerts.judge import judge
from alerts.lifecycle import Input
from alerts.limits import (
    Comparison,
    LimitRule,
    applies_to,
    as_number,
    baseline_of,
    clear_bounds,
    limit_of,
    trips,
)
from city.alarm import AlarmState
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.reading import Quality

NEVER = np.iinfo(np.int64).max


@dataclass(slots=True)
class Track:
    """One rule on its way through the values of one device; `turns` are the rows at which other
    limits are passed than at the row before."""

    rule: LimitRule
    series: Series
    turns: NDArray[np.intp]
    row: int = 0  # the next one that is not judged

    def next_place(self, waits: Iterable[int]) -> int:
        """The row that has to be judged next; `waits` are moments after which any value counts."""
        turn = int(np.searchsorted(self.turns, self.row))
        found = int(self.turns[turn]) if turn < len(self.turns) else len(self.series)
        for us in waits:
            place = int(np.searchsorted(self.series.ts_us, us))
            found = min(found, max(place, self.row))
        return found

    def at(self, place: int) -> int:
        """When a row was measured; past the last one: never."""
        return int(self.series.ts_us[place]) if place < len(self.series) else NEVER


def track_of(rule: LimitRule, device: WatchedDevice, series: Series) -> Track | None:
    """The rule over these values; None: none of them is past a limit."""
    fresh = series.received_us - series.ts_us <= as_us(rule.max_age)
    if not fresh.all():
        kept = np.flatnonzero(fresh)
        facts = {n: series.facts[p] for n, p in enumerate(kept.tolist()) if p in series.facts}
        series = series.keep(kept).with_value(series.value[kept], facts)
    limits = [limit_of(level, device.attributes) for level in rule.levels]
    if limits[0] is None or not len(series):
        return None
    value = apart(rule, series.value, baseline_of(rule, device.attributes))
    tripped = [_passed(rule, value, limit) for limit in limits]
    if not tripped[0].any() and not any(level.any() for level in tripped):
        return None
    parts = list(tripped)
    for bound in clear_bounds(rule, limits):
        if bound is not None:
            parts.append(value > bound if rule.is_falling else value < bound)
    parts.append(series.quality == Quality.SUSPECT)
    turned = np.zeros(len(series), bool)
    turned[0] = True
    for part in parts:
        turned[1:] |= part[1:] != part[:-1]
    if rule.scope.hours is not None:
        turned[:] = True
    return Track(rule, series, np.flatnonzero(turned))


def apart(rule: LimitRule, value: Floats, baseline: Floats | float | None) -> Floats:
    """Distance from the baseline, where the rule has one; angles go the short way round."""
    if baseline is None:
        return value
    distance = np.abs(value - baseline)
    return np.minimum(distance, 360 - distance) if rule.metric.unit == "°" else distance


def _passed(rule: LimitRule, value: Floats, limit: float | None) -> Flags:
    if limit is None:
        return np.zeros(len(value), bool)
    passed: Flags = trips(rule.comparison, value, limit)
    return passed


def fold(tracks: Sequence[Track], device: WatchedDevice, until: datetime) -> AlarmBook:
    """The alarms of rules that share a condition, one after the other, with the moments at which
    people would have been told, by the clock of the device. Whoever is told acts at once: an alarm
    that clears is over, and the next one is another."""
    book = AlarmBook(until, latches=False)
    rules = [track.rule for track in tracks]
    end_us = as_microseconds(until)
    while tracks:
        places = [track.next_place(_waits(book, track.rule, device)) for track in tracks]
        moments = [track.at(place) for track, place in zip(tracks, places, strict=True)]
        soonest = min(moments)
        if soonest == NEVER or soonest > end_us:
            break
        track = tracks[moments.index(soonest)]
        track.row = places[moments.index(soonest)] + 1
        sample = track.series.sample(track.row - 1)
        _run_out(book, rules, device, sample.ts)
        book.now = sample.ts
        standing = book.standing(track.rule, device)
        for outcome in list(judge(track.rule, device.id, device.attributes, standing, sample)):
            book.apply(track.rule, device, outcome)
        _acknowledge(book, rules, device)
    _run_out(book, rules, device, until)
    return book


def _waits(book: AlarmBook, rule: LimitRule, device: WatchedDevice) -> list[int]:
    """Moments from which on any value can change something: the end of a delay, or of the time
    for which a level that was reached again is held."""
    standing = book.standing(rule, device)
    waits = [as_microseconds(timer.ripe_at) for timer in standing.timers.values()]
    if standing.again and standing.since is not None and rule.off_delay:
        held_until = standing.since + rule.off_delay
        waits.append(as_microseconds(held_until))
    return waits


def _run_out(
    book: AlarmBook, rules: Sequence[LimitRule], device: WatchedDevice, at: datetime
) -> None:
    """Delays that have run out by `at`, each at its own moment."""
    while True:
        running = [(r, t) for r, t in book.running(rules, device) if t.ripe_at <= at]
        running = [
            (rule, timer)
            for rule, timer in running
            if not (timer.severity is None and rule.clear_needs_reading)
        ]
        if not running:
            return
        first = min(running, key=lambda item: item[1].ripe_at)
        book.now = first[1].ripe_at
        for rule, outcome in fallen_due([first], at, device_clock=True):
            book.apply(rule, device, outcome)
        _acknowledge(book, rules, device)


def _acknowledge(book: AlarmBook, rules: Sequence[LimitRule], device: WatchedDevice) -> None:
    condition = condition_of(rules[0], device.code)
    alarm = book.find(condition)
    if alarm is not None and alarm.state is not AlarmState.ACKNOWLEDGED:
        book.act(condition, Input.ACKNOWLEDGE, SYSTEM)


def reaching(rule: LimitRule, history: History) -> list[int]:
    """Devices that the rule is about and that have a value past its mildest limit."""
    columns = history.columns.get(rule.metric.id)
    if columns is None or not len(columns):
        return []
    limit, baseline = _by_device(rule, history, columns)
    if baseline is not None:
        # Not the short way round: a device between whose extremes a limit lies is never left out.
        best = np.fmax(np.abs(columns.highest - baseline), np.abs(columns.lowest - baseline))
        known = trips(rule.comparison, best, limit)
    elif rule.comparison is Comparison.EQUALS:
        known = (columns.lowest <= limit) & (columns.highest >= limit)
    else:
        best = columns.lowest if rule.is_falling else columns.highest
        known = trips(rule.comparison, best, limit)
    found: list[int] = columns.device_ids[np.flatnonzero(known)].tolist()
    return found


def _by_device(
    rule: LimitRule, history: History, columns: MetricColumns
) -> tuple[Floats, Floats | None]:
    """Limit and baseline of each device; a limit that nothing passes where the rule is not about
    it."""
    limit = np.full(len(columns.device_ids), np.nan)
    baseline = np.zeros(len(limit)) if rule.baseline_attribute else None
    for number, device_id in enumerate(columns.device_ids.tolist()):
        device = history.devices.get(device_id)
        if device is None or not applies_to(rule, device):
            continue
        attributes: Mapping[str, object] = device.attributes
        found = limit_of(rule.levels[0], attributes)
        limit[number] = np.nan if found is None else found
        if baseline is not None:
            baseline[number] = as_number(attributes.get(rule.baseline_attribute)) or 0.0
    return limit, baseline
