"""The alarms at hand in one transaction: findings go in, changed alarms and timers come out.

The one place where an outcome becomes an alarm: of a batch, of a late reading, of a look around,
of a person's word, of a backtest. Pure: nothing is stored here, `alerts.save` writes what the book
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.judge import Clear, Ease, Outcome, Raise, Standing, Start, Timer
from alerts.levels import ACTIVE, Levels, levels_of
from alerts.levels import as_json as levels_json
from alerts.lifecycle import HELD, TABLE, Input, Move, Refusal, allowed_inputs
from alerts.limits import LimitRule
from alerts.openings import is_opening, memory_of
from alerts.reasons import as_json
from alerts.rules import Rule
from city.alarm import Alarm, AlarmChangeKind, AlarmState, Inhibition, Severity
from city.device import WatchedDevice
from city.errors import Conflict
from city.permit import Noted, Span, covered

SYSTEM = "system"
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
class Inhibit:
    """An alarm that is not announced, because another one explains it; no alarm of the book."""

    inhibition: Inhibition


@dataclass(frozen=True, slots=True)
class Finding:
    """What judging found: an outcome, by which rule, and of what.

    A `Clear` without a rule is about all that hold the alarm. `condition` is given where it is not
    named after the rule and the place.
    """

    outcome: Outcome | Inhibit
    rule: Rule | None
    place: Place | None = None
    condition: str = ""
    camera_event: str | None = None
    actor: str = SYSTEM

    @property
    def key(self) -> str:
        """The condition of the alarm that this is about."""
        if self.condition or self.rule is None or self.place is None:
            return self.condition
        return condition_of(self.rule, self.place.name)


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
    levels: Levels = field(default_factory=Levels)
    changes: list[Change] = field(default_factory=list)
    touched: bool = False  # its levels moved, which may be no change that anybody is told

    def step(self, rule_code: str, at: datetime, severity: Severity | None) -> None:
        """A rule comes to a level, or leaves the alarm."""
        self.put(self.levels.with_step(rule_code, at, severity))

    def put(self, levels: Levels) -> None:
        if levels != self.levels:
            self.levels, self.touched = levels, True
            self.alarm = replace(self.alarm, levels=levels_json(levels))


class AlarmBook:
    """Live alarms by condition, running timers by rule and device, and all changes to both.

    `latches` is off where the past is judged: nobody is there who would release an alarm.
    """

    def __init__(
        self,
        now: datetime,
        live: Iterable[Alarm] = (),
        timers: Iterable[Timer] = (),
        *,
        latches: bool = True,
    ) -> None:
        self.now = now
        self._latches = latches
        self.pages: list[Page] = []
        self.started: dict[str, Timer] = {}
        self.stopped: set[str] = set()
        # Work permits by device, and what would have been an alarm without them, by condition.
        self.permits: Mapping[int, Sequence[Span]] = {}
        self.noted: dict[str, Noted] = {}
        # A reading is covered by when it was sensed, what is seen at a look by the time of it.
        self.permits_at: datetime | None = None
        self._live: dict[str, Page] = {}
        self._timers: dict[tuple[str, int], Severities] = {}
        self.add(live, timers)

    def add(self, live: Iterable[Alarm], timers: Iterable[Timer] = ()) -> None:
        """Take further stored alarms and timers into the book; known ones stay as they are."""
        for alarm in live:
            if alarm.condition not in self._live:
                page = Page(alarm, levels_of(alarm))
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
        """Live alarms that a rule holds, as far as they are in the book."""
        pages = list(self._live.values())
        return (page.alarm for page in pages if page.levels.of(rule_code) is not None)

    def levels(self, condition: str) -> Levels:
        """At which level each rule holds the live alarm of a condition."""
        page = self._live.get(condition)
        return page.levels if page else Levels()

    def standing(self, rule: Rule, device: WatchedDevice) -> Standing:
        """What `judge` needs to know before the next reading."""
        levels = self.levels(condition_of(rule, device.code))
        timers = self._timers.get((rule.code, device.id), {})
        level = levels.of(rule.code)
        if level is None:
            return Standing(timers=timers)
        again = levels.is_again(rule.code)
        return Standing(level, levels.since(rule.code), again, timers)

    def running(
        self, rules: Iterable[LimitRule], device: WatchedDevice
    ) -> Sequence[tuple[LimitRule, Timer]]:
        """The delays of these rules that run for the device."""
        if not self._timers:
            return ()
        return [
            (rule, timer)
            for rule in rules
            for timer in self._timers.get((rule.code, device.id), {}).values()
        ]

    def apply(self, rule: Rule, device: WatchedDevice, outcome: Outcome) -> None:
        """Take in one outcome of judging a device."""
        self.take(Finding(outcome, rule, place_of(device, rule)))

    def take(self, found: Finding) -> None:
        """Take in what was found: an alarm is raised, eased or cleared, a delay begins or ends."""
        outcome, rule, place = found.outcome, found.rule, found.place
        if isinstance(outcome, Clear):
            self.clear(found.key, outcome.at, None if rule is None else rule.code)
        elif isinstance(outcome, Inhibit):
            return
        elif rule is None or place is None:
            raise ValueError(f"{outcome} is of no rule or place")
        elif isinstance(outcome, Raise):
            self.raise_alarm(
                rule, place, outcome,
                condition=found.condition, camera_event=found.camera_event, actor=found.actor,
            )  # fmt: skip
        elif isinstance(outcome, Ease):
            page = self._live.get(found.key)
            if page is not None and page.levels.of(rule.code) is not None:
                page.step(rule.code, outcome.at, outcome.severity)
        elif isinstance(outcome, Start):
            self.start_timer(outcome.timer, place.name)
        elif place.device_id is not None:
            self._stop(rule.code, place.name, place.device_id, outcome.severity)

    def raise_alarm(
        self,
        rule: Rule,
        place: Place,
        outcome: Raise,
        *,
        condition: str = "",
        camera_event: str | None = None,
        actor: str = SYSTEM,
    ) -> Alarm | None:
        """Open the alarm of a condition, or let the live one know that the rule stands.

        Told is every rise of the alarm's level; what another rule has raised already is not. What
        a work permit covers is noted only; None: no alarm stands.
        """
        condition = condition or condition_of(rule, place.name)
        page = self._live.get(condition)
        if self._is_permitted(rule, place, outcome, condition):
            return page.alarm if page else None
        if page is None:
            return self._open(rule, place, outcome, condition, camera_event, actor)
        latched = self._latch(page.alarm, rule)
        if latched is not page.alarm:
            page.alarm, page.touched = latched, True
        own, before = page.levels.of(rule.code), page.levels.present
        if own is not None and own <= outcome.severity:
            return page.alarm
        page.step(rule.code, outcome.sensed_at, outcome.severity)
        if before is None or outcome.severity < before:
            self._announce(page, rule, outcome, actor)
        elif members := outcome.reason.facts.get("members"):
            self.note(condition, {"members": members})
        return page.alarm

    def _is_permitted(self, rule: Rule, place: Place, outcome: Raise, condition: str) -> bool:
        spans = self.permits.get(place.device_id or 0)
        at = self.permits_at or outcome.sensed_at
        span = covered(spans, at, memory_of(rule)) if spans and is_opening(rule) else None
        if span is None or place.device_id is None:
            return False
        self.noted[condition] = Noted(
            span, place.device_id, place.district, condition, outcome.sensed_at,
            as_json(outcome.reason),
        )  # fmt: skip
        return True

    def note(self, condition: str, facts: Mapping[str, Any]) -> None:
        """Something more is known of a live alarm; told to nobody."""
        page = self._live[condition]
        known = page.alarm.reason.get("facts", {})
        reason = {**page.alarm.reason, "facts": {**known, **facts}}
        page.alarm, page.touched = replace(page.alarm, reason=reason), True

    def announce(self, condition: str, rule: Rule, outcome: Raise) -> None:
        """Tell a rise that was found after the fact; the levels are put right by `put_levels`."""
        self._announce(self._live[condition], rule, outcome, SYSTEM)

    def put_levels(
        self, condition: str, levels: Levels, *, cleared_at: datetime | None = None
    ) -> None:
        """Levels of a live alarm, and when it was cleared; told to nobody."""
        page = self._live[condition]
        page.put(levels)
        if cleared_at is not None:
            page.alarm, page.touched = replace(page.alarm, cleared_at=cleared_at), True

    def hand_over(self, condition: str, levels: Levels, holder: Rule) -> None:
        """The alarm stands on at these levels, under `holder` if its rule does not hold it."""
        page = self._live[condition]
        page.put(levels)
        if levels.of(page.alarm.rule_code) is None:
            page.alarm = replace(page.alarm, rule_code=holder.code, rule_version=holder.version)

    def clear(self, condition: str, at: datetime, rule_code: str | None = None) -> None:
        """A rule no longer holds the live alarm of a condition (None: no rule does).

        The alarm's condition is gone when the last of its rules has left it.
        """
        page = self._live.get(condition)
        if page is None or page.alarm.state not in ACTIVE:
            return
        leaving = page.levels.standing if rule_code is None else [rule_code]
        for code in leaving:
            if page.levels.of(code) is not None:
                page.step(code, at, None)
        if page.levels.present is None:
            self._leave(page, Input.CLEAR, at)

    def withdraw(self, condition: str, facts: Mapping[str, Any]) -> None:
        """No rule judges the condition of a live alarm any more; a person has yet to see it."""
        page = self._live[condition]
        for code in page.levels.standing:
            page.step(code, self.now, None)
        self._leave(page, Input.WITHDRAW, self.now, facts)

    def _leave(
        self,
        page: Page,
        wanted: Input,
        at: datetime,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        if page.alarm.latch_s is not None:
            wanted = Input.LATCH
        move = TABLE[page.alarm.state, wanted]
        if isinstance(move, Move) and move.change is not None:
            changed = replace(page.alarm, state=move.to, cleared_at=at)
            if wanted is Input.WITHDRAW:
                changed = replace(changed, acknowledged_at=None, acknowledged_by=None)
            if wanted is Input.LATCH:
                # By our clock: that of the device proves nothing about how long it is gone.
                due = self.now + timedelta(seconds=page.alarm.latch_s or 0)
                changed = replace(changed, releasable_at=due)
                facts = {**(facts or {}), "releasable_at": due.isoformat()}
            self._record(page, changed, move.change, SYSTEM, facts)

    def _latch(self, alarm: Alarm, rule: Rule) -> Alarm:
        """Of the rules that hold an alarm the strictest says how it is released, until it is."""
        if not self._latches or rule.gas_free is None:
            return alarm
        wait_s = round(rule.gas_free.total_seconds())
        if alarm.latch_s is not None and alarm.latch_s >= wait_s:
            return alarm
        return replace(alarm, latch_s=wait_s, release_role=rule.release_role)

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
        if wanted in (Input.ACKNOWLEDGE, Input.RESET, Input.END):
            columns = {"acknowledged_at": self.now, "acknowledged_by": actor, **columns}
        changed = replace(alarm, state=move.to, **columns)
        self._record(page, changed, move.change, actor, facts)
        return page.alarm

    def run_out(self, condition: str) -> None:
        """The shelving of a live alarm is over; one whose condition stands is announced again."""
        page = self._live[condition]
        move = TABLE[page.alarm.state, Input.EXPIRE]
        assert isinstance(move, Move), "time is never refused"
        assert move.change is not None
        changed = replace(page.alarm, state=move.to, shelved_until=None)
        if move.to in ACTIVE:
            changed = replace(
                changed, announced_at=self.now, acknowledged_at=None, acknowledged_by=None
            )
        self._record(page, changed, move.change, SYSTEM, {"why": "time"})

    def start_timer(self, timer: Timer, device_code: str) -> None:
        """Begin an on-delay or off-delay."""
        self._timers.setdefault((timer.rule_code, timer.device_id), {})[timer.severity] = timer
        self.started[timer_key(timer.rule_code, device_code, timer.severity)] = timer

    def stop_timer(self, rule_code: str, device: WatchedDevice, severity: Severity | None) -> None:
        """End a delay, whether it ran out or was broken off."""
        self._stop(rule_code, device.code, device.id, severity)

    def _stop(self, rule_code: str, code: str, device_id: int, severity: Severity | None) -> None:
        key = timer_key(rule_code, code, severity)
        running = self._timers.get((rule_code, device_id), {})
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
            announced_at=self.now,
            version=0,
        )
        page = Page(self._latch(alarm, rule))
        page.step(rule.code, outcome.sensed_at, outcome.severity)
        self.pages.append(page)
        self._live[condition] = page
        self._record(page, page.alarm, move.change, actor)
        return page.alarm

    def _announce(self, page: Page, rule: Rule, outcome: Raise, actor: str) -> None:
        """The condition came back or became worse: it is new to everybody."""
        alarm = self._latch(page.alarm, rule)
        worse = outcome.severity < alarm.severity
        move = TABLE[alarm.state, Input.ESCALATE if worse else Input.RAISE]
        assert isinstance(move, Move), "rules are never refused"
        assert move.change is not None
        facts = {**_carried(alarm), **outcome.reason.facts}
        changed = replace(
            alarm,
            state=move.to,
            severity=min(alarm.severity, outcome.severity),
            rule_code=rule.code,
            rule_version=rule.version,
            reason=as_json(replace(outcome.reason, facts=facts)),
            announced_at=self.now,
            cleared_at=None,
            releasable_at=None,
            acknowledged_at=None,
            acknowledged_by=None,
        )
        self._record(page, changed, move.change, actor)
        if alarm.shelved_until is not None and outcome.severity < _muted(alarm):
            # What was muted was the milder condition.
            loud = replace(page.alarm, shelved_until=None)
            self._record(page, loud, AlarmChangeKind.UNSHELVED, actor, {"why": "worse"})

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


def _carried(alarm: Alarm) -> dict[str, Any]:
    """What is known of the condition itself, whichever rule tells of it."""
    known = alarm.reason.get("facts", {})
    return {"members": known["members"]} if known.get("members") else {}


def _muted(alarm: Alarm) -> Severity:
    return alarm.severity if alarm.shelved_severity is None else alarm.shelved_severity


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
            **({"releasable_at": alarm.releasable_at} if alarm.state in HELD else {}),
        },
        allowed=allowed_inputs(alarm.state, shelved=alarm.shelved_until is not None),
    )
