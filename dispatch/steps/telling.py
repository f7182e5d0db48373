"""How changes of an incident are worded in the event log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from city.act_time import ActTime
from city.clock import Deadline
from city.event import NewEvent
from city.incident import Incident
from city.person import Caller, system_caller
from city.requests import ActionRequest
from db.evidence import NewEvidence
from dispatch.clocks import ClockChanges, Terms
from dispatch.escalate import notice
from dispatch.machine import EVENT_KINDS

BEYOND_CALENDAR = "incident.beyond_calendar"


def event(incident: Incident, kind: str, caller: Caller, now: datetime, **payload: Any) -> NewEvent:
    """An event about an incident; empty values are left out."""
    told = {"number": incident.number, "role": caller.role.value, **payload}
    return NewEvent(
        at=now,
        district=incident.district,
        kind=kind,
        subject=incident.subject,
        actor=caller.name,
        payload={name: value for name, value in told.items() if value not in (None, "", [], {})},
    )


def calendar_warnings(
    incident: Incident, changes: ClockChanges, known_until: str, caller: Caller, now: datetime
) -> list[NewEvent]:
    """Say clearly that a due time rests on days that no calendar knows yet."""
    return [
        event(
            incident,
            BEYOND_CALENDAR,
            caller,
            now,
            clock=deadline.clock,
            attempt=deadline.attempt,
            due_at=deadline.due_at.isoformat(),
            calendar=deadline.calendar,
            calendar_version=deadline.calendar_version,
            known_until=known_until,
        )
        for deadline in changes.beyond_calendar
    ]


def clock_facts(deadline: Any) -> dict[str, Any]:
    """What every event about a single clock carries."""
    return {
        "clock": deadline.clock,
        "attempt": deadline.attempt,
        "limit": str(deadline.limit),
        "started_at": deadline.started_at.isoformat(),
        "due_at": deadline.due_at.isoformat(),
        "carried_at": deadline.carried_at.isoformat() if deadline.carried_at else None,
    }


def action_told(
    before: Incident,
    after: Incident,
    caller: Caller,
    request: ActionRequest,
    moved: ClockChanges,
    now: datetime,
    approved_by: str = "",
    acted: ActTime | None = None,
    recommended: str | None = None,
) -> NewEvent:
    """The event of one action; its own time is that of the receipt. Of a dispatch with the squad
    that was recommended, where another one was sent."""
    return event(
        after,
        EVENT_KINDS[request.action],
        caller,
        now,
        action=request.action.value,
        **{"from": before.state.value, "to": after.state.value},
        version=before.version + 1,
        squad=after.squad or before.squad,
        note=request.note.strip(),
        reason=request.reason.strip(),
        outcome=after.outcome,
        until=request.until.isoformat() if request.until else None,
        into=request.into,
        approved_by=approved_by,
        category=request.category,
        collector=request.collector,
        clocks=moved.told,
        **time_told(acted, request.acted_at),
        **(override_told(recommended, request.note) if recommended != after.squad else {}),
    )


def override_told(recommended: str | None, note: str) -> dict[str, Any]:
    """That another squad than the recommended one was sent. Scripts may send any squad without a
    note: then that no reason was given is a fact of its own."""
    if recommended is None:
        return {}
    return {"instead_of": recommended, "reason_missing": not note.strip() or None}


def time_told(done: ActTime | None, said: datetime | None) -> dict[str, Any]:
    """What an event says of when it was done, beside its own time, which is that of the receipt."""
    if done is None or said is None:
        return {}
    return {
        "acted_at": done.at.isoformat(),
        "acted_at_said": said.isoformat() if done.doubt or done.clock_off else None,
        "acted_at_doubt": done.doubt.value if done.doubt else None,
        "phone_clock_off_s": round(done.clock_off.total_seconds()) or None,
    }


def notices(
    incident: Incident, deadlines: Sequence[Deadline], terms: Terms, now: datetime
) -> tuple[list[NewEvent], list[Deadline]]:
    """What has become true of each clock since it was looked at, and the clocks with it noted."""
    events, looked_at = [], []
    for deadline in deadlines:
        noticed = notice(deadline, now, terms.calendar, terms.pauses, terms.ladder)
        looked_at.append(noticed.deadline)
        events += [
            event(
                incident,
                kind,
                system_caller(incident.district),
                now,
                **clock_facts(noticed.deadline),
                state=incident.state.value,
                squad=incident.squad,
            )
            for kind in noticed.kinds
        ]
    return events, looked_at


def evidence_told(
    incident: Incident,
    caller: Caller,
    new: NewEvidence,
    evidence_id: int,
    metres_away: int | None,
    also_in: Sequence[str],
) -> NewEvent:
    """The event of a file that was handed in."""
    return event(
        incident,
        "incident.evidence_added",
        caller,
        new.uploaded_at,
        evidence=evidence_id,
        stage=new.stage,
        filename=new.filename,
        media_type=new.media_type,
        size_bytes=len(new.content),
        sha256=new.sha256.hex(),
        taken_at=new.taken_at.isoformat() if new.taken_at else None,
        metres_away=metres_away,
        also_in=also_in,
    )
