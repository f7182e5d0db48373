"""Who may report: registered devices and squads by the identities under which they do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from city.device import RegisteredDevice, normal_identity
from city.reading import (
    REASON_DEVICE_REPLACED,
    REASON_DEVICE_RETIRED,
    REASON_DEVICE_UNKNOWN,
    Decoded,
    Reject,
)


class Reporters:
    """Registered devices by format and identity, and the squads that report where they are."""

    def __init__(
        self,
        devices: Iterable[RegisteredDevice],
        squads: Mapping[str, str] | None = None,
        replaced: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._devices: dict[tuple[str, str], RegisteredDevice] = {}
        self._squads = dict(squads or {})
        self._replaced = dict(replaced or {})
        self._retired: dict[tuple[str, str], str] = {}
        self.districts: dict[int, str] = {}  # by device id
        self.add(devices)

    def add(self, devices: Iterable[RegisteredDevice]) -> None:
        """A device answers to its external identity and to its code, in its own format; one that
        was retired is only remembered."""
        for device in devices:
            keys = [
                (device.format, normal_identity(name))
                for name in (device.code, device.external_id)
                if name
            ]
            if device.retired_at is not None:
                self._retired.update(dict.fromkeys(keys, device.code))
                continue
            self.districts[device.id] = device.district
            self._devices.update(dict.fromkeys(keys, device))

    def find(self, format_name: str, identity: str) -> RegisteredDevice | None:
        """The device that messages of this format mean by this identity."""
        found = self._devices.get((format_name, identity))
        return found or self._devices.get((format_name, normal_identity(identity)))

    def explain(self, decoded: Decoded, reject: Reject) -> Reject:
        """Hardware that was exchanged, and a device that was retired, and still report are not
        unknown: says whose it was."""
        key = decoded.format, normal_identity(decoded.device)
        if reject.reason != REASON_DEVICE_UNKNOWN:
            return reject
        if key in self._retired:
            return Reject(REASON_DEVICE_RETIRED, f"device {self._retired[key]} was retired")
        if key not in self._replaced:
            return reject
        detail = f"{decoded.device!r} was exchanged at {self._replaced[key]} for other hardware"
        return Reject(REASON_DEVICE_REPLACED, detail)

    def squad_district(self, squad: str) -> str | None:
        """The district of a known squad."""
        return self._squads.get(squad)
