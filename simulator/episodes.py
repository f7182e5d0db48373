"""What can happen to devices for a while, and how it shows in their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.seeds.simulated import SimulatedDevice
from simulator.model import STANDBY_W, Values

# The values of one report with an episode in them; the time is since the episode's start.
Effect = Callable[[SimulatedDevice, Values, timedelta], Values]

LEAK_RISE = timedelta(seconds=60)
LEAK_HOLD = timedelta(minutes=7)  # until the repair
LEAK_DECAY = timedelta(minutes=3)
# An on/off detector (Milesight GS101) switches at this level, %LEL.
SWITCH_PCT_LEL = 10.0
COVER_TILT_DEG = 38.0
FLOATING_TILT_DEG = 24.0
# By how much a cover is carried off, to the north, and how good its receiver's fixes are.
CARRIED_OFF_M, FIX_ACCURACY_M = 240.0, 6.0
METRES_PER_DEGREE = 111_195.0
DIGITS = {"latitude": 7, "longitude": 7}
# Water above this share of a surge's peak lifts the cover.
FLOATING_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens to devices; while it lasts they report more often."""

    devices: tuple[str, ...]
    starts_at: datetime
    lasts: timedelta
    report_every: timedelta
    effect: Effect

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.lasts

    def change(self, device: SimulatedDevice, values: Values, at: datetime) -> Values:
        """A report's values with this episode in them."""
        changed = self.effect(device, values, at - self.starts_at)
        return values | {name: round(value, DIGITS.get(name, 2)) for name, value in changed.items()}


@dataclass(frozen=True, slots=True)
class Observation:
    """What a camera's analytics see: one event with its updates and its end."""

    camera: str
    type: str
    starts_at: datetime
    lasts: timedelta = timedelta(minutes=4)
    update_every: timedelta = timedelta(seconds=30)
    confidence: float = 0.78
    bbox: tuple[float, float, float, float] = (0.42, 0.51, 0.16, 0.24)
    seen_before: timedelta = timedelta(0)  # by a camera that tells of it only now

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.lasts


def gas_leak(device: str, starts_at: datetime, peak_pct_lel: float) -> Episode:
    """Methane rises to a peak, fluctuates there until the repair, and decays."""

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        level = peak_pct_lel * leak_share(since)
        if device.format != "native":
            return {"gas_alarm": float(level >= SWITCH_PCT_LEL)}
        return {"ch4_pct_lel": max(values["ch4_pct_lel"], level)}

    lasts = LEAK_RISE + LEAK_HOLD + LEAK_DECAY
    return Episode((device,), starts_at, lasts, timedelta(seconds=5), effect)


def leak_share(since: timedelta) -> float:
    """How much of its peak a leak has reached; pipe leaks fluctuate (domain.md 3.4)."""
    if since <= LEAK_RISE:
        return max(0.0, since / LEAK_RISE)
    after_repair = since - LEAK_RISE - LEAK_HOLD
    if after_repair <= timedelta(0):
        return 1 + 0.06 * math.sin(since.total_seconds() / 18)
    return math.exp(-4 * (after_repair / LEAK_DECAY))


def cover_opened(device: str, starts_at: datetime) -> Episode:
    """A cover is tilted open and later put back."""

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        return {"tilt_deg": values["tilt_deg"] + COVER_TILT_DEG, "cover_open": 1.0}

    return Episode((device,), starts_at, timedelta(minutes=9), timedelta(seconds=10), effect)


def cover_carried_off(device: str, starts_at: datetime) -> Episode:
    """A cover with a receiver lies two streets away, until it is fetched back."""

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        scatter = FIX_ACCURACY_M * math.sin(since.total_seconds() / 40)
        return {
            "latitude": device.lat + (CARRIED_OFF_M + scatter) / METRES_PER_DEGREE,
            "longitude": device.lon,
            "accuracy_m": FIX_ACCURACY_M,
        }

    return Episode((device,), starts_at, timedelta(minutes=25), timedelta(seconds=60), effect)


def sewer_surge(device: str, starts_at: datetime, peak_cm: float = 150.0) -> Episode:
    """After hard rain water rises over the site's limit, lifts the cover and runs off."""
    lasts = timedelta(minutes=14)

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        share = math.sin(math.pi * min(1.0, max(0.0, since / lasts)))
        risen = {"water_level_cm": values["water_level_cm"] + peak_cm * share}
        if share > FLOATING_SHARE:
            return risen | {"tilt_deg": values["tilt_deg"] + FLOATING_TILT_DEG, "cover_open": 1.0}
        return risen

    return Episode((device,), starts_at, lasts, timedelta(seconds=15), effect)


def cabinet_outage(lamps: tuple[str, ...], starts_at: datetime) -> Episode:
    """A cabinet loses its supply; by day its lamps are off anyway."""

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        return dict.fromkeys(("lamp_on", "power_w", "current_a", "leakage_ma", "voltage_v"), 0.0)

    return Episode(lamps, starts_at, timedelta(minutes=20), timedelta(seconds=60), effect)


def lamp_out(device: str, starts_at: datetime) -> Episode:
    """A lamp is told to be lit and draws no power."""

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        return {"lamp_on": 0.0, "power_w": STANDBY_W, "current_a": 0.01}

    return Episode((device,), starts_at, timedelta(minutes=40), timedelta(seconds=60), effect)


def lamp_leak(device: str, starts_at: datetime) -> Episode:
    """Current leaks to the pole of a lamp, lit or not."""

    def effect(device: SimulatedDevice, values: Values, since: timedelta) -> Values:
        return {"leakage_ma": float(device.attributes.get("leakage_limit_ma", 30)) * 1.6}

    return Episode((device,), starts_at, timedelta(minutes=12), timedelta(seconds=30), effect)
