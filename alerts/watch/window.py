"""Kinds of rules on what a device's last readings come to: the rise, the mean, the neighbours.

A kind gives a pure *signal* (`alerts.signals`), one value for each moment of measurement; the
limits, delays and clearing on it are those of any other rule (`alerts.limits`, `alerts.judge`), in
the backtest by `alerts.fold` over everything, live by a look at the devices that evaluation marked
(`alerts.wakes`, table `window_look`), which follows the newest readings as a late reading is
followed (`alerts.course`). All times are those of readings, so both come to the same alarms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from alerts.book import AlarmBook, Finding, condition_of
from alerts.course import Situation, follow, lead_of, settle
from alerts.fields import Fields
from alerts.history import Floats, History, Ints, Series
from alerts.judge import Sample
from alerts.levels import levels_of
from alerts.limits import Comparison, WindowRule, applies_to
from alerts.rules import DAY_S
from alerts.save import load_book
from alerts.surroundings import load_around, pipes_near
from alerts.watch.delays import Delays, due_districts, judge_delays, load_delays
from alerts.watch.kind import LimitKind, Look
from alerts.watch.limit_fields import check_clearing, parse_levels
from city.alarm import Alarm
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.reading import METRICS
from db import alarms, evaluation, window_looks
from db.pool import Connection
from db.readings_past import Reach

W = TypeVar("W", bound=WindowRule)

# Values of a signal that is nowhere near its limit begin nothing: a look is not worth it.
WAKE_SHARE = 0.5
LONGEST_WINDOW_S = 14 * DAY_S
# Readings judged before the first new one, so that a delay on its way is seen to begin.
BEFORE = 2


@dataclass(frozen=True, slots=True)
class Matter:
    """A device and condition that rules look at, with the readings from `since` on new."""

    device: WatchedDevice
    rules: Sequence[Any]  # of the kind that looks
    since: datetime


@dataclass(frozen=True, slots=True)
class WindowState:
    """What is due to be looked at, the readings it takes, and delays that run by themselves."""

    matters: Sequence[Matter]
    history: History
    ended: Mapping[str, Sequence[Alarm]]  # by condition, those that ended of late
    delays: Delays


@dataclass(frozen=True, slots=True)
class Ahead:
    """Devices that are marked, and all that looks at them take."""

    marked: frozenset[int]
    devices: Mapping[int, WatchedDevice]


NOTHING_AHEAD = Ahead(frozenset(), {})


def window_fields(fields: Fields, common: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The fields that all rules of these kinds have, for their constructors."""
    levels = parse_levels(fields)
    mildest = levels[0].limit or 0.0
    if any(level.limit is None for level in levels):
        raise fields.wrong("level.limit_attribute", "", "rules of this kind need a `limit`")
    metric = more.pop("metric", "") or fields.one_of("metric", list(METRICS))
    return {
        "metric": METRICS[metric],
        "comparison": Comparison.AT_OR_ABOVE,
        "gas": fields.one_of("gas", ["", "methane", "lpg", "propane"], default=""),
        "clear_limit": 0.0 if "clear_limit" in more else fields.number("clear_limit"),
        "clear_needs_reading": fields.flag("clear_needs_reading", default=False),
        "max_age": fields.seconds("max_age_s", default=DAY_S, high=30 * DAY_S),
        "window": more.pop("window", None) or fields.seconds("window_s", high=LONGEST_WINDOW_S),
        "wake": fields.number("wake", default=WAKE_SHARE * mildest),
        "hold_above": fields.optional_number("hold_above"),
        "look_every": fields.seconds("look_every_s", default=5.0, high=DAY_S),
        "levels": levels,
        **more,
        **common,
    }


def checked(rule: W, fields: Fields) -> W:
    """The rule, if its limits make sense."""
    check_clearing(rule, fields)
    return rule


class WindowKind(LimitKind[W, WindowState]):
    """What all kinds of signals have in common."""

    city_wide = False

    def reaching(self, rule: W, history: History) -> Sequence[int]:
        columns = history.columns.get(rule.metric.id)
        if columns is None or not len(columns):
            return []
        awake = columns.highest >= rule.wake
        if rule.wake_below is not None:
            awake |= columns.lowest <= rule.wake_below
        hot = columns.device_ids[awake].tolist()
        return [i for i in hot if i in history.devices and applies_to(rule, history.devices[i])]

    def reaches(self, rule: W, devices: Sequence[WatchedDevice]) -> list[Reach]:
        return [Reach(metric, rule.wake, rule.wake_below) for metric in rule.looks_at]

    def metrics(self, rule: W) -> tuple[int, ...]:
        return rule.looks_at

    def lead(self, rule: W) -> timedelta:
        return rule.window

    def around(
        self, rule: W, devices: Iterable[WatchedDevice], history: History
    ) -> list[WatchedDevice]:
        """Other devices that the signals of these depend on, and whose signals on them."""
        return []

    def due(self, conn: Connection, rules: Sequence[W], now: datetime) -> list[str]:
        codes = [rule.code for rule in rules]
        if not codes:
            return []
        found = {*window_looks.list_due_districts(conn, codes, now)}
        return sorted(found.union(due_districts(conn, rules, now)))

    def read_district_ahead(
        self, conn: Connection, rules: Sequence[W], district: str, now: datetime
    ) -> Ahead:
        """The devices that will be looked at with those around them, a moment old. Their readings
        are read under the lock: these must not be older than the marks that are taken."""
        codes = [rule.code for rule in rules]
        marked = window_looks.list_due_devices(conn, district, codes, now)
        if not marked:
            return NOTHING_AHEAD
        return Ahead(frozenset(marked), self._list_devices(conn, rules, marked, district))

    def load(self, conn: Connection, rules: Sequence[W], look: Look) -> WindowState | None:
        by_code = {rule.code: rule for rule in rules}
        if not by_code:
            return None
        looks = window_looks.take_due(conn, look.district, list(by_code), look.now)
        if len(looks) == window_looks.AT_ONCE:
            look.more.add(self.name)
        since: dict[str, dict[int, datetime]] = defaultdict(dict)
        for one in looks:
            rule = by_code[one.rule_code]
            since[rule.code][one.device_id] = max(one.since, look.now - rule.max_age)
        matters, history = self._gather(conn, by_code, since, look)
        ids = [matter.device.id for matter in matters]
        load_book(conn, look.book, ids, list(by_code))
        ended: dict[str, list[Alarm]] = defaultdict(list)
        if matters:
            oldest = min(m.since - lead_of(m.rules) for m in matters)
            for alarm in alarms.list_ended(conn, ids, since=oldest):
                ended[alarm.condition].append(alarm)
        delays = load_delays(conn, rules, look, without=set(ids))
        return WindowState(matters, history, ended, delays)

    def judge(self, rules: Sequence[W], state: WindowState, now: datetime) -> Iterator[Finding]:
        return judge_delays(state.delays)

    def settle(
        self, conn: Connection, state: WindowState, findings: Sequence[Finding], look: Look
    ) -> None:
        """Follow the signals of what was marked, in the order of time."""
        for matter in state.matters:
            self.look_at(look.book, matter, state.history, state.ended)

    def look_at(
        self,
        book: AlarmBook,
        matter: Matter,
        history: History,
        ended: Mapping[str, Sequence[Alarm]],
    ) -> None:
        """Make the book say what the signals of one device come to. Pure."""
        device, condition = matter.device, matter.rules[0].condition
        samples: list[tuple[WindowRule, Sample]] = []
        for rule in matter.rules:
            series = self.derive(rule, device, history)
            if _is_quiet(book, rule, device, series, ended):
                continue
            begin = matter.since - lead_of([rule])
            place = int(np.searchsorted(series.ts_us, as_microseconds(begin)))
            fresh_us = rule.max_age // timedelta(microseconds=1)
            samples += [
                (rule, series.sample(row))
                for row in range(max(0, place - BEFORE), len(series))
                if series.received_us[row] - series.ts_us[row] <= fresh_us
            ]
        samples.sort(key=lambda item: item[1].ts)
        new = {sample.ts for _, sample in samples if sample.ts >= matter.since}
        if not new:
            return
        key = f"{condition}/{device.code}"
        live = book.find(key)
        start = samples[0][1].ts
        past = [a for a in ended.get(key, ()) if a.ended_at is not None and a.ended_at >= start]
        at = Situation(device, condition, matter.rules, [*past, live] if live else past)
        course = follow(at, samples, at.timers(book).values(), new, book.now)
        settle(book, at, course, new)

    def _gather(
        self,
        conn: Connection,
        by_code: Mapping[str, W],
        since: Mapping[str, Mapping[int, datetime]],
        look: Look,
    ) -> tuple[list[Matter], History]:
        """The devices to look at, with those around them, and the readings it takes."""
        empty = History({}, {}, look.now)
        if not since:
            return [], empty
        marked = {device_id for mine in since.values() for device_id in mine}
        ahead: Ahead = look.ahead.get(self.name) or NOTHING_AHEAD
        known = dict(ahead.devices)
        if rest := marked - ahead.marked:
            known.update(self._list_devices(conn, by_code.values(), rest, look.district))
        history = replace(empty, devices=known, pipes=pipes_near(conn, marked, known))
        moments: dict[tuple[int, str], tuple[list[W], datetime]] = {}
        spans: dict[int, dict[int, datetime]] = defaultdict(dict)  # metric, device: from when on
        for code, mine in since.items():
            rule = by_code[code]
            for device_id, at in mine.items():
                device = known.get(device_id)
                if device is None or not device.is_watched(look.now):
                    continue
                near = self.around(rule, [device], history)
                for one in (device, *(other for other in near if other.is_watched(look.now))):
                    key = (one.id, rule.condition)
                    held, earlier = moments.get(key, ([], at))
                    moments[key] = ([*held, rule] if rule not in held else held, min(at, earlier))
                wide = [device, *near, *self.around(rule, near, history)]
                begin = at - self.lead(rule) - lead_of([rule])
                for one in wide:
                    for metric in rule.looks_at:
                        spans[metric][one.id] = min(begin, spans[metric].get(one.id, begin))
        columns = load_around(conn, spans, look.now)
        matters = [Matter(known[i], rules, at) for (i, _), (rules, at) in moments.items()]
        begin = min((at for mine in spans.values() for at in mine.values()), default=look.now)
        return matters, self.prepared(conn, replace(history, columns=columns), begin)

    def _list_devices(
        self, conn: Connection, rules: Iterable[W], marked: Iterable[int], district: str
    ) -> dict[int, WatchedDevice]:
        """The marked devices; kinds that look around need those of their district."""
        found = evaluation.list_watched_devices(conn, sorted(marked))
        return {device.id: device for device in found if device.district == district}


def _is_quiet(
    book: AlarmBook,
    rule: WindowRule,
    device: WatchedDevice,
    series: Series,
    ended: Mapping[str, Sequence[Alarm]],
) -> bool:
    """Whether nothing begins and nothing is there that could change: what most looks find."""
    standing = book.standing(rule, device)
    if standing.level is not None or standing.timers:
        return False
    key = condition_of(rule, device.code)
    past = [*ended.get(key, ()), *([alarm] if (alarm := book.find(key)) else ())]
    if any(rule.code in levels_of(alarm).steps for alarm in past):
        return False
    limit = rule.levels[0].limit
    return limit is None or not (series.value >= limit).any()


def latest_receipt(ts_us: Ints, parts: Iterable[Series]) -> Ints:
    """When the last of the values at each moment was received."""
    received = ts_us.copy()
    for part in parts:
        place = np.searchsorted(ts_us, part.ts_us)
        inside = place < len(ts_us)
        place, mine = place[inside], part.received_us[inside]
        same = ts_us[place] == part.ts_us[inside]
        received[place[same]] = np.maximum(received[place[same]], mine[same])
    return received


def held(rule: WindowRule, series: Series, signal: Floats) -> Series:
    """The signal at the moments of its readings, kept from being clear while the value is high."""
    if rule.hold_above is not None and rule.clear_limit is not None:
        high = series.value >= rule.hold_above
        signal = np.where(high, np.fmax(signal, rule.clear_limit), signal)
    return replace(series, value=signal)
