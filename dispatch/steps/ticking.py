"""What time does to incidents: reminders, overdue marks, cards, and suspensions that end."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from city.clock import Deadline, PauseRow
from city.event import NewEvent
from city.incident import Action, Incident, IncidentState
from city.person import system_caller
from city.requests import ActionRequest
from db import alarm_changes, deadlines, incidents
from db.events import append_events
from db.pool import Connection, is_away
from dispatch.clocks import Terms
from dispatch.recall import SUSPENSION_ENDED
from dispatch.steps.acting import notice_clocks, perform
from dispatch.steps.loading import load, load_ladder
from dispatch.steps.new_calendar import recount_clocks
from dispatch.steps.telling import notices

log = logging.getLogger(__name__)

Step = Callable[[Connection, Incident, datetime], list[NewEvent]]

# Incidents looked at in one transaction; the next tick takes the next ones.
BATCH = 200


def tick_deadlines(conn: Connection, now: datetime) -> int:
    """Act on every moment that has come; gives the number of incidents touched."""
    ids = deadlines.claim_incidents_with_due_clocks(conn, now, BATCH)
    events = _tick_all(conn, ids, now) if ids else []
    stale = deadlines.claim_incidents_to_recount(conn, now, BATCH)
    events += _each(conn, stale, recount_clocks, now)
    append_events(conn, events)
    return len(ids) + len(stale)


def watch_alarms(conn: Connection, now: datetime) -> int:
    """See that every alarm that stands is somebody's: whatever ended its incident, or kept one
    from being opened, it is handed over again. Gives the number of alarms."""
    return alarm_changes.hand_over_forgotten(conn, now)


def _each(conn: Connection, ids: Sequence[int], step: Step, now: datetime) -> list[NewEvent]:
    """Each incident behind a savepoint: one that fails does not hold up the others."""
    events = []
    for incident in incidents.list_by_id(conn, ids, None):
        try:
            with conn.transaction():
                events += step(conn, incident, now)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("clocks of incident %s failed", incident.number)
    return events


def _tick_all(conn: Connection, ids: Sequence[int], now: datetime) -> list[NewEvent]:
    """All of them together; one at a time where one of them fails, or is no longer suspended."""
    clocks, pauses = defaultdict(list), defaultdict(list)
    for deadline in deadlines.list_deadlines_of(conn, ids):
        clocks[deadline.incident_id].append(deadline)
    for incident_id, pause in deadlines.list_pauses_of(conn, ids):
        pauses[incident_id].append(pause)
    alone = [case for case in ids if any(pause.ended_at is None for pause in pauses[case])]
    try:
        with conn.transaction():
            events = _notice_together(
                conn, [case for case in ids if case not in set(alone)], clocks, pauses, now
            )
    except Exception as error:
        if is_away(error):
            raise
        log.warning("clocks are looked at one by one: %s", error)
        return _each(conn, ids, _tick, now)
    return events + _each(conn, alone, _tick, now)


def _notice_together(
    conn: Connection,
    ids: Sequence[int],
    clocks: Mapping[int, Sequence[Deadline]],
    pauses: Mapping[int, Sequence[PauseRow]],
    now: datetime,
) -> list[NewEvent]:
    events: list[NewEvent] = []
    changed: list[Deadline] = []
    terms: dict[str, Terms] = {}
    for incident in incidents.list_by_id(conn, ids, None):
        if incident.district not in terms:
            terms[incident.district] = load_ladder(conn, incident.district)
        over = tuple(p.as_pause() for p in pauses[incident.id] if p.ended_at is not None)
        known = replace(terms[incident.district], incident_id=incident.id, pauses=over)
        told, looked_at = notices(incident, clocks[incident.id], known, now)
        before = {deadline.id: deadline for deadline in clocks[incident.id]}
        changed += [after for after in looked_at if after != before[after.id]]
        events += told
    deadlines.update_deadlines(conn, changed)
    return events


def _tick(conn: Connection, incident: Incident, now: datetime) -> list[NewEvent]:
    loaded = load(conn, incident, now)
    open_pauses = [p for p in loaded.facts.pauses if p.ended_at is None]
    ends = [p.resume_due_at for p in open_pauses if p.resume_due_at is not None]
    if incident.state is IncidentState.SUSPENDED and ends and ends[0] <= now:
        resume = ActionRequest(Action.RESUME, incident.version, reason=SUSPENSION_ENDED)
        return perform(conn, system_caller(incident.district), incident, resume, now)
    events, _ = notice_clocks(conn, incident, loaded, now)
    return events
