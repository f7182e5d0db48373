"""Values of one metric that are past a limit.

Readings are judged when they come (`alerts.evaluate`); looked at here is what time alone brings
about, delays that run out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from alerts.book import Finding, place_of
from alerts.course import Running, fallen_due
from alerts.fields import Fields
from alerts.judge import Sample, Stop
from alerts.limits import DEFAULT_MAX_AGE_S, Comparison, ReadingRule, applies_to, reach_of
from alerts.replay import replay_together
from alerts.rules import DAY_S, SEVERITIES, Level
from alerts.save import load_book
from alerts.watch.kind import Kind, Look, Story
from city.alarm import Alarm
from city.device import WatchedDevice
from city.reading import METRICS
from db import evaluation, readings_past, rule_timers
from db.pool import Connection
from db.readings_past import Reach

# Delays run out in spite of readings that wait, should evaluation stand still for so long.
WAIT_FOR_READINGS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ReadingState:
    """Delays that run, and the moment up to which they may run out."""

    running: Sequence[tuple[WatchedDevice, Sequence[Running]]]
    until: datetime


class ReadingKind(Kind[ReadingRule, ReadingState]):
    """Fields of its own: those of `ReadingRule`; any number of levels, each with a limit."""

    name = "reading"
    city_wide = False
    sentences: ClassVar = {
        "value_at_or_above_limit": (
            "{value}{unit},达到或超过限值 {limit}{unit}",
            "{value} {unit} is at or above the limit of {limit} {unit}",
        ),
        "value_above_limit": (
            "{value}{unit},超过限值 {limit}{unit}",
            "{value} {unit} is above the limit of {limit} {unit}",
        ),
        "value_at_or_below_limit": (
            "{value}{unit},等于或低于限值 {limit}{unit}",
            "{value} {unit} is at or below the limit of {limit} {unit}",
        ),
        "value_below_limit": (
            "{value}{unit},低于限值 {limit}{unit}",
            "{value} {unit} is below the limit of {limit} {unit}",
        ),
        "value_equals_limit": ("设备上报 {title_zh}", "the device reports: {title_en}"),
        "deviates_from_baseline": (
            "与基准 {baseline}{unit} 相差 {deviation}{unit},超过限值 {limit}{unit}",
            "{deviation} {unit} away from the baseline of {baseline} {unit}, limit {limit} {unit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> ReadingRule:
        comparison = Comparison(fields.one_of("comparison", [c.value for c in Comparison]))
        deviates = comparison is Comparison.DEVIATES_ABOVE
        rule = ReadingRule(
            metric=METRICS[fields.one_of("metric", list(METRICS))],
            comparison=comparison,
            gas=fields.one_of("gas", ["", "methane", "lpg", "propane"], default=""),
            baseline_attribute=fields.code("baseline_attribute") if deviates else "",
            clear_limit=fields.optional_number("clear_limit"),
            clear_share=fields.optional_number("clear_share", low=0, high=10),
            clear_needs_reading=fields.flag("clear_needs_reading", default=False),
            max_age=fields.seconds("max_age_s", default=DEFAULT_MAX_AGE_S, high=30 * DAY_S),
            levels=_levels(fields),
            **common,
        )
        _check_clearing(rule, fields)
        return rule

    def due(self, conn: Connection, rules: Sequence[ReadingRule], now: datetime) -> list[str]:
        on, off = _delaying(rules)
        return rule_timers.list_due_districts(conn, now, on=on, off=off)

    def load(self, conn: Connection, rules: Sequence[ReadingRule], look: Look) -> ReadingState:
        """While readings wait to be judged the clock of delays stands at the oldest of them: one
        of them may end the delay."""
        until = look.now
        waiting = evaluation.find_oldest_waiting(conn, look.district)
        if waiting is not None:
            until = min(until, max(waiting, until - WAIT_FOR_READINGS))
        on, off = _delaying(rules)
        ids = rule_timers.list_due_devices(conn, look.district, until, on=on, off=off)
        if not ids:
            return ReadingState((), until)
        load_book(conn, look.book, ids, [rule.code for rule in rules])
        devices = evaluation.list_watched_devices(conn, ids)
        return ReadingState([(d, look.book.running(rules, d)) for d in devices], until)

    def judge(
        self, rules: Sequence[ReadingRule], state: ReadingState, now: datetime
    ) -> Iterator[Finding]:
        for device, running in state.running:
            watched = device.is_watched(state.until)
            mine: list[Running] = []
            for rule, timer in running:
                if watched and applies_to(rule, device):
                    mine.append((rule, timer))
                elif timer.due_at <= state.until:  # the rule is not, or not now, about the device
                    yield Finding(Stop(timer.severity), rule, place_of(device, rule))
            for rule, outcome in fallen_due(mine, state.until, device_clock=False):
                yield Finding(outcome, rule, place_of(device, rule))

    def is_about(self, rule: ReadingRule, alarm: Alarm, device: WatchedDevice | None) -> bool:
        return device is not None and applies_to(rule, device)

    def past(
        self, conn: Connection, rules: Sequence[ReadingRule], from_: datetime, to: datetime
    ) -> Iterator[Story]:
        devices = {d.id: d for d in evaluation.list_watched_devices(conn)}
        concerned = {i for i, d in devices.items() if any(applies_to(r, d) for r in rules)}
        reaches = [(rule.metric.id, reach_of(rule)) for rule in rules]
        known = [Reach(metric, *reach) for metric, reach in reaches if reach is not None]
        if len(known) == len(rules):  # an alarm begins with a value past a limit
            concerned &= readings_past.list_reaching(conn, known, from_, to)
        metrics = sorted({rule.metric.id for rule in rules})
        for device_id, past in readings_past.by_device(conn, metrics, sorted(concerned), from_, to):
            device = devices[device_id]
            mine = [rule for rule in rules if applies_to(rule, device)]
            samples = (
                (rule, Sample(p.ts, p.received_at, p.value, p.quality))
                for p in past
                for rule in mine
                if rule.metric.id == p.metric_id
            )
            yield device, replay_together(mine, device, samples, to)


def _delaying(rules: Sequence[ReadingRule]) -> tuple[list[str], list[str]]:
    """Codes of rules whose on-delays, and whose off-delays, run out by themselves."""
    on = [rule.code for rule in rules]
    return on, [rule.code for rule in rules if not rule.clear_needs_reading]


def _levels(fields: Fields) -> tuple[Level, ...]:
    levels: list[Level] = []
    for part in fields.tables("level"):
        attribute = part.code("limit_attribute", default="")
        limit = None if attribute else part.number("limit")
        clear_limit = part.optional_number("clear_limit")
        if clear_limit is not None and not levels:
            raise part.wrong("clear_limit", clear_limit, "only a worse level has one of its own")
        levels.append(
            Level(
                severity=SEVERITIES[part.one_of("severity", list(SEVERITIES))],
                limit=limit,
                limit_attribute=attribute,
                on_delay=part.seconds("on_delay_s", default=0.0, high=DAY_S),
                clear_limit=clear_limit,
            )
        )
        part.nothing_left()
    ordered = [level.severity for level in levels]
    if len(set(ordered)) != len(ordered) or ordered != sorted(ordered, reverse=True):
        raise fields.wrong(
            "level", [s.name.lower() for s in ordered], "must run from the mildest to the worst"
        )
    return tuple(levels)


def _check_clearing(rule: ReadingRule, fields: Fields) -> None:
    """A clear limit on the wrong side of the limit would raise and clear at the same value."""
    if rule.clear_limit is not None and rule.clear_share is not None:
        raise fields.wrong("clear_share", rule.clear_share, "clear_limit is given too")
    limits = [level.limit for level in rule.levels if level.limit is not None]
    falling = rule.is_falling
    if sorted(limits, reverse=falling) != limits:
        raise fields.wrong("level.limit", limits, "a worse level needs a stricter limit")
    if rule.clear_share is not None and (rule.clear_share > 1) != falling:
        side = "at least" if falling else "at most"
        raise fields.wrong("clear_share", rule.clear_share, f"must be {side} 1")
    bounds = [(rule.clear_limit, limits[0])] if limits else []
    bounds += [(lv.clear_limit, lv.limit) for lv in rule.levels[1:] if lv.limit is not None]
    for clear_limit, limit in bounds:
        if clear_limit is not None and (limit - clear_limit) * (-1 if falling else 1) < 0:
            raise fields.wrong("clear_limit", clear_limit, f"is past the limit {limit:g}")
