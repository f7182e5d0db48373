"""A case of the past in memory: what the steps would have written of it, had they been asked then.

Nothing is decided here that is not decided by the same functions for the cases of today: guard,
machine, clocks, escalation and the words of the event log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from city.alarm import Alarm, AlarmChangeKind, IncidentAlarm
from city.category import Category
from city.clock import Deadline, PauseRow
from city.event import NewEvent
from city.incident import Action, Assignment, Incident, IncidentState
from city.past import Deed, Matter, RowChange, Trip
from city.person import system_caller
from city.requests import ActionRequest
from city.squad import Squad
from db.alarm_changes import WaitingChange
from db.evidence import NewEvidence
from db.places import Place
from dispatch.changes import changed, end_of_pause, move_clocks, target_of
from dispatch.clocks import ClockChanges, Terms
from dispatch.gas import GasStanding, Watched, judge_gas
from dispatch.guard import Facts, admit
from dispatch.recall import SUSPENSION_ENDED
from dispatch.steps.acting import ENDS_ASSIGNMENT, STARTS_ASSIGNMENT, handling_attempt
from dispatch.steps.alarms import change_told, matter_of
from dispatch.steps.loading import ROUND_STAGES
from dispatch.steps.opening import NewMatter, first_clock, opening_told, row_of
from dispatch.steps.telling import action_told, calendar_warnings, evidence_told, notices

Value = TypeVar("Value")
# A number of a table, by its name.
Numbers = Callable[[str], int]


@dataclass(frozen=True)
class Rulebook:
    """What holds for all cases of a district."""

    zone: ZoneInfo
    terms: Callable[[int, Category], Terms]
    squads: dict[str, Squad]
    numbers: Numbers


@dataclass(frozen=True)
class Written:
    """Events of one transaction in their order, and the rows that it changed in theirs."""

    events: Sequence[NewEvent]
    rows: Sequence[RowChange]


@dataclass
class PastCase:
    """An incident with all its rows."""

    incident: Incident
    category: Category
    terms: Terms
    book: Rulebook
    deadlines: list[Deadline]
    pauses: list[PauseRow] = field(default_factory=list)
    assignments: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[tuple[int, NewEvidence]] = field(default_factory=list)
    alarms: list[IncidentAlarm] = field(default_factory=list)

    @property
    def next_moment(self) -> datetime | None:
        """When the clockwork next has something to say."""
        running = [d for d in self.deadlines if d.runs and d.paused_at is None]
        moments = [d.warn_at for d in running if d.warned_at is None]
        moments += [d.due_at for d in running if d.overdue_at is None]
        moments += [d.escalate_at for d in running if d.escalate_at is not None]
        moments += [p.resume_due_at for p in self.pauses if p.ended_at is None and p.resume_due_at]
        return min(moments, default=None)

    def act(self, deed: Deed) -> Written:
        """One deed; refused as it would be today."""
        now, before = deed.at, self.incident
        request = replace(deed.request, version=before.version)
        facts = self._facts(request, now)
        step = admit(before, deed.caller, request, facts, now, deed.approved_by)
        rows: list[RowChange] = []
        noticed = self._notice(now, rows)
        facts = with_values(facts, deadlines=tuple(self.deadlines))
        after = changed(before, target_of(step, before), deed.caller, request, now)
        self.incident = with_values(after, version=before.version + 1)
        rows.append(_row("incident", ("id",), vars(self.incident)))
        terms = self.terms
        if request.action is Action.RESUME:
            self._end_pause(now, rows)
            terms = self._with_pauses()
        moved = move_clocks(request, step, facts, terms, now)
        self._put_clocks(moved, rows)
        self._follow_up(after, deed, moved, rows)
        told = action_told(before, after, deed.caller, request, moved, now, deed.approved_by)
        known_until = terms.calendar.known_until.isoformat()
        warned = calendar_warnings(after, moved, known_until, deed.caller, now)
        return Written([*noticed, told, *warned], rows)

    def tick(self, now: datetime) -> Written:
        """What the clockwork says at this moment."""
        ends = [p.resume_due_at for p in self.pauses if p.ended_at is None and p.resume_due_at]
        if self.incident.state is IncidentState.SUSPENDED and ends and ends[0] <= now:
            return self.act(resumption(self.incident.district, now))
        rows: list[RowChange] = []
        return Written(self._notice(now, rows), rows)

    def hand_in(self, stage: str, content: bytes, media_type: str, deed: Deed) -> Written:
        """A file that is handed in for this deed."""
        number = self.book.numbers("evidence")
        new = evidence_of(self.incident, stage, content, media_type, deed)
        self.evidence.append((number, new))
        return Written([evidence_told(self.incident, deed.caller, new, number, None, ())], ())

    def note_alarm(self, trip: Trip, alarm: Alarm, kind: AlarmChangeKind, now: datetime) -> Written:
        """A change of the alarm that asks nobody to do anything."""
        self.alarms = [_as_joined(trip, alarm)]
        if not self.incident.is_open:
            return Written((), ())
        change = waiting_change(trip, alarm, kind)
        return Written([change_told(self.incident, change, "incident.alarm_changed", now)], ())

    def _facts(self, request: Any, now: datetime) -> Facts:
        since = self.incident.dispatched_at
        standing = [alarm for alarm in self.alarms if alarm.condition_stands]
        return Facts(
            category=self.category,
            deadlines=tuple(self.deadlines),
            pauses=tuple(self.pauses),
            evidence=frozenset(
                new.stage
                for _, new in self.evidence
                if new.stage not in ROUND_STAGES or since is None or new.uploaded_at >= since
            ),
            gas=self._gas(now),
            standing=standing,
            loud=standing,
            latched=[alarm for alarm in self.alarms if alarm.is_latched],
            local_now=now.astimezone(self.book.zone),
            squad=self.book.squads.get(request.squad or ""),
            assignments=[Assignment(**sent) for sent in self.assignments],
        )

    def _gas(self, now: datetime) -> GasStanding:
        period = timedelta(minutes=self.category.gas_free_minutes)
        # Its sensor reports, and nothing: that is why the alarm was cleared.
        watched = [
            Watched(
                device=alarm.device_code or "",
                stands=alarm.condition_stands,
                cleared_at=alarm.cleared_at,
                ended_at=alarm.ended_at,
                limit=alarm.reason.get("limit"),
                clear_limit=None,
                comparison="",
                readings=1,
                lowest=0.0,
                highest=0.0,
                newest_at=now,
                report_interval=timedelta(seconds=alarm.report_interval_s or 300),
            )
            for alarm in self.alarms
        ]
        needed = self.category.needs_release
        return judge_gas(needed, period, watched, self.incident.released_at, now)

    def _notice(self, now: datetime, rows: list[RowChange]) -> list[NewEvent]:
        terms = self._with_pauses()
        events, looked_at = notices(self.incident, self.deadlines, terms, now)
        for before, after in zip(self.deadlines, looked_at, strict=True):
            if after != before:
                rows.append(_row("deadline", ("id", "incident_id"), vars(after)))
        self.deadlines = looked_at
        return events

    def _with_pauses(self) -> Terms:
        closed = tuple(pause.as_pause() for pause in self.pauses if pause.ended_at is not None)
        return replace(self.terms, pauses=closed) if closed else self.terms

    def _end_pause(self, now: datetime, rows: list[RowChange]) -> None:
        ended_at = end_of_pause(self.pauses, now)
        for n, pause in enumerate(self.pauses):
            if pause.ended_at is None:
                self.pauses[n] = replace(pause, ended_at=ended_at)
                rows.append(_row("pause", ("id", "incident_id"), vars(self.pauses[n])))

    def _put_clocks(self, moved: ClockChanges, rows: list[RowChange]) -> None:
        by_id = {d.id: d for d in moved.changed}
        self.deadlines = [by_id.get(d.id, d) for d in self.deadlines]
        new = [with_values(d, id=self.book.numbers("deadline")) for d in moved.new]
        self.deadlines += new
        for deadline in (*moved.changed, *new):
            rows.append(_row("deadline", ("id", "incident_id"), vars(deadline)))

    def _follow_up(
        self, after: Incident, deed: Deed, moved: ClockChanges, rows: list[RowChange]
    ) -> None:
        action, now = deed.request.action, deed.at
        live = self.assignments[-1] if self.assignments else {"ended_at": now}
        if action in ENDS_ASSIGNMENT and live["ended_at"] is None:
            self._put_assignment({**live, "ended_at": now, "end_reason": action.value}, rows)
        if action in STARTS_ASSIGNMENT:
            self.assignments.append({})
            self._put_assignment(
                {
                    "id": self.book.numbers("assignment"), "incident_id": after.id,
                    "squad": after.squad, "assigned_by": deed.caller.name, "assigned_at": now,
                    "acknowledged_at": None, "arrived_at": None, "ended_at": None,
                    "end_reason": None, "attempt": handling_attempt(moved),
                },
                rows,
            )  # fmt: skip
        elif action in (Action.ACKNOWLEDGE, Action.ARRIVE):
            seen = {"acknowledged_at": after.acknowledged_at, "arrived_at": after.arrived_at}
            self._put_assignment({**live, **seen}, rows)
        elif action is Action.SUSPEND:
            pause = PauseRow(
                self.book.numbers("pause"), after.id, now, None, deed.request.until,
                deed.request.reason.strip(), deed.approved_by,
            )  # fmt: skip
            self.pauses.append(pause)
            rows.append(_row("pause", ("id", "incident_id"), vars(pause)))
        elif action is Action.CANCEL and self.pauses:
            self._end_pause(now, rows)

    def _put_assignment(self, row: dict[str, Any], rows: list[RowChange]) -> None:
        self.assignments[-1] = row
        rows.append(_row("assignment", ("id", "incident_id"), row))


def open_case(
    matter: Matter,
    category: Category,
    place: Place,
    book: Rulebook,
    now: datetime,
    alarm: Alarm | None = None,
) -> tuple[PastCase, Written]:
    """A matter becomes an incident: by its alarm, if it has one, else as somebody reports it."""
    new = _reported(matter, category)
    joined = []
    if matter.trip is not None and alarm is not None:
        change = waiting_change(matter.trip, alarm, AlarmChangeKind.RAISED)
        new = matter_of(change, category, None)
        joined = [_as_joined(matter.trip, alarm)]
    number = book.numbers("incident")
    local = now.astimezone(book.zone)
    caller = matter.caller
    incident = replace(
        row_of(new, place, caller, now),
        id=number,
        number=f"{caller.district}{local:%Y%m%d}{number % 100_000:05d}",
    )
    terms = book.terms(number, category)
    started = first_clock(new.state, terms, now)
    clocks = [replace(d, id=book.numbers("deadline")) for d in started.new]
    case = PastCase(incident, category, terms, book, clocks, alarms=joined)
    rows = [_row("incident", ("id",), vars(incident))]
    rows += [_row("deadline", ("id", "incident_id"), vars(d)) for d in clocks]
    if alarm is not None:
        link = {"alarm_id": alarm.id, "incident_id": number}
        rows.append(_row("incident_alarm", ("alarm_id",), link))
    return case, Written(opening_told(incident, new, started, terms, caller), rows)


def with_values(value: Value, **changes: Any) -> Value:
    """`dataclasses.replace` for a class without slots and checks, several times as fast."""
    other = object.__new__(type(value))
    other.__dict__.update(value.__dict__, **changes)
    return other


def _reported(matter: Matter, category: Category) -> NewMatter:
    return NewMatter(
        category=category,
        source=matter.source,
        state=matter.state,
        severity=category.severity,
        at=matter.at,
        description=matter.description,
        demo=True,
        told={"reporter": matter.reporter, "device": None},
    )


def resumption(district: str, now: datetime) -> Deed:
    """A suspension ends on its date."""
    request = ActionRequest(Action.RESUME, 0, reason=SUSPENSION_ENDED)
    return Deed(now, system_caller(district), request)


def evidence_of(
    incident: Incident, stage: str, content: bytes, media_type: str, deed: Deed
) -> NewEvidence:
    """The row of a file handed in a minute before the deed."""
    return NewEvidence(
        incident_id=incident.id,
        stage=stage,
        filename=f"{stage}.png",
        media_type=media_type,
        sha256=hashlib.sha256(content).digest(),
        content=content,
        taken_at=None,
        lon=None,
        lat=None,
        uploaded_by=deed.caller.name,
        uploaded_at=deed.at,
    )


def waiting_change(trip: Trip, alarm: Alarm, kind: AlarmChangeKind) -> WaitingChange:
    """The hand-over row of an alarm's change, as `db.alarm_changes` would claim it."""
    return WaitingChange(
        id=0,
        kind=kind.value,
        at=alarm.raised_at if kind is AlarmChangeKind.RAISED else max(_moments(alarm)),
        attempts=0,
        alarm_id=alarm.id,
        district=alarm.district,
        condition=alarm.condition,
        rule_code=alarm.rule_code,
        category=alarm.category,
        severity=int(alarm.severity),
        state=alarm.state.value,
        opens_incident=alarm.opens_incident,
        shelved_until=None,
        reason=alarm.reason,
        sensed_at=alarm.sensed_at,
        device_id=alarm.device_id,
        device_code=trip.device.code,
        device_name=trip.name,
        camera_event=None,
        lon=alarm.lon,
        lat=alarm.lat,
        demo=alarm.demo,
    )


def _moments(alarm: Alarm) -> list[datetime]:
    found = (alarm.raised_at, alarm.acknowledged_at, alarm.cleared_at, alarm.ended_at)
    return [moment for moment in found if moment is not None]


def _as_joined(trip: Trip, alarm: Alarm) -> IncidentAlarm:
    return IncidentAlarm(
        id=alarm.id,
        condition=alarm.condition,
        rule_code=alarm.rule_code,
        severity=int(alarm.severity),
        state=alarm.state.value,
        reason=alarm.reason,
        sensed_at=alarm.sensed_at,
        raised_at=alarm.raised_at,
        cleared_at=alarm.cleared_at,
        ended_at=alarm.ended_at,
        shelved_until=None,
        device_id=alarm.device_id,
        device_code=trip.device.code,
        report_interval_s=trip.device.report_interval_s,
        metric_id=None,
        comparison=None,
        clear_limit=None,
        clearing=False,
        release_role=alarm.release_role,
        releasable_at=alarm.releasable_at,
    )


def _row(table: str, key: tuple[str, ...], row: dict[str, Any]) -> RowChange:
    return RowChange(table, key, dict(row))
