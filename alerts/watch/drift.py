"""A zero that has moved: the value has not been near it for a long time, or has been below it."""

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

ZERO_MOVED = "zero_moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule(WindowRule):
    """Limits are how far from zero the value has stayed, to one side, all through the window.
    Above `most` it is no drift but something that is measured."""

    most: float

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return ZERO_MOVED, {"hours": round(self.window / timedelta(hours=1))}


class DriftKind(WindowKind[DriftRule]):
    """Fields of its own: `most` and those of `WindowRule`."""

    name = "drift"
    sentences: ClassVar = {
        ZERO_MOVED: (
            "{hours} 小时内始终偏离零点至少 {value}{unit}(限 {limit}{unit})",
            "has been at least {value} {unit} away from zero for {hours} h, limit {limit} {unit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> DriftRule:
        most = fields.number("most", low=0)
        known = window_fields(fields, common)
        return checked(DriftRule(most=most, wake_below=-known["wake"], **known), fields)

    def derive(self, rule: DriftRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        window = as_us(rule.window)
        above = signals.lasting(series.ts_us, series.value, window)
        below = signals.lasting(series.ts_us, -series.value, window)
        away = np.fmax(above, below)
        away = np.where(away > rule.most, 0.0, away)
        return held(rule, series, away.round(3))
