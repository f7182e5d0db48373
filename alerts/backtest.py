"""What rules would have raised on stored readings: the same judgement, nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.book import SYSTEM, AlarmBook, Page, condition_of
from alerts.course import judge_sample, run_out
from alerts.judge import Sample
from alerts.levels import levels_of
from alerts.lifecycle import Input
from alerts.reasons import from_json, sentence
from alerts.rules import Rule, Watch
from alerts.screen import applies_to
from city.alarm import Alarm, AlarmChangeKind, AlarmState
from city.device import WatchedDevice
from city.errors import InvalidInput
from db import evaluation, readings_past
from db.pool import Connection

ANNOUNCED = (AlarmChangeKind.RAISED, AlarmChangeKind.ESCALATED, AlarmChangeKind.RETRIPPED)


@dataclass(frozen=True, slots=True)
class WouldRaise:
    """An alarm that the rules would have raised; `cleared_at` None: still there at the end.

    `levels` are the moments at which people would have been told: the first one, and every rise.
    """

    device: str
    rule: str
    severity: str
    sensed_at: datetime
    cleared_at: datetime | None
    reason: dict[str, Any]
    text_zh: str
    text_en: str
    levels: list[dict[str, Any]]


def backtest(
    conn: Connection, rules: Rule | Sequence[Rule], from_: datetime, to: datetime
) -> list[WouldRaise]:
    """Judge the stored readings of [from_, to) by rules, whether or not they are in force."""
    rules = [rules] if isinstance(rules, Rule) else list(rules)
    for rule in rules:
        if rule.watch is not Watch.READING or rule.metric is None:
            raise InvalidInput("watch", rule.watch.value, "only rules on readings have a history")
    if from_ >= to:
        raise InvalidInput("from", from_, f"must be before {to.isoformat()}")
    devices = {d.id: d for d in evaluation.list_watched_devices(conn)}
    found: list[WouldRaise] = []
    for together in by_condition(rules).values():
        concerned = [i for i, d in devices.items() if any(applies_to(r, d) for r in together)]
        metrics = sorted({rule.metric.id for rule in together if rule.metric is not None})
        for device_id, past in readings_past.by_device(conn, metrics, sorted(concerned), from_, to):
            device = devices[device_id]
            mine = [rule for rule in together if applies_to(rule, device)]
            samples = (
                (rule, Sample(p.ts, p.received_at, p.value, p.quality))
                for p in past
                for rule in mine
                if rule.metric is not None and rule.metric.id == p.metric_id
            )
            found += replay_together(mine, device, samples, to)
    return sorted(found, key=lambda w: (w.sensed_at, w.device))


def by_condition(rules: Iterable[Rule]) -> Mapping[str, list[Rule]]:
    """Rules that measure the same hazard are judged together."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.condition, []).append(rule)
    return groups


def replay(
    rule: Rule, device: WatchedDevice, samples: Iterable[Sample], to: datetime
) -> list[WouldRaise]:
    """Alarms of one rule and device over samples in the order of their time. Pure."""
    return replay_together([rule], device, ((rule, sample) for sample in samples), to)


def replay_together(
    rules: Sequence[Rule],
    device: WatchedDevice,
    samples: Iterable[tuple[Rule, Sample]],
    to: datetime,
) -> list[WouldRaise]:
    """The same for rules that share a condition. Whoever is told acts at once: an alarm that
    clears is over, and the next one is another."""
    book = AlarmBook(to)
    for rule, sample in samples:
        judge_sample(book, rule, device, sample, [other for other in rules if other is not rule])
        _acknowledge(book, rule, device)
    for rule, _ in run_out(book, rules, device, to):
        _acknowledge(book, rule, device)
    return [_would_raise(page, device) for page in book.pages]


def _acknowledge(book: AlarmBook, rule: Rule, device: WatchedDevice) -> None:
    alarm = book.find(condition_of(rule, device.code))
    if alarm is not None and alarm.state is not AlarmState.ACKNOWLEDGED:
        book.act(alarm.condition, Input.ACKNOWLEDGE, SYSTEM)


def _would_raise(page: Page, device: WatchedDevice) -> WouldRaise:
    alarm = page.alarm
    reason = from_json(alarm.reason)
    return WouldRaise(
        device=device.code,
        rule=alarm.rule_code,
        severity=alarm.severity.name.lower(),
        sensed_at=alarm.sensed_at,
        cleared_at=alarm.cleared_at,
        reason=alarm.reason,
        text_zh=sentence(reason, "zh"),
        text_en=sentence(reason, "en"),
        levels=list(_levels(c.alarm for c in page.changes if c.kind in ANNOUNCED)),
    )


def _levels(announced: Iterable[Alarm]) -> Iterator[dict[str, Any]]:
    for alarm in announced:
        severity = levels_of(alarm).present or alarm.severity
        yield {"severity": severity.name.lower(), "at": from_json(alarm.reason).since}
