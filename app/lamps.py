"""What people do to lamps, with the second person where many change in daylight.

An order to more than `ALONE_BY_DAY` lamps while the sun is up at the place waits as an approval;
it is of the moment, so what nobody lets happen within the hour is asked for anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from city.approval import Approval, NewApproval
from city.errors import Conflict
from city.event import NewEvent
from city.incident import Role
from city.lamp_programme import programme_of
from city.lighting import (
    ALONE_BY_DAY,
    COMMANDERS,
    LampPicture,
    NightOfStreet,
    Target,
    TargetKind,
    target_of,
)
from city.person import Caller
from city.requests import (
    AssignRequest,
    LampCancelRequest,
    LampOrderRequest,
    NightRequest,
    ProgrammeRequest,
    ProgrammeRetireRequest,
)
from city.scope import Scope
from city.sun import is_dark
from db import lamp_commands, users
from db.events import append_events
from db.lamp_commands import TargetLamp
from db.lamp_programmes import ProgrammeRow
from db.pool import Connection
from db.scopes import find_device_outside
from lighting import steps
from people import approvals
from people.approvals import ApprovalKind

LAMP_ORDER = "lamp_order"
GOOD_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """The order that was given (`cancelled` are commands that it took the place of), or the number
    of the approval that waits instead."""

    order: int | None
    approval: int | None
    lamps: int
    cancelled: int = 0


def order(
    conn: Connection, caller: Caller, request: LampOrderRequest, now: datetime
) -> OrderAnswer:
    """Give an order to lamps, or ask for the second person."""
    target = target_of(request.target, request.code, request.lamps)
    steps.check_order(caller, request.level, request.why, request.until, now)
    lamps = steps.find_lamps(conn, caller.scope, target)
    if needs_second(lamps, now):
        return _ask(conn, caller, request, target, lamps, now)
    done, events = steps.order(
        conn, caller, target, request.level, request.why, now, until=request.until
    )
    append_events(conn, events)
    return OrderAnswer(done.order_id, None, done.lamps, done.cancelled)


def needs_second(lamps: Sequence[TargetLamp], now: datetime) -> bool:
    """Many lamps by day."""
    return len(lamps) > ALONE_BY_DAY and not is_dark(now, lamp_commands.middle_of(lamps))


def _ask(
    conn: Connection,
    caller: Caller,
    request: LampOrderRequest,
    target: Target,
    lamps: Sequence[TargetLamp],
    now: datetime,
) -> OrderAnswer:
    ids = [lamp.id for lamp in lamps]
    others = [
        user.name for user in users.list_users(conn, caller.district)
        if user.role in COMMANDERS and user.name != caller.name
        and find_device_outside(conn, users.caller_of(conn, user).scope, ids) is None
    ]  # fmt: skip
    if not others:
        takes = " or ".join(role.value for role in COMMANDERS)
        raise Conflict(
            f"more than {ALONE_BY_DAY} lamps by day take a second person, and there is no other"
            f" {takes}", current={"refused": "nobody_else", "lamps": len(lamps)},
        )  # fmt: skip
    change = {
        "target": target.kind.value, "code": target.code, "lamps": list(target.lamps),
        "level": request.level, "why": request.why.strip(),
        "until": request.until.isoformat() if request.until else None,
    }  # fmt: skip
    told = {
        "target": target.kind.value, "code": target.code, "level": request.level,
        "lamps": len(lamps), "name": lamp_commands.name_of(conn, target),
    }  # fmt: skip
    what = f"{target.kind.value} {target.code}: {request.level} %, {len(lamps)} lamps by day"
    shown = {"rules": [], "switch_off": False, "ends": [], "alarms": None, "order": told}
    new = NewApproval(LAMP_ORDER, what, change, _of_lamps(lamps), shown)
    asked = approvals.ask(conn, KINDS, caller, new, request.why, now)
    append_events(conn, asked.events)
    return OrderAnswer(None, asked.approval.id, len(lamps))


def cancel(
    conn: Connection, caller: Caller, order_id: int, request: LampCancelRequest, now: datetime
) -> int:
    """Call off what is open of an order; how many commands that were."""
    count, events = steps.cancel(conn, caller, order_id, request.why, now)
    append_events(conn, events)
    return count


def save_programme(
    conn: Connection, caller: Caller, request: ProgrammeRequest, now: datetime
) -> ProgrammeRow:
    programme = programme_of(
        {
            "code": request.code, "name_zh": request.name_zh, "name_en": request.name_en,
            "step": request.steps,
        }
    )  # fmt: skip
    row, events = steps.save_programme(conn, caller, programme, request.version, request.why, now)
    append_events(conn, events)
    return row


def retire_programme(
    conn: Connection, caller: Caller, code: str, request: ProgrammeRetireRequest, now: datetime
) -> ProgrammeRow:
    row, events = steps.retire_programme(conn, caller, code, request.version, request.why, now)
    append_events(conn, events)
    return row


def assign(conn: Connection, caller: Caller, request: AssignRequest, now: datetime) -> None:
    events = steps.assign(
        conn, caller, request.target, request.code, request.programme, request.why, now
    )
    append_events(conn, events)


def recompute(
    conn: Connection, caller: Caller, night: date, request: NightRequest, now: datetime
) -> list[NightOfStreet]:
    return steps.recompute(conn, caller, night, request.why, now)


def build_picture(conn: Connection, scope: Scope, now: datetime) -> LampPicture:
    return steps.build_picture(conn, scope, now)


def last_night(conn: Connection, district: str, now: datetime) -> date:
    return steps.last_night(conn, district, now)


# The kind of approval, as `people.approvals` wants it


def _of_lamps(lamps: Sequence[TargetLamp]) -> dict[str, Any]:
    """Which lamps a target means."""
    codes = "\n".join(lamp.code for lamp in lamps)
    return {"lamps": len(lamps), "sha256": hashlib.sha256(codes.encode()).hexdigest()}


def _target(change: Mapping[str, Any]) -> Target:
    return Target(TargetKind(change["target"]), change["code"], tuple(change["lamps"]))


def _lock(conn: Connection) -> None:
    """Approvals of orders are decided one after the other."""
    lamp_commands.lock_orders(conn, "")


def _before(
    conn: Connection, district: str, change: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    return _of_lamps(lamp_commands.list_target(conn, district, _target(change)))


def _moved(conn: Connection, approval: Approval) -> list[dict[str, Any]]:
    """Lamps came or went: the registry says who."""
    return []


def _put(conn: Connection, approval: Approval, caller: Caller, now: datetime) -> list[NewEvent]:
    if now - approval.asked_at > GOOD_FOR:
        raise Conflict(
            f"approval {approval.id} was asked for more than an hour ago: ask for it anew",
            current={"refused": "too_old", "asked_at": approval.asked_at.isoformat()},
        )
    change = approval.change
    until = datetime.fromisoformat(change["until"]) if change["until"] else None
    giver = Caller(approval.asked_by, Role.DISPATCHER, approval.district)
    _, events = steps.order(
        conn, giver, _target(change), change["level"], change["why"], now, until=until
    )
    return [
        replace(event, payload={**event.payload, "approved_by": caller.name}) for event in events
    ]


KINDS: Mapping[str, ApprovalKind] = {
    LAMP_ORDER: ApprovalKind(COMMANDERS, _lock, _before, _moved, _put),
}
