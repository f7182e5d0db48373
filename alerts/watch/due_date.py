"""A date of the registry that has gone by: calibration is overdue, a detector is past its life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, ClassVar

from alerts.book import SYSTEM, AlarmBook, Finding, condition_of, place_of
from alerts.fields import Fields
from alerts.history import History
from alerts.judge import Clear, Raise
from alerts.levels import ACTIVE
from alerts.lifecycle import Input
from alerts.limits import is_about
from alerts.rules import Rule
from alerts.scope import WALL_CLOCK
from alerts.watch.kind import Kind, Look, one_level
from city.alarm import Reason
from city.device import WatchedDevice
from city.reading import METRICS
from db import alarms, evaluation
from db.pool import Connection

DATE_PASSED = "date_passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRule(Rule):
    """`attribute` of a device holds the last day that is in order, as YYYY-MM-DD."""

    attribute: str


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Devices by rule whose date has gone by, and those of which an alarm stands."""

    over: Mapping[str, Sequence[WatchedDevice]]
    live: Mapping[str, Sequence[WatchedDevice]]


class ServiceKind(Kind[ServiceRule, ServiceState]):
    """Fields of its own: `attribute`."""

    name = "service"
    sentences: ClassVar = {
        DATE_PASSED: ("已于 {day} 到期", "was due on {day}"),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> ServiceRule:
        attribute = fields.code("attribute")
        return ServiceRule(attribute=attribute, levels=one_level(fields), **common)

    def metrics(self, rule: ServiceRule) -> tuple[int, ...]:
        """Any: its past is that of the registry, at hand with readings."""
        return (METRICS["ch4_pct_lel"].id,)

    def read_ahead(
        self, conn: Connection, rules: Sequence[ServiceRule], now: datetime
    ) -> dict[tuple[str, int], list[WatchedDevice]]:
        """The devices whose date has gone by."""
        today = now.astimezone(WALL_CLOCK).date()
        past = {
            (rule.code, rule.version): evaluation.list_past_date(conn, rule.attribute, today)
            for rule in rules
        }
        every = {device_id for ids in past.values() for device_id in ids}
        devices = {d.id: d for d in evaluation.list_watched_devices(conn, sorted(every))}
        return {key: [devices[i] for i in ids if i in devices] for key, ids in past.items()}

    def load(self, conn: Connection, rules: Sequence[ServiceRule], look: Look) -> ServiceState:
        over, live = {}, {}
        look.book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code for rule in rules]))
        ahead = look.ahead.get(self.name) or self.read_ahead(conn, rules, look.now)
        for rule in rules:
            if (rule.code, rule.version) not in ahead:  # a newer one waits for the next look
                continue
            past = {d.id: d for d in ahead[rule.code, rule.version]}
            standing = {
                alarm.device_id
                for alarm in look.book.live_of(rule.code)
                if alarm.state in ACTIVE and alarm.device_id is not None
            }
            rest = sorted(standing - past.keys())
            found = [*past.values(), *(evaluation.list_watched_devices(conn, rest) if rest else ())]
            over[rule.code] = [
                d for d in past.values() if is_about(rule, d) and d.is_watched(look.now)
            ]
            live[rule.code] = [d for d in found if d.id in standing]
            conditions = [condition_of(rule, d.code) for d in over[rule.code]]
            look.book.add(alarms.list_live_alarms(conn, conditions=conditions))
        return ServiceState(over, live)

    def judge(
        self, rules: Sequence[ServiceRule], state: ServiceState, now: datetime
    ) -> Iterator[Finding]:
        for rule in rules:
            over, live = state.over.get(rule.code, ()), state.live.get(rule.code, ())
            for device in over:
                if device not in live and (day := due_day(rule, device)) is not None:
                    yield Finding(judge_date(rule, day), rule, place_of(device, rule))
            for device in live:
                if device not in over:
                    yield Finding(Clear(now), rule, place_of(device, rule))

    def is_about(self, rule: ServiceRule, alarm: Any, device: WatchedDevice | None) -> bool:
        return device is not None and is_about(rule, device)

    def past(
        self, rules: Sequence[ServiceRule], history: History, from_: datetime, to: datetime
    ) -> Iterator[AlarmBook]:
        for rule in rules:
            for device in history.devices.values():
                day = due_day(rule, device) if is_about(rule, device) else None
                if day is None:
                    continue
                raised = judge_date(rule, day)
                if raised.sensed_at <= to:
                    book, place = AlarmBook(raised.sensed_at), place_of(device, rule)
                    book.raise_alarm(rule, place, raised)
                    book.act(condition_of(rule, place.name), Input.ACKNOWLEDGE, SYSTEM)
                    yield book


def due_day(rule: ServiceRule, device: WatchedDevice) -> date | None:
    """The last day that is in order; None: the registry has none."""
    given = device.attributes.get(rule.attribute)
    try:
        return date.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        return None


def judge_date(rule: ServiceRule, day: date) -> Raise:
    """The alarm of a date that has gone by. Pure."""
    since = datetime.combine(day, time(23, 59, 59), WALL_CLOCK)
    facts = {"title_zh": rule.title_zh, "title_en": rule.title_en, "day": day.isoformat()}
    reason = Reason(DATE_PASSED, rule.code, rule.version, since=since, facts=facts)
    return Raise(rule.levels[0].severity, reason, since, since)
