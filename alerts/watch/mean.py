"""A mean that stays past a limit, whatever single values do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from alerts import signals
from alerts.fields import Fields
from alerts.fold import apart
from alerts.history import History, Series, as_us
from alerts.limits import WindowRule, as_number
from alerts.watch.window import WindowKind, checked, held, window_fields
from city.device import WatchedDevice

MEAN = "mean_within"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanRule(WindowRule):
    """Limits are on the mean over the window, of the distance from a baseline of the device where
    `of_baseline` names its attribute."""

    of_baseline: str = ""

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return MEAN, {"minutes": round(self.window / timedelta(minutes=1))}


class MeanKind(WindowKind[MeanRule]):
    """Fields of its own: `baseline_attribute` and those of `WindowRule`."""

    name = "mean"
    sentences: ClassVar = {
        MEAN: (
            "{minutes} 分钟平均 {value}{unit},达到或超过 {limit}{unit}",
            "{value} {unit} on average over {minutes} min, at or above {limit} {unit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> MeanRule:
        baseline = fields.code("baseline_attribute", default="")
        known = window_fields(fields, common)
        if baseline:
            known["wake"] = -math.inf  # how far a value is from its baseline, it does not say
        return checked(MeanRule(of_baseline=baseline, **known), fields)

    def derive(self, rule: MeanRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        value = series.value
        if rule.of_baseline:
            zero = as_number(device.attributes.get(rule.of_baseline)) or 0.0
            value = apart(rule, value, zero)
        mean = signals.mean_within(series.ts_us, value, as_us(rule.window))
        return held(rule, series, mean.round(3))
