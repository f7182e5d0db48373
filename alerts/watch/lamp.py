"""Lamps that should be lit and are not, or burn by day: one alarm a lamp, or one for the whole
cabinet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from alerts import signals
from alerts.book import SYSTEM, AlarmBook, Finding, Place, place_of
from alerts.fields import Fields
from alerts.history import History, Series, merged, moment
from alerts.judge import Clear, Raise, Start, Stop, Timer
from alerts.lamp_orders import NO_ORDERS, LampOrders, load_lamp_orders
from alerts.lamp_seen import (
    FRESH_INTERVALS,
    LampFault,
    LampRule,
    LampState,
    Seen,
    burning_codes,
    dark_codes,
    see_burning,
    see_lamp,
)
from alerts.levels import ACTIVE
from alerts.lifecycle import Input
from alerts.limits import is_about
from alerts.rules import SEVERITIES, Level
from alerts.save import timer_from
from alerts.watch.kind import Kind, Look, one_level
from city.alarm import AlarmState, Reason
from city.device import LampRow, WatchedDevice
from city.place import LonLat
from city.reading import METRICS
from city.sun import is_dark
from db import alarms, evaluation, lamp_programmes, rule_timers
from db.pool import Connection

LAMP_DARK, LAMPS_DARK = "lamp_dark", "lamps_dark_in_cabinet"
LAMP_BURNS, LAMPS_BURN = "lamp_burns_by_day", "lamps_burn_in_cabinet"
# Lamps named in a cabinet's reason; the number of all of them is its value.
CHILDREN_SHOWN = 200
LAMP_METRICS = ("lamp_on", "power_w", "dim_pct")
# The sun sets this much later at one edge of a large city than in its middle, at most.
ACROSS_THE_CITY = timedelta(minutes=5)
# By night all lamps are lit: whether one should be is asked when it has just said so.
JUST_SAID = timedelta(seconds=30)


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
        LAMP_BURNS: (
            "白天应熄未熄:{shown_zh}",
            "should be dark by day and is lit: {shown_en}",
        ),
        LAMPS_BURN: (
            "配电箱 {cabinet} 有 {value} 盏灯白天未熄",
            "{value} lamps of cabinet {cabinet} are lit by day",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> LampRule:
        return LampRule(
            fault=LampFault(fields.one_of("fault", list(LampFault), default=LampFault.DARK)),
            grace=fields.seconds("grace_s", high=7200),
            power_share=fields.number("power_share", low=0.01, high=1),
            group_min=int(fields.number("group_min", low=2, high=10_000)),
            group_severity=SEVERITIES[fields.one_of("group_severity", list(SEVERITIES))],
            group_category=fields.text("group_category"),
            levels=one_level(fields),
            **common,
        )

    def read_ahead(
        self, conn: Connection, rules: Sequence[LampRule], now: datetime
    ) -> dict[tuple[str, int], list[Seen] | None]:
        return {(rule.code, rule.version): _see_lamps(conn, rule, now) for rule in rules}

    def load(self, conn: Connection, rules: Sequence[LampRule], look: Look) -> list[Street]:
        ahead = look.ahead.get(self.name) or self.read_ahead(conn, rules, look.now)
        found = [
            _load_street(conn, rule, ahead[rule.code, rule.version], look)
            for rule in rules
            if (rule.code, rule.version) in ahead  # a newer one waits for the next look
        ]
        return [street for street in found if street is not None]

    def judge(
        self, rules: Sequence[LampRule], state: Sequence[Street], now: datetime
    ) -> Iterator[Finding]:
        for street in state:
            yield from judge_street(street, now)

    def conditions(self, rule: LampRule) -> tuple[str, ...]:
        return (rule.condition, rule.of_cabinets)

    def metrics(self, rule: LampRule) -> tuple[int, ...]:
        return tuple(METRICS[name].id for name in LAMP_METRICS)

    def prepared(self, conn: Connection, history: History, begin: datetime) -> History:
        orders = load_lamp_orders(conn, history.devices.values(), begin, history.until)
        return replace(history, lamp_levels=orders.levels, lamp_held_on=orders.held_on)

    def past(
        self, rules: Sequence[LampRule], history: History, from_: datetime, to: datetime
    ) -> Iterator[AlarmBook]:
        for rule in rules:
            yield from lamps_of_the_past(rule, history, to)


def _see_lamps(conn: Connection, rule: LampRule, now: datetime) -> list[Seen] | None:
    """The lamps that look faulty, when they are looked for, and those that the rule is concerned
    with already; without since when they are. None: nothing is looked for, and nothing is left."""
    timers = rule_timers.list_timers_of_rule(conn, rule.code)
    waiting = {row.device_id for row in timers}
    concerned = waiting | alarms.list_devices_in_alarm(conn, rule.code)
    dark, lit_since = _looked_for(conn, rule, now)
    if not (dark or lit_since or concerned):
        return None
    rows = evaluation.list_lamps(
        conn, sorted(rule.kinds), rule.power_share,
        dark=dark, lit_since=lit_since, watched=sorted(concerned),
    )  # fmt: skip
    devices = {d.id: d for d in evaluation.list_watched_devices(conn, [r.device_id for r in rows])}
    orders = NO_ORDERS
    if rule.fault is LampFault.DAY_BURN:
        orders = load_lamp_orders(conn, devices.values(), now, now)
    known = History(devices, {}, now, lamp_levels=orders.levels, lamp_held_on=orders.held_on)
    see = see_lamp if rule.fault is LampFault.DARK else partial(see_burning, history=known)
    lamps = []
    for row in rows:
        device = devices[row.device_id]
        if device.is_watched(now) and is_about(rule, device):
            lamps.append(see(rule, device, row, None, now))
        elif device.is_watched(now) and device.id in waiting:  # left the bounds of the rule
            lamps.append(Seen(device, LampState.OFF))
    if rule.fault is LampFault.DARK:
        lamps = as_ordered(lamps, _orders_of_dark(conn, lamps, now))
    return lamps


def _load_street(
    conn: Connection, rule: LampRule, lamps: Sequence[Seen] | None, look: Look
) -> Street | None:
    """With what stands of the rule now."""
    if lamps is None:
        return None
    timers = {
        row.device_id: timer_from(row) for row in rule_timers.list_timers_of_rule(conn, rule.code)
    }
    look.book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code]), timers.values())
    seen = [replace(one, dark_since=timers.get(one.device.id)) for one in lamps]
    standing = [alarm for alarm in look.book.live_of(rule.code) if alarm.state in ACTIVE]
    raised = {alarm.condition: alarm.raised_at for alarm in standing}
    return Street(rule, seen, raised, frozenset(timers))


def _looked_for(conn: Connection, rule: LampRule, now: datetime) -> tuple[bool, datetime | None]:
    """Whether dark lamps are looked for, and since when lit ones have said so that are: at an edge
    of the city it may be time."""
    centre = evaluation.find_centre(conn)
    if centre is None:
        return False, None
    middle = LonLat(centre[1], centre[2])
    if rule.fault is LampFault.DARK:
        return is_dark(now, middle, max(rule.grace - ACROSS_THE_CITY, timedelta(0))), None
    # By night a lamp may have to be dark by its programme only.
    if is_dark(now, middle, ACROSS_THE_CITY) and not lamp_programmes.is_any_followed(conn):
        return False, None
    return False, now - JUST_SAID


def _orders_of_dark(conn: Connection, lamps: Sequence[Seen], now: datetime) -> LampOrders:
    dark = [seen.device for seen in lamps if seen.state is LampState.FAULTY]
    return load_lamp_orders(conn, dark, now, now) if dark else NO_ORDERS


def as_ordered(lamps: Sequence[Seen], orders: LampOrders) -> list[Seen]:
    """A lamp that is dark because it was told to be is as it should be. Pure."""
    return [
        replace(seen, state=LampState.OFF)
        if seen.state is LampState.FAULTY and seen.ts and orders.is_off(seen.device.id, seen.ts)
        else seen
        for seen in lamps
    ]


def judge_street(street: Street, now: datetime) -> list[Finding]:
    """What follows for lamps and cabinets. Where the alarm of a cabinet ends, the lamps that it
    covered are judged as their own at once: by the next look they may be otherwise. Pure."""
    rule = street.rule
    findings = list(judge_lamps(rule, street.lamps, street.live, now))
    ended = list(_judge_cabinets(street, findings, now))
    over = {found.condition for found in ended}
    left = [
        seen
        for seen in street.lamps
        if seen.cabinet
        and cabinet_condition(rule, seen.cabinet) in over
        and seen.state is not LampState.FINE
    ]
    live = {condition: at for condition, at in street.live.items() if condition not in over}
    again = judge_lamps(rule, left, live, now)
    return [*findings, *ended, *(f for f in again if isinstance(f.outcome, Raise | Stop))]


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
        if condition.startswith(f"{street.rule.of_cabinets}/"):
            left = sum(
                cabinet_condition(street.rule, s.cabinet) == condition and s.device.id in waiting
                for s in street.lamps
            )
            yield from judge_cabinet(street.rule, condition, left, now)


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
    dark = [s for s in lamps if s.state is LampState.FAULTY]
    cabinets: dict[str, list[Seen]] = {}
    for seen in dark:
        if seen.cabinet:
            cabinets.setdefault(seen.cabinet, []).append(seen)
    together = {c for c, members in cabinets.items() if len(members) >= rule.group_min}
    together |= {c for c in cabinets if cabinet_condition(rule, c) in live}
    for cabinet in sorted(together):
        members = cabinets[cabinet]
        if cabinet_condition(rule, cabinet) not in live and any(
            _is_ripe(s, level.on_delay, now) for s in members
        ):
            yield _cabinet_alarm(rule, cabinet, members, now)
    for seen in dark:
        condition = lamp_condition(rule, seen.device)
        if (
            seen.cabinet in together
            or condition in live
            or not _is_ripe(seen, _alone(seen, level), now)
        ):
            continue
        yield _lamp_alarm(rule, level, seen)


def judge_cabinet(
    rule: LampRule, condition: str, still_dark: int, now: datetime
) -> Iterator[Finding]:
    """It ends when fewer than half of the lamps that make an alarm are left dark. Pure."""
    if still_dark * 2 < rule.group_min:
        yield Finding(Clear(now), rule, condition=condition)


def cabinet_condition(rule: LampRule, cabinet: str) -> str:
    return f"{rule.of_cabinets}/{cabinet}"


def lamp_condition(rule: LampRule, device: WatchedDevice) -> str:
    return f"{rule.condition}/{device.code}"


def _delay(
    rule: LampRule, level: Level, seen: Seen, live: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """Dark begins to count, lit ends it; by day a lamp without an alarm is forgotten."""
    place = place_of(seen.device, rule)
    covered = lamp_condition(rule, seen.device) in live
    in_cabinet = bool(seen.cabinet) and cabinet_condition(rule, seen.cabinet) in live
    if seen.state is LampState.FAULTY and seen.dark_since is None:
        assert seen.ts is not None
        assert seen.received_at is not None
        timer = Timer(
            rule.code, seen.device.id, level.severity, seen.ts, seen.received_at,
            seen.ts + _alone(seen, level), lamp_reason(rule, seen),
        )  # fmt: skip
        yield Finding(Start(timer), rule, place)
    elif seen.state is LampState.FINE:
        if seen.dark_since is not None:
            yield Finding(Stop(level.severity), rule, place)
        if covered:
            yield Finding(Clear(now), rule, place)
    elif seen.state is LampState.OFF and seen.dark_since and not (covered or in_cabinet):
        yield Finding(Stop(level.severity), rule, place)


def _alone(seen: Seen, level: Level) -> timedelta:
    """How long a lamp must be dark to be an alarm of its own: until the others of its cabinet have
    spoken, too, or one outage would be an alarm a lamp and one of the cabinet."""
    if not seen.cabinet:
        return level.on_delay
    return max(level.on_delay, timedelta(seconds=seen.device.report_interval_s))


def _is_ripe(seen: Seen, delay: timedelta, now: datetime) -> bool:
    if seen.dark_since is None:
        return not delay
    return seen.dark_since.started_at + delay <= now


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
        code=LAMPS_DARK if rule.fault is LampFault.DARK else LAMPS_BURN,
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
    return Finding(outcome, rule, place, condition=cabinet_condition(rule, cabinet))


def lamp_reason(rule: LampRule, seen: Seen) -> Reason:
    """Why a lamp counts as dark, or as lit by day."""
    by_power = seen.limit is not None
    return Reason(
        code=LAMP_DARK if rule.fault is LampFault.DARK else LAMP_BURNS,
        rule=rule.code,
        rule_version=rule.version,
        metric="power_w" if by_power else "lamp_on",
        value=seen.value,
        limit=seen.limit,
        unit="W" if by_power else "0/1",
        since=seen.ts,
        facts={"shown_zh": seen.shown_zh, "shown_en": seen.shown_en, "cabinet": seen.cabinet},
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """From `at` on a lamp is seen like this."""

    at: datetime
    seen: Seen


def lamps_of_the_past(rule: LampRule, history: History, to: datetime) -> Iterator[AlarmBook]:
    """The alarms of lamps and cabinets, by the judgement of today at every moment at which a lamp
    is seen otherwise or a delay runs out. One book a cabinet; lamps without one have their own."""
    cabinets: dict[str, list[Turn]] = {}
    for device in history.devices.values():
        if not is_about(rule, device):
            continue
        turns = turns_of(rule, device, history)
        if any(turn.seen.state is LampState.FAULTY for turn in turns):
            name = turns[0].seen.cabinet or f"/{device.code}"
            cabinets.setdefault(name, []).extend(turns)
    for name in sorted(cabinets):
        yield _street_of_the_past(rule, sorted(cabinets[name], key=lambda turn: turn.at), to)


def turns_of(rule: LampRule, device: WatchedDevice, history: History) -> list[Turn]:
    """How a lamp was seen, from the first change to the last: as `see_lamp` and `see_burning` see
    it, as arrays."""
    on, power, dim = (history.of(device.id, METRICS[n].id) for n in LAMP_METRICS)
    if not len(on) and not len(power):
        return []
    fresh_us = FRESH_INTERVALS * device.report_interval_s * 1_000_000
    heard = merged([part for part in (on, power) if len(part)])
    stale = heard[:-1][np.diff(heard) > fresh_us] + fresh_us + 1
    ts_us = np.union1d(heard, np.append(stale, heard[-1] + fresh_us + 1))
    if rule.fault is LampFault.DAY_BURN:
        newest = [signals.last_known(p.ts_us, p.value, ts_us, fresh_us) for p in (on, power)]
        code = burning_codes(rule, device, ts_us, newest[0], newest[1], history)
    else:
        code = dark_codes(rule, device, ts_us, (on, power, dim), history)
    changed = np.flatnonzero(np.append(True, code[1:] != code[:-1]))
    return [
        _turn(rule, device, int(ts_us[row]), int(code[row]), (on, power, dim), history)
        for row in changed
    ]


def _turn(
    rule: LampRule,
    device: WatchedDevice,
    at_us: int,
    code: int,
    parts: Sequence[Series],
    history: History,
) -> Turn:
    at = moment(at_us)
    if code != 2:
        return Turn(at, Seen(device, LampState.FINE if code else LampState.OFF))
    newest = [_newest(part, at_us) for part in parts]
    (on, on_at, on_received), (watts, watts_at, watts_received), (dim, _, _) = newest
    row = LampRow(
        device.id, on, on_at, on_received, watts, watts_at, watts_received, dim
    )  # fmt: skip
    if rule.fault is LampFault.DAY_BURN:
        return Turn(at, see_burning(rule, device, row, None, at, history))
    return Turn(at, see_lamp(rule, device, row, None, at))


def _newest(series: Series, at_us: int) -> tuple[float | None, datetime | None, datetime | None]:
    place = int(np.searchsorted(series.ts_us, at_us, side="right")) - 1
    if place < 0:
        return None, None, None
    received_us = int(max(series.received_us[place], series.ts_us[place]))
    return float(series.value[place]), moment(int(series.ts_us[place])), moment(received_us)


def _street_of_the_past(rule: LampRule, turns: Sequence[Turn], to: datetime) -> AlarmBook:
    book = AlarmBook(to)
    lamps: dict[int, Seen] = {}
    due: list[datetime] = []
    waiting = list(reversed(turns))
    while waiting or due:
        now = min([*(turn.at for turn in waiting[-1:]), *due[:1]])
        if now > to:
            break
        while waiting and waiting[-1].at <= now:
            seen = waiting.pop().seen
            before = lamps.get(seen.device.id)
            since = before.dark_since if before else None
            lamps[seen.device.id] = replace(seen, dark_since=since)
        while due and due[0] <= now:
            heappop(due)
        book.now = now
        for found in _look_back(rule, list(lamps.values()), book, now):
            book.take(found)
            device_id = found.place.device_id if found.place else None
            if isinstance(found.outcome, Start) and device_id is not None:
                timer = found.outcome.timer
                lamps[device_id] = replace(lamps[device_id], dark_since=timer)
                for at in (timer.started_at + rule.levels[0].on_delay, timer.due_at):
                    heappush(due, at)
            elif isinstance(found.outcome, Stop) and device_id is not None:
                lamps[device_id] = replace(lamps[device_id], dark_since=None)
        for page in book.pages:
            if page.alarm.state not in (AlarmState.ACKNOWLEDGED, AlarmState.NORMAL):
                book.act(page.alarm.condition, Input.ACKNOWLEDGE, SYSTEM)
    return book


def _look_back(
    rule: LampRule, lamps: Sequence[Seen], book: AlarmBook, now: datetime
) -> list[Finding]:
    standing = [alarm for alarm in book.live_of(rule.code) if alarm.state in ACTIVE]
    live = {alarm.condition: alarm.raised_at for alarm in standing}
    waiting = frozenset(s.device.id for s in lamps if s.dark_since is not None)
    return judge_street(Street(rule, lamps, live, waiting), now)
