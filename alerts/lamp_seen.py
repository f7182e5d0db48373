"""How a lamp is seen: as it should be, dark by night, or lit by day.

The same for one lamp by its newest values, and for arrays of its past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from alerts import daylight, signals
from alerts.history import Floats, History, Ints, Series, lonlat
from alerts.judge import Timer
from alerts.lamp_wanted import wanted_level
from alerts.limits import as_number
from alerts.rules import Rule
from city.alarm import Severity
from city.device import LampRow, WatchedDevice
from city.moment import as_microseconds
from city.place import LonLat
from city.sun import is_dark

# A value older than this many reporting intervals says nothing about the lamp now.
FRESH_INTERVALS = 3


class LampFault(StrEnum):
    DARK = "dark"
    DAY_BURN = "day_burn"


@dataclass(frozen=True, slots=True, kw_only=True)
class LampRule(Rule):
    """When a lamp is as it should not be, and when such lamps are one matter of their cabinet."""

    fault: LampFault
    grace: timedelta  # around sunset and sunrise
    # Dark below this share of rated power times dimming level, lit from this share of rated power.
    power_share: float
    group_min: int  # dark lamps of one cabinet that make one alarm
    group_severity: Severity
    group_category: str

    @property
    def of_cabinets(self) -> str:
        """What the conditions of its cabinets begin with."""
        return "lamp-cabinet" if self.fault is LampFault.DARK else f"{self.condition}-cabinet"


class LampState(StrEnum):
    FINE = "fine"
    FAULTY = "faulty"  # dark and should be lit, or lit and should be dark
    OFF = "off"  # nothing is asked of it now, or nobody can tell


@dataclass(frozen=True, slots=True)
class Seen:
    """A lamp, what its newest values say of it, and since when it has been dark."""

    device: WatchedDevice
    state: LampState
    shown_zh: str = ""
    shown_en: str = ""
    value: float | None = None
    limit: float | None = None
    ts: datetime | None = None
    received_at: datetime | None = None
    dark_since: Timer | None = None

    @property
    def cabinet(self) -> str:
        name = self.device.attributes.get("cabinet")
        return name if isinstance(name, str) else ""


def see_lamp(
    rule: LampRule, device: WatchedDevice, row: LampRow, dark_since: Timer | None, now: datetime
) -> Seen:
    """Judge one lamp by its newest values; `lamp_on` counts more than power. Pure."""
    fresh_from = now - FRESH_INTERVALS * timedelta(seconds=device.report_interval_s)
    dark, lit = Seen(device, LampState.OFF, dark_since=dark_since), False
    for ts, received_at, unlit, seen in _evidence(rule, device, row, dark_since):
        if ts is None or received_at is None or received_at < fresh_from:
            continue
        if not unlit:
            lit = True
        elif is_dark(ts, LonLat(device.lon, device.lat), rule.grace):
            return seen
    if lit and row.lamp_on != 0:
        return Seen(device, LampState.FINE, dark_since=dark_since)
    return dark


def _evidence(
    rule: LampRule, device: WatchedDevice, row: LampRow, since: Timer | None
) -> Iterator[tuple[datetime | None, datetime | None, bool, Seen]]:
    if row.lamp_on is not None:
        seen = Seen(
            device, LampState.FAULTY, "灯具关闭", "the lamp is off", row.lamp_on, None,
            row.lamp_on_at, row.lamp_on_received_at, since,
        )  # fmt: skip
        yield row.lamp_on_at, row.lamp_on_received_at, row.lamp_on == 0, seen
    rated = as_number(device.attributes.get("rated_power_w"))
    if row.power_w is not None and rated:
        level = 100.0 if row.dim_pct is None else row.dim_pct
        limit = rule.power_share * rated * level / 100
        zh = f"功率 {row.power_w:.0f} W,低于 {limit:.0f} W"
        en = f"{row.power_w:.0f} W is below {limit:.0f} W"
        seen = Seen(
            device, LampState.FAULTY, zh, en, row.power_w, limit,
            row.power_at, row.power_received_at, since,
        )  # fmt: skip
        yield row.power_at, row.power_received_at, row.power_w < limit, seen


def dark_codes(
    rule: LampRule, device: WatchedDevice, ts_us: Ints, parts: Sequence[Series], history: History
) -> NDArray[np.int64]:
    """FAULTY (2), FINE (1) or OFF (0) at these moments, of lamps that should be lit."""
    on, power, dim = parts
    fresh_us = FRESH_INTERVALS * device.report_interval_s * 1_000_000
    lit_by, dark_by = np.zeros(len(ts_us), bool), np.zeros(len(ts_us), bool)
    rated = as_number(device.attributes.get("rated_power_w")) or 0.0
    level = signals.last_known(dim.ts_us, dim.value, power.ts_us, 2**62)
    limit = rule.power_share * rated * np.nan_to_num(level, nan=100.0) / 100
    for part, lacks in ((on, on.value == 0), (power, power.value < limit)):
        if part is power and not rated:
            continue
        night = daylight.is_night(part.ts_us, lonlat(device), rule.grace)
        for array, wanted in ((lit_by, ~lacks), (dark_by, lacks & night)):
            known = signals.last_known(part.ts_us, wanted.astype(float), ts_us, fresh_us)
            array |= np.nan_to_num(known) > 0
    if history.lamp_levels is not None:  # told to be dark by its programme
        ordered = history.lamp_levels(device.id, ts_us)
        dark_by &= True if ordered is None else ordered != 0
    switched_off = signals.last_known(on.ts_us, on.value, ts_us, 2**62) == 0
    return np.where(dark_by, 2, np.where(lit_by & ~switched_off, 1, 0))


def burning_codes(
    rule: LampRule,
    device: WatchedDevice,
    ts_us: Ints,
    on: Floats,
    watts: Floats,
    history: History,
) -> NDArray[np.int64]:
    """The same of lamps that should be dark: by their programme, else by day, unless a person has
    them switched on for a time. NaN is a value that is not known."""
    rated = as_number(device.attributes.get("rated_power_w"))
    lit = np.nan_to_num(on) > 0
    known = ~np.isnan(on)
    if rated:
        lit |= np.nan_to_num(watts) >= rule.power_share * rated
        known |= ~np.isnan(watts)
    level = wanted_level(rule.grace, device, ts_us, history)
    off = daylight.is_day(ts_us, lonlat(device), rule.grace) if level is None else level == 0
    if history.lamp_held_on is not None:
        off &= ~history.lamp_held_on(device.id, ts_us)
    return np.where(lit & off, 2, np.where(known & ~lit, 1, 0))


def see_burning(
    rule: LampRule,
    device: WatchedDevice,
    row: LampRow,
    since: Timer | None,
    now: datetime,
    history: History,
) -> Seen:
    """Judge by its newest values whether one lamp burns though it should be dark. Pure."""
    fresh_from = now - FRESH_INTERVALS * timedelta(seconds=device.report_interval_s)
    told = (
        (row.lamp_on, row.lamp_on_at, row.lamp_on_received_at),
        (row.power_w, row.power_at, row.power_received_at),
    )
    fresh = [
        (value, ts, received)
        for value, ts, received in told
        if value is not None and ts and received and received >= fresh_from
    ]
    if not fresh:
        return Seen(device, LampState.OFF, dark_since=since)
    ts, received = max((ts, received) for _, ts, received in fresh)
    on, watts = (
        np.array([np.nan if one not in fresh or one[0] is None else one[0]]) for one in told
    )
    code = int(burning_codes(rule, device, np.array([as_microseconds(ts)]), on, watts, history)[0])
    if code != 2:
        return Seen(device, LampState.FINE if code else LampState.OFF, dark_since=since)
    rated = as_number(device.attributes.get("rated_power_w"))
    if on[0] > 0 or rated is None:
        zh, en, value, limit = "灯具开启", "the lamp is on", float(on[0]), None
    else:
        value, limit = float(watts[0]), rule.power_share * rated
        zh = f"功率 {value:.0f} W,达到 {limit:.0f} W"
        en = f"{value:.0f} W is at or above {limit:.0f} W"
    return Seen(device, LampState.FAULTY, zh, en, value, limit, ts, received, since)
