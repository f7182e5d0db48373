"""Lamps that should be lit and are not: one alarm a lamp, or one for the whole cabinet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean

from alerts.book import Place
from alerts.judge import Raise, Start, Stop, Timer, as_number
from alerts.reasons import LAMP_DARK, LAMPS_DARK
from alerts.rules import Level, Rule
from city.alarm import Reason
from city.device import LampRow, WatchedDevice
from city.place import LonLat
from city.sun import is_dark

# A value older than this many reporting intervals says nothing about the lamp now.
FRESH_INTERVALS = 3
# Lamps named in a cabinet's reason; the number of all of them is its value.
CHILDREN_SHOWN = 200
CABINET = "lamp-cabinet"


class LampState(StrEnum):
    LIT = "lit"
    DARK = "dark"  # and should be lit
    OFF = "off"  # as it should be, or nobody can tell


@dataclass(frozen=True, slots=True)
class Seen:
    """A lamp, what its newest values say of it, and since when it has been dark."""

    device: WatchedDevice
    state: LampState
    shown_zh: str = ""
    shown_en: str = ""
    value: float | None = None
    limit: float | None = None
    ts: datetime | None = None
    received_at: datetime | None = None
    dark_since: Timer | None = None

    @property
    def cabinet(self) -> str:
        name = self.device.attributes.get("cabinet")
        return name if isinstance(name, str) else ""


@dataclass(frozen=True, slots=True)
class LampAlarm:
    """An alarm to raise, for a lamp or for a cabinet."""

    place: Place
    outcome: Raise
    condition: str


@dataclass(frozen=True, slots=True)
class LampClear:
    condition: str


LampOutcome = tuple[WatchedDevice, Start | Stop] | LampAlarm | LampClear


def see_lamp(
    rule: Rule, device: WatchedDevice, row: LampRow, dark_since: Timer | None, now: datetime
) -> Seen:
    """Judge one lamp by its newest values; `lamp_on` counts more than power."""
    assert rule.lamp is not None
    fresh_from = now - FRESH_INTERVALS * timedelta(seconds=device.report_interval_s)
    dark, lit = Seen(device, LampState.OFF, dark_since=dark_since), False
    for ts, received_at, unlit, seen in _evidence(rule, device, row, dark_since):
        if ts is None or received_at is None or received_at < fresh_from:
            continue
        if not unlit:
            lit = True
        elif is_dark(ts, LonLat(device.lon, device.lat), rule.lamp.grace):
            return seen
    if lit and row.lamp_on != 0:
        return Seen(device, LampState.LIT, dark_since=dark_since)
    return dark


def _evidence(
    rule: Rule, device: WatchedDevice, row: LampRow, since: Timer | None
) -> Iterator[tuple[datetime | None, datetime | None, bool, Seen]]:
    assert rule.lamp is not None
    if row.lamp_on is not None:
        seen = Seen(
            device, LampState.DARK, "灯具关闭", "the lamp is off", row.lamp_on, None,
            row.lamp_on_at, row.lamp_on_received_at, since,
        )  # fmt: skip
        yield row.lamp_on_at, row.lamp_on_received_at, row.lamp_on == 0, seen
    rated = as_number(device.attributes.get("rated_power_w"))
    if row.power_w is not None and rated:
        level = 100.0 if row.dim_pct is None else row.dim_pct
        limit = rule.lamp.power_share * rated * level / 100
        zh = f"功率 {row.power_w:.0f} W,低于 {limit:.0f} W"
        en = f"{row.power_w:.0f} W is below {limit:.0f} W"
        seen = Seen(
            device, LampState.DARK, zh, en, row.power_w, limit,
            row.power_at, row.power_received_at, since,
        )  # fmt: skip
        yield row.power_at, row.power_received_at, row.power_w < limit, seen


def judge_lamps(
    rule: Rule, lamps: Sequence[Seen], live: Mapping[str, datetime], now: datetime
) -> Iterator[LampOutcome]:
    """What follows for all lamps at hand; `live` maps conditions to when they were raised.

    A dark lamp waits for the on-delay. When it is over and the lamp's cabinet has enough dark
    lamps, waiting ones included, the cabinet gets one alarm instead of each lamp its own.
    """
    assert rule.lamp is not None
    level = rule.levels[0]
    for seen in lamps:
        yield from _delay(rule, level, seen, live)
    dark = [s for s in lamps if s.state is LampState.DARK]
    cabinets: dict[str, list[Seen]] = {}
    for seen in dark:
        if seen.cabinet:
            cabinets.setdefault(seen.cabinet, []).append(seen)
    together = {c for c, members in cabinets.items() if len(members) >= rule.lamp.group_min}
    together |= {c for c in cabinets if cabinet_condition(c) in live}
    for cabinet in sorted(together):
        members = cabinets[cabinet]
        if cabinet_condition(cabinet) not in live and any(_is_ripe(s, level, now) for s in members):
            yield _cabinet_alarm(rule, cabinet, members, now)
    for seen in dark:
        condition = lamp_condition(rule, seen.device)
        if seen.cabinet in together or condition in live or not _is_ripe(seen, level, now):
            continue
        yield _lamp_alarm(rule, level, seen, condition)


def judge_cabinet(rule: Rule, condition: str, still_dark: int) -> Iterator[LampClear]:
    """A cabinet's alarm ends when fewer than half of the lamps that make one are left dark."""
    assert rule.lamp is not None
    if still_dark * 2 < rule.lamp.group_min:
        yield LampClear(condition)


def cabinet_condition(cabinet: str) -> str:
    return f"{CABINET}/{cabinet}"


def lamp_condition(rule: Rule, device: WatchedDevice) -> str:
    return f"{rule.condition}/{device.code}"


def _delay(
    rule: Rule, level: Level, seen: Seen, live: Mapping[str, datetime]
) -> Iterator[LampOutcome]:
    """Dark begins to count, lit ends it; by day a lamp without an alarm is forgotten."""
    covered = lamp_condition(rule, seen.device) in live
    in_cabinet = bool(seen.cabinet) and cabinet_condition(seen.cabinet) in live
    if seen.state is LampState.DARK and seen.dark_since is None:
        assert seen.ts is not None
        assert seen.received_at is not None
        timer = Timer(
            rule.code, seen.device.id, level.severity, seen.ts, seen.received_at,
            seen.ts + level.on_delay, lamp_reason(rule, seen),
        )  # fmt: skip
        yield seen.device, Start(timer)
    elif seen.state is LampState.LIT:
        if seen.dark_since is not None:
            yield seen.device, Stop(level.severity)
        if covered:
            yield LampClear(lamp_condition(rule, seen.device))
    elif seen.state is LampState.OFF and seen.dark_since and not (covered or in_cabinet):
        yield seen.device, Stop(level.severity)


def _is_ripe(seen: Seen, level: Level, now: datetime) -> bool:
    if seen.dark_since is None:
        return not level.on_delay
    return seen.dark_since.started_at + level.on_delay <= now


def _lamp_alarm(rule: Rule, level: Level, seen: Seen, condition: str) -> LampAlarm:
    device = seen.device
    began = seen.dark_since
    assert seen.ts is not None
    assert seen.received_at is not None
    place = Place(
        device.code, device.district, device.lon, device.lat, device.unit_grid, device.demo,
        device.id,
    )  # fmt: skip
    outcome = Raise(
        level.severity,
        lamp_reason(rule, seen),
        began.started_at if began else seen.ts,
        began.received_at if began else seen.received_at,
    )
    return LampAlarm(place, outcome, condition)


def _cabinet_alarm(rule: Rule, cabinet: str, members: Sequence[Seen], now: datetime) -> LampAlarm:
    """One alarm in the middle of the dark lamps, which are its children."""
    assert rule.lamp is not None
    lon = fmean(s.device.lon for s in members)
    lat = fmean(s.device.lat for s in members)
    near = min(members, key=lambda s: (s.device.lon - lon) ** 2 + (s.device.lat - lat) ** 2)
    began = [s.dark_since for s in members if s.dark_since is not None]
    since = min((t.started_at for t in began), default=now)
    reason = Reason(
        code=LAMPS_DARK,
        rule=rule.code,
        rule_version=rule.version,
        metric="lamp_on",
        value=float(len(members)),
        limit=float(rule.lamp.group_min),
        since=since,
        facts={
            "cabinet": cabinet,
            "children": sorted(s.device.code for s in members)[:CHILDREN_SHOWN],
        },
    )
    place = Place(
        cabinet, near.device.district, lon, lat, near.device.unit_grid,
        any(s.device.demo for s in members), None, rule.lamp.group_category,
    )  # fmt: skip
    received_at = min((t.received_at for t in began), default=now)
    outcome = Raise(rule.lamp.group_severity, reason, since, received_at)
    return LampAlarm(place, outcome, cabinet_condition(cabinet))


def lamp_reason(rule: Rule, seen: Seen) -> Reason:
    """Why a lamp counts as dark."""
    by_power = seen.limit is not None
    return Reason(
        code=LAMP_DARK,
        rule=rule.code,
        rule_version=rule.version,
        metric="power_w" if by_power else "lamp_on",
        value=seen.value,
        limit=seen.limit,
        unit="W" if by_power else "0/1",
        since=seen.ts,
        facts={"shown_zh": seen.shown_zh, "shown_en": seen.shown_en, "cabinet": seen.cabinet},
    )
