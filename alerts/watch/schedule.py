"""A lamp that does not do what its programme says: lit by day, dimmed otherwise, under its power.

What it should do is its programme (of the city's lighting programmes, else the attribute
`programme`: steps of ["HH:MM", level], each until the next one), else by the sun: off while it is
up, on while it is down. Dark lamps at night, and
whole cabinets, are `alerts.watch.lamp`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np

from alerts import daylight, signals
from alerts.fields import Fields
from alerts.history import NOTHING, Floats, History, Ints, Series, lonlat, merged
from alerts.lamp_orders import load_lamp_orders
from alerts.lamp_wanted import wanted_level
from alerts.limits import WindowRule, as_number
from alerts.watch.window import WindowKind, checked, latest_receipt, window_fields
from city.device import WatchedDevice
from city.reading import METRICS
from db.pool import Connection

DAY_BURN, DIM_MISMATCH, UNDER_POWER = "day_burn", "dim_mismatch", "under_power"
# A value older than this many reporting intervals says nothing about the lamp now.
FRESH_INTERVALS = 3
LAMP_ON, POWER, DIM = (METRICS[name].id for name in ("lamp_on", "power_w", "dim_pct"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRule(WindowRule):
    """Limits are a share in percent: of its rated power that it draws by day, of the level that it
    is away from its programme, of its power that is missing."""

    fault: str
    grace: timedelta  # around sunrise and sunset, and around the steps of a programme

    @property
    def looks_at(self) -> tuple[int, ...]:
        return {
            DAY_BURN: (LAMP_ON, POWER),
            DIM_MISMATCH: (DIM, LAMP_ON),
            UNDER_POWER: (POWER, DIM, LAMP_ON),
        }[self.fault]

    def band_of(self, metric_id: int, device: WatchedDevice) -> tuple[float, float] | None:
        """A lamp that draws what it should at full level is no matter of missing power, and its
        power is told with the rest of what it says."""
        if self.fault != UNDER_POWER:
            return None
        rated = as_number(device.attributes.get("rated_power_w"))
        if metric_id != POWER or not rated:
            return np.inf, -np.inf
        return np.nextafter(0, 1), rated * (1 - min(self.clear_limit or 0.0, 100.0) / 100)

    @property
    def wakes_by_day(self) -> bool:
        return self.fault == DAY_BURN

    @property
    def unit(self) -> str:
        return "%"

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        return self.fault, {}


class ScheduleKind(WindowKind[ScheduleRule]):
    """Fields of its own: `fault`, `grace_s` and those of `WindowRule`, without a metric."""

    name = "schedule"
    sentences: ClassVar = {
        DAY_BURN: (
            "白天亮灯:按日照应关闭,仍有 {value}% 的额定功率或报告开启",
            "lit by day: it should be off, and draws {value} % of its rated power or says it is on",
        ),
        DIM_MISMATCH: (
            "调光与方案相差 {value}%(限 {limit}%)",
            "its level is {value} % away from its programme, limit {limit} %",
        ),
        UNDER_POWER: (
            "功率低于该调光级应有值 {value}%(限 {limit}%)",
            "draws {value} % less than it should at its level, limit {limit} %",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> ScheduleRule:
        fault = fields.one_of("fault", [DAY_BURN, DIM_MISMATCH, UNDER_POWER])
        grace = fields.seconds("grace_s", default=900, high=7200)
        metric = {DAY_BURN: "lamp_on", DIM_MISMATCH: "dim_pct", UNDER_POWER: "power_w"}[fault]
        known = {**window_fields(fields, common, metric=metric), "metric": METRICS[metric]}
        # Anything above nothing may be a lamp that is lit; what is missing shows in any value.
        known["wake"] = 0.5 if fault == DAY_BURN else -1e9
        return checked(ScheduleRule(fault=fault, grace=grace, **known), fields)

    def reaching(self, rule: ScheduleRule, history: History) -> Sequence[int]:
        found = set(super().reaching(rule, history))
        if rule.fault == DAY_BURN:
            other = replace(rule, metric=METRICS["power_w"])
            found |= set(super().reaching(other, history))
        return sorted(found)

    def prepared(self, conn: Connection, history: History, begin: datetime) -> History:
        orders = load_lamp_orders(conn, history.devices.values(), begin, history.until)
        return replace(history, lamp_levels=orders.levels, lamp_held_on=orders.held_on)

    def derive(self, rule: ScheduleRule, device: WatchedDevice, history: History) -> Series:
        parts = {metric: history.of(device.id, metric) for metric in (LAMP_ON, POWER, DIM)}
        ts_us = merged([parts[metric] for metric in rule.looks_at if len(parts[metric])])
        if not len(ts_us):
            return NOTHING
        fresh_us = FRESH_INTERVALS * device.report_interval_s * 1_000_000
        now = {
            metric: signals.last_known(part.ts_us, part.value, ts_us, fresh_us)
            for metric, part in parts.items()
        }
        wanted = wanted_level(rule.grace, device, ts_us, history)
        signal = _SIGNALS[rule.fault](rule, device, ts_us, now, wanted)
        if rule.fault == DAY_BURN and history.lamp_held_on is not None:
            signal = np.where(history.lamp_held_on(device.id, ts_us), 0.0, signal)
        received = latest_receipt(ts_us, parts.values())
        quality = np.zeros(len(ts_us), np.int8)
        return Series(ts_us, received, signal.round(1), quality)


def _day_burn(
    rule: ScheduleRule,
    device: WatchedDevice,
    ts_us: Ints,
    now: Mapping[int, Floats],
    wanted: Floats | None,
) -> Floats:
    """Share of its rated power, 100 % where it only says that it is on; 0 where it may be lit."""
    rated = as_number(device.attributes.get("rated_power_w"))
    share = np.nan_to_num(now[POWER]) / rated * 100 if rated else np.zeros(len(ts_us))
    says_on = np.nan_to_num(now[LAMP_ON]) > 0
    lit = np.where(says_on & (share < 1), 100.0, share)
    off = daylight.is_day(ts_us, lonlat(device), rule.grace) if wanted is None else wanted == 0
    return np.where(off, np.clip(lit, 0, None), 0.0)


def _dim_mismatch(
    rule: ScheduleRule,
    device: WatchedDevice,
    ts_us: Ints,
    now: Mapping[int, Floats],
    wanted: Floats | None,
) -> Floats:
    if wanted is None:
        return np.full(len(ts_us), np.nan)
    level = np.where(np.nan_to_num(now[LAMP_ON], nan=1.0) == 0, 0.0, now[DIM])
    return np.abs(level - wanted)


def _under_power(
    rule: ScheduleRule,
    device: WatchedDevice,
    ts_us: Ints,
    now: Mapping[int, Floats],
    wanted: Floats | None,
) -> Floats:
    """How much of the power is missing that it should draw at its level; NaN while it is off: that
    it should be on is another rule's."""
    rated = as_number(device.attributes.get("rated_power_w"))
    if not rated:
        return np.full(len(ts_us), np.nan)
    level = np.nan_to_num(now[DIM], nan=100.0)
    should = rated * power_share(device, level)
    # Without any power it is dark, which is another rule's as well.
    off = (np.nan_to_num(now[LAMP_ON], nan=1.0) == 0) | (level <= 0) | (now[POWER] <= 0)
    missing = np.where(should > 0, (1 - now[POWER] / np.where(should > 0, should, 1)) * 100, 0.0)
    return np.where(off, np.nan, np.clip(missing, 0, None))


_SIGNALS = {DAY_BURN: _day_burn, DIM_MISMATCH: _dim_mismatch, UNDER_POWER: _under_power}


def power_share(device: WatchedDevice, level: Floats) -> Floats:
    """Share of rated power at dimming levels of 0 to 100: by its dim curve (attribute `dim_curve`:
    points of [level, share of power in percent]), else in proportion."""
    curve = device.attributes.get("dim_curve")
    points = _pairs(curve)
    if points is None:
        return level / 100
    at, share = zip(*sorted(points), strict=True)
    found: Floats = np.interp(level, at, share) / 100
    return found


def _pairs(given: object) -> list[tuple[float, float]] | None:
    if not isinstance(given, list) or not given:
        return None
    found = []
    for pair in given:
        if not isinstance(pair, list) or len(pair) != 2:
            return None
        one, other = as_number(pair[0]), as_number(pair[1])
        if one is None or other is None:
            return None
        found.append((one, other))
    return found
