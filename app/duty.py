"""Leave and swaps: a duty goes to somebody else of the squad once a second person agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, NoReturn

from city.approval import Approval, NewApproval
from city.errors import Conflict, Forbidden, InvalidInput
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from city.requests import DutyChangeRequest
from city.roster import REST, Duty, of_day
from city.stand_in import StandIn, rank_stand_ins
from db import certificates, places, rosters, squads, users
from db.events import append_events, list_events
from db.pool import Connection
from people import approvals as steps
from people.approvals import ApprovalKind

DUTY = "duty"
ASKERS = (Role.SQUAD_LEADER, Role.DISPATCHER, Role.ADMIN)
DECIDERS = (Role.DISPATCHER, Role.ADMIN)


def ask_change(
    conn: Connection, caller: Caller, request: DutyChangeRequest, now: datetime
) -> Approval:
    """Ask that `stand_in` takes the duty of a day, and gives one of their own for it where
    `other_day` says which. Nothing of it is done before somebody else agrees."""
    if caller.role is Role.SQUAD_LEADER and caller.squad != request.squad:
        raise Forbidden(f"squad {request.squad} is not yours")
    roster = _roster(conn, caller.district, request.squad)
    today = now.astimezone(places.zone_of(conn, caller.district)).date()
    day = _day("day", request.day, today)
    duty = _find(roster, "start", day, request.start)
    could = _stand_ins(conn, caller.district, request.squad, day, duty)
    if not request.stand_in.strip():
        _refuse_hole(request.squad, day, duty, could)
    _check_stand_in(conn, caller.district, request, duty)
    moves = [_move(day, duty, request.stand_in)]
    if request.other_day:
        other_day = _day("other_day", request.other_day, today)
        other = _find(roster, "other_start", other_day, request.other_start)
        if other.person != request.stand_in:
            who = f"is the duty of {other.person}, not of {request.stand_in}"
            raise InvalidInput("other_start", request.other_start, who)
        moves.append(_move(other_day, other, duty.person))
    new = NewApproval(
        kind=DUTY,
        what=f"{request.squad} {moves[0]['day']} {moves[0]['start']}: "
        f"{duty.person} -> {request.stand_in}",
        change={"squad": request.squad, "moves": moves},
        before=_before(conn, caller.district, {"squad": request.squad, "moves": moves}, now),
        shown={
            "rules": [], "switch_off": False, "ends": [], "alarms": None,
            "duty": {"squad": request.squad, "moves": moves} | _doubts(request.stand_in, could),
        },
    )  # fmt: skip
    asked = steps.ask(conn, KINDS, caller, new, request.why, now)
    append_events(conn, asked.events)
    return asked.approval


def list_stand_ins(
    conn: Connection, caller: Caller, squad: str, day: str, start: str, now: datetime
) -> list[StandIn]:
    """Who of the squad could take a duty, those who may first."""
    if caller.role not in ASKERS or (caller.role is Role.SQUAD_LEADER and caller.squad != squad):
        raise Forbidden(f"the duties of squad {squad} are not yours to change")
    today = now.astimezone(places.zone_of(conn, caller.district)).date()
    on = _day("day", day, today)
    roster = _roster(conn, caller.district, squad)
    return _stand_ins(conn, caller.district, squad, on, _find(roster, "start", on, start))


def _stand_ins(conn: Connection, district: str, squad: str, day: date, duty: Duty) -> list[StandIn]:
    found = squads.find_squad(conn, district, squad)
    people = {
        user.name: user.display_name or user.name
        for user in users.list_users(conn, district)
        if user.squad == squad
    }
    held = certificates.list_certificates(conn, sorted(people))
    return rank_stand_ins(found.roster or (), day, duty, found.skills, people, held)


def _refuse_hole(squad: str, day: date, duty: Duty, could: Sequence[StandIn]) -> NoReturn:
    """A squad has one person on duty at a time, so leave alone leaves nobody: it says so, and who
    could stand in."""
    fit = [one.called for one in could if one.fit]
    hours = f"{duty.start:%H:%M}-{duty.end:%H:%M}"
    who = f"could stand in: {', '.join(fit)}" if fit else "nobody of the squad may stand in"
    raise InvalidInput(
        "stand_in",
        None,
        f"is missing: {squad} would have nobody on {day} {hours}; {who}",
        code="hole_filled_by" if fit else "hole",
        facts={"squad": squad, "day": day.isoformat(), "hours": hours, "who": "、".join(fit)},
    )


def _doubts(stand_in: str, could: Sequence[StandIn]) -> dict[str, Any]:
    """What whoever approves should know of the stand-in."""
    for one in could:
        if one.person == stand_in and not one.fit:
            short = one.rest_hours is not None and one.rest_hours < REST / timedelta(hours=1)
            rest = one.rest_hours if short else None
            return {"doubts": {"rest_hours": rest, "expired": list(one.expired)}}
    return {}


def _move(day: date, duty: Duty, to: str) -> dict[str, str]:
    return {
        "day": day.isoformat(), "start": f"{duty.start:%H:%M}", "end": f"{duty.end:%H:%M}",
        "person": duty.person, "to": to,
    }  # fmt: skip


def _roster(conn: Connection, district: str, squad: str) -> Sequence[Duty]:
    found = squads.find_squad(conn, district, squad).roster
    if found is None:
        raise InvalidInput("squad", squad, "has no roster: it is on duty by weekly shifts")
    return found


def _day(field: str, text: str, today: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, text, "must be YYYY-MM-DD") from None
    if day < today:
        raise InvalidInput(field, text, "is over")
    return day


def _find(roster: Sequence[Duty], field: str, day: date, start: str) -> Duty:
    for duty in of_day(roster, day):
        if f"{duty.start:%H:%M}" == start:
            return duty
    raise InvalidInput(field, start, f"is when no duty of {day} begins")


def _check_stand_in(
    conn: Connection, district: str, request: DutyChangeRequest, duty: Duty
) -> None:
    """Somebody of the squad who may sign in, and not whoever has the duty."""
    found = users.find_user(conn, request.stand_in)
    if found is None or found.district != district or found.squad != request.squad:
        raise InvalidInput("stand_in", request.stand_in, f"is nobody of squad {request.squad}")
    if request.stand_in == duty.person:
        raise InvalidInput("stand_in", request.stand_in, "has this duty already")


def moved_roster(roster: Sequence[Duty], moves: Sequence[Mapping[str, str]]) -> list[Duty]:
    """The roster after these moves: their days have entries of their own from then on. Pure."""
    after = list(roster)
    for move in moves:
        day = date.fromisoformat(move["day"])
        dated = [replace(duty, day=move["day"]) for duty in of_day(after, day)]
        start = time.fromisoformat(move["start"])
        dated = [
            replace(duty, person=move["to"], phone="", called="") if duty.start == start else duty
            for duty in dated
        ]
        after = [duty for duty in after if duty.day != move["day"]] + dated
    return after


# The kind, as `people.approvals` wants it


def _lock(conn: Connection) -> None:
    rosters.lock_rosters(conn)


def _before(
    conn: Connection, district: str, change: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Who has the duties of these days."""
    roster = _roster(conn, district, change["squad"])
    return {
        move["day"]: [
            [f"{duty.start:%H:%M}", f"{duty.end:%H:%M}", duty.person]
            for duty in of_day(roster, date.fromisoformat(move["day"]))
        ]
        for move in change["moves"]
    }


def _moved(conn: Connection, approval: Approval) -> list[dict[str, Any]]:
    """Who changed the roster since."""
    subject = f"roster:{approval.change['squad']}"
    return [
        {
            "actor": event.actor,
            "at": event.at.isoformat(timespec="seconds"),
            "what": f"{event.kind} {event.subject.partition(':')[2]}",
            "seq": event.seq,
        }
        for event in list_events(conn, subject=subject, since=approval.asked_at)
    ]


def _put(conn: Connection, approval: Approval, caller: Caller, now: datetime) -> list[NewEvent]:
    squad, moves = approval.change["squad"], approval.change["moves"]
    today = now.astimezone(places.zone_of(conn, approval.district)).date()
    if any(date.fromisoformat(move["day"]) < today for move in moves):
        raise Conflict("the day is over; enter it anew", current={"refused": "late"})
    roster = _roster(conn, approval.district, squad)
    rosters.replace_roster(conn, squad, moved_roster(roster, moves))
    told = {"moves": moves, "why": approval.why, "asked_by": approval.asked_by}
    subject = f"roster:{squad}"
    return [NewEvent(now, approval.district, "roster.changed", subject, caller.name, told)]


KINDS: Mapping[str, ApprovalKind] = {
    DUTY: ApprovalKind(DECIDERS, _lock, _before, _moved, _put, askers=ASKERS)
}
