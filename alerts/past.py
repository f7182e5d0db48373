"""An alarm of the past in memory, by the same book as those of today."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.book import AlarmBook, Change, Finding, place_of
from alerts.judge import Clear, Raise
from alerts.lamp_seen import LampRule, LampState, Seen
from alerts.lifecycle import Input
from alerts.limits import ReadingRule
from alerts.reasons import value_reason
from alerts.rules import Rule
from alerts.save import as_event
from alerts.watch.lamp import lamp_reason
from city.alarm import Alarm, AlarmChangeKind
from city.errors import InvalidInput
from city.event import NewEvent
from city.past import RowChange, Trip


@dataclass(frozen=True, slots=True)
class Noted:
    """One change of an alarm: the alarm after it, its event and its row."""

    kind: AlarmChangeKind
    alarm: Alarm
    event: NewEvent
    row: RowChange


def raise_alarm(trip: Trip, rule: Rule, alarm_id: int) -> Noted:
    """The alarm that a sensor's value raises."""
    book = AlarmBook(trip.raised_at)
    outcome = Raise(trip.severity, _reason(trip, rule), trip.sensed_at, trip.raised_at)
    book.take(Finding(outcome, rule, place_of(trip.device, rule)))
    return _noted(book, alarm_id)


def see_alarm(trip: Trip, alarm: Alarm) -> Noted:
    """Somebody at the desk acknowledges it."""
    book = AlarmBook(trip.seen_at, [alarm])
    book.act(alarm.condition, Input.ACKNOWLEDGE, trip.seen_by)
    return _noted(book, alarm.id)


def clear_alarm(trip: Trip, alarm: Alarm, rule: Rule) -> Noted:
    """Its sensor says that the condition is gone."""
    book = AlarmBook(trip.cleared_at, [alarm])
    book.take(Finding(Clear(trip.cleared_at), rule, place_of(trip.device, rule)))
    return _noted(book, alarm.id)


def _reason(trip: Trip, rule: Rule) -> Any:
    if isinstance(rule, ReadingRule):
        return value_reason(rule, trip.value, trip.limit, trip.sensed_at)
    if isinstance(rule, LampRule):
        zh = f"功率 {trip.value:.0f} W,低于 {trip.limit:.0f} W"
        en = f"{trip.value:.0f} W is below {trip.limit:.0f} W"
        seen = Seen(
            trip.device, LampState.FAULTY, zh, en, trip.value, trip.limit,
            trip.sensed_at, trip.sensed_at,
        )  # fmt: skip
        return lamp_reason(rule, seen)
    raise InvalidInput("rule", rule.code, "is not one that the past is told by")


def _noted(book: AlarmBook, alarm_id: int) -> Noted:
    page = book.pages[0]
    (change,) = page.changes
    alarm = replace(page.alarm, id=alarm_id)
    event = as_event(alarm_id, Change(change.kind, change.at, change.actor, alarm, change.facts))
    return Noted(change.kind, alarm, event, RowChange("alarm", ("id",), as_row(alarm)))


def as_row(alarm: Alarm) -> dict[str, Any]:
    """The alarm's row; it was stored when it was raised."""
    fields: dict[str, Any] = {name: getattr(alarm, name) for name in Alarm.__dataclass_fields__}
    return {**fields, "committed_at": alarm.raised_at}


def moment_of(noted: Noted) -> datetime:
    return noted.event.at
