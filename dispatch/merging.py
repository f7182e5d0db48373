"""A case that is merged into another one, and how that is taken back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.clock import ClockKind, Deadline, Limit, LimitUnit, as_minutes
from city.incident import Incident, IncidentState, Merge
from dispatch import sla
from dispatch.clocks import ClockChanges, Terms, carry, recount, running

S = IncidentState
# How far along a case is; a suspended one is where it goes on.
ROAD = (
    S.REPORTED, S.VERIFYING, S.FILED, S.DISPATCHED, S.ACKNOWLEDGED, S.ON_SITE, S.HANDLED,
    S.CHECKING,
)  # fmt: skip


def is_further(incident: Incident, than: Incident) -> bool:
    """Whether more has been done about this case than about the other."""
    return _place(incident) > _place(than)


def _place(incident: Incident) -> int:
    state = incident.state
    if state is S.SUSPENDED and incident.resume_state:
        state = S(incident.resume_state)
    return ROAD.index(state) if state in ROAD else len(ROAD)


def carry_earliest(
    merged: Sequence[Deadline], own: Sequence[Deadline], now: datetime
) -> tuple[ClockChanges, list[dict[str, Any]]]:
    """Of each kind of clock that runs in both cases the earlier one goes on: the clocks that
    change, and those as they were."""
    changes, kept = ClockChanges(), []
    for kind in ClockKind:
        theirs, ours = running(merged, kind), running(own, kind)
        if theirs is None or ours is None or theirs.due_at >= ours.due_at:
            continue
        carried = carry(ours, theirs, now)
        kept.append(kept_of(ours, carried))
        changes.changed.append(carried)
        changes.tell("carried", carried, due_before=ours.due_at.isoformat())
    return changes, kept


def kept_of(own: Deadline, carried: Deadline) -> dict[str, Any]:
    """What is needed of a clock to put it back."""
    return {
        "id": own.id,
        "started_at": own.started_at.isoformat(),
        "limit_amount": own.limit_amount,
        "limit_unit": own.limit_unit,
        "carried_at": own.carried_at.isoformat() if own.carried_at else None,
        "overdue": own.overdue_at is not None,
        "escalated": own.escalated,
        "carried_minutes": as_minutes(carried.limit),
    }


def restart(merge: Merge, merged: Sequence[Deadline]) -> ClockChanges:
    """The clocks of a merged case run on, as if it had not been merged."""
    changes = ClockChanges()
    for deadline in merged:
        if deadline.id in merge.stopped and deadline.met_at is None:
            again = replace(deadline, stopped_at=None)
            changes.changed.append(again)
            changes.tell("restarted", again)
    return changes


def put_back(merge: Merge, own: Sequence[Deadline], by: Terms, now: datetime) -> ClockChanges:
    """The clocks of the other case are its own again. What ended meanwhile has ended; whoever was
    late by the carried clock only is excused."""
    changes = ClockChanges()
    by_id = {deadline.id: deadline for deadline in own}
    for kept in merge.kept:
        carried = by_id[kept["id"]]
        if carried.runs:
            back = _put_back(carried, kept, by, now)
            changes.changed.append(back)
            excused = carried.overdue_at is not None and back.overdue_at is None
            more = {"excused": True} if excused else {}
            changes.tell("put_back", back, due_before=carried.due_at.isoformat(), **more)
    return changes


def _put_back(carried: Deadline, kept: Mapping[str, Any], by: Terms, now: datetime) -> Deadline:
    """The clock as it would be now: what it was postponed by meanwhile stays."""
    own = Limit(kept["limit_amount"], LimitUnit(kept["limit_unit"]))
    postponed_by = as_minutes(carried.limit) - kept["carried_minutes"]
    limit = own
    if postponed_by > 0:
        limit = sla.from_minutes(as_minutes(own) + postponed_by, own.unit)
    carried_at = kept["carried_at"]
    blank = replace(
        carried,
        started_at=datetime.fromisoformat(kept["started_at"]),
        carried_at=datetime.fromisoformat(carried_at) if carried_at else None,
        escalated=kept["escalated"],
    )
    back = recount(blank, limit, by)
    overdue = kept["overdue"] or (carried.overdue_at is not None and now > back.due_at)
    return replace(
        back,
        overdue_at=carried.overdue_at if overdue else None,
        warned_at=None if back.warn_at > now else back.warned_at,
    )
