"""What a rule on readings says, and which values are past its limits or clear of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from alerts.rules import Level, Rule
from alerts.scope import EVERYWHERE, Scope
from city.device import WatchedDevice
from city.reading import Metric

# Readings older than this when they reach us raise nothing, unless the rule says otherwise.
DEFAULT_MAX_AGE_S = 900.0


class Comparison(StrEnum):
    AT_OR_ABOVE = "at_or_above"
    ABOVE = "above"
    AT_OR_BELOW = "at_or_below"
    BELOW = "below"
    EQUALS = "equals"
    DEVIATES_ABOVE = "deviates_above"  # distance from the device's own baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule(Rule):
    """A rule on the values of one metric, or on what is made of them (`alerts.watch.window`)."""

    metric: Metric
    comparison: Comparison
    gas: str = ""  # only devices of this gas
    baseline_attribute: str = ""
    clear_limit: float | None = None
    clear_share: float | None = None  # of the mildest limit, where that differs by device
    clear_needs_reading: bool = False  # quiet never ends the alarm, only a good reading does
    max_age: timedelta = timedelta(seconds=DEFAULT_MAX_AGE_S)

    @property
    def is_falling(self) -> bool:
        """Whether a worse level has a lower limit."""
        return self.comparison in (Comparison.AT_OR_BELOW, Comparison.BELOW)

    @property
    def unit(self) -> str:
        """Of its limits."""
        return self.metric.unit

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        """The code of its reasons, where that does not follow from the comparison, and what they
        say of the rule."""
        return "", {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRule(LimitRule):
    """A rule on the values of one metric, judged as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule(LimitRule):
    """A rule on what the last values come to (`alerts.watch.window`).

    `wake` is the value of the metric below which no alarm begins (nor above `wake_below`, where
    there is one); `hold_above` the one down to which a standing alarm stays, whatever the signal
    says. `look_every` is how long a look may wait."""

    window: timedelta
    wake: float
    wake_below: float | None = None
    hold_above: float | None = None
    look_every: timedelta = timedelta(seconds=5)

    @property
    def looks_at(self) -> tuple[int, ...]:
        """Ids of the metrics that the signal is made of."""
        return (self.metric.id,)

    def band_of(self, metric_id: int, device: WatchedDevice) -> tuple[float, float] | None:
        """Values of a metric of this device that wake it, both ends among them; None: those that
        `wake` and `wake_below` say."""
        return None

    @property
    def wakes_by_day(self) -> bool:
        """Whether only what is measured by day wakes it."""
        return False


def on_readings(rules: Iterable[Rule]) -> list[ReadingRule]:
    """Of these rules those that judge values."""
    return [rule for rule in rules if isinstance(rule, ReadingRule)]


def others(rule: ReadingRule, rules: Iterable[Rule]) -> list[ReadingRule]:
    """Of these rules those that raise the same condition by a reading, without the rule itself."""
    return [
        other
        for other in on_readings(rules)
        if other.condition == rule.condition and other.code != rule.code
    ]


def is_about(rule: Rule, device: WatchedDevice) -> bool:
    """Whether the bounds of a rule hold for this device."""
    if rule.kinds and device.kind not in rule.kinds:
        return False
    return rule.scope.covers(device, rule.category_attribute)


def applies_to(rule: LimitRule, device: WatchedDevice) -> bool:
    """Whether a rule is about this device."""
    if not is_about(rule, device) or (rule.gas and device.gas != rule.gas):
        return False
    attribute = rule.levels[0].limit_attribute
    return not attribute or as_number(device.attributes.get(attribute)) is not None


class About:
    """Which of the devices rules are about. Rules with the same bounds are asked once, and of one
    with bounds only the devices that one of its bounds leaves: a city has many rules that are each
    about few of many devices."""

    def __init__(self, devices: Collection[WatchedDevice]) -> None:
        self._devices = devices
        self._known: dict[Any, list[WatchedDevice]] = {}
        self._by: dict[str, dict[Any, list[WatchedDevice]]] = {}

    def of(self, rule: LimitRule) -> list[WatchedDevice]:
        """Those of one rule."""
        if rule.scope is not EVERYWHERE:
            return [device for device in self._left_by(rule.scope) if applies_to(rule, device)]
        key = (rule.kinds, rule.gas, rule.levels[0].limit_attribute)
        if key not in self._known:
            self._known[key] = [d for d in self._devices if applies_to(rule, d)]
        return self._known[key]

    def _left_by(self, scope: Scope) -> Collection[WatchedDevice]:
        if scope.devices:
            return self._where("code", scope.devices, lambda device: device.code)
        if scope.attributes:
            name, allowed = next(iter(scope.attributes.items()))
            return self._where(f"attribute {name}", allowed, lambda d: d.attributes.get(name))
        if scope.models:
            return self._where("model", scope.models, lambda device: device.model)
        return self._devices

    def _where(
        self, name: str, allowed: Iterable[Any], value_of: Callable[[WatchedDevice], Any]
    ) -> Collection[WatchedDevice]:
        """The devices of which something has one of these values, none of them a list."""
        if name not in self._by:
            by: dict[Any, list[WatchedDevice]] = {}
            for device in self._devices:
                value = value_of(device)
                if isinstance(value, Hashable):
                    by.setdefault(value, []).append(device)
            self._by[name] = by
        parts = [self._by[name].get(value, []) for value in dict.fromkeys(allowed)]
        return parts[0] if len(parts) == 1 else [device for part in parts for device in part]


def trips(comparison: Comparison, signal: Any, limit: Any) -> Any:
    """Whether a value, or an array of values, is past the limit."""
    if comparison is Comparison.AT_OR_ABOVE:
        return signal >= limit
    if comparison is Comparison.AT_OR_BELOW:
        return signal <= limit
    if comparison is Comparison.BELOW:
        return signal < limit
    if comparison is Comparison.EQUALS:
        return signal == limit
    return signal > limit


def reach_of(
    rule: LimitRule, devices: Iterable[WatchedDevice]
) -> tuple[float | None, float | None]:
    """What a value is at least, or at most, that is past a limit of a rule on one of these
    devices; nobody's value is above infinity, if none has a limit."""
    lows, highs = [math.inf], [-math.inf]
    for device in devices:
        for level in rule.levels:
            limit = limit_of(level, device.attributes)
            if limit is not None:
                baseline = baseline_of(rule, device.attributes) or 0.0
                lows.append(baseline + limit)
                highs.append(baseline - limit if rule.baseline_attribute else limit)
    if rule.baseline_attribute:
        return min(lows), max(highs)
    return (None, max(highs)) if rule.is_falling else (min(lows), None)


def limit_of(level: Level, attributes: Mapping[str, Any]) -> float | None:
    """The level's limit for this device; None: this device has none."""
    if not level.limit_attribute:
        return level.limit
    return as_number(attributes.get(level.limit_attribute))


def baseline_of(rule: LimitRule, attributes: Mapping[str, Any]) -> float | None:
    """The device's own zero, for rules that measure a distance from it."""
    if not rule.baseline_attribute:
        return None
    return as_number(attributes.get(rule.baseline_attribute)) or 0.0


def turned_by(value: float, baseline: float, rule: LimitRule) -> float:
    """Distance from the baseline; angles go the short way round."""
    apart = abs(value - baseline)
    if rule.metric.unit == "°":
        return min(apart, 360 - apart)
    return apart


def as_number(value: object) -> float | None:
    """A number from a device's attributes; anything else counts as not given."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def is_clear(
    rule: LimitRule, signal: float, limits: Sequence[float | None], level: int = 0
) -> bool:
    """Whether a value that does not trip a level is far enough from its limit to leave it.

    A worse level without a clear limit of its own is left as far from its limit as the rule's
    mildest: one deadband for all.
    """
    bound = _clear_bound(rule, limits, level)
    if bound is None:
        return True
    return signal > bound if rule.is_falling else signal < bound


def clear_bounds(rule: LimitRule, limits: Sequence[float | None]) -> list[float | None]:
    """Past which a value leaves each level; None: any that does not trip it."""
    return [_clear_bound(rule, limits, number) for number in range(len(limits))]


def _clear_bound(rule: LimitRule, limits: Sequence[float | None], level: int) -> float | None:
    limit, mildest = limits[level], limits[0]
    if limit is None or mildest is None:
        return None
    if rule.levels[level].clear_limit is not None:
        return rule.levels[level].clear_limit
    if rule.clear_share is not None:
        return rule.clear_share * limit
    return None if rule.clear_limit is None else limit - (mildest - rule.clear_limit)
