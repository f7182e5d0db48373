"""What rules would have raised on what is stored: the same judgement and book, nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.book import Page
from alerts.known import load_rules
from alerts.levels import levels_of
from alerts.reasons import from_json
from alerts.rules import Rule
from alerts.sentences import sentence
from alerts.watch import KINDS
from city.alarm import Alarm, AlarmChangeKind
from city.device import WatchedDevice
from city.errors import InvalidInput
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
    """What would have been in [from_, to) by rules, whether or not they are in force.

    Rules in force that share a condition with one of these are judged beside it, because an alarm
    ends when none of its rules stands; alarms in which none of these had a part are left out.
    """
    asked = {rule.code: rule for rule in ([rules] if isinstance(rules, Rule) else rules)}
    if from_ >= to:
        raise InvalidInput("from", from_, f"must be before {to.isoformat()}")
    found: list[WouldRaise] = []
    for (_, kind), together in by_condition(asked, load_rules(conn, to)).items():
        for device, book in KINDS[kind].past(conn, together, from_, to):
            found += [
                would_raise(page, device)
                for page in book.pages
                if not asked.keys().isdisjoint(page.levels.steps)
            ]
    return sorted(found, key=lambda w: (w.sensed_at, w.device))


def by_condition(
    asked: Mapping[str, Rule], in_force: Mapping[str, Rule]
) -> Mapping[tuple[str, str], list[Rule]]:
    """The rules asked about and those beside them that raise the same condition in the same way,
    by condition and kind; a rule that is asked about takes the place of its version in force."""
    groups: dict[tuple[str, str], list[Rule]] = {}
    for rule in asked.values():
        groups.setdefault((rule.condition, rule.watch), []).append(rule)
    for rule in in_force.values():
        if rule.code not in asked and (rule.condition, rule.watch) in groups:
            groups[rule.condition, rule.watch].append(rule)
    return groups


def would_raise(page: Page, device: WatchedDevice) -> WouldRaise:
    """A page of a book as people read it."""
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
