"""The handover sheet: drawn up from what stands, signed by both shifts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Role
from city.intake_requests import HandoverNoteRequest, HandoverRequest
from city.person import Caller
from city.stale_version import is_stale_version
from db import field_tasks, handovers, intake, places, squads
from db.events import append_events
from db.handovers import Handover
from db.pool import Connection
from dispatch.handover import Standing, write_sheet

SIGNERS = frozenset({Role.ADMIN, Role.DISPATCHER})
NOTERS = SIGNERS | {Role.GAS_ENGINEER, Role.LEADER, Role.CHECKER}
# A first sheet looks back over a long shift.
FIRST_SHIFT = timedelta(hours=12)
MOST_TEXT = 2000
MOST_OWED = 500


def draw_up(conn: Connection, caller: Caller, now: datetime) -> dict[str, Any]:
    """What the sheet would say now: {"since_at", "content"}."""
    _check_unbounded(caller)
    since = handovers.last_taken_at(conn, caller.district) or now - FIRST_SHIFT
    local = now.astimezone(places.zone_of(conn, caller.district))
    district = caller.district
    phones = squads.list_phones(conn, district)
    standing = Standing(
        cases=handovers.list_open_cases(conn, district),
        muted=handovers.list_muted(conn, district),
        out_of_service=handovers.list_out_of_service(conn, district),
        odd=handovers.list_odd_sensors(conn, district),
        owed=intake.list_intake(conn, caller.scope, owed=True, limit=MOST_OWED),
        tasks=field_tasks.list_waiting(conn, caller.scope),
        squads=squads.list_squads(conn, district, near=now),
        phones=phones,
        counts=handovers.count_period(conn, district, since, now),
    )
    return {"since_at": since, "content": write_sheet(standing, now, local)}


def give_over(conn: Connection, caller: Caller, request: HandoverRequest, now: datetime) -> int:
    """The outgoing shift signs; what the sheet says does not change any more."""
    _check_signer(caller)
    note = _text("note", request.note)
    handovers.lock_handovers(conn, caller.district)
    waiting = handovers.find_open(conn, caller.district)
    if waiting is not None:
        raise Conflict(
            f"{waiting.given_by} has signed a sheet that nobody has taken over yet",
            current={"id": waiting.id, "version": waiting.version, "refused": "handover_open"},
        )
    sheet = draw_up(conn, caller, now)
    handover_id = handovers.insert_handover(
        conn, caller.district, sheet["since_at"], caller.name, now, sheet["content"]
    )
    if note:
        handovers.insert_note(conn, handover_id, caller.name, now, note)
    _tell(conn, caller, handover_id, "handover.given", now)
    return handover_id


def add_note(
    conn: Connection, caller: Caller, handover_id: int, request: HandoverNoteRequest, now: datetime
) -> None:
    """What the sheet does not know by itself; also afterwards, with its own time."""
    if caller.role not in NOTERS:
        raise Forbidden(f"a {caller.role.value} may not write on the handover sheet")
    text = _text("text", request.text)
    if not text:
        raise InvalidInput("text", request.text, "is required")
    handovers.lock_handovers(conn, caller.district)
    _find(conn, caller, handover_id)
    handovers.insert_note(conn, handover_id, caller.name, now, text)
    _tell(conn, caller, handover_id, "handover.noted", now, note=text)


def take_over(
    conn: Connection, caller: Caller, handover_id: int, version: int, now: datetime
) -> None:
    """The incoming shift signs: another account than the one that gave it."""
    _check_signer(caller)
    handovers.lock_handovers(conn, caller.district)
    found = _find(conn, caller, handover_id)
    if found.taken_at is not None or is_stale_version(version, found.version):
        raise Conflict(
            f"sheet {handover_id} was taken over by {found.taken_by}",
            current={"id": found.id, "version": found.version, "refused": "handover_taken"},
        )
    if found.given_by == caller.name:
        raise Forbidden("nobody hands over to themselves: the next shift signs with its account")
    handovers.mark_taken(conn, handover_id, caller.name, now)
    _tell(conn, caller, handover_id, "handover.taken", now, given_by=found.given_by)


def _check_signer(caller: Caller) -> None:
    if caller.role not in SIGNERS:
        raise Forbidden(f"a {caller.role.value} may not sign the handover sheet")


def _check_unbounded(caller: Caller) -> None:
    """A sheet is about the whole district."""
    if caller.within is not None:
        raise Forbidden(f"the handover sheet is of the whole district, not of {caller.within}")


def _text(name: str, text: str) -> str:
    if len(text) > MOST_TEXT:
        raise InvalidInput(name, len(text), f"is longer than {MOST_TEXT} characters")
    return text.strip()


def _find(conn: Connection, caller: Caller, handover_id: int) -> Handover:
    _check_unbounded(caller)
    found = handovers.find_handover(conn, caller.district, handover_id)
    if found is None:
        raise NotFound("handover", handover_id)
    return found


def _tell(
    conn: Connection, caller: Caller, handover_id: int, kind: str, now: datetime, **more: object
) -> None:
    payload: Mapping[str, object] = more
    subject = f"handover:{handover_id}"
    append_events(conn, [NewEvent(now, caller.district, kind, subject, caller.name, dict(payload))])
