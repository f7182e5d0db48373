"""What may have made gas: a leak of a pipe, or the sewer. A tag with its reasons that lowers no
level and ends no alarm. Pure.

Each piece of evidence speaks for one side with a weight of our own (proposal). Of the two is known
that pipeline gas is large, strongly fluctuating and has ethane, while biogas is small, steady,
comes every day and follows the temperature (Huang Ping et al. 2019, US 11385123).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from alerts import signals
from alerts.history import History, Series, as_us, lonlat
from alerts.scope import WALL_CLOCK
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.place import distance_m
from city.reading import METRICS

PIPELINE, BIOGAS, UNCLEAR = "pipeline", "biogas", "unclear"
# From this sum on one side is named.
ENOUGH = 1.0
GAS_LEL, ETHANE, TEMPERATURE = (METRICS[n].id for n in ("ch4_pct_lel", "c2h6_ppm", "temperature_c"))
# What is looked back on.
BACK = timedelta(days=3)
DAY = timedelta(days=1)
AROUND_THE_HOUR = timedelta(hours=2)
FAST_PER_HALF_HOUR, SLOW_PER_HOUR = 8.0, 10.0
NEAR_M = 100.0
RISEN_LEL = 4.0
ETHANE_PPM = 20.0
AFTER_COOKING = ((12, 15), (18, 22))  # hours of the day: one to two after people cook
SMALL_HOURS = (0, 6)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for a leak (weight above 0) or for the sewer (below)."""

    code: str
    weight: float


@dataclass(frozen=True, slots=True)
class Cause:
    """What is likely, by how much, and why."""

    tag: str
    weight: float
    evidence: Sequence[Evidence]


def likely_cause(device: WatchedDevice, history: History, at: datetime) -> Cause:
    """What the readings up to `at` say of the gas that a device measures then."""
    found = list(_evidence(device, history, at))
    weight = sum(one.weight for one in found)
    tag = PIPELINE if weight >= ENOUGH else BIOGAS if weight <= -ENOUGH else UNCLEAR
    return Cause(tag, round(weight, 2), found)


def _evidence(device: WatchedDevice, history: History, at: datetime) -> Iterator[Evidence]:
    series = _upto(history.of(device.id, GAS_LEL), at)
    if device.kind == "manhole" and not history.pipes.get(device.id):
        yield Evidence("in_a_well", -0.5)
    elif history.pipes.get(device.id):
        yield Evidence("beside_a_pipe", 0.5)
    else:
        yield Evidence("in_the_open", 1.0)
    if len(series) >= signals.AGREE:
        yield from _shape(series)
        yield from _other_days(series, at)
    yield from _ethane(_upto(history.of(device.id, ETHANE), at))
    yield from _temperature(series, _upto(history.of(device.id, TEMPERATURE), at))
    if any(_has_risen(other, history, at) for other in _near(device, history)):
        yield Evidence("neighbour_rose", 1.5)
    hour = at.astimezone(WALL_CLOCK).hour
    if any(begin <= hour < end for begin, end in AFTER_COOKING):
        yield Evidence("after_consumption", 0.5)
    elif SMALL_HOURS[0] <= hour < SMALL_HOURS[1]:
        yield Evidence("at_night", -0.5)


def _shape(series: Series) -> Iterator[Evidence]:
    """How fast it came in the last hours."""
    half_hour = signals.rise(series.ts_us, series.value, as_us(timedelta(minutes=30)))[-1]
    hour = signals.rise(series.ts_us, series.value, as_us(timedelta(hours=1)))[-1]
    steps = np.abs(np.diff(series.value[-12:]))
    if half_hour >= FAST_PER_HALF_HOUR or (len(steps) and steps.max() >= FAST_PER_HALF_HOUR):
        yield Evidence("came_fast", 1.5)
    elif hour < SLOW_PER_HOUR:
        yield Evidence("came_slowly", -1.0)


def _other_days(series: Series, at: datetime) -> Iterator[Evidence]:
    """Whether it was as high at this hour of the days before."""
    now = float(series.value[-signals.AGREE :].max())
    before = []
    for days in (1, 2):
        middle = as_microseconds(at - days * DAY)
        reach = as_us(AROUND_THE_HOUR)
        rows = (series.ts_us >= middle - reach) & (series.ts_us <= middle + reach)
        if rows.any():
            before.append(float(series.value[rows].max()))
    if before and max(before) >= 0.5 * now:
        yield Evidence("as_on_other_days", -2.0)
    elif before:
        yield Evidence("not_on_other_days", 1.0)


def _ethane(series: Series) -> Iterator[Evidence]:
    if len(series):
        known = float(series.value[-signals.AGREE :].max())
        yield Evidence("ethane", 3.0) if known >= ETHANE_PPM else Evidence("no_ethane", -2.0)


def _temperature(gas: Series, heat: Series) -> Iterator[Evidence]:
    """Whether it follows the temperature over a day and more."""
    if len(gas) < 24 or len(heat) < 24 or gas.ts_us[-1] - gas.ts_us[0] < as_us(DAY):
        return
    degrees = signals.last_known(heat.ts_us, heat.value, gas.ts_us, as_us(timedelta(hours=2)))
    known = ~np.isnan(degrees)
    if known.sum() < 24 or np.ptp(degrees[known]) < 1 or np.ptp(gas.value[known]) < 1:
        return
    if np.corrcoef(degrees[known], gas.value[known])[0, 1] > 0.6:
        yield Evidence("follows_temperature", -1.0)


def _near(device: WatchedDevice, history: History) -> Iterator[WatchedDevice]:
    columns = history.columns.get(GAS_LEL)
    own = history.pipes.get(device.id, frozenset())
    for device_id in () if columns is None else columns.device_ids.tolist():
        other = history.devices.get(device_id)
        if other is None or other.id == device.id or other.kind == "manhole":
            continue
        if abs(other.lat - device.lat) > 0.002 and own.isdisjoint(history.pipes.get(other.id, ())):
            continue
        beside = not own.isdisjoint(history.pipes.get(other.id, ()))
        if beside or distance_m(lonlat(device), lonlat(other)) <= NEAR_M:
            yield other


def _has_risen(device: WatchedDevice, history: History, at: datetime) -> bool:
    series = _upto(history.of(device.id, GAS_LEL), at, timedelta(hours=6))
    if len(series) < signals.AGREE:
        return False
    return bool(
        signals.rise(series.ts_us, series.value, as_us(timedelta(hours=6)))[-1] >= RISEN_LEL
    )


def _upto(series: Series, at: datetime, back: timedelta = BACK) -> Series:
    end = int(np.searchsorted(series.ts_us, as_microseconds(at), side="right"))
    begin = int(np.searchsorted(series.ts_us, as_microseconds(at - back)))
    return series.keep(np.arange(begin, end))
