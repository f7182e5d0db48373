"""What each device measures on an ordinary day, before anything goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from city.place import LonLat
from db.seeds.simulated import SimulatedDevice
from simulator import weather
from simulator.noise import drift, share

Values = dict[str, float]

# Background methane, %LEL: a middle and how far it wanders. Sewer gas is higher and follows
# the warmth of the day (domain.md 3.4); all of it stays far below the lowest alarm limit.
BACKGROUND_PCT_LEL = {
    "valve_well": (0.6, 0.5),
    "sewer_well": (4.0, 2.0),
    "regulator_box": (0.2, 0.2),
}
SEWER_WARMTH_PCT_LEL = 0.15  # for each degree above 20
# Water in a manhole, cm: dry, and what the hardest rain adds. The lowest site limit is 80.
DRY_CM, RAIN_CM = 18.0, 42.0
MAINS_V = 229.0
LAMP_POWER_FACTOR = 0.95
STANDBY_W = 0.4


def measure(seed: int, device: SimulatedDevice, at: datetime, sky: LonLat) -> Values:
    """Canonical metrics of one report; empty for a camera, which measures nothing."""
    ordinary = _KINDS.get(device.kind)
    if ordinary is None:
        return {}
    values = ordinary(seed, device, at, sky)
    if device.kind != "light":
        values |= _battery_and_radio(seed, device, at)
    return {name: round(value, 2) for name, value in values.items()}


def _gas(seed: int, device: SimulatedDevice, at: datetime, sky: LonLat) -> Values:
    mounting = device.attributes.get("mounting", "valve_well")
    middle, width = BACKGROUND_PCT_LEL[mounting]
    warmth = weather.temperature_c(seed, at)
    level = middle + width * drift(seed, at, 3_000, device.code, "ch4")
    if mounting == "sewer_well":
        level += SEWER_WARMTH_PCT_LEL * max(0.0, warmth - 20)
    wet = weather.wetness(seed, _minute(at))
    return {
        "ch4_pct_lel": max(0.0, level),
        "temperature_c": warmth - 2 + drift(seed, at, 5_000, device.code, "t"),
        "humidity_pct": min(99.0, 78 + 15 * wet + 5 * drift(seed, at, 5_000, device.code, "h")),
    }


def _manhole(seed: int, device: SimulatedDevice, at: datetime, sky: LonLat) -> Values:
    baseline = float(device.attributes.get("tilt_baseline_deg", 0.0))
    wet = weather.wetness(seed, _minute(at)) * (0.5 + share(seed, device.code, "catchment") / 2)
    water = DRY_CM * (0.5 + share(seed, device.code, "dry")) + RAIN_CM * wet
    return {
        "tilt_deg": baseline + 0.3 * drift(seed, at, 900, device.code, "tilt"),
        "water_level_cm": max(0.0, water + 1.5 * drift(seed, at, 1_200, device.code, "water")),
        "cover_open": 0.0,
    }


def _light(seed: int, device: SimulatedDevice, at: datetime, sky: LonLat) -> Values:
    voltage = MAINS_V + 4 * drift(seed, at, 2_000, device.attributes.get("cabinet", ""), "v")
    lit = weather.lamps_due(_minute(at), sky)
    dim = weather.dim_pct(at) if lit else 0.0
    spread = 0.02 * drift(seed, at, 1_500, device.code, "w")
    rated = float(device.attributes.get("rated_power_w", 150))
    power = rated * dim / 100 * (1 + spread) if dim else STANDBY_W
    return {
        "lamp_on": 1.0 if dim else 0.0,
        "dim_pct": dim,
        "power_w": power,
        "voltage_v": voltage,
        "current_a": power / (voltage * LAMP_POWER_FACTOR),
        "leakage_ma": 0.8 + 20 * spread,
    }


def _battery_and_radio(seed: int, device: SimulatedDevice, at: datetime) -> Values:
    strength = -105 + 45 * share(seed, device.code, "radio")
    return {
        "battery_pct": 62 + 36 * share(seed, device.code, "battery"),
        "rssi_dbm": round(strength + 4 * drift(seed, at, 1_800, device.code, "rssi")),
    }


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


_KINDS: dict[str, Callable[[int, SimulatedDevice, datetime, LonLat], Values]] = {
    "gas": _gas,
    "manhole": _manhole,
    "light": _light,
}
