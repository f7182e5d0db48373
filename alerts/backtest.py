"""What rules would have raised on a history: the same judgement and book, nothing written.

`judge_history` is pure: rules and columns of readings in, alarms out, whatever the readings were
read from. `backtest` reads them from the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.book import AlarmBook, Page
from alerts.cause import likely_cause
from alerts.fold import fold, track_of
from alerts.history import History
from alerts.history_rows import load_history
from alerts.known import load_rules
from alerts.levels import levels_of
from alerts.limits import LimitRule
from alerts.openings import is_opening
from alerts.reasons import from_json
from alerts.rules import Rule
from alerts.sentences import sentence
from alerts.watch import KINDS
from alerts.watch.kind import LimitKind
from city.alarm import Alarm, AlarmChangeKind
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.permit import Span, covered
from db.pool import Connection

GAS = "gas"
ANNOUNCED = (AlarmChangeKind.RAISED, AlarmChangeKind.ESCALATED, AlarmChangeKind.RETRIPPED)


@dataclass(frozen=True, slots=True)
class WouldRaise:
    """An alarm that the rules would have raised; `cleared_at` None: still there at the end.

    `levels` are the moments at which people would have been told: the first one, and every rise.
    `device` is what the alarm is named after, a device or a cabinet; `members` are the devices of
    an alarm that speaks for several.
    """

    device: str
    rule: str
    severity: str  # the worst that it reached
    sensed_at: datetime
    cleared_at: datetime | None
    reason: dict[str, Any]
    text_zh: str
    text_en: str
    levels: list[dict[str, Any]]
    condition: str = ""
    rule_version: int = 0
    raised_at: datetime | None = None
    members: tuple[str, ...] = ()
    likely_cause: str | None = None


def has_history(rule: Rule) -> bool:
    """Whether rules of its kind can be tried on readings of the past."""
    return bool(KINDS[rule.watch].metrics(rule))


def judge_history(
    rules: Sequence[Rule], history: History, *, only: Iterable[str] | None = None
) -> list[WouldRaise]:
    """What these rules would have raised on these readings, by time. Rules without a history are
    left out; `only` leaves out alarms in which none of the rules of these codes had a part."""
    asked = None if only is None else set(only)
    by_code = {device.code: device for device in history.devices.values()}
    found = [
        with_cause(would_raise(page), by_code, history)
        for book in books_of(rules, history)
        for page in book.pages
        if asked is None or not asked.isdisjoint(page.levels.steps)
    ]
    return sorted(found, key=lambda w: (w.raised_at or w.sensed_at, w.condition, w.device))


def books_of(rules: Sequence[Rule], history: History) -> Iterator[AlarmBook]:
    """The alarms of the past: rules with limits that share a condition are judged together."""
    limits: dict[str, list[LimitRule]] = defaultdict(list)
    others: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for rule in rules:
        if isinstance(rule, LimitRule):
            limits[rule.condition].append(rule)
        elif has_history(rule):
            others[rule.watch, rule.condition].append(rule)
    for together in limits.values():
        yield from _fold_together(together, history)
    for (watch, _), alike in others.items():
        yield from KINDS[watch].past(alike, history, history.until, history.until)


def _fold_together(rules: Sequence[LimitRule], history: History) -> Iterator[AlarmBook]:
    concerned: dict[int, list[LimitRule]] = defaultdict(list)
    for rule in rules:
        for device_id in _kind(rule).reaching(rule, history):
            concerned[device_id].append(rule)
    for device_id, mine in sorted(concerned.items()):
        device = history.devices[device_id]
        tracks = [
            track
            for rule in mine
            if (track := track_of(rule, device, _kind(rule).derive(rule, device, history)))
        ]
        if tracks:
            yield fold(tracks, device, history.until)


def _kind(rule: LimitRule) -> LimitKind[Any, Any]:
    kind = KINDS[rule.watch]
    assert isinstance(kind, LimitKind)
    return kind


def by_condition(asked: Mapping[str, Rule], in_force: Mapping[str, Rule]) -> list[Rule]:
    """The rules asked about and those beside them that raise the same condition; a rule that is
    asked about takes the place of its version in force."""
    conditions = {rule.condition for rule in asked.values()}
    beside = [
        rule
        for rule in in_force.values()
        if rule.code not in asked and rule.condition in conditions and has_history(rule)
    ]
    return [*asked.values(), *beside]


def refuse_without_history(rules: Iterable[Rule]) -> None:
    """An error that names the first rule that no readings of the past can be asked about."""
    for rule in rules:
        if not has_history(rule):
            raise InvalidInput(
                f"{rule.code}: watch", rule.watch, "rules of this kind have no history"
            )


def less_permitted(
    found: Sequence[WouldRaise], rules: Iterable[Rule], spans: Mapping[str, Sequence[Span]]
) -> list[WouldRaise]:
    """The alarms without what work permits make notes of: a cover that is open under one is an
    alarm only if it still is a minute after it. `spans` are by device. Pure."""
    opening = {rule.code for rule in rules if is_opening(rule)}
    left = []
    for one in found:
        began = one.raised_at or one.sensed_at
        span = covered(spans.get(one.device, ()), began) if one.rule in opening else None
        if span is None:
            left.append(one)
        elif one.cleared_at is None or one.cleared_at > span.over_at:
            levels = [{**level, "at": max(level["at"], span.over_at)} for level in one.levels]
            left.append(replace(one, raised_at=span.over_at, levels=levels))
    return left


def would_raise(page: Page) -> WouldRaise:
    """A page of a book as people read it."""
    alarm = page.alarm
    reason = from_json(alarm.reason)
    kind, _, name = alarm.condition.partition("/")
    facts = reason.facts
    return WouldRaise(
        device=name,
        rule=alarm.rule_code,
        severity=alarm.severity.name.lower(),
        sensed_at=alarm.sensed_at,
        cleared_at=alarm.cleared_at,
        reason=alarm.reason,
        text_zh=sentence(reason, "zh"),
        text_en=sentence(reason, "en"),
        levels=list(_levels(c.alarm for c in page.changes if c.kind in ANNOUNCED)),
        condition=GROUPS.get(kind, kind),
        rule_version=alarm.rule_version,
        raised_at=alarm.raised_at,
        members=members_of(page),
        likely_cause=facts.get("likely_cause"),
    )


def with_cause(
    found: WouldRaise, by_code: Mapping[str, WatchedDevice], history: History
) -> WouldRaise:
    """A gas alarm with what may have made the gas, as it was known when it was worst."""
    device = by_code.get(found.device)
    if found.condition != GAS or device is None or not found.levels:
        return found
    cause = likely_cause(device, history, found.levels[-1]["at"])
    return replace(found, likely_cause=cause.tag)


# Conditions that are called otherwise by those who ask what is wrong.
GROUPS = {"lamp-cabinet": "lamp", "day_burn-cabinet": "day_burn"}


def members_of(page: Page) -> tuple[str, ...]:
    """The devices that an alarm spoke for at any time."""
    found: set[str] = set()
    for alarm in (page.alarm, *(change.alarm for change in page.changes)):
        facts = alarm.reason.get("facts", {})
        found.update(facts.get("members", ()), facts.get("children", ()))
    return tuple(sorted(found))


def _levels(announced: Iterable[Alarm]) -> Iterator[dict[str, Any]]:
    for alarm in announced:
        severity = levels_of(alarm).present or alarm.severity
        yield {"severity": severity.name.lower(), "at": alarm.announced_at}


def as_json(found: WouldRaise) -> dict[str, Any]:
    """As `gridwarden rules backtest --json` prints it; the names are an interface."""
    return {
        "device": found.device,
        "members": list(found.members),
        "rule": found.rule,
        "rule_version": found.rule_version,
        "condition": found.condition,
        "severity": found.severity,
        "levels": found.levels,
        "raised_at": found.raised_at,
        "sensed_at": found.sensed_at,
        "cleared_at": found.cleared_at,
        "likely_cause": found.likely_cause,
        "reason": found.reason,
        "text_zh": found.text_zh,
        "text_en": found.text_en,
    }


def backtest(
    conn: Connection, rules: Rule | Sequence[Rule], from_: datetime, to: datetime
) -> list[WouldRaise]:
    """What would have been in [from_, to) by rules, whether or not they are in force.

    Rules in force that share a condition with one of these are judged beside it, because an alarm
    ends when none of its rules stands; alarms in which none of these had a part are left out.
    """
    asked = {rule.code: rule for rule in ([rules] if isinstance(rules, Rule) else rules)}
    if from_ >= to:
        raise InvalidInput("from", from_, f"must be before {to.isoformat()}")
    refuse_without_history(asked.values())
    together = by_condition(asked, load_rules(conn, to))
    return judge_history(together, load_history(conn, together, from_, to), only=asked)


@dataclass(frozen=True, slots=True)
class Difference:
    """Alarms that only one of two sets of rules raises."""

    gained: Sequence[WouldRaise]
    lost: Sequence[WouldRaise]


def compare(one: Sequence[WouldRaise], other: Sequence[WouldRaise]) -> Difference:
    """What the one raises and the other does not, and the reverse. Alarms of one condition and
    device that stood at one time are the same alarm. Pure."""
    return Difference(
        gained=[a for a in one if not any(_same(a, b) for b in other)],
        lost=[b for b in other if not any(_same(b, a) for a in one)],
    )


def _same(one: WouldRaise, other: WouldRaise) -> bool:
    if one.condition != other.condition:
        return False
    if {one.device, *one.members}.isdisjoint({other.device, *other.members}):
        return False
    began, ended = one.raised_at or one.sensed_at, one.cleared_at
    other_began, other_ended = other.raised_at or other.sensed_at, other.cleared_at
    return (other_ended is None or began <= other_ended) and (ended is None or other_began <= ended)
