"""A gateway that fell silent is one fact that explains the silence of devices behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.book import Place
from alerts.judge import Raise
from alerts.reasons import GATEWAY_OFFLINE, GATEWAY_SILENT, SERVER_SILENT
from alerts.rules import Rule
from city.alarm import Reason, Severity
from city.gateway import NETWORK_SERVER, USUAL, DevicePaths, Gateway

# What is known of a gateway may be ten seconds old: nobody is called silent sooner than this.
HEARD_JUST_NOW = timedelta(seconds=20)
GAS = "gas"


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


def is_offline(gateway: Gateway) -> bool:
    """By its own last word, and nothing came through it since."""
    if gateway.online is not False or gateway.status_at is None:
        return False
    return gateway.heard_at is None or gateway.heard_at <= gateway.status_at


def judge_gateway(
    rule: Rule,
    gateway: Gateway,
    second_interval_s: int | None,
    listening_since: datetime,
    now: datetime,
) -> Silence | None:
    """Whether nothing comes through it; `second_interval_s` is the second shortest reporting
    interval behind it, None for fewer than two devices: then only its own word counts."""
    delay = rule.levels[0].on_delay
    said_at = gateway.status_at if is_offline(gateway) else None
    if said_at is not None and now - max(said_at, listening_since) >= delay:
        return Silence(gateway, rule, said_at, delay, by_own_word=True)
    heard_at = gateway.heard_at
    if heard_at is None or second_interval_s is None:
        return None
    limit = timedelta(seconds=rule.intervals * second_interval_s)
    if now - max(heard_at, listening_since) <= limit:
        return None
    return Silence(gateway, rule, heard_at, limit, by_own_word=False)


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


def only_servers_fault(silence: Silence, paths: Paths, behind: Iterable[DevicePaths]) -> bool:
    """Whether a server's silence is more than that of gateways that said they are away; `paths`
    hold the silent gateways, not the server."""
    blamed = [paths.blame(device) for device in behind if device.format == silence.gateway.format]
    return sum(gateway is None or not gateway.by_own_word for gateway in blamed) > 1


def judge_silence_of(
    silence: Silence, explained: Iterable[DevicePaths], worst: Mapping[str, Severity], now: datetime
) -> Raise:
    """The gateway's alarm: as bad as the worst of the devices that have no other way. `worst` is
    how bad the silence of a kind of device is."""
    devices = list(explained)
    severities = [worst[device.kind] for device in devices if device.kind in worst]
    gateway = silence.gateway
    reason = Reason(
        code=_code(silence),
        rule=silence.rule.code,
        rule_version=silence.rule.version,
        value=float(round((now - silence.since).total_seconds())),
        limit=silence.limit / timedelta(seconds=1),
        unit="s",
        since=silence.since,
        facts={
            "gateway": gateway.name or gateway.identity,
            "format": gateway.format,
            "kind": gateway.kind,
            "devices": len(devices),
            "gas": sum(device.kind == GAS for device in devices),
        },
    )
    severity = min([silence.rule.levels[0].severity, *severities])
    return Raise(severity, reason, silence.since, silence.since)


def _code(silence: Silence) -> str:
    if silence.by_own_word:
        return GATEWAY_OFFLINE
    return SERVER_SILENT if silence.gateway.kind == NETWORK_SERVER else GATEWAY_SILENT


def place_of_gateway(gateway: Gateway, devices: Sequence[DevicePaths]) -> Place:
    """In the middle of the devices behind it; a gateway says nothing of its own place."""
    districts = sorted(device.district for device in devices)
    return Place(
        name=name_of(gateway),
        district=gateway.district or max(districts, key=districts.count),
        lon=sum(device.lon for device in devices) / len(devices),
        lat=sum(device.lat for device in devices) / len(devices),
        demo=all(device.demo for device in devices),
    )
