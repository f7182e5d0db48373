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
from alerts.fold import reaching
from alerts.history import History, Series
from alerts.judge import Stop
from alerts.limits import DEFAULT_MAX_AGE_S, Comparison, ReadingRule, applies_to
from alerts.rules import DAY_S
from alerts.save import load_book
from alerts.watch.kind import LimitKind, Look
from alerts.watch.limit_fields import check_clearing, parse_levels
from city.alarm import Alarm
from city.device import WatchedDevice
from city.reading import METRICS
from db import evaluation, rule_timers
from db.pool import Connection

# Delays run out in spite of readings that wait, should evaluation stand still for so long.
WAIT_FOR_READINGS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ReadingState:
    """Delays that run, and the moment up to which they may run out."""

    running: Sequence[tuple[WatchedDevice, Sequence[Running]]]
    until: datetime


class ReadingKind(LimitKind[ReadingRule, ReadingState]):
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
            levels=parse_levels(fields),
            **common,
        )
        check_clearing(rule, fields)
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

    def reaching(self, rule: ReadingRule, history: History) -> list[int]:
        return reaching(rule, history)

    def derive(self, rule: ReadingRule, device: WatchedDevice, history: History) -> Series:
        return history.of(device.id, rule.metric.id)


def _delaying(rules: Sequence[ReadingRule]) -> tuple[list[str], list[str]]:
    """Codes of rules whose on-delays, and whose off-delays, run out by themselves."""
    on = [rule.code for rule in rules]
    return on, [rule.code for rule in rules if not rule.clear_needs_reading]
