"""Silent gateways in a tick: their alarms, and what of the devices behind is not announced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from alerts.book import SYSTEM, AlarmBook
from alerts.gateways import (
    HEARD_JUST_NOW,
    Paths,
    Silence,
    is_offline,
    judge_gateway,
    judge_silence_of,
    name_of,
    only_servers_fault,
    place_of_gateway,
)
from alerts.levels import ACTIVE
from alerts.rules import Rule, Watch
from city.alarm import Inhibition, Severity
from city.event import NewEvent
from city.gateway import NETWORK_SERVER, DevicePaths, Gateway
from db import alarms, gateways, inhibitions
from db.pool import Connection

# Kinds of devices that report by themselves: a silence rule without kinds is for all of these.
DEVICE_KINDS = ("gas", "manhole", "light")
# A gateway whose alarm stands is silent until it is heard, however long we have been listening.
EVER = datetime.min.replace(tzinfo=UTC)
# Codes named in one entry of the event log; the number is there in any case.
CODES_NAMED = 200


@dataclass
class Explained:
    """What is known of the ways in one tick, and which devices' silence it explains."""

    paths: Paths
    behind: dict[int, DevicePaths]  # devices behind silent ways
    wanted: dict[str, Inhibition] = field(default_factory=dict)

    def blame(self, device_id: int) -> Silence | None:
        """Whose silence explains that of a device."""
        device = self.behind.get(device_id)
        return self.paths.blame(device) if device is not None else None


def look_at_gateways(
    conn: Connection,
    book: AlarmBook,
    rules: Mapping[str, Rule],
    listening_since: datetime,
    now: datetime,
) -> Explained:
    """Raise for gateways and servers that fell silent, clear for those that are back."""
    watching = [rule for rule in rules.values() if rule.watch is Watch.GATEWAY]
    book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code for rule in watching]))
    known = gateways.list_all(conn)
    worst = worst_by_kind(rules.values())
    silent = _find_silent(conn, book, watching, known, sorted(worst), listening_since, now)
    behind = _list_behind(conn, silent.values(), now)
    silent = _without_blameless(known, silent, behind)
    found = Explained(Paths(known, silent), {device.device_id: device for device in behind})
    for silence in silent.values():
        _raise(book, silence, found, worst, now)
    back = _clear_others(book, watching, known, silent, now)
    if back:
        gateways.mark_back(conn, back, now)
        # The change is in the database; this tick must know it, too.
        found.paths = Paths(gateways.list_all(conn), silent)
    return found


def _find_silent(
    conn: Connection,
    book: AlarmBook,
    watching: Iterable[Rule],
    known: Iterable[Gateway],
    kinds: Sequence[str],
    listening_since: datetime,
    now: datetime,
) -> dict[int, Silence]:
    """Silent by its own word, or by that of at least two devices of which readings are due."""
    suspects = [
        gateway
        for gateway in known
        if is_offline(gateway)
        or (gateway.heard_at is not None and now - gateway.heard_at > HEARD_JUST_NOW)
    ]
    if not suspects:
        return {}
    ids = [gateway.id for gateway in suspects]
    intervals = gateways.list_second_intervals(conn, ids, kinds, now)
    silent: dict[int, Silence] = {}
    for rule in watching:
        for gateway in suspects:
            if rule.kinds and gateway.kind not in rule.kinds:
                continue
            alarm = book.find(f"{rule.condition}/{name_of(gateway)}")
            since = EVER if alarm is not None and alarm.state in ACTIVE else listening_since
            silence = judge_gateway(rule, gateway, intervals.get(gateway.id), since, now)
            if silence is not None:
                silent[gateway.id] = silence
    return silent


def _list_behind(conn: Connection, silent: Iterable[Silence], now: datetime) -> list[DevicePaths]:
    ways = [silence.gateway for silence in silent]
    if not ways:
        return []
    return gateways.list_paths(
        conn,
        now,
        gateway_ids=[way.id for way in ways],
        formats=[way.format for way in ways if way.kind == NETWORK_SERVER],
    )


def _without_blameless(
    known: Iterable[Gateway], silent: Mapping[int, Silence], behind: Iterable[DevicePaths]
) -> dict[int, Silence]:
    """Without servers that have nothing to send because their gateways said they are away."""
    others = {i: s for i, s in silent.items() if s.gateway.kind != NETWORK_SERVER}
    paths, devices = Paths(known, others), list(behind)
    return {
        i: silence
        for i, silence in silent.items()
        if i in others or only_servers_fault(silence, paths, devices)
    }


def _raise(
    book: AlarmBook,
    silence: Silence,
    found: Explained,
    worst: Mapping[str, Severity],
    now: datetime,
) -> None:
    gateway = silence.gateway
    explained = [d for d in found.behind.values() if found.paths.blame(d) is silence]
    if not explained and (gateway.is_foreign or _behind_silent_server(silence, found.paths)):
        return
    mine = explained or [d for d in found.behind.values() if gateway.id in d.gateway_ids]
    if not mine:  # nobody of ours was ever heard through it
        return
    place = place_of_gateway(gateway, mine)
    outcome = judge_silence_of(silence, explained, worst, now)
    book.raise_alarm(silence.rule, place, outcome, condition=silence.condition)


def _behind_silent_server(silence: Silence, paths: Paths) -> bool:
    return not silence.by_own_word and any(
        other.gateway.kind == NETWORK_SERVER and other.gateway.format == silence.gateway.format
        for other in paths.silent.values()
        if other is not silence
    )


def _clear_others(
    book: AlarmBook,
    watching: Iterable[Rule],
    known: Iterable[Gateway],
    silent: Mapping[int, Silence],
    now: datetime,
) -> list[int]:
    """Clear the alarms of gateways that are not silent; ids of those that are back."""
    silent_conditions = {silence.condition for silence in silent.values()}
    by_condition = {
        f"{rule.condition}/{name_of(gateway)}": gateway.id
        for rule in watching
        for gateway in known
        if not rule.kinds or gateway.kind in rule.kinds
    }
    back = []
    for rule in watching:
        for alarm in book.live_of(rule.code):
            if alarm.state in ACTIVE and alarm.condition not in silent_conditions:
                book.clear(alarm.condition, now, rule.code)
                back += [i for i in [by_condition.get(alarm.condition)] if i is not None]
    return sorted(back)


def worst_by_kind(rules: Iterable[Rule]) -> dict[str, Severity]:
    """How bad the silence of each kind of device is."""
    worst: dict[str, Severity] = {}
    for rule in rules:
        if rule.watch is Watch.SILENCE:
            for kind in rule.kinds or DEVICE_KINDS:
                worst[kind] = min(rule.worst, worst.get(kind, rule.worst))
    return worst


def save_inhibitions(conn: Connection, explained: Explained, now: datetime) -> list[NewEvent]:
    """Store what is not announced any more or again; the entries for the event log.

    After a standstill nobody counts as silent for a while: what was inhibited then stays so until
    its device speaks or its gateway does.
    """
    before = {row.condition: row for row in inhibitions.list_inhibitions(conn)}
    wanted = dict(explained.wanted)
    for condition, row in before.items():
        if condition not in wanted and _stands(row, explained):
            wanted[condition] = row
    new = [
        row
        for condition, row in wanted.items()
        if condition not in before or before[condition].by_condition != row.by_condition
    ]
    over = [row for condition, row in before.items() if condition not in wanted]
    inhibitions.insert_inhibitions(conn, sorted(new, key=lambda row: row.condition))
    inhibitions.delete_inhibitions(conn, [row.condition for row in over])
    return [
        *_as_events("silence.inhibited", new, now),
        *_as_events("silence.released", over, now),
    ]


def _stands(row: Inhibition, explained: Explained) -> bool:
    device = explained.behind.get(row.device_id)
    blamed = explained.blame(row.device_id)
    if device is None or blamed is None:
        return False
    return blamed.condition == row.by_condition and device.last_at <= row.since


def _as_events(kind: str, rows: Iterable[Inhibition], now: datetime) -> list[NewEvent]:
    """One entry for each gateway and district, however many devices are behind it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.by_condition, row.district), []).append(row.condition)
    return [
        NewEvent(
            at=now,
            district=district,
            kind=kind,
            subject=by_condition,
            actor=SYSTEM,
            payload={"conditions": sorted(names)[:CODES_NAMED], "count": len(names)},
        )
        for (by_condition, district), names in sorted(groups.items())
    ]
