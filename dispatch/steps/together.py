"""One action on several incidents: each has its own answer, and one that is refused stops none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from city.errors import Conflict, Forbidden, GridwardenError, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Action, Incident, SeenIncident
from city.person import Caller
from city.requests import TogetherRequest
from db import categories, incidents
from db.events import append_events
from db.pool import Connection
from db.scopes import refuse_outside
from dispatch.guard import allowed, current_state
from dispatch.machine import EVENT_KINDS
from dispatch.steps.acting import perform
from dispatch.steps.loading import load
from dispatch.together import (
    OTHER_CAUSE,
    RED_GAS,
    check_request,
    is_red_gas,
    of_one_cause,
    request_of,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of the cases; `refused` is None where it was done."""

    incident_id: int
    refused: GridwardenError | None


def act_together(
    conn: Connection, caller: Caller, request: TogetherRequest, now: datetime
) -> list[Outcome]:
    """Do one action on several incidents, in the order in which they are named.

    Raises only what holds for all of them; nothing is done then."""
    check_request(request)
    others = [] if request.into is None else [request.into]
    wanted = [*(seen.id for seen in request.incidents), *others]
    # All at once and before the first step: two people with the same cases wait for each other.
    locked = {one.id: one for one in incidents.lock(conn, wanted, caller.district)}
    named = [locked[seen.id] for seen in request.incidents if seen.id in locked]
    one_cause = of_one_cause(named) if request.action is Action.CLOSE else locked
    if request.into is not None and request.into in locked:
        into = locked[request.into]
        refuse_outside(conn, caller.scope, into)
        if _is_red(conn, into, now):
            raise InvalidInput("into", into.id, "is red gas: cases are merged into it one by one")
    outcomes, events = [], []
    for seen in request.incidents:
        try:
            with conn.transaction():  # a savepoint: what is refused leaves nothing behind
                if seen.id not in one_cause and seen.id in locked:
                    raise _not_together(
                        locked[seen.id], caller, OTHER_CAUSE,
                        "it is not of one cause with the first: close it by itself",
                    )  # fmt: skip
                events += _act(conn, caller, request, seen, locked, now)
        except (Conflict, Forbidden, InvalidInput, NotFound) as error:
            outcomes.append(Outcome(seen.id, error))
        else:
            outcomes.append(Outcome(seen.id, None))
    append_events(conn, events)
    return outcomes


def _act(
    conn: Connection,
    caller: Caller,
    request: TogetherRequest,
    seen: SeenIncident,
    locked: Mapping[int, Incident],
    now: datetime,
) -> list[NewEvent]:
    if seen.id not in locked:
        raise NotFound("incident", seen.id)
    incident = locked[seen.id]
    refuse_outside(conn, caller.scope, incident)
    if _is_red(conn, incident, now):
        raise _not_together(incident, caller, RED_GAS, "red gas is dealt with by itself")
    told = perform(conn, caller, incident, request_of(request, seen.version), now)
    kind, many = EVENT_KINDS[request.action], len(request.incidents)
    return [
        replace(one, payload={**one.payload, "together": many})
        if (one.kind, one.subject) == (kind, incident.subject) and many > 1
        else one
        for one in told
    ]


def _is_red(conn: Connection, incident: Incident, now: datetime) -> bool:
    """Read with its alarms where it is about gas at all."""
    category = categories.find(conn, incident.category, incident.category_version)
    if category.family != "gas" and not category.needs_release:
        return False
    return is_red_gas(incident, load(conn, incident, now).facts)


def _not_together(incident: Incident, caller: Caller, code: str, text: str) -> Conflict:
    return Conflict(
        f"incident {incident.number}: {text}",
        current={**current_state(incident), "refused": code},
        allowed=allowed(incident, caller),
    )
