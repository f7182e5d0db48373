"""One action on several incidents: where that is safe. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from city.alarm import Severity
from city.errors import InvalidInput
from city.incident import Action, Incident
from city.place import distance_m
from city.requests import ActionRequest, TogetherRequest
from dispatch.grouping import SIMILAR_DISTANCE_M, SIMILAR_TIME
from dispatch.guard import Facts

# Nothing else is the same decision for many: who is sent, asked for time or released is one matter.
TOGETHER = (Action.ACKNOWLEDGE, Action.MERGE, Action.CLOSE)
# So many a person has looked at; their rows stay locked until all are answered.
TOGETHER_MAX = 50
# Of these a person looks at each case by itself.
RED_GAS, OTHER_CAUSE = "red_gas_alone", "other_cause"


def check_request(request: TogetherRequest) -> None:
    """Refuse what holds for all of the cases alike; names the field."""
    if request.action not in TOGETHER:
        words = ", ".join(TOGETHER)
        raise InvalidInput("action", request.action.value, f"for several cases is one of {words}")
    if not 1 <= len(request.incidents) <= TOGETHER_MAX:
        problem = f"must be 1 to {TOGETHER_MAX} incidents"
        raise InvalidInput("incidents", len(request.incidents), problem)
    named: set[int] = set()
    for i, seen in enumerate(request.incidents):
        if seen.id in named:
            raise InvalidInput(f"incidents[{i}].id", seen.id, "is named twice")
        named.add(seen.id)
    if request.action is Action.CLOSE and not request.note.strip():
        raise InvalidInput("note", None, "is required: what the one cause was")
    if request.action is Action.MERGE and request.into is None:
        raise InvalidInput("into", None, "is required for this action")


def request_of(request: TogetherRequest, version: int) -> ActionRequest:
    """What is asked for of one of the cases."""
    return ActionRequest(
        request.action,
        version,
        note=request.note,
        reason=request.reason,
        into=request.into,
        outcome=request.outcome,
    )


def is_red_gas(incident: Incident, facts: Facts) -> bool:
    """A case of gas that is red, or of which a red alarm stands or waits for its release."""
    if facts.category.family != "gas" and not facts.category.needs_release:
        return False
    alarms = (*facts.standing, *facts.latched)
    return incident.severity == Severity.RED or any(a.severity == Severity.RED for a in alarms)


def of_one_cause(cases: Sequence[Incident]) -> Collection[int]:
    """Ids of the cases that the first one's cause may explain: of its category, and step by step
    the same device or near in place and time."""
    joined = list(cases[:1])
    rest = list(cases[1:])
    while near := [one for one in rest if any(_may_share(one, other) for other in joined)]:
        joined += near
        rest = [one for one in rest if one not in near]
    return {one.id for one in joined}


def _may_share(one: Incident, other: Incident) -> bool:
    if one.category != other.category or abs(one.opened_at - other.opened_at) > SIMILAR_TIME:
        return False
    same_device = one.device_id is not None and one.device_id == other.device_id
    return same_device or distance_m(one.at, other.at) <= SIMILAR_DISTANCE_M
