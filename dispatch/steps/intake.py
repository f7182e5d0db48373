"""Calls and orders: kept, turned into cases or joined to them, replied to and called back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Action, Role
from city.intake import SOURCES, Intake
from city.intake_requests import CallBackRequest, IntakeRequest, ReplyRequest
from city.person import Caller
from city.requests import ActionRequest, ReportRequest
from city.stale_version import is_stale_version
from db import calendars, categories, incidents
from db import intake as stored
from db.events import append_events
from db.pool import Connection
from db.scopes import refuse_outside
from dispatch.intake import (
    MAX_TEXT,
    check_call_back,
    check_intake,
    check_joined,
    place_of,
    polygon_of,
    reply_due,
)
from dispatch.steps.acting import act
from dispatch.steps.reporting import open_report
from dispatch.steps.telling import event

CENTRE = frozenset({Role.ADMIN, Role.DISPATCHER})


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a call; one that was there before is not `is_new`."""

    intake_id: int
    incident_id: int
    is_new: bool


def receive(conn: Connection, caller: Caller, request: IntakeRequest, now: datetime) -> Received:
    """Keep a call and open its case, or join it to the one that it names."""
    if caller.role is Role.VIEWER:
        raise Forbidden("a viewer may not report")
    request = _trimmed(request)
    if request.external_number:
        stored.lock_external(conn, caller.district, request.channel.value, request.external_number)
        known = stored.find_external(
            conn, caller.district, request.channel.value, request.external_number
        )
        if known is not None:
            refuse_outside(conn, caller.scope, incidents.find(conn, known.incident_id))
            return Received(known.id, known.incident_id, False)
    check_intake(request)
    return take_in(conn, caller, request, now)


def take_in(conn: Connection, caller: Caller, request: IntakeRequest, now: datetime) -> Received:
    """The same for what was checked already."""
    limits = categories.stage_limits(conn, caller.district)
    due_at = reply_due(request, now, limits, calendars.calendar_of(conn, caller.district))
    polygon = polygon_of(request)
    if request.joins is None:
        incident_id = _open_case(conn, caller, request, now)
    else:
        incident_id = _join_case(conn, caller, request, now)
    new = Intake(
        id=0,
        district=caller.district,
        incident_id=incident_id,
        channel=request.channel.value,
        external_number=request.external_number,
        joined=request.joins is not None,
        caller=request.caller,
        phone=request.phone,
        said=request.description,
        received_by=caller.name,
        received_at=now,
        polygon=polygon,
        captured_on=request.captured_on,
        reply_due_at=due_at,
        wants_call_back=request.call_back,
    )
    intake_id = stored.insert_intake(conn, new)
    incident = incidents.find(conn, incident_id)
    told = event(
        incident,
        "incident.call_joined" if new.joined else "incident.call_kept",
        caller,
        now,
        intake=intake_id,
        channel=new.channel,
        external_number=new.external_number,
        reporter=reporter_of(request) if new.joined else None,
        note=request.description if new.joined else None,
        reply_due_at=due_at.isoformat() if due_at else None,
        call_back=new.wants_call_back or None,
    )
    append_events(conn, [told])
    return Received(intake_id, incident_id, True)


def reporter_of(request: IntakeRequest) -> str:
    """Who called, as the log and the search have it."""
    return f"{request.caller} {request.phone}".strip()


def _open_case(conn: Connection, caller: Caller, request: IntakeRequest, now: datetime) -> int:
    at = place_of(request)
    wanted = ReportRequest(
        category=request.category,
        lon=at.lon,
        lat=at.lat,
        description=request.description,
        source=SOURCES[request.channel],
        title=request.title,
        severity=request.severity,
        reporter=reporter_of(request),
        device=request.device,
    )
    incident_id = open_report(conn, caller, wanted, now)
    if request.verify:
        version = incidents.find(conn, incident_id).version
        act(conn, caller, incident_id, ActionRequest(Action.VERIFY, version), now)
    return incident_id


def _join_case(conn: Connection, caller: Caller, request: IntakeRequest, now: datetime) -> int:
    assert request.joins is not None
    found = incidents.lock(conn, [request.joins], caller.district)
    if not found:
        raise InvalidInput("joins", request.joins, "is not an incident of this district")
    refuse_outside(conn, caller.scope, found[0])
    check_joined(found[0])
    return found[0].id


def _trimmed(request: IntakeRequest) -> IntakeRequest:
    return replace(
        request,
        description=request.description.strip(),
        title=request.title.strip(),
        caller=request.caller.strip(),
        phone=request.phone.strip(),
        external_number=request.external_number.strip(),
    )


def reply(
    conn: Connection, caller: Caller, intake_id: int, request: ReplyRequest, now: datetime
) -> None:
    """Whoever waits for a reply has got it."""
    found = _lock_to_change(conn, caller, intake_id, request.version)
    text = request.text.strip()
    if not text:
        raise InvalidInput("text", request.text, "is required")
    if len(text) > MAX_TEXT:
        raise InvalidInput("text", len(text), f"is longer than {MAX_TEXT} characters")
    if not found.owes_reply:
        raise _refused(found, "no_reply_owed", "nobody waits for a reply")
    stored.update_intake(conn, replace(found, replied_at=now, replied_by=caller.name, reply=text))
    late = found.reply_due_at is not None and now > found.reply_due_at
    _tell(conn, caller, found, "incident.replied", now, note=text, late=late or None)


def call_back(
    conn: Connection, caller: Caller, intake_id: int, request: CallBackRequest, now: datetime
) -> None:
    """Somebody called the caller; until they answer the call back is owed on."""
    found = _lock_to_change(conn, caller, intake_id, request.version)
    check_call_back(request)
    if len(request.note) > MAX_TEXT:
        raise InvalidInput("note", len(request.note), f"is longer than {MAX_TEXT} characters")
    if not found.owes_call_back:
        raise _refused(found, "no_call_back_owed", "nobody waits to be called back")
    if request.reached:
        after = replace(
            found,
            called_back_at=now,
            called_back_by=caller.name,
            satisfaction=request.satisfaction,
        )
    else:
        after = replace(found, call_back_tries=found.call_back_tries + 1)
    stored.update_intake(conn, after)
    kind = "incident.called_back" if request.reached else "incident.call_unanswered"
    _tell(
        conn, caller, found, kind, now,
        note=request.note.strip(), satisfaction=request.satisfaction,
        tries=after.call_back_tries or None,
    )  # fmt: skip


def _lock_to_change(conn: Connection, caller: Caller, intake_id: int, version: int) -> Intake:
    if caller.role not in CENTRE:
        raise Forbidden(f"a {caller.role.value} may not answer callers")
    found = stored.lock_intake(conn, caller.district, intake_id)
    refuse_outside(conn, caller.scope, incidents.find(conn, found.incident_id))
    if is_stale_version(version, found.version):
        problem = f"call {intake_id} was changed meanwhile: it is at version {found.version}"
        raise _refused(found, "changed", problem)
    return found


def _refused(intake: Intake, code: str, problem: str) -> Conflict:
    current = {"id": intake.id, "version": intake.version, "refused": code}
    return Conflict(problem, current=current)


def _tell(
    conn: Connection, caller: Caller, intake: Intake, kind: str, now: datetime, **payload: object
) -> None:
    incident = incidents.find(conn, intake.incident_id)
    told = event(incident, kind, caller, now, intake=intake.id, channel=intake.channel, **payload)
    append_events(conn, [told])
