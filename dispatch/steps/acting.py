"""What people, and the clockwork, do to an incident."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.act_time import ActTime, SaidTime
from city.clock import ClockKind, Deadline, Pause
from city.errors import InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Action, Incident, IncidentState, Role, Source
from city.person import Caller, system_caller
from city.requests import ActionRequest
from db import alarm_changes, assignments, deadlines, incidents, places, squads
from db.districts import longest_phone_wait
from db.events import append_events
from db.pool import Connection
from db.scopes import refuse_outside
from dispatch.act_time import FIELD_ACTIONS, judge_time, last_step_at
from dispatch.changes import changed, end_of_pause, move_clocks, target_of
from dispatch.clocks import ClockChanges
from dispatch.guard import admit, admit_asking, needs_duty_chief
from dispatch.machine import TABLE, Step
from dispatch.recall import ALARM_AGAIN, ALARM_MERGED, RECALLS, SQUAD_OFF_DUTY
from dispatch.steps import merging
from dispatch.steps.loading import Loaded, load
from dispatch.steps.opening import NewMatter, open_incident
from dispatch.steps.telling import action_told, calendar_warnings, notices


def act(
    conn: Connection,
    caller: Caller,
    incident_id: int,
    request: ActionRequest,
    now: datetime,
    sent_at: datetime | None = None,
) -> None:
    """Do one action on one incident, or raise and change nothing. One that a duty chief has to
    let happen is refused: `waits_for_duty_chief` says so beforehand. `sent_at` is the phone's time
    of sending, where the request has its time of the act."""
    incident = lock(conn, caller, incident_id, request)
    append_events(conn, perform(conn, caller, incident, request, now, sent_at=sent_at))


def lock(conn: Connection, caller: Caller, incident_id: int, request: ActionRequest) -> Incident:
    """The incident, locked with the other one that the action is about."""
    other = None
    if request.action is Action.MERGE:
        other = request.into
    elif request.action is Action.UNMERGE:
        found = incidents.list_by_id(conn, [incident_id], caller.district)
        other = found[0].merged_into if found else None
    wanted = [incident_id] if other is None else [incident_id, other]
    locked = {i.id: i for i in incidents.lock(conn, wanted, caller.district)}
    if incident_id not in locked:
        raise NotFound("incident", incident_id)
    for incident in locked.values():
        refuse_outside(conn, caller.scope, incident)
    return locked[incident_id]


def waits_for_duty_chief(
    conn: Connection, caller: Caller, incident_id: int, request: ActionRequest, now: datetime
) -> Incident | None:
    """The locked incident, if another person has to let this happen, and it can be asked for now;
    None where it can be done at once. Refuses what cannot be done at all."""
    incident = lock(conn, caller, incident_id, request)
    step = TABLE.get((incident.state, request.action))
    if step is None or not needs_duty_chief(step, caller):
        return None
    admit_asking(incident, caller, request, load(conn, incident, now, request).facts, now)
    return incident


def act_approved(
    conn: Connection,
    asker: Caller,
    incident_id: int,
    request: ActionRequest,
    approved_by: str,
    now: datetime,
) -> list[NewEvent]:
    """What `asker` asked for and a duty chief lets happen; the events are the caller's to append.
    The version that the request names does not count."""
    incident = lock(conn, asker, incident_id, request)
    request = replace(request, version=incident.version)
    return perform(conn, asker, incident, request, now, approved_by)


def perform(
    conn: Connection,
    caller: Caller,
    incident: Incident,
    request: ActionRequest,
    now: datetime,
    approved_by: str = "",
    sent_at: datetime | None = None,
) -> list[NewEvent]:
    """The same on an incident that is locked already; gives the events to append."""
    loaded = load(conn, incident, now, request)
    step = admit(incident, caller, request, loaded.facts, now, approved_by)
    acted = _time_of(conn, caller, incident, request, now, sent_at)
    at = acted.at if acted else now
    noticed, looked_at = notice_clocks(conn, incident, loaded, now)
    loaded = replace(loaded, facts=replace(loaded.facts, deadlines=looked_at))
    to = target_of(step, incident)
    after = changed(incident, to, caller, request, at)
    incidents.update_incident(conn, after)
    moved = _move_clocks(conn, incident, request, step, loaded, now, at)
    done = Done(caller, incident, after, request, loaded, moved, now, approved_by)
    more = _follow_up(conn, done)
    known_until = loaded.terms.calendar.known_until.isoformat()
    return [
        *noticed,
        action_told(incident, after, caller, request, moved, now, approved_by, acted),
        *calendar_warnings(after, moved, known_until, caller, now),
        *more,
    ]


def _time_of(
    conn: Connection,
    caller: Caller,
    incident: Incident,
    request: ActionRequest,
    now: datetime,
    sent_at: datetime | None,
) -> ActTime | None:
    """When it was done, where the request says so; only a squad's own acts may."""
    if request.acted_at is None:
        return None
    if caller.role is not Role.SQUAD_LEADER or request.action not in FIELD_ACTIONS:
        problem = "is taken from a squad leader about what the squad did on the way and on site"
        raise InvalidInput("acted_at", request.acted_at.isoformat(), problem)
    ahead = request.clock_offset_ms
    offset = None if ahead is None else timedelta(milliseconds=ahead)
    said = SaidTime(request.acted_at, sent_at, offset)
    return judge_time(
        said, now, last_step_at(incident), longest_phone_wait(conn, incident.district)
    )


def recall(
    conn: Connection, incident_id: int, reason: str, device: str, now: datetime
) -> list[NewEvent]:
    """Put somebody on an incident on which an alarm has landed, as its state asks for.

    The row is locked by the caller. Where the squad has gone home, the centre sends another.
    """
    incident = incidents.find(conn, incident_id)
    system = system_caller(incident.district)
    action = RECALLS.get(incident.state)
    if action is None:
        return []
    request = ActionRequest(action, incident.version, reason=reason, note=device)
    events = perform(conn, system, incident, request, now)
    incident = incidents.find(conn, incident_id)
    if incident.squad is None or _is_on_duty(conn, incident, now):
        return events
    request = ActionRequest(Action.RETURN_BACK, incident.version, reason=SQUAD_OFF_DUTY)
    return [*events, *perform(conn, system, incident, request, now)]


def _is_on_duty(conn: Connection, incident: Incident, now: datetime) -> bool:
    local = now.astimezone(places.zone_of(conn, incident.district))
    found = squads.list_squads(conn, incident.district, incident.squad, near=now)
    return any(squad.is_on_duty(local) for squad in found)


def notice_clocks(
    conn: Connection, incident: Incident, loaded: Loaded, now: datetime
) -> tuple[list[NewEvent], list[Deadline]]:
    """Say once of each running clock what has become true of it, and store that it was said."""
    events, looked_at = notices(incident, loaded.facts.deadlines, loaded.terms, now)
    for before, after in zip(loaded.facts.deadlines, looked_at, strict=True):
        if after != before:
            deadlines.update_deadline(conn, after)
    return events, looked_at


def _move_clocks(
    conn: Connection,
    incident: Incident,
    request: ActionRequest,
    step: Step,
    loaded: Loaded,
    now: datetime,
    done_at: datetime,
) -> ClockChanges:
    terms = loaded.terms
    if request.action is Action.RESUME:
        terms = replace(terms, pauses=_end_pause(conn, incident.id, loaded, now))
    changes = move_clocks(request, step, loaded.facts, terms, now, done_at)
    for deadline in changes.changed:
        deadlines.update_deadline(conn, deadline)
    for deadline in changes.new:
        deadlines.insert_deadline(conn, deadline)
    return changes


def _end_pause(
    conn: Connection, incident_id: int, loaded: Loaded, now: datetime
) -> tuple[Pause, ...]:
    """End the open pause, on its resume date if we are late to notice; gives all pauses."""
    deadlines.end_pause(conn, incident_id, end_of_pause(loaded.facts.pauses, now))
    return tuple(row.as_pause() for row in deadlines.list_pauses(conn, incident_id))


@dataclass(frozen=True)
class Done:
    """An action that is stored, for what follows of it."""

    caller: Caller
    before: Incident
    after: Incident
    request: ActionRequest
    loaded: Loaded
    moved: ClockChanges
    now: datetime
    approved_by: str


def _follow_up(conn: Connection, done: Done) -> list[NewEvent]:
    """Rows of other tables that an action writes, and the events about other incidents."""
    before, after, request, now = done.before, done.after, done.request, done.now
    action = request.action
    if action in ENDS_ASSIGNMENT:
        assignments.end_assignment(conn, before.id, now, action.value)
    if action in STARTS_ASSIGNMENT:
        assert after.squad is not None
        attempt = handling_attempt(done.moved)
        assignments.start_assignment(conn, before.id, after.squad, done.caller.name, now, attempt)
    elif action in (Action.ACKNOWLEDGE, Action.ARRIVE):
        assignments.mark_assignment(conn, after)
    elif action is Action.SUSPEND:
        assert request.until is not None
        deadlines.insert_pause(
            conn, before.id, now, request.until, request.reason.strip(), done.approved_by
        )
    elif action is Action.CANCEL and before.state is IncidentState.SUSPENDED:
        deadlines.end_pause(conn, before.id, now)
    elif action is Action.MERGE:
        return _merge(conn, done)
    elif action is Action.UNMERGE:
        return _unmerge(conn, done)
    elif action is Action.SPLIT:
        return _split(conn, done)
    return []


def handling_attempt(moved: ClockChanges) -> int:
    """The attempt of the handling clock that a step has started."""
    return next(d.attempt for d in moved.new if d.kind is ClockKind.HANDLE)


ENDS_ASSIGNMENT = frozenset(
    {Action.RETURN_BACK, Action.REWORK, Action.CLOSE, Action.CANCEL, Action.MERGE}
)
STARTS_ASSIGNMENT = frozenset({Action.DISPATCH, Action.REWORK})


def _merge(conn: Connection, done: Done) -> list[NewEvent]:
    """What is late of the other case is said before it changes; somebody is put on it before the
    clocks are compared."""
    caller, merged, facts, now = done.caller, done.before, done.loaded.facts, done.now
    into = facts.target
    assert into is not None, "the guard asked for an open incident"
    late, _ = notice_clocks(conn, into, load(conn, into, now), now)
    absorbed = merging.absorb(conn, caller, merged, into, now)
    woken = []
    if facts.loud:
        named = ", ".join(alarm.device_code or alarm.condition for alarm in facts.loud)
        woken = recall(conn, into.id, ALARM_MERGED, named, now)
    carried = merging.carry_clocks(conn, caller, merged, done.loaded, done.moved, absorbed, now)
    return [*late, absorbed.event, *woken, *carried]


def _unmerge(conn: Connection, done: Done) -> list[NewEvent]:
    """Where an alarm that goes back stands, somebody is put on the case."""
    merged, now = done.before, done.now
    events = merging.give_back(conn, done.caller, merged, done.loaded, now)
    loud = [a for a in alarm_changes.list_alarms_of(conn, merged.id) if a.is_loud(now)]
    if not loud:
        return events
    named = ", ".join(alarm.device_code or alarm.condition for alarm in loud)
    return [*events, *recall(conn, merged.id, ALARM_AGAIN, named, now)]


def _split(conn: Connection, done: Done) -> list[NewEvent]:
    parent, request = done.before, done.request
    category = done.loaded.facts.new_category
    assert category is not None, "the guard asked for a category"
    matter = NewMatter(
        category=category,
        source=Source.SPLIT,
        state=IncidentState.FILED,
        severity=category.severity,
        at=parent.at,
        description=request.note.strip(),
        device_id=parent.device_id,
        split_from=parent.id,
        demo=parent.demo,
    )
    opened = open_incident(conn, done.caller, matter, done.now)
    assert opened is not None, "without a condition nothing stands in the way"
    return opened.events
