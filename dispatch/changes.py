"""What an action writes into the incident itself and into its clocks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.clock import ClockKind, Limit, PauseRow
from city.incident import Action, Incident, IncidentState, Role
from city.person import Caller
from city.requests import ActionRequest
from dispatch import clocks, merging
from dispatch.attempts import returned_clock
from dispatch.clocks import ClockChanges, Terms
from dispatch.guard import Facts
from dispatch.machine import Step, target

Fields = dict[str, Any]
Writer = Callable[[Incident, Caller, ActionRequest, datetime], Fields]

# A new round of handling starts without the traces of the last one; the log keeps them.
NO_ROUND: Fields = {
    "acknowledged_at": None,
    "arrived_at": None,
    "handled_at": None,
    "handled_by": None,
    "checking_at": None,
    "checked_by": None,
    "released_by": None,
    "released_at": None,
}
NO_SQUAD: Fields = {"squad": None, "dispatched_at": None}

WRITERS: dict[Action, Writer] = {
    Action.FILE: lambda i, c, r, now: {"filed_at": now},
    Action.REJECT: lambda i, c, r, now: {"outcome": r.outcome or "rejected"},
    Action.DISPATCH: lambda i, c, r, now: {**NO_ROUND, "squad": r.squad, "dispatched_at": now},
    Action.ACKNOWLEDGE: lambda i, c, r, now: {"acknowledged_at": now},
    Action.RETURN_BACK: lambda i, c, r, now: {
        **NO_ROUND,
        **NO_SQUAD,
        # A squad that is off duty when an alarm comes back has returned nothing.
        "return_count": i.return_count + (c.role is not Role.SYSTEM),
    },
    Action.ARRIVE: lambda i, c, r, now: {"arrived_at": now},
    Action.HANDLE: lambda i, c, r, now: {"handled_at": now, "handled_by": c.name},
    Action.CHECK: lambda i, c, r, now: {"checking_at": now, "checked_by": c.name},
    Action.REWORK: lambda i, c, r, now: {
        **NO_ROUND,
        "dispatched_at": now,
        "rework_count": i.rework_count + 1,
    },
    Action.RELEASE: lambda i, c, r, now: {"released_by": c.name, "released_at": now},
    Action.CLOSE: lambda i, c, r, now: {
        "closed_at": now,
        "checked_by": c.name,
        "outcome": r.outcome or "resolved",
    },
    Action.POSTPONE: lambda i, c, r, now: {"postpone_count": i.postpone_count + 1},
    Action.SUSPEND: lambda i, c, r, now: {"resume_state": i.state.value},
    Action.RESUME: lambda i, c, r, now: {"resume_state": None},
    Action.MERGE: lambda i, c, r, now: {
        "merged_into": r.into,
        "outcome": "merged",
        "resume_state": i.state.value,
    },
    Action.UNMERGE: lambda i, c, r, now: {
        "merged_into": None,
        "outcome": None,
        "resume_state": None,
    },
    Action.REOPEN: lambda i, c, r, now: {
        **NO_ROUND,
        **NO_SQUAD,
        "closed_at": None,
        "outcome": None,
    },
    Action.CANCEL: lambda i, c, r, now: {
        "outcome": r.outcome or "cancelled",
        "resume_state": None,
    },
}


def changed(
    incident: Incident, to: IncidentState, caller: Caller, request: ActionRequest, at: datetime
) -> Incident:
    """The incident after the action done at this time; its version is raised by the database."""
    writer = WRITERS.get(request.action)
    fields = writer(incident, caller, request, at) if writer else {}
    return replace(incident, state=to, **fields)


def target_of(step: Step, incident: Incident) -> IncidentState:
    """Where a step leads this incident."""
    before = IncidentState(incident.resume_state) if incident.resume_state else None
    return target(step, incident.state, before)


def move_clocks(
    request: ActionRequest,
    step: Step,
    facts: Facts,
    terms: Terms,
    now: datetime,
    done_at: datetime | None = None,
) -> ClockChanges:
    """What an action does to the clocks; the pauses of the terms have all ended. `done_at` as in
    `clocks.apply_clocks`."""
    if request.action is Action.POSTPONE:
        handling = clocks.running(facts.deadlines, ClockKind.HANDLE)
        assert handling is not None, "the guard asked for a running handling clock"
        return clocks.postpone(handling, facts.category.limit, now, terms)
    if step.clocks.restart:
        assert facts.merge is not None, "the guard asked for one"
        return merging.restart(facts.merge, facts.deadlines)
    carried = _carried_over(request, facts, terms)
    return clocks.apply_clocks(step.clocks, facts.deadlines, now, terms, carried, done_at)


def _carried_over(request: ActionRequest, facts: Facts, terms: Terms) -> Limit | None:
    """A squad that returned an incident and gets it again goes on with the time it had left."""
    if request.action is not Action.DISPATCH or request.squad is None:
        return None
    returned = returned_clock(request.squad, facts.assignments, facts.deadlines)
    if returned is None:
        return None
    return clocks.left_after_return(returned, terms.calendar, terms.pauses)


def end_of_pause(pauses: Sequence[PauseRow], now: datetime) -> datetime:
    """When the open pause ends: on its resume date if we are late to notice."""
    dates = [p.resume_due_at for p in pauses if p.ended_at is None]
    return min([now, *(date for date in dates if date is not None)])
