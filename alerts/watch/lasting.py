"""A value that stays past a limit: at every reading of a time, or at the last three of a device
that reports less often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from alerts import signals
from alerts.fields import Fields
from alerts.history import History, Series, as_us
from alerts.limits import WindowRule
from alerts.watch.window import WindowKind, checked, held, window_fields
from city.device import WatchedDevice

LASTS = "lasts_within"
# How far apart the last three readings may lie of a device that reports once a day.
RARELY = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastingRule(WindowRule):
    """Limits are on the lowest value of the window."""

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return LASTS, {"minutes": round(self.window / timedelta(minutes=1))}


class LastingKind(WindowKind[LastingRule]):
    """Fields of its own: those of `WindowRule`."""

    name = "lasting"
    sentences: ClassVar = {
        LASTS: (
            "{minutes} 分钟内(或最近三次)始终不低于 {value}{unit},达到或超过 {limit}{unit}",
            "at least {value} {unit} for {minutes} min or three readings, at or above"
            " {limit} {unit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> LastingRule:
        return checked(LastingRule(**window_fields(fields, common)), fields)

    def lead(self, rule: LastingRule) -> timedelta:
        return max(rule.window, RARELY)

    def derive(self, rule: LastingRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        lowest = signals.lasting(series.ts_us, series.value, as_us(rule.window))
        return held(rule, series, lowest.round(3))
