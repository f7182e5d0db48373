"""Alarms whose rules were changed, narrowed or retired: what stands on, and what nobody judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.book import AlarmBook
from alerts.course import judge_sample, lead_of, run_out
from alerts.judge import Raise, Sample, Standing, Start, Timer, judge
from alerts.late import in_order
from alerts.levels import Levels, levels_of
from alerts.limits import ReadingRule, on_readings, others
from alerts.rules import Rule
from alerts.watch import KINDS
from city.alarm import Alarm
from city.device import WatchedDevice
from db import alarms, evaluation, readings_past
from db.pool import Connection
from db.readings_past import Around, MetricReading

Rules = Mapping[str, Rule]

# Why a rule holds an alarm no longer, as it is stored and said.
RETIRED = "the rule is no longer in force"
OTHER_CONDITION = "the rule is about another condition now"
OUT_OF_SCOPE = "the rule is not about this device any more"
DEVICE_RETIRED = "the device was retired"
NOT_REACHED = "by its new terms the rule would not raise it"


@dataclass(frozen=True, slots=True)
class Orphan:
    """An alarm that none of its rules holds any more, and why."""

    alarm: Alarm
    rule: str
    because: str
    gas: bool

    @property
    def facts(self) -> dict[str, Any]:
        """What the event log says of its end."""
        why = "device_retired" if self.because == DEVICE_RETIRED else "rule_changed"
        return {"why": why, "of_rule": self.rule, "because": self.because}


@dataclass(frozen=True, slots=True)
class Kept:
    """An alarm that stands on, at other levels."""

    alarm: Alarm
    levels: Levels


def look_for_orphans(
    conn: Connection, after: Rules, now: datetime, changed: Collection[str] = ()
) -> list[Orphan | Kept]:
    """Judge the alarms that stand by the rules of `after`.

    An alarm is an orphan if no rule can ever end it; where another rule would raise the same
    condition by the stored readings, it stands on. What the rules `changed` hold must be raised
    by their new terms, too.
    """
    active = [alarm for alarm in alarms.list_active(conn) if alarm.camera_event is None]
    ids = sorted({alarm.device_id for alarm in active if alarm.device_id is not None})
    devices = {d.id: d for d in evaluation.list_watched_devices(conn, ids)} if ids else {}
    concerned = [
        alarm
        for alarm in active
        if _lost(alarm, after, devices) or not set(levels_of(alarm).standing).isdisjoint(changed)
    ]
    if not concerned:
        return []
    gas = evaluation.list_gas_categories(conn)
    mine = [_rules_of(alarm, devices.get(alarm.device_id or 0), after) for alarm in concerned]
    stored = _list_stored(conn, concerned, mine)
    found: list[Orphan | Kept] = []
    for number, (alarm, rules) in enumerate(zip(concerned, mine, strict=True)):
        device = devices.get(alarm.device_id or 0)
        lost = _lost(alarm, after, devices)
        replayed = _replay(device, rules, stored.get(number, ()), now)
        levels = _levels_after(alarm, rules, replayed, lost, changed, now)
        if levels.present is not None:
            found += [Kept(alarm, levels)] if levels != levels_of(alarm) else []
            continue
        rule, because = next(iter(lost.items()), (alarm.rule_code, NOT_REACHED))
        is_gas = alarm.category in gas or (device is not None and device.kind == "gas")
        found.append(Orphan(alarm, rule, because, is_gas))
    return found


def why_unfit(rule: Rule | None, alarm: Alarm, device: WatchedDevice | None) -> str | None:
    """Why a rule can never end an alarm that it holds; None: it can."""
    if device is not None and device.retired_at is not None:
        return DEVICE_RETIRED
    if rule is None:
        return RETIRED
    kind = KINDS[rule.watch]
    if alarm.condition.split("/", 1)[0] not in kind.conditions(rule):
        return OTHER_CONDITION
    return None if kind.is_about(rule, alarm, device) else OUT_OF_SCOPE


def is_due_still(rule: ReadingRule, timer: Timer, device: WatchedDevice) -> bool:
    """Whether an on-delay that began under other terms would begin under these."""
    if timer.severity is None or timer.reason.value is None:
        return True
    sample = Sample(timer.started_at, timer.received_at, timer.reason.value)
    return any(
        (isinstance(outcome, Start) and outcome.timer.severity == timer.severity)
        or (isinstance(outcome, Raise) and outcome.severity <= timer.severity)
        for outcome in judge(rule, device.id, device.attributes, Standing(), sample)
    )


def _lost(alarm: Alarm, after: Rules, devices: Mapping[int, WatchedDevice]) -> dict[str, str]:
    """Rules that hold the alarm and can never end it, with the reason."""
    device = devices.get(alarm.device_id or 0)
    found = {code: why_unfit(after.get(code), alarm, device) for code in levels_of(alarm).standing}
    return {code: because for code, because in found.items() if because is not None}


def _levels_after(
    alarm: Alarm,
    mine: Sequence[ReadingRule],
    replayed: Levels | None,
    lost: Collection[str],
    changed: Collection[str],
    now: datetime,
) -> Levels:
    """The levels that the rules in force hold the alarm at, as the stored readings say."""
    levels = levels_of(alarm)
    for code in levels.standing:
        if code in lost:
            levels = levels.with_step(code, now, None)
    if replayed is None:
        return levels
    for rule in mine:
        level, stands = replayed.of(rule.code), levels.of(rule.code)
        if stands is None and level is not None:
            levels = levels.with_step(rule.code, now, level)
        elif stands is not None and rule.code in changed and (level is None or level > stands):
            levels = levels.with_step(rule.code, now, level)  # what is worse, a reading will tell
    return levels


def _rules_of(alarm: Alarm, device: WatchedDevice | None, after: Rules) -> list[ReadingRule]:
    return [rule for rule in on_readings(after.values()) if why_unfit(rule, alarm, device) is None]


def _list_stored(
    conn: Connection, concerned: Sequence[Alarm], rules: Sequence[Sequence[ReadingRule]]
) -> dict[int, list[MetricReading]]:
    """The readings since each alarm began, of the metrics of its rules, by the alarm's place."""
    around, places = [], []
    for place, (alarm, mine) in enumerate(zip(concerned, rules, strict=True)):
        if alarm.device_id is None or not mine:
            continue
        lead = lead_of(mine)
        for metric_id in sorted({rule.metric.id for rule in mine}):
            around.append(Around(alarm.device_id, metric_id, alarm.sensed_at, lead))
            places.append(place)
    stored: dict[int, list[MetricReading]] = defaultdict(list)
    for number, reading in readings_past.list_around(conn, around):
        stored[places[number]].append(reading)
    return stored


def _replay(
    device: WatchedDevice | None,
    rules: Sequence[ReadingRule],
    stored: Sequence[MetricReading],
    now: datetime,
) -> Levels | None:
    """What the readings since the alarm began come to; None where none are stored."""
    if device is None or not stored:
        return None
    return follow_rules(rules, device, in_order(rules, stored, []), now)


def follow_rules(
    rules: Sequence[ReadingRule],
    device: WatchedDevice,
    samples: Iterable[tuple[ReadingRule, Sample]],
    now: datetime,
) -> Levels:
    """The levels that rules of one condition come to by `now`. Pure."""
    book = AlarmBook(now)
    for rule, sample in samples:
        judge_sample(book, rule, device, sample, others(rule, rules))
    for _ in run_out(book, rules, device, now, device_clock=False):
        pass
    return book.levels(f"{rules[0].condition}/{device.code}")
