"""The alarms at hand in one transaction: verdicts go in, changed alarms and timers come out.

Pure: nothing is stored here. `alerts.save` writes what the book holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.judge import Clear, Outcome, Raise, Standing, Start, Stop, Timer
from alerts.lifecycle import TABLE, Input, Move, Refusal, allowed_inputs
from alerts.reasons import as_json, from_json
from alerts.rules import Rule
from city.alarm import AlarmChangeKind, AlarmState, Severity
from city.errors import Conflict
from db.alarms import Alarm
from db.evaluation import WatchedDevice

SYSTEM = "system"
ACTIVE = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
Severities = dict[Severity | None, Timer]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alarm stands, and what its condition is named after."""

    name: str
    district: str
    lon: float
    lat: float
    unit_grid: str | None = None
    demo: bool = False
    device_id: int | None = None
    category: str | None = None  # the device's own incident category


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an alarm; `alarm` is what it was right after it."""

    kind: AlarmChangeKind
    at: datetime
    actor: str
    alarm: Alarm
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Page:
    """One alarm of the book; `alarm.id` is 0 while it is not stored."""

    alarm: Alarm
    changes: list[Change] = field(default_factory=list)


class AlarmBook:
    """Live alarms by condition, running timers by rule and device, and all changes to both."""

    def __init__(
        self, now: datetime, live: Iterable[Alarm] = (), timers: Iterable[Timer] = ()
    ) -> None:
        self.now = now
        self.pages: list[Page] = []
        self.started: dict[str, Timer] = {}
        self.stopped: set[str] = set()
        self._live: dict[str, Page] = {}
        self._timers: dict[tuple[str, int], Severities] = {}
        self.add(live, timers)

    def add(self, live: Iterable[Alarm], timers: Iterable[Timer] = ()) -> None:
        """Take further stored alarms and timers into the book; known ones stay as they are."""
        for alarm in live:
            if alarm.condition not in self._live:
                page = Page(alarm)
                self.pages.append(page)
                self._live[alarm.condition] = page
        for timer in timers:
            self._timers.setdefault((timer.rule_code, timer.device_id), {}).setdefault(
                timer.severity, timer
            )

    def find(self, condition: str) -> Alarm | None:
        """The live alarm of a condition."""
        page = self._live.get(condition)
        return page.alarm if page else None

    def live_of(self, rule_code: str) -> Iterator[Alarm]:
        """Live alarms that a rule raised, as far as they are in the book."""
        return (p.alarm for p in list(self._live.values()) if p.alarm.rule_code == rule_code)

    def standing(self, rule: Rule, device: WatchedDevice) -> Standing:
        """What `judge` needs to know before the next reading."""
        alarm = self.find(condition_of(rule, device.code))
        timers = self._timers.get((rule.code, device.id), {})
        if alarm is None or alarm.state not in ACTIVE:
            return Standing(timers=timers)
        return Standing(
            active=alarm.severity,
            owned=alarm.rule_code == rule.code,
            active_since=from_json(alarm.reason).since,
            timers=timers,
        )

    def timers_of(self, rule_code: str) -> dict[int, Severities]:
        """Running timers of a rule by device."""
        return {d: dict(t) for (code, d), t in self._timers.items() if code == rule_code and t}

    def apply(self, rule: Rule, device: WatchedDevice, outcome: Outcome) -> None:
        """Write one outcome of judging into the book."""
        if isinstance(outcome, Raise):
            self.raise_alarm(rule, place_of(device, rule), outcome)
        elif isinstance(outcome, Clear):
            alarm = self.find(condition_of(rule, device.code))
            if alarm is not None and alarm.rule_code == rule.code:
                self.clear(alarm.condition, outcome.at)
        elif isinstance(outcome, Start):
            self.start_timer(outcome.timer, device.code)
        elif isinstance(outcome, Stop):
            self.stop_timer(rule.code, device, outcome.severity)

    def raise_alarm(
        self,
        rule: Rule,
        place: Place,
        outcome: Raise,
        *,
        condition: str = "",
        camera_event: str | None = None,
        actor: str = SYSTEM,
    ) -> Alarm:
        """Open the alarm of a condition, or make the live one active or worse."""
        condition = condition or condition_of(rule, place.name)
        page = self._live.get(condition)
        if page is None:
            return self._open(rule, place, outcome, condition, camera_event, actor)
        alarm = page.alarm
        worse = outcome.severity < alarm.severity
        move = TABLE[alarm.state, Input.ESCALATE if worse else Input.RAISE]
        assert isinstance(move, Move), "rules are never refused"
        if move.change is None:
            return alarm
        changed = replace(
            alarm,
            state=move.to,
            severity=min(alarm.severity, outcome.severity),
            rule_code=rule.code,
            rule_version=rule.version,
            reason=as_json(outcome.reason),
            cleared_at=None,
            acknowledged_at=None,
            acknowledged_by=None,
        )
        self._record(page, changed, move.change, actor)
        if worse and page.alarm.shelved_until is not None:
            # What was muted was the milder alarm.
            loud = replace(page.alarm, shelved_until=None)
            self._record(page, loud, AlarmChangeKind.UNSHELVED, actor, {"why": "worse"})
        return page.alarm

    def clear(self, condition: str, at: datetime) -> None:
        """The condition of a live alarm is gone."""
        page = self._live.get(condition)
        if page is None:
            return
        move = TABLE[page.alarm.state, Input.CLEAR]
        if isinstance(move, Move) and move.change is not None:
            cleared = replace(page.alarm, state=move.to, cleared_at=at)
            self._record(page, cleared, move.change, SYSTEM)

    def act(
        self,
        condition: str,
        wanted: Input,
        actor: str,
        facts: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> Alarm:
        """What a person does to a live alarm; refused with what would be allowed."""
        page = self._live[condition]
        alarm = page.alarm
        move = TABLE[alarm.state, wanted]
        if isinstance(move, Refusal):
            raise refused(alarm, move.problem)
        assert move.change is not None, "what a person does always changes something"
        if wanted in (Input.ACKNOWLEDGE, Input.RESET):
            columns = {"acknowledged_at": self.now, "acknowledged_by": actor, **columns}
        changed = replace(alarm, state=move.to, **columns)
        self._record(page, changed, move.change, actor, facts)
        return page.alarm

    def start_timer(self, timer: Timer, device_code: str) -> None:
        """Begin an on-delay or off-delay."""
        self._timers.setdefault((timer.rule_code, timer.device_id), {})[timer.severity] = timer
        self.started[timer_key(timer.rule_code, device_code, timer.severity)] = timer

    def stop_timer(self, rule_code: str, device: WatchedDevice, severity: Severity | None) -> None:
        """End a delay, whether it ran out or was broken off."""
        key = timer_key(rule_code, device.code, severity)
        running = self._timers.get((rule_code, device.id), {})
        if running.pop(severity, None) is not None and self.started.pop(key, None) is None:
            self.stopped.add(key)

    def changes(self) -> int:
        """How many changes of alarms the book holds."""
        return sum(len(page.changes) for page in self.pages)

    def _open(
        self,
        rule: Rule,
        place: Place,
        outcome: Raise,
        condition: str,
        camera_event: str | None,
        actor: str,
    ) -> Alarm:
        move = TABLE[AlarmState.NORMAL, Input.RAISE]
        assert isinstance(move, Move)
        assert move.change is not None
        alarm = Alarm(
            id=0,
            district=place.district,
            condition=condition,
            rule_code=rule.code,
            rule_version=rule.version,
            category=place.category or rule.category,
            device_id=place.device_id,
            camera_event=camera_event,
            severity=outcome.severity,
            state=move.to,
            opens_incident=rule.opens_incident,
            reason=as_json(outcome.reason),
            sensed_at=outcome.sensed_at,
            received_at=outcome.received_at,
            raised_at=self.now,
            lon=place.lon,
            lat=place.lat,
            unit_grid=place.unit_grid,
            demo=place.demo,
            version=0,
        )
        page = Page(alarm)
        self.pages.append(page)
        self._live[condition] = page
        self._record(page, alarm, move.change, actor)
        return page.alarm

    def _record(
        self,
        page: Page,
        alarm: Alarm,
        kind: AlarmChangeKind,
        actor: str,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        if alarm.state is AlarmState.NORMAL:
            alarm = replace(alarm, ended_at=self.now, shelved_until=None)
            del self._live[alarm.condition]
        page.alarm = replace(alarm, version=page.alarm.version + 1)
        page.changes.append(Change(kind, self.now, actor, page.alarm, dict(facts or {})))


def condition_of(rule: Rule, name: str) -> str:
    """What is wrong where: rules that measure the same hazard share one condition."""
    return f"{rule.condition}/{name}"


def timer_key(rule_code: str, device_code: str, severity: Severity | None) -> str:
    return f"{rule_code}/{device_code}/{'off' if severity is None else int(severity)}"


def place_of(device: WatchedDevice, rule: Rule) -> Place:
    """A device's place; a device may name the incident category of its own kind."""
    own = device.attributes.get(rule.category_attribute) if rule.category_attribute else None
    return Place(
        name=device.code,
        district=device.district,
        lon=device.lon,
        lat=device.lat,
        unit_grid=device.unit_grid,
        demo=device.demo,
        device_id=device.id,
        category=own if isinstance(own, str) and own else None,
    )


def refused(alarm: Alarm, problem: str) -> Conflict:
    """The error of an action that does not fit; shows what is and what is allowed."""
    return Conflict(
        problem,
        current={
            "id": alarm.id,
            "state": alarm.state.value,
            "version": alarm.version,
            "severity": alarm.severity.value,
            "shelved_until": alarm.shelved_until,
        },
        allowed=allowed_inputs(alarm.state, shelved=alarm.shelved_until is not None),
    )
