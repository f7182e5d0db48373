"""What a merge does to the other case, and what taking it back does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from city.event import NewEvent
from city.incident import Incident
from city.person import Caller
from db import alarm_changes, assignments, deadlines, incidents, merges
from db.pool import Connection
from dispatch import merging
from dispatch.clocks import ClockChanges
from dispatch.steps.loading import Loaded, load
from dispatch.steps.telling import event


@dataclass(frozen=True)
class Absorbed:
    """What has gone over to the other case."""

    alarms: Sequence[int]
    severity_before: int
    event: NewEvent


def absorb(
    conn: Connection, caller: Caller, merged: Incident, into: Incident, now: datetime
) -> Absorbed:
    """The other case takes the alarms and the severity."""
    alarms = alarm_changes.move_alarms(conn, merged.id, into.id)
    severity = min(into.severity, merged.severity)
    incidents.update_incident(conn, replace(into, severity=severity))
    told = event(
        into,
        "incident.absorbed",
        caller,
        now,
        absorbed=merged.id,
        absorbed_number=merged.number,
        alarms=len(alarms),
        severity=severity,
        version=into.version + 1,
    )
    return Absorbed(alarms, into.severity, told)


def carry_clocks(
    conn: Connection,
    caller: Caller,
    merged: Incident,
    loaded: Loaded,
    stopped: ClockChanges,
    absorbed: Absorbed,
    now: datetime,
) -> list[NewEvent]:
    """The earlier clock of each kind goes on in the other case, and what it takes to undo all of
    it is kept."""
    assert loaded.facts.target is not None, "the guard asked for an open incident"
    into = incidents.find(conn, loaded.facts.target.id)
    own = deadlines.list_deadlines(conn, into.id)
    changes, kept = merging.carry_earliest(loaded.facts.deadlines, own, now)
    _store(conn, changes)
    merges.insert_merge(
        conn,
        merged.id,
        into.id,
        now,
        [deadline.id for deadline in stopped.changed],
        absorbed.alarms,
        kept,
        absorbed.severity_before,
    )
    if not changes.changed:
        return []
    return [
        event(into, "incident.clocks_carried", caller, now, absorbed=merged.id,
              absorbed_number=merged.number, clocks=changes.told)
    ]  # fmt: skip


def give_back(
    conn: Connection, caller: Caller, merged: Incident, loaded: Loaded, now: datetime
) -> list[NewEvent]:
    """Alarms, squad and severity as they were; the clocks of the other case are its own again."""
    merge, into = loaded.facts.merge, loaded.facts.merge_target
    assert merge is not None, "the guard asked for one"
    assert into is not None, "the guard asked for one"
    assignments.restart_assignment(conn, merged.id, merge.merged_at)
    alarms = alarm_changes.move_alarms_back(conn, into.id, merged.id, merge.alarms, merge.merged_at)
    beside = load(conn, into, now)
    changes = merging.put_back(merge, beside.facts.deadlines, beside.terms, now)
    _store(conn, changes)
    _set_severity(conn, merged.id, merged.severity, now)
    severity = _set_severity(conn, into.id, merge.severity, now) if into.is_open else None
    merges.mark_undone(conn, merge.id, now)
    return [
        event(into, "incident.separated", caller, now, separated=merged.id,
              separated_number=merged.number, alarms=alarms, severity=severity,
              clocks=changes.told)
    ]  # fmt: skip


def _set_severity(conn: Connection, incident_id: int, before: int, now: datetime) -> int:
    """As it was, or as bad as the worst alarm that is loud in it."""
    incident = incidents.find(conn, incident_id)
    loud = [a.severity for a in alarm_changes.list_alarms_of(conn, incident_id) if a.is_loud(now)]
    severity = min([before, *loud])
    if severity != incident.severity:
        incidents.update_incident(conn, replace(incident, severity=severity))
    return severity


def _store(conn: Connection, changes: ClockChanges) -> None:
    for deadline in changes.changed:
        deadlines.update_deadline(conn, deadline)
