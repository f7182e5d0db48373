"""Lamps that should be lit and are not: one alarm a lamp, or one for the whole cabinet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean
from typing import Any, ClassVar

from alerts.book import Finding, Place, place_of
from alerts.fields import Fields
from alerts.judge import Clear, Raise, Start, Stop, Timer
from alerts.levels import ACTIVE
from alerts.limits import as_number
from alerts.rules import SEVERITIES, Level, Rule
from alerts.save import timer_from
from alerts.watch.kind import Kind, Look, one_level
from city.alarm import Reason, Severity
from city.device import LampRow, WatchedDevice
from city.place import LonLat
from city.sun import is_dark
from db import alarms, evaluation, rule_timers
from db.pool import Connection

LAMP_DARK = "lamp_dark"
LAMPS_DARK = "lamps_dark_in_cabinet"
# A value older than this many reporting intervals says nothing about the lamp now.
FRESH_INTERVALS = 3
# Lamps named in a cabinet's reason; the number of all of them is its value.
CHILDREN_SHOWN = 200
CABINET = "lamp-cabinet"
# The sun sets this much later at one edge of a large city than in its middle, at most.
ACROSS_THE_CITY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LampRule(Rule):
    """When a lamp counts as dark, and when dark lamps are one matter of their cabinet."""

    grace: timedelta  # around sunset and sunrise
    power_share: float  # of rated power times dimming level
    group_min: int  # dark lamps of one cabinet that make one alarm
    group_severity: Severity
    group_category: str


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
class Street:
    """The lamps of one rule that matter now; `live` maps conditions of alarms that stand to when
    they were raised."""

    rule: LampRule
    lamps: Sequence[Seen]
    live: Mapping[str, datetime]
    waiting: frozenset[int]  # devices whose delay runs


class LampKind(Kind[LampRule, Sequence[Street]]):
    """Fields of its own: those of `LampRule`; the level's on-delay is for how long a lamp must be
    dark."""

    name = "lamp"
    sentences: ClassVar = {
        LAMP_DARK: (
            "日落后应亮未亮:{shown_zh}",
            "should be lit after sunset and is not: {shown_en}",
        ),
        LAMPS_DARK: (
            "配电箱 {cabinet} 有 {value} 盏灯应亮未亮",
            "{value} lamps of cabinet {cabinet} should be lit and are not",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> LampRule:
        return LampRule(
            grace=fields.seconds("grace_s", high=7200),
            power_share=fields.number("power_share", low=0.01, high=1),
            group_min=int(fields.number("group_min", low=2, high=10_000)),
            group_severity=SEVERITIES[fields.one_of("group_severity", list(SEVERITIES))],
            group_category=fields.text("group_category"),
            levels=one_level(fields),
            **common,
        )

    def load(self, conn: Connection, rules: Sequence[LampRule], look: Look) -> list[Street]:
        found = [_load_street(conn, rule, look) for rule in rules]
        return [street for street in found if street is not None]

    def judge(
        self, rules: Sequence[LampRule], state: Sequence[Street], now: datetime
    ) -> Iterator[Finding]:
        for street in state:
            findings = list(judge_lamps(street.rule, street.lamps, street.live, now))
            yield from findings
            yield from _judge_cabinets(street, findings, now)

    def conditions(self, rule: LampRule) -> tuple[str, ...]:
        return (rule.condition, CABINET)


def _load_street(conn: Connection, rule: LampRule, look: Look) -> Street | None:
    """None: it is day, and nothing is left of the night."""
    now = look.now
    timers = {
        row.device_id: timer_from(row) for row in rule_timers.list_timers_of_rule(conn, rule.code)
    }
    live = alarms.list_live_alarms(conn, rule_codes=[rule.code])
    watched = sorted(timers.keys() | {a.device_id for a in live if a.device_id is not None})
    centre = evaluation.find_centre(conn)
    slack = max(rule.grace - ACROSS_THE_CITY, timedelta(0))
    night = centre is not None and is_dark(now, LonLat(centre[1], centre[2]), slack)
    if not night and not watched:
        return None
    look.book.add(live, timers.values())
    rows = evaluation.list_lamps(
        conn, sorted(rule.kinds), rule.power_share, dark=night, watched=watched
    )
    devices = {d.id: d for d in evaluation.list_watched_devices(conn, [r.device_id for r in rows])}
    lamps = [
        see_lamp(rule, devices[row.device_id], row, timers.get(row.device_id), now)
        for row in rows
        if devices[row.device_id].is_watched(now)
    ]
    standing = [alarm for alarm in look.book.live_of(rule.code) if alarm.state in ACTIVE]
    raised = {alarm.condition: alarm.raised_at for alarm in standing}
    return Street(rule, lamps, raised, frozenset(timers))


def _judge_cabinets(
    street: Street, findings: Sequence[Finding], now: datetime
) -> Iterator[Finding]:
    """Which cabinets' alarms are over, once the lamps were judged."""
    waiting = set(street.waiting)
    for found in findings:
        device_id = found.place.device_id if found.place else None
        if device_id is not None and isinstance(found.outcome, Start):
            waiting.add(device_id)
        elif device_id is not None and isinstance(found.outcome, Stop):
            waiting.discard(device_id)
    for condition in street.live:
        if condition.startswith(f"{CABINET}/"):
            left = sum(
                cabinet_condition(s.cabinet) == condition and s.device.id in waiting
                for s in street.lamps
            )
            yield from judge_cabinet(street.rule, condition, left, now)


def see_lamp(
    rule: LampRule, device: WatchedDevice, row: LampRow, dark_since: Timer | None, now: datetime
) -> Seen:
    """Judge one lamp by its newest values; `lamp_on` counts more than power. Pure."""
    fresh_from = now - FRESH_INTERVALS * timedelta(seconds=device.report_interval_s)
    dark, lit = Seen(device, LampState.OFF, dark_since=dark_since), False
    for ts, received_at, unlit, seen in _evidence(rule, device, row, dark_since):
        if ts is None or received_at is None or received_at < fresh_from:
            continue
        if not unlit:
            lit = True
        elif is_dark(ts, LonLat(device.lon, device.lat), rule.grace):
            return seen
    if lit and row.lamp_on != 0:
        return Seen(device, LampState.LIT, dark_since=dark_since)
    return dark


def _evidence(
    rule: LampRule, device: WatchedDevice, row: LampRow, since: Timer | None
) -> Iterator[tuple[datetime | None, datetime | None, bool, Seen]]:
    if row.lamp_on is not None:
        seen = Seen(
            device, LampState.DARK, "灯具关闭", "the lamp is off", row.lamp_on, None,
            row.lamp_on_at, row.lamp_on_received_at, since,
        )  # fmt: skip
        yield row.lamp_on_at, row.lamp_on_received_at, row.lamp_on == 0, seen
    rated = as_number(device.attributes.get("rated_power_w"))
    if row.power_w is not None and rated:
        level = 100.0 if row.dim_pct is None else row.dim_pct
        limit = rule.power_share * rated * level / 100
        zh = f"功率 {row.power_w:.0f} W,低于 {limit:.0f} W"
        en = f"{row.power_w:.0f} W is below {limit:.0f} W"
        seen = Seen(
            device, LampState.DARK, zh, en, row.power_w, limit,
            row.power_at, row.power_received_at, since,
        )  # fmt: skip
        yield row.power_at, row.power_received_at, row.power_w < limit, seen


def judge_lamps(
    rule: LampRule, lamps: Sequence[Seen], live: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """What follows for all lamps at hand; `live` maps conditions to when they were raised.

    A dark lamp waits for the on-delay. When it is over and the lamp's cabinet has enough dark
    lamps, waiting ones included, the cabinet gets one alarm instead of each lamp its own. Pure.
    """
    level = rule.levels[0]
    for seen in lamps:
        yield from _delay(rule, level, seen, live, now)
    dark = [s for s in lamps if s.state is LampState.DARK]
    cabinets: dict[str, list[Seen]] = {}
    for seen in dark:
        if seen.cabinet:
            cabinets.setdefault(seen.cabinet, []).append(seen)
    together = {c for c, members in cabinets.items() if len(members) >= rule.group_min}
    together |= {c for c in cabinets if cabinet_condition(c) in live}
    for cabinet in sorted(together):
        members = cabinets[cabinet]
        if cabinet_condition(cabinet) not in live and any(_is_ripe(s, level, now) for s in members):
            yield _cabinet_alarm(rule, cabinet, members, now)
    for seen in dark:
        condition = lamp_condition(rule, seen.device)
        if seen.cabinet in together or condition in live or not _is_ripe(seen, level, now):
            continue
        yield _lamp_alarm(rule, level, seen)


def judge_cabinet(
    rule: LampRule, condition: str, still_dark: int, now: datetime
) -> Iterator[Finding]:
    """It ends when fewer than half of the lamps that make an alarm are left dark. Pure."""
    if still_dark * 2 < rule.group_min:
        yield Finding(Clear(now), rule, condition=condition)


def cabinet_condition(cabinet: str) -> str:
    return f"{CABINET}/{cabinet}"


def lamp_condition(rule: LampRule, device: WatchedDevice) -> str:
    return f"{rule.condition}/{device.code}"


def _delay(
    rule: LampRule, level: Level, seen: Seen, live: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """Dark begins to count, lit ends it; by day a lamp without an alarm is forgotten."""
    place = place_of(seen.device, rule)
    covered = lamp_condition(rule, seen.device) in live
    in_cabinet = bool(seen.cabinet) and cabinet_condition(seen.cabinet) in live
    if seen.state is LampState.DARK and seen.dark_since is None:
        assert seen.ts is not None
        assert seen.received_at is not None
        timer = Timer(
            rule.code, seen.device.id, level.severity, seen.ts, seen.received_at,
            seen.ts + level.on_delay, lamp_reason(rule, seen),
        )  # fmt: skip
        yield Finding(Start(timer), rule, place)
    elif seen.state is LampState.LIT:
        if seen.dark_since is not None:
            yield Finding(Stop(level.severity), rule, place)
        if covered:
            yield Finding(Clear(now), rule, place)
    elif seen.state is LampState.OFF and seen.dark_since and not (covered or in_cabinet):
        yield Finding(Stop(level.severity), rule, place)


def _is_ripe(seen: Seen, level: Level, now: datetime) -> bool:
    if seen.dark_since is None:
        return not level.on_delay
    return seen.dark_since.started_at + level.on_delay <= now


def _lamp_alarm(rule: LampRule, level: Level, seen: Seen) -> Finding:
    began = seen.dark_since
    assert seen.ts is not None
    assert seen.received_at is not None
    outcome = Raise(
        level.severity,
        lamp_reason(rule, seen),
        began.started_at if began else seen.ts,
        began.received_at if began else seen.received_at,
    )
    return Finding(outcome, rule, place_of(seen.device, rule))


def _cabinet_alarm(rule: LampRule, cabinet: str, members: Sequence[Seen], now: datetime) -> Finding:
    """One alarm in the middle of the dark lamps, which are its children."""
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
        limit=float(rule.group_min),
        since=since,
        facts={
            "cabinet": cabinet,
            "children": sorted(s.device.code for s in members)[:CHILDREN_SHOWN],
        },
    )
    place = Place(
        cabinet, near.device.district, lon, lat, near.device.unit_grid,
        any(s.device.demo for s in members), None, rule.group_category,
    )  # fmt: skip
    received_at = min((t.received_at for t in began), default=now)
    outcome = Raise(rule.group_severity, reason, since, received_at)
    return Finding(outcome, rule, place, condition=cabinet_condition(cabinet))


def lamp_reason(rule: LampRule, seen: Seen) -> Reason:
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
