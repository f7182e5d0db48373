"""How changes of an incident are worded in the event log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from city.event import NewEvent
from city.incident import Incident
from city.person import Caller
from dispatch.clocks import ClockChanges

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
    }
