"""What people, and the clockwork, do to an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from city.clock import Deadline, Pause
from city.errors import NotFound
from city.event import NewEvent
from city.incident import Action, Incident, IncidentState, Source
from city.person import Caller, system_caller
from city.requests import ActionRequest
from db import alarm_changes, assignments, deadlines, incidents, places, squads
from db.events import append_events
from db.pool import Connection
from dispatch.changes import changed, end_of_pause, move_clocks, target_of
from dispatch.clocks import ClockChanges
from dispatch.guard import admit
from dispatch.machine import Step
from dispatch.recall import ALARM_MERGED, RECALLS, SQUAD_OFF_DUTY
from dispatch.steps.following import follow_callers, follow_tasks
from dispatch.steps.loading import Loaded, load
from dispatch.steps.opening import NewMatter, open_incident
from dispatch.steps.telling import action_told, calendar_warnings, event, notices


def act(
    conn: Connection, caller: Caller, incident_id: int, request: ActionRequest, now: datetime
) -> None:
    """Do one action on one incident, or raise and change nothing."""
    merges = request.action is Action.MERGE and request.into is not None
    wanted = [incident_id, request.into] if merges and request.into else [incident_id]
    locked = {i.id: i for i in incidents.lock(conn, wanted, caller.district)}
    if incident_id not in locked:
        raise NotFound("incident", incident_id)
    append_events(conn, perform(conn, caller, locked[incident_id], request, now))


def perform(
    conn: Connection, caller: Caller, incident: Incident, request: ActionRequest, now: datetime
) -> list[NewEvent]:
    """The same on an incident that is locked already; gives the events to append."""
    loaded = load(conn, incident, now, request)
    step = admit(incident, caller, request, loaded.facts, now)
    noticed, looked_at = notice_clocks(conn, incident, loaded, now)
    loaded = replace(loaded, facts=replace(loaded.facts, deadlines=looked_at))
    to = target_of(step, incident)
    after = changed(incident, to, caller, request, now)
    incidents.update_incident(conn, after)
    moved = _move_clocks(conn, incident, request, step, loaded, now)
    follow_tasks(conn, caller, incident, request, loaded.facts.deadlines, moved, now)
    follow_callers(conn, incident, after, loaded.terms, now)
    more = _follow_up(conn, caller, incident, after, request, loaded, now)
    known_until = loaded.terms.calendar.known_until.isoformat()
    return [
        *noticed,
        action_told(incident, after, caller, request, moved, now),
        *calendar_warnings(after, moved, known_until, caller, now),
        *more,
    ]


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
) -> ClockChanges:
    terms = loaded.terms
    if request.action is Action.RESUME:
        terms = replace(terms, pauses=_end_pause(conn, incident.id, loaded, now))
    changes = move_clocks(request, step, loaded.facts, terms, now)
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


def _follow_up(
    conn: Connection,
    caller: Caller,
    before: Incident,
    after: Incident,
    request: ActionRequest,
    loaded: Loaded,
    now: datetime,
) -> list[NewEvent]:
    """Rows of other tables that an action writes, and the events about other incidents."""
    action = request.action
    if action in ENDS_ASSIGNMENT:
        assignments.end_assignment(conn, before.id, now, action.value)
    if action in STARTS_ASSIGNMENT:
        assert after.squad is not None
        assignments.start_assignment(conn, before.id, after.squad, caller.name, now)
    elif action in (Action.ACKNOWLEDGE, Action.ARRIVE):
        assignments.mark_assignment(conn, after)
    elif action is Action.SUSPEND:
        assert request.until is not None
        deadlines.insert_pause(
            conn, before.id, now, request.until, request.reason.strip(), caller.name
        )
    elif action is Action.CANCEL and before.state is IncidentState.SUSPENDED:
        deadlines.end_pause(conn, before.id, now)
    elif action is Action.MERGE:
        return _absorb(conn, caller, before, loaded, now)
    elif action is Action.SPLIT:
        return _split(conn, caller, before, request, loaded, now)
    return []


ENDS_ASSIGNMENT = frozenset(
    {Action.RETURN_BACK, Action.REWORK, Action.CLOSE, Action.CANCEL, Action.MERGE}
)
STARTS_ASSIGNMENT = frozenset({Action.DISPATCH, Action.REWORK})


def _absorb(
    conn: Connection, caller: Caller, merged: Incident, loaded: Loaded, now: datetime
) -> list[NewEvent]:
    into = loaded.facts.target
    assert into is not None, "the guard asked for an open incident"
    alarms = alarm_changes.move_alarms(conn, merged.id, into.id)
    severity = min(into.severity, merged.severity)
    incidents.update_incident(conn, replace(into, severity=severity))
    absorbed = event(
        into,
        "incident.absorbed",
        caller,
        now,
        absorbed=merged.id,
        absorbed_number=merged.number,
        alarms=alarms,
        severity=severity,
        version=into.version + 1,
    )
    if not loaded.facts.loud:
        return [absorbed]
    named = ", ".join(alarm.device_code or alarm.condition for alarm in loaded.facts.loud)
    return [absorbed, *recall(conn, into.id, ALARM_MERGED, named, now)]


def _split(
    conn: Connection,
    caller: Caller,
    parent: Incident,
    request: ActionRequest,
    loaded: Loaded,
    now: datetime,
) -> list[NewEvent]:
    category = loaded.facts.new_category
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
    opened = open_incident(conn, caller, matter, now)
    assert opened is not None, "without a condition nothing stands in the way"
    return opened.events
