"""A value that comes past a limit again and again within a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np

from alerts import signals
from alerts.fields import Fields
from alerts.history import History, Series, as_us
from alerts.limits import WindowRule
from alerts.watch.window import WindowKind, checked, held, window_fields
from city.device import WatchedDevice

REPEATED = "repeated_within"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatRule(WindowRule):
    """Limits are numbers of times; `past` is what a value comes past, `back` what it must be below
    before it can come again."""

    past: float
    back: float

    @property
    def unit(self) -> str:
        return "×"

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        hours = round(self.window / timedelta(hours=1), 1)
        return REPEATED, {"past": self.past, "of": self.metric.unit, "hours": hours}


class RepeatKind(WindowKind[RepeatRule]):
    """Fields of its own: `past`, `back` and those of `WindowRule`."""

    name = "repeat"
    sentences: ClassVar = {
        REPEATED: (
            "{hours} 小时内 {value} 次达到 {past}{of}(限 {limit} 次)",
            "came to {past} {of} {value} times within {hours} h, at least {limit} times",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> RepeatRule:
        past = fields.number("past")
        back = fields.number("back", default=past)
        if back > past:
            raise fields.wrong("back", back, f"is past {past:g}")
        rule = RepeatRule(past=past, back=back, **{**window_fields(fields, common), "wake": past})
        return checked(rule, fields)

    def derive(self, rule: RepeatRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        state = signals.with_deadband(series.value >= rule.past, series.value < rule.back)
        times = signals.times_within(series.ts_us, state, as_us(rule.window))
        return held(rule, series, np.asarray(times))
