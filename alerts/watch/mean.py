"""A mean that stays past a limit, whatever single values do."""

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

MEAN = "mean_within"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanRule(WindowRule):
    """Limits are on the mean over the window."""

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return MEAN, {"minutes": round(self.window / timedelta(minutes=1))}


class MeanKind(WindowKind[MeanRule]):
    """Fields of its own: those of `WindowRule`."""

    name = "mean"
    sentences: ClassVar = {
        MEAN: (
            "{minutes} 分钟平均 {value}{unit},达到或超过 {limit}{unit}",
            "{value} {unit} on average over {minutes} min, at or above {limit} {unit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> MeanRule:
        return checked(MeanRule(**window_fields(fields, common)), fields)

    def derive(self, rule: MeanRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        mean = signals.mean_within(series.ts_us, series.value, as_us(rule.window))
        return held(rule, series, mean.round(3))
