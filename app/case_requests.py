"""What people do to cases, with the duty chief where time is asked for: a squad that gives a case
back, more time for it, or a clock that stands still. Until somebody decides, the clock runs on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.approval import Approval, NewApproval
from city.clock import ClockKind
from city.errors import Conflict
from city.event import NewEvent
from city.incident import Action, Incident, Role
from city.person import DUTY_CHIEFS, Caller
from city.requests import ActionRequest
from db import approvals, deadlines, incidents, users
from db.events import append_events, list_events
from db.pool import Connection
from db.scopes import is_inside
from dispatch import steps as dispatch_steps
from dispatch.machine import OF_DUTY_CHIEF
from people import approvals as steps
from people.approvals import ApprovalKind

CASE_STEP = "case_step"
ASKERS = (Role.SQUAD_LEADER, Role.DISPATCHER, Role.ADMIN)


def act(
    conn: Connection,
    caller: Caller,
    incident_id: int,
    request: ActionRequest,
    now: datetime,
    sent_at: datetime | None = None,
) -> Approval | None:
    """Do one action on one incident; what a duty chief has to let happen is only asked for, and
    the request is the answer. `sent_at` as when a step is taken at once."""
    if request.action not in OF_DUTY_CHIEF:
        dispatch_steps.act(conn, caller, incident_id, request, now, sent_at)
        return None
    lock_requests(conn)
    incident = dispatch_steps.waits_for_duty_chief(conn, caller, incident_id, request, now)
    if incident is None:
        dispatch_steps.act(conn, caller, incident_id, request, now, sent_at)
        return None
    _check_chief(conn, caller, incident)
    change = {
        "incident": incident.id,
        "action": request.action.value,
        "reason": request.reason.strip(),
        "note": request.note.strip(),
        "until": request.until.isoformat() if request.until else None,
        # Where the case lies they may act: that was asked when they asked.
        "asker": {
            "name": caller.name,
            "role": caller.role.value,
            "district": caller.district,
            "squad": caller.squad,
        },
    }
    before = _facts(conn, incident)
    new = NewApproval(
        kind=CASE_STEP,
        what=f"{request.action.value} incident {incident.number}",
        change=change,
        before=before,
        shown=_shown(incident, request, before),
    )
    asked = steps.ask(conn, KINDS, caller, new, request.reason, now)
    append_events(conn, asked.events)
    return asked.approval


def lock_requests(conn: Connection) -> None:
    """Requests are made and decided one after the other, and locked before their incident."""
    approvals.lock_kind(conn, CASE_STEP)


def _check_chief(conn: Connection, caller: Caller, incident: Incident) -> None:
    """Somebody else must be there who could let it happen, and sees the case."""
    for user in users.list_users(conn, caller.district):
        may = user.role in DUTY_CHIEFS and user.name != caller.name
        if may and is_inside(conn, users.caller_of(conn, user).scope, incident):
            return
    takes = " or ".join(role.value for role in DUTY_CHIEFS)
    raise Conflict(
        f"this takes a duty chief, and there is no other {takes}",
        current={"refused": "nobody_else"},
    )


def _facts(conn: Connection, incident: Incident) -> dict[str, Any]:
    """Whose attempt it is and when it is due: with another squad or another due time it is another
    request."""
    handling = [
        d for d in deadlines.list_deadlines(conn, incident.id) if d.kind is ClockKind.HANDLE
    ]
    return {
        "squad": incident.squad,
        "attempt": handling[-1].attempt if handling else None,
        "due_at": handling[-1].due_at.isoformat() if handling else None,
        "open": incident.is_open,
    }


def _shown(incident: Incident, request: ActionRequest, before: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rules": [],
        "switch_off": False,
        "ends": [],
        "alarms": None,
        "case": {
            "incident": incident.id,
            "number": incident.number,
            "title_zh": incident.title_zh,
            "title_en": incident.title_en,
            "severity": incident.severity,
            "squad": incident.squad,
            "action": request.action.value,
            "reason": request.reason.strip(),
            "until": request.until.isoformat() if request.until else None,
            "due_at": before["due_at"],
        },
    }


# The kind, as `people.approvals` wants it


def _before(
    conn: Connection, district: str, change: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    return _facts(conn, incidents.find(conn, change["incident"], district))


def _moved(conn: Connection, approval: Approval) -> list[dict[str, Any]]:
    """Who or what changed the case since."""
    subject = f"incident:{approval.change['incident']}"
    return [
        {
            "actor": event.actor,
            "at": event.at.isoformat(timespec="seconds"),
            "what": f"{event.kind} {event.payload.get('number', '')}".strip(),
            "seq": event.seq,
        }
        for event in list_events(conn, subject=subject, since=approval.asked_at)
    ]


def _put(conn: Connection, approval: Approval, caller: Caller, now: datetime) -> list[NewEvent]:
    """What was asked for, in the name of who asked; refused as if it were asked for now."""
    change = approval.change
    asker = Caller(**{**change["asker"], "role": Role(change["asker"]["role"])})
    until = datetime.fromisoformat(change["until"]) if change["until"] else None
    request = ActionRequest(
        Action(change["action"]), 0, note=change["note"], reason=change["reason"], until=until
    )
    return dispatch_steps.act_approved(conn, asker, change["incident"], request, caller.name, now)


KINDS: Mapping[str, ApprovalKind] = {
    CASE_STEP: ApprovalKind(DUTY_CHIEFS, lock_requests, _before, _moved, _put, askers=ASKERS),
}
