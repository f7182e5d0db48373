"""What a refused message says of gas: nobody judges it, so somebody has to be told. Pure.

A detector that is not registered, reports under a wrong district or with a wrong clock raises no
alarm, whatever it measures.
"""

from __future__ import annotations

import re

from city.reading import Decoded
from wire.alarm_words import Said, gas_alarm, words_of

# The lowest level of the shipped gas rules, and the same in percent by volume of methane.
NEWS_PCT_LEL = 20.0
NEWS_PCT_VOL = 1.0
_LIMITS = {"ch4_pct_lel": (NEWS_PCT_LEL, "%LEL"), "ch4_pct_vol": (NEWS_PCT_VOL, "%vol")}
GAS_ALARM = "gas_alarm"

# Of a message that could not be taken apart: a number under a name with LEL in it.
_SEARCHED = 8_192
_PAIR = re.compile(
    rb"""["']?([\w.%/-]{0,40}lel[\w.%/-]{0,40})["']?\s{0,4}[:=]\s{0,4}["']?(-?\d{1,6}(?:\.\d{1,6})?)""",
    re.IGNORECASE,
)


def refused_gas(decoded: Decoded, payload: bytes) -> str:
    """The worst it says of combustible gas at or over the lowest alarm limit, for people:
    `71.3 %LEL`, `gas_alarm`; empty where it says nothing of the kind."""
    found: list[tuple[float, str]] = []
    for reading in decoded.readings:
        if reading.metric in _LIMITS:
            found += _over(reading.metric, reading.value)
        elif reading.metric == GAS_ALARM and reading.value >= 1:
            found.append((0.0, GAS_ALARM))
    for value in decoded.values:
        number = value.value
        if gas_alarm(value.name, number) is Said.ALARM:
            found.append((0.0, GAS_ALARM))
        if isinstance(number, float | int) and not isinstance(number, bool):
            found += _over(_metric_of(value.name, value.unit), number)
    if not decoded.readings and not decoded.values:
        found += [
            over
            for name, number in _PAIR.findall(payload[:_SEARCHED])
            for over in _over(_metric_of(name.decode(), ""), float(number))
        ]
    return max(found)[1] if found else ""


def _metric_of(name: str, unit: str) -> str:
    """The concentration that a vendor's name or unit speaks of; empty for anything else, a limit
    among them."""
    words = words_of(name)
    if words & {"threshold", "thresholds", "limit", "set", "setting", "max", "min", "alarm"}:
        return ""
    if name in _LIMITS:
        return name
    return "ch4_pct_lel" if "lel" in words or "LEL" in unit.upper() else ""


def _over(metric: str, value: float) -> list[tuple[float, str]]:
    """Value and text if it is news, in %LEL so that the worst is found."""
    if metric not in _LIMITS:
        return []
    limit, unit = _LIMITS[metric]
    return [(value / limit, f"{value:g} {unit}")] if value >= limit else []
