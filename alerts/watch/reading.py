"""Values of one metric that are past a limit.

Readings are judged when they come (`alerts.evaluate`); looked at here is what time alone brings
about, delays that run out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from alerts.book import Finding
from alerts.fields import Fields
from alerts.fold import reaching
from alerts.history import History, Series
from alerts.limits import DEFAULT_MAX_AGE_S, Comparison, ReadingRule, reach_of
from alerts.rules import DAY_S
from alerts.watch.delays import Delays, due_districts, judge_delays, load_delays
from alerts.watch.kind import LimitKind, Look
from alerts.watch.limit_fields import check_clearing, parse_levels
from city.device import WatchedDevice
from city.reading import METRICS
from db.pool import Connection
from db.readings_past import Reach


class ReadingKind(LimitKind[ReadingRule, Delays]):
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
        return due_districts(conn, rules, now)

    def load(self, conn: Connection, rules: Sequence[ReadingRule], look: Look) -> Delays:
        return load_delays(conn, rules, look)

    def judge(
        self, rules: Sequence[ReadingRule], state: Delays, now: datetime
    ) -> Iterator[Finding]:
        return judge_delays(state)

    def reaching(self, rule: ReadingRule, history: History) -> list[int]:
        return reaching(rule, history)

    def reaches(self, rule: ReadingRule, devices: Sequence[WatchedDevice]) -> list[Reach]:
        return [Reach(rule.metric.id, *reach_of(rule, devices))]

    def derive(self, rule: ReadingRule, device: WatchedDevice, history: History) -> Series:
        return history.of(device.id, rule.metric.id)
