"""Replies that callers and other platforms wait for: that one is due soon, and that it is late."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from city.clock import ClockKind
from city.event import NewEvent
from city.intake import Intake
from city.person import system_caller
from db import incidents
from db import intake as stored
from db.events import append_events
from db.pool import Connection
from dispatch.steps.telling import event

DUE_SOON, OVERDUE = "incident.reply_due_soon", "incident.reply_overdue"
# Calls looked at in one transaction; the next tick takes the next ones.
BATCH = 50


def tick_replies(conn: Connection, now: datetime) -> int:
    """Say once of each reply that it is due soon, and once that it is late, also where the case
    is over by then. The row that says so and the event are of one transaction, so whatever dies,
    each is said once. Gives the number of calls."""
    late = stored.claim_late_replies(conn, now, BATCH)
    append_events(conn, [_notice(conn, intake, now) for intake in late])
    return len(late)


def _notice(conn: Connection, intake: Intake, now: datetime) -> NewEvent:
    assert intake.reply_due_at is not None, "claimed by it"
    is_late = now > intake.reply_due_at
    noticed = replace(
        intake,
        reply_warned_at=intake.reply_warned_at or now,
        reply_overdue_at=now if is_late else None,
    )
    stored.mark_late_reply(conn, noticed)
    incident = incidents.find(conn, intake.incident_id)
    return event(
        incident,
        OVERDUE if is_late else DUE_SOON,
        system_caller(intake.district),
        now,
        clock=ClockKind.REPLY.value,
        attempt=intake.id,
        intake=intake.id,
        channel=intake.channel,
        external_number=intake.external_number,
        started_at=intake.received_at.isoformat(),
        due_at=intake.reply_due_at.isoformat(),
        state=incident.state.value,
    )
