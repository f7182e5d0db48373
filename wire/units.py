"""Units: conversions that need nothing else, and those that need to know the gas."""

from __future__ import annotations

from dataclasses import dataclass, replace

from city.reading import METRICS, Metric, Reading


@dataclass(frozen=True, slots=True)
class ExplosiveLimit:
    """Lower explosive limit of a gas in air, and whose figure that is."""

    pct_vol: float
    norm: str


# What "100 %LEL" means here. Norms disagree, so a reading that arrives in %LEL is never
# converted back and forth: the detector was calibrated to a norm that it does not tell. By IEC
# 60079-20-1 (methane 4.4, propane 1.7 %vol) every derived value would be 14 and 24 % higher.
# Mixed or other gases have no entry on purpose: their readings stay in the unit they came in.
EXPLOSIVE_LIMITS: dict[str, ExplosiveLimit] = {
    "methane": ExplosiveLimit(5.0, "NFPA 325 and the practice of GB/T 50493: 5 to 15 %vol"),
    "propane": ExplosiveLimit(2.1, "NFPA 325; the same in the table of ANSI/AARST SGM-SF 2017"),
    "lpg": ExplosiveLimit(1.8, "commercial propane and butane: 1.8 to 9.5 %vol; a mixture"),
}

# Metrics that say how much combustible gas is in the air, best first.
COMBUSTIBLE = ("ch4_pct_vol", "gas_ppm")

# From a vendor's unit to the metric's: value * numerator / denominator, in whole numbers so that
# nothing is lost on the way. The value's unit must be told, never guessed.
_FACTORS: dict[tuple[str, str], tuple[int, int]] = {
    ("mV", "V"): (1, 1000), ("kV", "V"): (1000, 1), ("mA", "A"): (1, 1000), ("A", "mA"): (1000, 1),
    ("kW", "W"): (1000, 1), ("mW", "W"): (1, 1000), ("MW", "W"): (1_000_000, 1),
    ("kVA", "VA"): (1000, 1), ("kvar", "var"): (1000, 1), ("kVAr", "var"): (1000, 1),
    ("Wh", "kWh"): (1, 1000), ("MWh", "kWh"): (1000, 1), ("J", "kWh"): (1, 3_600_000),
    ("Wmin", "kWh"): (1, 60_000),
    ("Pa", "kPa"): (1, 1000), ("hPa", "kPa"): (1, 10), ("mbar", "kPa"): (1, 10),
    ("mmHg", "kPa"): (101_325, 760_000), ("inHg", "kPa"): (3_386_389, 1_000_000),
    ("bar", "kPa"): (100, 1), ("MPa", "kPa"): (1000, 1),
    ("mm", "cm"): (1, 10), ("m", "cm"): (100, 1), ("in", "cm"): (254, 100),
    ("ft", "cm"): (3048, 100), ("dm", "cm"): (10, 1),
    ("cm", "mm"): (10, 1), ("m", "mm"): (1000, 1), ("in", "mm"): (254, 10),
    ("ft", "mm"): (3048, 10), ("dm", "mm"): (100, 1),
    ("ppb", "ppm"): (1, 1000), ("%vol", "ppm"): (10_000, 1), ("ppm", "%vol"): (1, 10_000),
    ("/", "%"): (100, 1), ("%", "1"): (1, 100), ("/", "1"): (1, 1),
    ("mg", "g"): (1, 1000), ("m/s2", "g"): (100_000, 980_665),
    ("s", "h"): (1, 3600), ("min", "h"): (1, 60), ("d", "h"): (24, 1), ("kHz", "Hz"): (1000, 1),
    ("klx", "lx"): (1000, 1),
}  # fmt: skip
# A value that has one of these is a quantity and no switch.
_MEASURES = {unit for unit, _ in _FACTORS if unit not in ("/", "s", "min", "d")} | {
    "%LEL", "ppm", "%vol", "°C", "°F", "K", "°",
}  # fmt: skip
# Other spellings of units.
_SPELLINGS = {
    "deg": "°", "℃": "°C", "Cel": "°C", "C": "°C", "degC": "°C", "℉": "°F", "degF": "°F", "F": "°F",
    "%RH": "%", "%r.h.": "%", "%EL": "%", "percent": "%", "lux": "lx", "VAR": "var", "VAr": "var",
    "dBmW": "dBm", "m/s²": "m/s2", "W*h": "Wh", "inch": "in", "%LEL": "%LEL", "%VOL": "%vol",
    "PPM": "ppm", "PPB": "ppb",
}  # fmt: skip


def convert(value: float, unit: str, metric: Metric, gas: str | None) -> float | None:
    """The value in the metric's unit; None where that cannot be told from the unit alone.

    A value without a unit is taken to be in the metric's own."""
    unit = _SPELLINGS.get(unit, unit)
    if not unit or unit == metric.unit:
        return value
    if metric.unit == "0/1":
        return None if unit in _MEASURES else value
    if metric.unit == "°C":
        return _celsius(value, unit)
    if metric.unit == "%LEL":
        return _to_percent_lel(value, unit, gas)
    if unit == "%LEL":
        return _from_percent_lel(value, metric, gas)
    return _by_factor(value, unit, metric.unit)


def percent_lel(reading: Reading, gas: str) -> Reading | None:
    """A reading of a known gas in %vol or ppm as %LEL, its raw value and unit kept; else None."""
    value = _to_percent_lel(reading.value, reading.unit, gas)
    metric = METRICS["ch4_pct_lel"]
    if value is None or not metric.low <= value <= metric.high:
        return None
    return replace(reading, metric=metric.name, value=value, unit=metric.unit)


def water_level(distance: Reading, mounting_height_cm: float) -> Reading | None:
    """How high the water stands below a sensor that looks down on it from a known height."""
    value = mounting_height_cm - distance.value / 10
    metric = METRICS["water_level_cm"]
    if not metric.low <= value <= metric.high:
        return None
    return replace(distance, metric=metric.name, value=value, unit=metric.unit)


def _celsius(value: float, unit: str) -> float | None:
    if unit == "°F":
        return (value - 32) * 5 / 9
    return value - 273.15 if unit == "K" else None


def _by_factor(value: float, unit: str, wanted: str) -> float | None:
    factor = _FACTORS.get((unit, wanted))
    return None if factor is None else value * factor[0] / factor[1]


def _to_percent_lel(value: float, unit: str, gas: str | None) -> float | None:
    limit = EXPLOSIVE_LIMITS.get(gas or "")
    pct_vol = value if unit == "%vol" else _by_factor(value, unit, "%vol")
    return None if limit is None or pct_vol is None else pct_vol / limit.pct_vol * 100


def _from_percent_lel(value: float, metric: Metric, gas: str | None) -> float | None:
    """Only into metrics that count combustible gas: oxygen has no explosive limit."""
    limit = EXPLOSIVE_LIMITS.get(gas or "")
    if limit is None or metric.name not in COMBUSTIBLE:
        return None
    pct_vol = value * limit.pct_vol / 100
    return pct_vol if metric.unit == "%vol" else _by_factor(pct_vol, "%vol", metric.unit)
