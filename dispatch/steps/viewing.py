"""An incident as a caller sees it: what it is, how its clocks stand, what can be done now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from city.clock import Deadline, WorkCalendar
from city.incident import Incident, IncidentState
from city.person import Caller
from city.scope import Scope
from city.squad import Recommendation
from db import (
    approvals,
    calendars,
    categories,
    evidence,
    incidents,
    merges,
    openings,
    places,
    squads,
)
from db.events import list_events
from db.pool import Connection
from db.scopes import refuse_outside
from dispatch import sla
from dispatch.attempts import Attempt, list_attempts
from dispatch.doubts import with_doubts
from dispatch.guard import Facts, Refusal, is_own, judge, needs_duty_chief
from dispatch.machine import TABLE, actions_of, target
from dispatch.recommend import rank
from dispatch.steps.loading import load
from dispatch.views import ActionView, ClockView, IncidentView

# Entries of the timeline shown with an incident.
TIMELINE = 500


def view(conn: Connection, caller: Caller, incident_id: int, now: datetime) -> IncidentView:
    """One incident of the caller's scope."""
    incident = incidents.find(conn, incident_id, caller.district)
    refuse_outside(conn, caller.scope, incident)
    loaded = load(conn, incident, now)
    listed = incidents.list_incidents(conn, Scope(incident.district), ids=[incident.id])[0]
    return IncidentView(
        incident=incident,
        listed=listed,
        category=loaded.facts.category,
        actions=tuple(_actions(incident, caller, loaded.facts)),
        clocks=tuple(_clocks(conn, incident, loaded.facts.deadlines, now)),
        pauses=tuple(loaded.facts.pauses),
        gas=loaded.facts.gas,
        alarms=tuple(loaded.alarms),
        evidence=with_doubts(
            incident,
            evidence.list_evidence(conn, incident.id),
            evidence.list_also_in(conn, incident.id),
        ),
        requests=tuple(
            approvals.list_waiting_for_incident(conn, incident.district, incident.id, now)
        ),
        attempts=tuple(_attempts(conn, loaded.facts, now)),
        merged=tuple(merges.list_merged_into(conn, incident.id)),
        similar=tuple(openings.list_similar(conn, incident.id)),
        timeline=tuple(list_events(conn, subject=incident.subject, limit=TIMELINE)),
        now=now,
    )


def _actions(incident: Incident, caller: Caller, facts: Facts) -> list[ActionView]:
    """What the table gives this caller, with what is still missing of each."""
    before = IncidentState(incident.resume_state) if incident.resume_state else None
    views = []
    for action in actions_of(incident.state, caller.role):
        if not is_own(incident, caller, action):
            continue
        step = TABLE[incident.state, action]
        # A gas alarm stands in the way twice: of closing at all, and of the release.
        refusals: dict[str, Refusal] = {}
        for need in step.needs:
            if refusal := judge(need, incident, caller, facts):
                refusals.setdefault(refusal.code, refusal)
        views.append(
            ActionView(
                action=action,
                to=target(step, incident.state, before),
                needs=step.fields,
                duty_chief=needs_duty_chief(step, caller),
                refusals=tuple(refusals.values()),
            )
        )
    return views


def _attempts(conn: Connection, facts: Facts, now: datetime) -> list[Attempt]:
    pauses = [row.as_pause() for row in facts.pauses]
    calendar_of = cache(partial(calendars.find_calendar, conn))
    return list_attempts(facts.assignments, facts.deadlines, pauses, calendar_of, now)


def _clocks(conn: Connection, incident: Incident, deadlines: Any, now: datetime) -> list[ClockView]:
    calendar_of = cache(partial(calendars.find_calendar, conn))
    return [_clock(d, calendar_of(d.calendar, d.calendar_version), now) for d in deadlines]


def _clock(deadline: Deadline, calendar: WorkCalendar, now: datetime) -> ClockView:
    left: timedelta | None = None
    if deadline.runs:
        left = sla.remaining(
            deadline.due_at, now, deadline.limit.unit, calendar, deadline.paused_at
        )
    return ClockView(deadline, None if deadline.stopped_at else deadline.standing(now), left)


def rank_squads(conn: Connection, incident_id: int, now: datetime) -> list[Recommendation]:
    """Squads of the incident's district in the order in which to ask them, and whom to call."""
    incident = incidents.find(conn, incident_id)
    category = categories.find(conn, incident.category, incident.category_version)
    place = places.place_at(conn, incident.district, incident.at)
    zone = places.zone_of(conn, incident.district)
    ranked = rank(
        category.skill,
        incident.at,
        place.duty_grid,
        squads.list_squads(conn, incident.district, near=now),
        now,
        now.astimezone(zone),
    )
    phones = squads.list_phones(conn, incident.district)
    return [r if r.phone else replace(r, phone=phones[r.squad]) for r in ranked]
