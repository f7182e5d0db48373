"""Check-ins of whoever works alone, and calls for help: begun, said, missed, acknowledged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from city.act_time import ActTime, SaidTime
from city.errors import Conflict, Forbidden, InvalidInput
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from city.place import LonLat
from city.safety import CheckIn, DistressCall, DistressKind
from city.safety_requests import CheckInRequest, DistressSeenRequest, DuressRequest, FineRequest
from db import incidents, safety
from db.districts import longest_phone_wait
from db.events import append_events
from db.pool import Connection
from dispatch.act_time import judge_time
from dispatch.lone_work import heard

# Who may take a call for help on.
CENTRE = frozenset({Role.ADMIN, Role.DISPATCHER})
# Missed check-ins told in one transaction.
BATCH = 50


def begin_check_in(
    conn: Connection, caller: Caller, request: CheckInRequest, now: datetime
) -> CheckIn:
    """From now on "I am fine" is due every so many minutes."""
    squad = _squad(caller)
    _check_place(request.lon, request.lat)
    _check_incident(conn, caller, request.incident_id)
    new = safety.insert_check_in(
        conn,
        CheckIn(
            id=0,
            district=caller.district,
            person=caller.name,
            squad=squad,
            incident_id=request.incident_id,
            every_minutes=request.every_minutes,
            started_at=now,
            heard_at=now,
            due_at=now + timedelta(minutes=request.every_minutes),
            lon=request.lon,
            lat=request.lat,
            ended_at=None,
        ),
    )
    if new is None:
        problem = f"{caller.name} has a check-in that runs: end it first"
        raise Conflict(problem, current={"person": caller.name, "runs": True})
    _tell(conn, new, "squad.check_in_started", caller.name, now, every_minutes=new.every_minutes)
    return new


def say_fine(
    conn: Connection,
    caller: Caller,
    request: FineRequest,
    now: datetime,
    sent_at: datetime | None = None,
) -> CheckIn:
    """Somebody is fine; the minutes run anew from when they said so."""
    row = _running(conn, caller)
    _check_place(request.lon, request.lat)
    done = _time_of(conn, caller, request, row.started_at, now, sent_at)
    after = heard(row, done.at, request.lon, request.lat)
    safety.update_check_in(conn, after)
    calls = safety.mark_heard(conn, row.id, done.at)
    events = [
        _event(row, "squad.checked_in", caller.name, now, acted_at=done.at.isoformat()),
        *(_about_call(conn, caller.district, call, "squad.heard_again", now) for call in calls),
    ]
    append_events(conn, events)
    return after


def end_check_in(conn: Connection, caller: Caller, now: datetime) -> CheckIn:
    """The work is over."""
    row = replace(_running(conn, caller), ended_at=now, due_at=None)
    safety.update_check_in(conn, row)
    calls = safety.mark_heard(conn, row.id, now)
    events = [
        _event(row, "squad.check_in_ended", caller.name, now),
        *(_about_call(conn, caller.district, call, "squad.heard_again", now) for call in calls),
    ]
    append_events(conn, events)
    return row


def call_for_help(
    conn: Connection,
    caller: Caller,
    request: DuressRequest,
    now: datetime,
    sent_at: datetime | None = None,
) -> DistressCall:
    """The button was held: nothing stands in the way of this, not even a wrong place or case."""
    squad = _squad(caller)
    earliest = now - longest_phone_wait(conn, caller.district)
    done = _time_of(conn, caller, request, earliest, now, sent_at)
    known = _is_known(conn, caller, request.incident_id)
    lon, lat = _place_or_none(request.lon, request.lat)
    return _raise_call(
        conn,
        DistressCall(
            id=0,
            district=caller.district,
            kind=DistressKind.DURESS.value,
            person=caller.name,
            squad=squad,
            incident_id=request.incident_id if known else None,
            check_in_id=None,
            acted_at=done.at,
            raised_at=now,
            heard_at=None,
            lon=lon,
            lat=lat,
            acknowledged_by=None,
            acknowledged_at=None,
            note="",
        ),
        caller.name,
    )


def acknowledge_call(
    conn: Connection, caller: Caller, call_id: int, request: DistressSeenRequest, now: datetime
) -> DistressCall:
    """Somebody of the centre takes it on; a second one is told who was first."""
    if caller.role not in CENTRE:
        raise Forbidden(f"a {caller.role.value} may not acknowledge a call for help")
    call = safety.find_call(conn, caller.district, call_id, lock=True)
    if call.acknowledged_by is not None:
        raise Conflict(
            f"call for help {call.id} was acknowledged by {call.acknowledged_by}",
            current={"id": call.id, "acknowledged_by": call.acknowledged_by},
        )
    safety.acknowledge_call(conn, call.id, caller.name, request.note.strip(), now)
    told = _call_event(
        call, "squad.distress_acknowledged", caller.name, now, note=request.note.strip()
    )
    append_events(conn, [told])
    return safety.find_call(conn, caller.district, call.id)


def tick_check_ins(conn: Connection, now: datetime) -> int:
    """Tell of those whose minutes are over, once each; gives their number."""
    missed = safety.claim_due(conn, now, BATCH)
    for row in missed:
        assert row.due_at is not None, "claimed by its due time"
        safety.update_check_in(conn, replace(row, due_at=None))
        _raise_call(
            conn,
            DistressCall(
                id=0,
                district=row.district,
                kind=DistressKind.MISSED_CHECK_IN.value,
                person=row.person,
                squad=row.squad,
                incident_id=row.incident_id,
                check_in_id=row.id,
                acted_at=row.due_at,
                raised_at=now,
                heard_at=None,
                lon=row.lon,
                lat=row.lat,
                acknowledged_by=None,
                acknowledged_at=None,
                note="",
            ),
            "system",
        )
    return len(missed)


def _raise_call(conn: Connection, new: DistressCall, actor: str) -> DistressCall:
    call = safety.find_call(conn, new.district, safety.insert_call(conn, new))
    append_events(conn, [_call_event(call, f"squad.{call.kind}", actor, call.raised_at)])
    return call


def _squad(caller: Caller) -> str:
    if caller.squad is None:
        raise Forbidden(f"{caller.name} belongs to no squad")
    return caller.squad


def _running(conn: Connection, caller: Caller) -> CheckIn:
    row = safety.find_running(conn, caller.district, caller.name, lock=True)
    if row is None:
        problem = f"{caller.name} has no check-in that runs"
        raise Conflict(problem, current={"person": caller.name, "runs": False})
    return row


def _time_of(
    conn: Connection,
    caller: Caller,
    request: FineRequest | DuressRequest,
    since: datetime,
    now: datetime,
    sent_at: datetime | None,
) -> ActTime:
    if request.acted_at is None:
        return ActTime(now)
    ahead = request.clock_offset_ms
    offset = None if ahead is None else timedelta(milliseconds=ahead)
    said = SaidTime(request.acted_at, sent_at, offset)
    return judge_time(said, now, since, longest_phone_wait(conn, caller.district))


def _check_place(lon: float | None, lat: float | None) -> None:
    if lon is not None or lat is not None:
        if lon is None or lat is None:
            missing = "lon" if lon is None else "lat"
            raise InvalidInput(missing, None, "is missing: a place has both")
        LonLat(lon, lat)


def _place_or_none(lon: float | None, lat: float | None) -> tuple[float | None, float | None]:
    try:
        _check_place(lon, lat)
    except InvalidInput:
        return None, None
    return lon, lat


def _is_known(conn: Connection, caller: Caller, incident_id: int | None) -> bool:
    return incident_id is not None and bool(
        incidents.list_by_id(conn, [incident_id], caller.district)
    )


def _check_incident(conn: Connection, caller: Caller, incident_id: int | None) -> None:
    if incident_id is not None and not _is_known(conn, caller, incident_id):
        raise InvalidInput("incident_id", incident_id, "is no case of this district")


def _tell(
    conn: Connection, row: CheckIn, kind: str, actor: str, now: datetime, **payload: Any
) -> None:
    append_events(conn, [_event(row, kind, actor, now, **payload)])


def _event(row: CheckIn, kind: str, actor: str, now: datetime, **payload: Any) -> NewEvent:
    told = {"person": row.person, "squad": row.squad, "incident": row.incident_id, **payload}
    payload = {name: value for name, value in told.items() if value not in (None, "")}
    return NewEvent(now, row.district, kind, row.subject, actor, payload)


def _about_call(
    conn: Connection, district: str, call_id: int, kind: str, now: datetime
) -> NewEvent:
    call = safety.find_call(conn, district, call_id)
    return _call_event(call, kind, call.person, now)


def _call_event(
    call: DistressCall, kind: str, actor: str, now: datetime, **payload: Any
) -> NewEvent:
    told = {
        "person": call.person,
        "squad": call.squad,
        "incident": call.incident_id,
        "number": call.number,
        "acted_at": call.acted_at.isoformat(),
        "lon": call.lon,
        "lat": call.lat,
        **payload,
    }
    payload = {name: value for name, value in told.items() if value not in (None, "")}
    return NewEvent(now, call.district, kind, call.subject, actor, payload)
