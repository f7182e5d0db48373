"""Values whose quantity is told by a standard (its unit, its registered id): canonical readings.

Formats of standards bodies say more than a vendor's codec: a unit of the SenML registry, a
UN/CEFACT code or a resource of the OMA registry leaves no doubt about what was measured. Such
values need no model file; all others keep their names and wait for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from city.reading import METRICS, RawValue, Reading, Reject
from wire.quality import out_of_range
from wire.units import convert

# Units that stand for one quantity only (RFC 8428 section 12.1, RFC 8798, UN/CEFACT).
_METRIC_OF_UNIT = {
    "Cel": "temperature_c", "°C": "temperature_c", "%RH": "humidity_pct", "%EL": "battery_pct",
    "lx": "illuminance_lx", "V": "voltage_v", "mV": "voltage_v", "A": "current_a",
    "mA": "current_a", "W": "power_w", "kW": "power_w", "J": "energy_kwh", "Wh": "energy_kwh",
    "kWh": "energy_kwh", "VA": "apparent_power_va", "kVA": "apparent_power_va",
    "var": "reactive_power_var", "kvar": "reactive_power_var", "%LEL": "ch4_pct_lel",
}  # fmt: skip
# Names that tell the quantity where the unit alone does not: a metre may be a depth or a height.
_METRIC_OF_NAME = {
    "temperature": "temperature_c", "temp": "temperature_c", "humidity": "humidity_pct",
    "relativehumidity": "humidity_pct", "distance": "distance_mm", "level": "water_level_cm",
    "waterlevel": "water_level_cm", "tilt": "tilt_deg", "angle": "tilt_deg",
    "inclination": "tilt_deg", "fill": "fill_pct", "fillinglevel": "fill_pct",
    "filllevel": "fill_pct", "pressure": "pressure_kpa", "atmosphericpressure": "pressure_kpa",
    "frequency": "frequency_hz", "rssi": "rssi_dbm", "snr": "snr_db", "battery": "battery_pct",
    "batterylevel": "battery_pct", "dim": "dim_pct", "dimlevel": "dim_pct",
    "dimminglevel": "dim_pct", "power": "power_w", "current": "current_a", "voltage": "voltage_v",
    "ch4": "ch4_pct_lel", "methane": "ch4_pct_lel", "co": "co_ppm", "h2s": "h2s_ppm",
    "o2": "o2_pct_vol", "co2": "co2_ppm", "nh3": "nh3_ppm", "no2": "no2_ppm", "so2": "so2_ppm",
    "o3": "o3_ppm", "no": "no_ppm", "gas": "gas_ppm",
}  # fmt: skip
# Units that `wire.units` does not convert: the unit to go through, and the factor to it.
_BRIDGES = {
    "J": ("kWh", 1 / 3.6e6), "rad": ("°", 57.29577951308232), "/": ("%", 100.0),
    "1": ("1", 1.0), "/100": ("%", 1.0), "C62": ("1", 1.0), "kVA": ("VA", 1000.0),
    "kvar": ("var", 1000.0), "m/s2": ("g", 1 / 9.80665), "km": ("m", 1000.0),
    "%EL": ("%", 1.0), "%RH": ("%", 1.0), "min": ("h", 1 / 60), "s": ("h", 1 / 3600),
}  # fmt: skip
# A wall of characters is no name of a quantity; the longest in the table has 19.
_NAME_LIMIT = 40


@dataclass(frozen=True, slots=True)
class SortedOut:
    """Values that became canonical readings, those that keep their names, and the impossible."""

    readings: tuple[Reading, ...] = ()
    values: tuple[RawValue, ...] = ()
    rejects: tuple[Reject, ...] = ()


def quantity_of(name: str, unit: str) -> str:
    """The metric that a unit and the last part of a name stand for together, or none."""
    last = re.split(r"[:/.#]", name[-2 * _NAME_LIMIT :])[-1]
    word = re.sub(r"[_\- ]", "", last).lower()[:_NAME_LIMIT]
    if unit in ("V", "mV") and "bat" in word:
        return "battery_v"
    return _METRIC_OF_UNIT.get(unit) or (_METRIC_OF_NAME.get(word, "") if unit else "")


def sort_out(device: str, values: Iterable[tuple[RawValue, str]]) -> SortedOut:
    """Canonical readings of values whose metric is known, one a metric and time, the first."""
    readings: dict[tuple[str, object], Reading] = {}
    kept: list[RawValue] = []
    rejects: list[Reject] = []
    for value, metric_name in values:
        found = _reading(device, value, metric_name)
        key = (metric_name, value.ts)
        if isinstance(found, Reject):
            rejects.append(found)
        elif found is None or key in readings:
            kept.append(value)
        else:
            readings[key] = found
    return SortedOut(tuple(readings.values()), tuple(kept), tuple(rejects))


def _reading(device: str, value: RawValue, metric_name: str) -> Reading | Reject | None:
    metric = METRICS.get(metric_name)
    if metric is None or isinstance(value.value, str):
        return None
    if isinstance(value.value, bool) and metric.unit != "0/1":
        return None
    unit, factor = _BRIDGES.get(value.unit, (value.unit, 1.0))
    number = float(value.value) * factor
    if value.unit == "K" and metric.unit == "°C":
        number, unit = number - 273.15, "°C"
    converted = convert(number, unit, metric, None)
    if converted is None:
        return None
    problem = out_of_range(value.name, converted, metric)
    if problem is not None:
        return problem
    sent = value.value if value.sent is None else value.sent
    return Reading(
        device, metric.name, converted, metric.unit, value.ts, value.ts_from,
        value.name, sent, value.unit, value.quality,
    )  # fmt: skip
