"""What an action on a case means for its callers, and for whoever was to look at the place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from city.clock import ClockKind, Deadline
from city.incident import Action, Incident, IncidentState, Role
from city.person import Caller
from city.requests import ActionRequest
from db import field_tasks, intake
from db.pool import Connection
from dispatch import sla
from dispatch.clocks import ClockChanges, Terms
from dispatch.tasks import FIELD_CLOCKS, task_clock

# Of a merged case the callers go on with the other one.
ENDS = frozenset({IncidentState.CLOSED, IncidentState.REJECTED, IncidentState.CANCELLED})


def follow_callers(
    conn: Connection, before: Incident, after: Incident, terms: Terms, now: datetime
) -> None:
    """Callers of a case that has ended are owed a call; those of a merged one are callers of the
    other."""
    if after.state is before.state:
        return
    if before.state is IncidentState.MERGED:
        intake.move_back(conn, after.id)
    elif before.state in ENDS:
        intake.start_call_backs(conn, after.id, None)
    elif after.state is IncidentState.MERGED and after.merged_into is not None:
        intake.move_to(conn, after.id, after.merged_into)
    elif after.state in ENDS:
        due = sla.deadline(now, terms.limits[ClockKind.CALL_BACK], terms.calendar)
        intake.start_call_backs(conn, after.id, due.due_at)


def follow_tasks(
    conn: Connection,
    caller: Caller,
    before: Incident,
    request: ActionRequest,
    deadlines: Iterable[Deadline],
    moved: ClockChanges,
    now: datetime,
) -> None:
    """Give the running task to somebody, or write down how it ended."""
    collector = None
    if request.action is Action.ASSIGN:
        collector = request.collector
    elif request.action is Action.CHECK and caller.role is Role.CHECKER:
        collector = caller.name  # who begins it has taken it
    clock = task_clock(deadlines)
    if collector is not None and clock is not None:
        field_tasks.give(conn, before, clock, collector, caller.name, now)
    for ended in moved.changed:
        if ended.kind in FIELD_CLOCKS and not ended.runs:
            field_tasks.end(conn, ended, caller.name, request.action.value, now)
