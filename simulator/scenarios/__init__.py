"""Scenarios: what happens, where and when; each yields its events in the order of their start.

To add one, write a function `(cast, start, rng) -> Iterator[Happening]` in a file here and give
it a name in `SCENARIOS`.
"""

from __future__ import annotations

from simulator.scenarios.city_day import city_day
from simulator.scenarios.happening import Happening, Scenario
from simulator.scenarios.single import (
    cabinet_outages,
    calm,
    covers_after_rain,
    covers_carried_off,
    gas_leaks,
    lamp_faults,
    street_vending,
)

__all__ = ["DEFAULT", "SCENARIOS", "Happening", "Scenario"]

DEFAULT = "city-day"
SCENARIOS: dict[str, Scenario] = {
    DEFAULT: city_day,
    "gas-leak": gas_leaks,
    "cover-after-rain": covers_after_rain,
    "cover-carried-off": covers_carried_off,
    "cabinet-outage": cabinet_outages,
    "lamp-fault": lamp_faults,
    "street-vending": street_vending,
    "calm": calm,
}
