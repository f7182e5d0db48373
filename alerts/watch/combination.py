"""Several metrics of one device at once: so many of the parts must hold at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np

from alerts import signals
from alerts.fields import Fields
from alerts.history import NOTHING, Floats, History, Ints, Series, merged
from alerts.limits import Comparison, WindowRule, applies_to, trips
from alerts.rules import DAY_S
from alerts.watch.window import WindowKind, checked, latest_receipt, window_fields
from city.device import WatchedDevice
from city.reading import METRICS, Metric
from db.readings_past import Reach

HOLD_TOGETHER = "hold_together"
COMPARISONS = [c.value for c in Comparison if c is not Comparison.DEVIATES_ABOVE]


@dataclass(frozen=True, slots=True)
class Part:
    """A value past a limit; older than `within` it does not count."""

    metric: Metric
    comparison: Comparison
    limit: float
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinationRule(WindowRule):
    """Limits are numbers of parts: as many as there are for *and*, 1 for *or*."""

    parts: tuple[Part, ...]

    @property
    def looks_at(self) -> tuple[int, ...]:
        return tuple(sorted({part.metric.id for part in self.parts}))

    @property
    def unit(self) -> str:
        return ""

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return HOLD_TOGETHER, {"parts": len(self.parts)}


class CombinationKind(WindowKind[CombinationRule]):
    """Fields of its own: `[[part]]` with `metric`, `comparison`, `limit` and `within_s`."""

    name = "combination"
    sentences: ClassVar = {
        HOLD_TOGETHER: (
            "{parts} 个条件中同时满足 {value} 个(限 {limit} 个)",
            "{value} of {parts} conditions hold at the same time, at least {limit}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> CombinationRule:
        parts = tuple(_part(part) for part in fields.tables("part"))
        longest = max(part.within for part in parts)
        known = window_fields(
            fields, common, metric=parts[0].metric.name, clear_limit=0.0, window=longest
        )
        levels = known["levels"]
        most = max(level.limit for level in levels)
        if most > len(parts):
            raise fields.wrong("level.limit", most, f"there are only {len(parts)} parts")
        known |= {"clear_limit": levels[0].limit - 0.5, "wake": -np.inf}
        return checked(CombinationRule(parts=parts, **known), fields)

    def reaching(self, rule: CombinationRule, history: History) -> Sequence[int]:
        least = rule.levels[0].limit or 1.0
        count: dict[int, int] = {}
        for part in rule.parts:
            columns = history.columns.get(part.metric.id)
            if columns is None or not len(columns):
                continue
            reached = trips(part.comparison, columns.highest, part.limit)
            reached |= trips(part.comparison, columns.lowest, part.limit)
            if part.comparison is Comparison.EQUALS:
                reached |= (columns.lowest < part.limit) & (columns.highest > part.limit)
            for device_id in columns.device_ids[reached].tolist():
                count[device_id] = count.get(device_id, 0) + 1
        return [
            i for i, parts in sorted(count.items())
            if parts >= least and i in history.devices and applies_to(rule, history.devices[i])
        ]  # fmt: skip

    def reaches(self, rule: CombinationRule, devices: Sequence[WatchedDevice]) -> list[Reach]:
        falling = (Comparison.BELOW, Comparison.AT_OR_BELOW)
        return [
            Reach(part.metric.id, None, part.limit)
            if part.comparison in falling
            else Reach(part.metric.id, part.limit, None)
            for part in rule.parts
        ]

    def derive(self, rule: CombinationRule, device: WatchedDevice, history: History) -> Series:
        series = {m: history.of(device.id, m) for m in rule.looks_at}
        ts_us = merged([part for part in series.values() if len(part)])
        if not len(ts_us):
            return NOTHING
        holding = np.sum(
            [_holds(part, series[part.metric.id], ts_us) for part in rule.parts], axis=0
        )
        received = latest_receipt(ts_us, series.values())
        return Series(ts_us, received, holding, np.zeros(len(ts_us), np.int8))


def _part(fields: Fields) -> Part:
    part = Part(
        metric=METRICS[fields.one_of("metric", list(METRICS))],
        comparison=Comparison(fields.one_of("comparison", COMPARISONS)),
        limit=fields.number("limit"),
        within=fields.seconds("within_s", high=DAY_S),
    )
    fields.nothing_left()
    return part


def _holds(part: Part, series: Series, ts_us: Ints) -> Floats:
    """1 at the moments at which the part holds."""
    passed = trips(part.comparison, series.value, part.limit).astype(float)
    within_us = part.within // timedelta(microseconds=1)
    found: Floats = np.nan_to_num(signals.last_known(series.ts_us, passed, ts_us, within_us))
    return found
