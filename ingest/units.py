"""Units: conversions that need nothing else, and the one that needs to know the gas."""

from __future__ import annotations

from dataclasses import replace

from city.reading import METRICS, Metric, Reading

# Lower explosive limit, %vol. Methane by the Chinese and older European practice; IEC
# 60079-20-1 gives 4.4, which would make every alarm 14 % earlier. Mixed or other gases have no
# entry on purpose: their readings stay in the unit they came in.
LEL_PCT_VOL = {"methane": 5.0}

# Factors from a vendor's unit to the metric's; the value's unit must be told, never guessed.
_FACTORS: dict[tuple[str, str], float] = {
    ("mV", "V"): 0.001, ("kV", "V"): 1000, ("mA", "A"): 0.001, ("A", "mA"): 1000,
    ("kW", "W"): 1000, ("mW", "W"): 0.001, ("Wh", "kWh"): 0.001, ("MWh", "kWh"): 1000,
    ("Pa", "kPa"): 0.001, ("hPa", "kPa"): 0.1, ("mbar", "kPa"): 0.1, ("bar", "kPa"): 100,
    ("mm", "cm"): 0.1, ("m", "cm"): 100, ("in", "cm"): 2.54, ("ft", "cm"): 30.48,
    ("cm", "mm"): 10, ("m", "mm"): 1000, ("in", "mm"): 25.4, ("ft", "mm"): 304.8,
    ("ppb", "ppm"): 0.001, ("%vol", "ppm"): 10_000, ("ppm", "%vol"): 0.0001,
}  # fmt: skip
# Other spellings of the units of our metrics.
_SPELLINGS = {
    "°": "°", "deg": "°", "℃": "°C", "Cel": "°C", "C": "°C", "%RH": "%", "℉": "°F",
    "µS/cm": "uS/cm", "%LEL": "%LEL", "dBmW": "dBm",
}  # fmt: skip


def convert(value: float, unit: str, metric: Metric, gas: str | None) -> float | None:
    """The value in the metric's unit; None where that cannot be told from the unit alone.

    A value without a unit is taken to be in the metric's own."""
    unit = _SPELLINGS.get(unit, unit)
    if not unit or unit == metric.unit or metric.unit == "0/1":
        return value
    if unit == "°F" and metric.unit == "°C":
        return (value - 32) / 1.8
    if metric.name == "ch4_pct_lel":
        return _to_percent_lel(value, unit, gas)
    factor = _FACTORS.get((unit, metric.unit))
    return None if factor is None else value * factor


def percent_lel(reading: Reading, gas: str) -> Reading | None:
    """A %vol reading of a known gas as %LEL, its raw value and unit kept; else None."""
    value = _to_percent_lel(reading.value, "%vol", gas)
    metric = METRICS["ch4_pct_lel"]
    if value is None or not metric.low <= value <= metric.high:
        return None
    return replace(reading, metric=metric.name, value=value, unit=metric.unit)


def _to_percent_lel(value: float, unit: str, gas: str | None) -> float | None:
    limit = LEL_PCT_VOL.get(gas or "")
    if limit is None:
        return None
    if unit == "ppm":
        value, unit = value / 10_000, "%vol"
    return value / limit * 100 if unit == "%vol" else None
