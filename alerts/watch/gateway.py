"""Nothing comes through a gateway or network server, or it says that it is away: one fact that
explains the silence of the devices behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from alerts.book import Finding, Place
from alerts.fields import Fields
from alerts.judge import Clear, Raise
from alerts.levels import ACTIVE
from alerts.limits import is_about
from alerts.paths import Explained, Paths, Silence, name_of
from alerts.rules import Rule
from alerts.scope import EVERYWHERE
from alerts.watch.kind import Kind, Look, one_level, refuse_areas
from alerts.watch.silence import SilenceRule
from city.alarm import Alarm, Reason, Severity
from city.device import WatchedDevice
from city.gateway import NETWORK_SERVER, DevicePaths, Gateway
from db import alarms, evaluation, gateways
from db.pool import Connection

GATEWAY_SILENT = "gateway_silent"
GATEWAY_OFFLINE = "gateway_offline"
SERVER_SILENT = "server_silent"
# What is known of a gateway may be ten seconds old: nobody is called silent sooner than this.
HEARD_JUST_NOW = timedelta(seconds=20)
GAS = "gas"
# Kinds of devices that report by themselves: a silence rule without kinds is for all of these.
DEVICE_KINDS = ("gas", "manhole", "light")
# A gateway whose alarm stands is silent until it is heard, however long we have been listening.
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRule(Rule):
    """`kinds` are those of gateways."""

    intervals: float  # of the second fastest device behind it, without a frame


@dataclass(frozen=True, slots=True)
class GatewayState:
    """All gateways, those through which nothing comes, and the devices behind these."""

    known: Sequence[Gateway]
    silent: Mapping[int, Silence]
    explained: Explained
    worst: Mapping[int, Severity]  # how bad the silence of a device is, by its id
    live: Sequence[tuple[GatewayRule, Alarm]]


class GatewayKind(Kind[GatewayRule, GatewayState]):
    """Fields of its own: `intervals`; the level's on-delay is for its own word that it goes."""

    name = "gateway"
    sentences: ClassVar = {
        GATEWAY_SILENT: (
            "网关 {gateway} 已 {value} 秒没有任何信号,{devices} 台设备只能经它上报(燃气 {gas} 台)",
            "nothing was heard through {gateway} for {value} s; {devices} devices have no other "
            "way ({gas} gas)",
        ),
        GATEWAY_OFFLINE: (
            "网关 {gateway} 自报离线已 {value} 秒,{devices} 台设备只能经它上报(燃气 {gas} 台)",
            "{gateway} says that it has been offline for {value} s; {devices} devices have no "
            "other way ({gas} gas)",
        ),
        SERVER_SILENT: (
            "平台 {gateway} 已 {value} 秒没有任何数据,涉及 {devices} 台设备(燃气 {gas} 台)",
            "nothing was received from {gateway} for {value} s; {devices} devices report through "
            "it ({gas} gas)",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> GatewayRule:
        intervals = fields.number("intervals", low=1, high=1000)
        rule = GatewayRule(intervals=intervals, levels=one_level(fields), **common)
        refuse_areas(fields, rule)
        return rule

    def load(
        self, conn: Connection, rules: Sequence[GatewayRule], look: Look
    ) -> GatewayState | None:
        if look.nothing_arrives:
            return None
        look.book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code for rule in rules]))
        live = [(rule, alarm) for rule in rules for alarm in look.book.live_of(rule.code)]
        known = gateways.list_all(conn)
        silences = [rule for rule in look.rules.values() if isinstance(rule, SilenceRule)]
        standing = {alarm.condition for _, alarm in live if alarm.state in ACTIVE}
        suspects = [gateway for gateway in known if is_suspect(gateway, look.now)]
        ids = [gateway.id for gateway in suspects]
        watched = None  # all of these kinds
        if is_bounded(silences):
            watched = sorted(_list_worst(conn, silences, _list_behind(conn, suspects, look.now)))
        intervals = gateways.list_second_intervals(
            conn, ids, kinds_of(silences), look.now, device_ids=watched
        )
        silent = find_silent(rules, suspects, intervals, standing, look.listening.devices, look.now)
        behind = _list_behind(conn, [silence.gateway for silence in silent.values()], look.now)
        worst = _list_worst(conn, silences, behind)
        silent = without_blameless(known, silent, behind)
        explained = Explained(Paths(known, silent), {device.device_id: device for device in behind})
        return GatewayState(known, silent, explained, worst, live)

    def judge(
        self, rules: Sequence[GatewayRule], state: GatewayState, now: datetime
    ) -> Iterator[Finding]:
        """Raise for gateways and servers that fell silent, clear for those that are back."""
        for silence in state.silent.values():
            yield from _judge_silent(silence, state, now)
        silent = {silence.condition for silence in state.silent.values()}
        for rule, alarm in state.live:
            if alarm.state in ACTIVE and alarm.condition not in silent:
                yield Finding(Clear(now), rule, condition=alarm.condition)

    def settle(
        self, conn: Connection, state: GatewayState, findings: Sequence[Finding], look: Look
    ) -> None:
        """What is behind a gateway that is back gets the time to speak, too."""
        look.explained = state.explained
        over = [(f.rule, f.key) for f in findings if isinstance(f.outcome, Clear)]
        back = sorted(
            gateway.id
            for rule, condition in over
            for gateway in state.known
            if isinstance(rule, GatewayRule)
            and _watches(rule, gateway)
            and _condition(rule, gateway) == condition
        )
        if back:
            gateways.mark_back(conn, back, look.now)
            # The change is in the database; this look must know it, too.
            look.explained.paths = Paths(gateways.list_all(conn), state.silent)


def is_offline(gateway: Gateway) -> bool:
    """By its own last word, and nothing came through it since."""
    if gateway.online is not False or gateway.status_at is None:
        return False
    return gateway.heard_at is None or gateway.heard_at <= gateway.status_at


def judge_gateway(
    rule: GatewayRule,
    gateway: Gateway,
    second_interval_s: int | None,
    listening_since: datetime,
    now: datetime,
) -> Silence | None:
    """Whether nothing comes through it; `second_interval_s` is the second shortest reporting
    interval behind it, None for fewer than two devices: then only its own word counts. Pure."""
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


def only_servers_fault(silence: Silence, paths: Paths, behind: Iterable[DevicePaths]) -> bool:
    """Whether a server's silence is more than that of gateways that said they are away; `paths`
    hold the silent gateways, not the server."""
    blamed = [paths.blame(device) for device in behind if device.format == silence.gateway.format]
    return sum(gateway is None or not gateway.by_own_word for gateway in blamed) > 1


def judge_silence_of(
    silence: Silence, explained: Iterable[DevicePaths], worst: Mapping[int, Severity], now: datetime
) -> Raise:
    """The gateway's alarm: as bad as the worst of the devices that have no other way. `worst` is
    how bad the silence of a device is, by its id."""
    devices = list(explained)
    severities = [worst[device.device_id] for device in devices if device.device_id in worst]
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


def is_suspect(gateway: Gateway, now: datetime) -> bool:
    """Whether it has not been heard just now, or says that it goes. Pure."""
    if is_offline(gateway):
        return True
    return gateway.heard_at is not None and now - gateway.heard_at > HEARD_JUST_NOW


def find_silent(
    rules: Iterable[GatewayRule],
    suspects: Sequence[Gateway],
    second_intervals: Mapping[int, int],
    standing: Collection[str],
    listening_since: datetime,
    now: datetime,
) -> dict[int, Silence]:
    """Silent by its own word, or by that of at least two devices of which readings are due;
    `standing` are the conditions of alarms that stand. Pure."""
    silent: dict[int, Silence] = {}
    for rule in rules:
        for gateway in suspects:
            if not _watches(rule, gateway):
                continue
            since = EVER if _condition(rule, gateway) in standing else listening_since
            silence = judge_gateway(rule, gateway, second_intervals.get(gateway.id), since, now)
            if silence is not None:
                silent[gateway.id] = silence
    return silent


def without_blameless(
    known: Iterable[Gateway], silent: Mapping[int, Silence], behind: Sequence[DevicePaths]
) -> dict[int, Silence]:
    """Without servers that have nothing to send because their gateways said they are away. Pure."""
    others = {i: s for i, s in silent.items() if s.gateway.kind != NETWORK_SERVER}
    paths = Paths(known, others)
    return {
        i: silence
        for i, silence in silent.items()
        if i in others or only_servers_fault(silence, paths, behind)
    }


def kinds_of(rules: Iterable[SilenceRule]) -> list[str]:
    """The kinds of devices whose silence any of these rules is about. Pure."""
    return sorted({kind for rule in rules for kind in rule.kinds or DEVICE_KINDS})


def is_bounded(rules: Iterable[SilenceRule]) -> bool:
    """Whether one of them is about some devices of its kinds only. Pure."""
    return any(rule.scope is not EVERYWHERE for rule in rules)


def worst_of(
    rules: Sequence[SilenceRule],
    behind: Iterable[DevicePaths],
    devices: Mapping[int, WatchedDevice],
) -> dict[int, Severity]:
    """How bad the silence of each device is that one of the rules is about: what it would raise is
    what its gateway's alarm stands for. `devices` are needed for rules with bounds. Pure."""
    worst: dict[int, Severity] = {}
    for device in behind:
        known = devices.get(device.device_id)
        mine = [
            rule.worst
            for rule in rules
            if device.kind in (rule.kinds or DEVICE_KINDS)
            and (rule.scope is EVERYWHERE or (known is not None and is_about(rule, known)))
        ]
        if mine:
            worst[device.device_id] = min(mine)
    return worst


def _judge_silent(silence: Silence, state: GatewayState, now: datetime) -> Iterator[Finding]:
    gateway, found = silence.gateway, state.explained
    explained = [d for d in found.behind.values() if found.paths.blame(d) is silence]
    if not explained and (gateway.is_foreign or _behind_silent_server(silence, found.paths)):
        return
    mine = explained or [d for d in found.behind.values() if gateway.id in d.gateway_ids]
    if mine:  # else nobody of ours was ever heard through it
        outcome = judge_silence_of(silence, explained, state.worst, now)
        yield Finding(outcome, silence.rule, place_of_gateway(gateway, mine))


def _behind_silent_server(silence: Silence, paths: Paths) -> bool:
    return not silence.by_own_word and any(
        other.gateway.kind == NETWORK_SERVER and other.gateway.format == silence.gateway.format
        for other in paths.silent.values()
        if other is not silence
    )


def _watches(rule: GatewayRule, gateway: Gateway) -> bool:
    return not rule.kinds or gateway.kind in rule.kinds


def _condition(rule: GatewayRule, gateway: Gateway) -> str:
    return f"{rule.condition}/{name_of(gateway)}"


def _list_behind(conn: Connection, ways: Sequence[Gateway], now: datetime) -> list[DevicePaths]:
    if not ways:
        return []
    return gateways.list_paths(
        conn,
        now,
        gateway_ids=[way.id for way in ways],
        formats=[way.format for way in ways if way.kind == NETWORK_SERVER],
    )


def _list_worst(
    conn: Connection, rules: Sequence[SilenceRule], behind: Sequence[DevicePaths]
) -> dict[int, Severity]:
    devices = {}
    if behind and is_bounded(rules):
        found = evaluation.list_watched_devices(conn, [path.device_id for path in behind])
        devices = {device.id: device for device in found}
    return worst_of(rules, behind, devices)
