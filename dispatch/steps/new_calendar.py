"""What a newer calendar does to incidents: due times that rested on a guess are counted again.

What has run out before is late, whatever a later calendar says."""

from __future__ import annotations

from datetime import datetime

from city.event import NewEvent
from city.incident import Incident
from city.person import system_caller
from db import deadlines
from db.pool import Connection
from dispatch.clocks import ClockChanges, recount
from dispatch.steps.loading import load
from dispatch.steps.telling import event


def recount_clocks(conn: Connection, incident: Incident, now: datetime) -> list[NewEvent]:
    """A newer calendar knows days that a due time had to guess: count again and say so."""
    loaded = load(conn, incident, now)
    system = system_caller(incident.district)
    changes = ClockChanges()
    for deadline in loaded.facts.deadlines:
        stands = not deadline.runs or deadline.paused_at is not None or deadline.due_at < now
        if stands or not deadline.beyond_calendar:
            continue
        counted = recount(deadline, deadline.limit, loaded.terms)
        deadlines.update_deadline(conn, counted)
        changes.tell(
            "recounted",
            counted,
            due_before=deadline.due_at.isoformat(),
            calendar_version_before=deadline.calendar_version,
            calendar_version=counted.calendar_version,
        )
    return [event(incident, "incident.clocks_recounted", system, now, clocks=changes.told)]
