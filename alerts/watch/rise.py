"""A value that rises by so much within a time, long before it reaches a limit."""

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

ROSE = "rose_within"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiseRule(WindowRule):
    """Limits are by how much the value rose within the window."""

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return ROSE, {"minutes": round(self.window / timedelta(minutes=1))}


class RiseKind(WindowKind[RiseRule]):
    """Fields of its own: those of `WindowRule`."""

    name = "rise"
    sentences: ClassVar = {
        ROSE: (
            "{minutes} 分钟内上升 {value}{unit},达到或超过 {limit}{unit}",
            "rose by {value} {unit} within {minutes} min, at or above {limit} {unit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> RiseRule:
        return checked(RiseRule(**window_fields(fields, common)), fields)

    def derive(self, rule: RiseRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        rise = signals.rise(series.ts_us, series.value, as_us(rule.window))
        return held(rule, series, rise.round(3))
