"""The ways by which messages come, and whose silence explains that of a device. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.rules import Rule
from city.gateway import NETWORK_SERVER, USUAL, DevicePaths, Gateway


@dataclass(frozen=True, slots=True)
class Silence:
    """A gateway through which nothing comes, and by which rule."""

    gateway: Gateway
    rule: Rule
    since: datetime  # last sign of life, or its own word that it goes
    limit: timedelta
    by_own_word: bool

    @property
    def condition(self) -> str:
        return f"{self.rule.condition}/{name_of(self.gateway)}"


def name_of(gateway: Gateway) -> str:
    """What the condition of its alarm is named after."""
    if gateway.kind == NETWORK_SERVER:
        return gateway.format
    return f"{gateway.format}/{gateway.identity}"


class Paths:
    """The ways by which messages come, and which of them are silent."""

    def __init__(self, gateways: Iterable[Gateway], silent: Mapping[int, Silence]) -> None:
        self._gateways = {gateway.id: gateway for gateway in gateways}
        self._servers = {
            gateway.format: gateway
            for gateway in self._gateways.values()
            if gateway.kind == NETWORK_SERVER
        }
        self.silent = dict(silent)

    def blame(self, device: DevicePaths) -> Silence | None:
        """The silence that explains that of a device: of its network server, or of a gateway,
        unless another gateway that usually hears the device has been heard since."""
        server = self._servers.get(device.format)
        if server is not None and server.id in self.silent:
            return self.silent[server.id]
        usual = self._usual(device)
        dead = [(heard_at, way) for way, heard_at in usual if way in self.silent]
        if not dead:
            return None
        cause = self.silent[max(dead)[1]]
        fell_at = min(device.last_at, cause.since)
        others = [self._gateways[way].heard_at for way, _ in usual if way not in self.silent]
        if any(heard_at is not None and heard_at > fell_at for heard_at in others):
            return None
        return cause

    def back_at(self, device: DevicePaths) -> datetime | None:
        """When the way of a device was last opened again."""
        ways = [self._gateways[gateway_id] for gateway_id, _ in self._usual(device)]
        if device.format in self._servers:
            ways.append(self._servers[device.format])
        return max((way.back_at for way in ways if way.back_at is not None), default=None)

    def _usual(self, device: DevicePaths) -> list[tuple[int, datetime]]:
        """The gateways that heard the device in the day before its last reading, and when."""
        return [
            (gateway_id, heard_at)
            for gateway_id, heard_at in zip(device.gateway_ids, device.heard_ats, strict=True)
            if gateway_id in self._gateways and heard_at > device.last_at - USUAL
        ]


@dataclass(slots=True)
class Explained:
    """What is known of the ways in one look, and which devices' silence that explains."""

    paths: Paths = field(default_factory=lambda: Paths((), {}))
    behind: Mapping[int, DevicePaths] = field(default_factory=dict)  # devices behind silent ways

    def blame(self, device_id: int) -> Silence | None:
        """Whose silence explains that of a device."""
        device = self.behind.get(device_id)
        return self.paths.blame(device) if device is not None else None
