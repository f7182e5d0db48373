"""Who plays: the devices and squads that the simulator speaks for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from city.place import LonLat
from city.squad import Squad
from db.seeds.simulated import SimulatedDevice


@dataclass(frozen=True)
class Cast:
    """Devices of the demo, in the order of their codes, and its squads."""

    devices: tuple[SimulatedDevice, ...]
    squads: tuple[Squad, ...]

    @cached_property
    def by_code(self) -> dict[str, SimulatedDevice]:
        return {device.code: device for device in self.devices}

    @cached_property
    def cabinets(self) -> dict[str, tuple[SimulatedDevice, ...]]:
        """Lamps by their cabinet."""
        names = sorted({d.attributes.get("cabinet", "") for d in self.of_kind("light")} - {""})
        return {
            name: tuple(d for d in self.of_kind("light") if d.attributes.get("cabinet") == name)
            for name in names
        }

    @cached_property
    def centre(self) -> LonLat:
        """The middle of all devices: one sky for the whole cast."""
        count = len(self.devices)
        lon = sum(device.lon for device in self.devices) / count
        return LonLat(lon, sum(device.lat for device in self.devices) / count)

    def of_kind(self, kind: str, format_name: str = "") -> Sequence[SimulatedDevice]:
        """Devices of a kind, and of one wire format where it is named."""
        return [
            device
            for device in self.devices
            if device.kind == kind and format_name in ("", device.format)
        ]

    def pick(self, rng: random.Random, kind: str, format_name: str = "") -> SimulatedDevice | None:
        """Any device of a kind, None where the cast has none."""
        candidates = self.of_kind(kind, format_name)
        return rng.choice(candidates) if candidates else None
