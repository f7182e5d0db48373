"""Kinds of rules on what a device's last readings come to: the rise, the mean, the neighbours.

A kind gives a pure *signal* (`alerts.signals`), one value for each moment of measurement; the
limits, delays and clearing on it are those of any other rule (`alerts.limits`, `alerts.judge`), in
the backtest by `alerts.fold` over everything, live by a look at the devices that evaluation marked
as hot (`window_look`), which follows the newest readings as a late reading is followed
(`alerts.course`). Both times come from readings, so both come to the same alarms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alerts.book import Finding
from alerts.fields import Fields
from alerts.history import Floats, History, Series
from alerts.limits import Comparison, LimitRule, applies_to
from alerts.rules import DAY_S
from alerts.watch.kind import L, LimitKind, Look
from alerts.watch.limit_fields import check_clearing, parse_levels
from city.reading import METRICS
from db.pool import Connection

# Values of a signal that is nowhere near its limit begin nothing: a look is not worth it.
WAKE_SHARE = 0.5
LONGEST_WINDOW_S = 14 * DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule(LimitRule):
    """A rule on a signal. `wake` is the value of the metric below which no alarm begins (nor above
    `wake_below`, where there is one); `hold_above` the one down to which a standing alarm stays,
    whatever the signal says."""

    window: timedelta
    wake: float
    wake_below: float | None = None
    hold_above: float | None = None
    look_every: timedelta = timedelta(seconds=5)


def window_fields(fields: Fields, common: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The fields that all rules of these kinds have, for their constructors."""
    levels = parse_levels(fields)
    mildest = levels[0].limit or 0.0
    if any(level.limit is None for level in levels):
        raise fields.wrong("level.limit_attribute", "", "rules of this kind need a `limit`")
    return {
        "metric": METRICS[fields.one_of("metric", list(METRICS), default=more.pop("metric", ""))],
        "comparison": Comparison.AT_OR_ABOVE,
        "gas": fields.one_of("gas", ["", "methane", "lpg", "propane"], default=""),
        "clear_limit": 0.0 if "clear_limit" in more else fields.number("clear_limit"),
        "clear_needs_reading": fields.flag("clear_needs_reading", default=False),
        "max_age": fields.seconds("max_age_s", default=DAY_S, high=30 * DAY_S),
        "window": fields.seconds("window_s", high=LONGEST_WINDOW_S),
        "wake": fields.number("wake", default=WAKE_SHARE * mildest),
        "hold_above": fields.optional_number("hold_above"),
        "look_every": fields.seconds("look_every_s", default=5.0, high=DAY_S),
        "levels": levels,
        **more,
        **common,
    }


def checked(rule: L, fields: Fields) -> L:
    """The rule, if its limits make sense."""
    check_clearing(rule, fields)
    return rule


class WindowKind(LimitKind[L, Any]):
    """What all kinds of signals have in common."""

    city_wide = False

    def reaching(self, rule: L, history: History) -> Sequence[int]:
        columns = history.columns.get(rule.metric.id)
        assert isinstance(rule, WindowRule)
        if columns is None or not len(columns):
            return []
        awake = columns.highest >= rule.wake
        if rule.wake_below is not None:
            awake |= columns.lowest <= rule.wake_below
        hot = columns.device_ids[awake].tolist()
        return [i for i in hot if i in history.devices and applies_to(rule, history.devices[i])]

    def load(self, conn: Connection, rules: Sequence[L], look: Look) -> Any:
        return None

    def judge(self, rules: Sequence[L], state: Any, now: datetime) -> Iterator[Finding]:
        return iter(())

    def lead(self, rule: L) -> timedelta:
        assert isinstance(rule, WindowRule)
        return rule.window


def held(rule: WindowRule, series: Series, signal: Floats) -> Series:
    """The signal at the moments of its readings, kept from being clear while the value is high."""
    if rule.hold_above is not None and rule.clear_limit is not None:
        high = series.value >= rule.hold_above
        signal = np.where(high, np.fmax(signal, rule.clear_limit), signal)
    return replace(series, value=signal)
