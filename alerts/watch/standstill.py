"""A value that does not move any more: a sensor that is stuck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from alerts import signals
from alerts.fields import Fields
from alerts.history import History, Series
from alerts.limits import WindowRule, applies_to
from alerts.watch.window import WindowKind, checked, held, window_fields
from city.device import WatchedDevice

STANDS_STILL = "stands_still"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandstillRule(WindowRule):
    """Limits are hours without a move by more than `apart`; at rest, within `rest` of zero, a
    value may stand still."""

    apart: float
    rest: float

    @property
    def unit(self) -> str:
        return "h"

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return STANDS_STILL, {}


class StandstillKind(WindowKind[StandstillRule]):
    """Fields of its own: `apart`, `rest` and those of `WindowRule`."""

    name = "standstill"
    sentences: ClassVar = {
        STANDS_STILL: (
            "读数 {value} 小时没有变化(限 {limit} 小时)",
            "has not moved for {value} h, limit {limit} h",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> StandstillRule:
        apart = fields.number("apart", low=0, default=0.0)
        rest = fields.number("rest", low=0, default=0.0)
        known = {**window_fields(fields, common), "wake": rest}
        return checked(StandstillRule(apart=apart, rest=rest, **known), fields)

    def reaching(self, rule: StandstillRule, history: History) -> Sequence[int]:
        hot = super().reaching(rule, history)
        least_us = (rule.levels[0].limit or 0.0) * 3.6e9
        columns = history.columns[rule.metric.id] if hot else None
        if columns is None:
            return []
        return [i for i in hot if _span(history.of(i, rule.metric.id)) >= least_us
                and applies_to(rule, history.devices[i])]  # fmt: skip

    def derive(self, rule: StandstillRule, device: WatchedDevice, history: History) -> Series:
        series = history.of(device.id, rule.metric.id)
        still = signals.standstill_s(series.ts_us, series.value, rule.apart) / 3600
        still[abs(series.value) <= rule.rest] = 0.0
        return held(rule, series, still.round(2))


def _span(series: Series) -> int:
    return int(series.ts_us[-1] - series.ts_us[0]) if len(series) else 0
