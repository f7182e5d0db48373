"""Four eyes: one person asks, another one lets it happen, and then it is done at once.

What can be asked for is a kind, which the application hands in: who decides, what the change
was made on as it is now, and how it is done. A request is approved by its digest; where what it
was made on has moved, it is refused with who changed what.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from city.approval import (
    EXPIRES_AFTER,
    Approval,
    ApprovalState,
    NewApproval,
    check_approve,
    check_ask,
    check_why,
    refusal_of,
)
from city.errors import Conflict, NotFound
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from db import approvals
from db.events import append_events
from db.pool import Connection

SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class ApprovalKind:
    """`lock` keeps others from what the change is about until the commit; `before` is what a
    change would be made on now; `moved` is who changed what since a request; `put` does the
    change and answers with its events, which are appended here."""

    roles: Collection[Role]
    lock: Callable[[Connection], None]
    before: Callable[[Connection, str, Mapping[str, Any], datetime], Mapping[str, Any]]
    moved: Callable[[Connection, Approval], Sequence[Mapping[str, Any]]]
    put: Callable[[Connection, Approval, Caller, datetime], Sequence[NewEvent]]
    askers: Collection[Role] = ()  # where others may ask than decide


Kinds = Mapping[str, ApprovalKind]


@dataclass(frozen=True, slots=True)
class Asked:
    """The request, which may have waited already, and the events about it."""

    approval: Approval
    is_new: bool
    events: Sequence[NewEvent]


def ask(
    conn: Connection, kinds: Kinds, caller: Caller, new: NewApproval, why: str, now: datetime
) -> Asked:
    """Store what this person asks for; nothing of it is done. The events are the caller's to
    append, last. Where the very same waits already, that is the answer."""
    kind = kinds[new.kind]
    why = check_ask(kind.askers or kind.roles, caller, why)
    events = _expire(conn, caller.district, now)
    number = approvals.insert_approval(
        conn, caller.district, new, caller.name, why, now, now + EXPIRES_AFTER
    )
    found = approvals.find_waiting(conn, caller.district, new.digest)
    assert found is not None, "it was stored, or was there"
    if number is not None:
        told = {"kind": new.kind, "what": new.what, "why": why, "digest": new.digest}
        events.append(_entry(found, "approval.asked", caller.name, now, told))
    return Asked(found, number is not None, events)


def approve(
    conn: Connection,
    kinds: Kinds,
    caller: Caller,
    number: int,
    digest: str,
    why: str,
    now: datetime,
) -> Approval:
    """Let happen what was asked for, exactly as `digest` says it. The events of the change name
    the approval."""
    why = check_why(why)
    found = _find(conn, kinds, caller, number)
    kind = kinds[found.kind]
    check_approve(found, kind.roles, caller, digest, now)
    _refuse_outside(conn, caller, found)
    if kind.before(conn, found.district, found.change, now) != found.before:
        raise _overtaken(found, kind.moved(conn, found))
    done = kind.put(conn, found, caller, now)
    approvals.decide(conn, number, ApprovalState.APPROVED, caller.name, why, now)
    told = {"what": found.what, "why": why, "digest": digest, "asked_by": found.asked_by}
    entry = _entry(found, "approval.approved", caller.name, now, told)
    of_it = [replace(e, payload={**e.payload, "approval": number}) for e in done]
    append_events(conn, [entry, *of_it])
    return _decided(found, ApprovalState.APPROVED, caller, why, now)


def refuse(
    conn: Connection, kinds: Kinds, caller: Caller, number: int, why: str, now: datetime
) -> Approval:
    """Say no, or take back what one has asked for oneself."""
    why = check_why(why)
    found = _find(conn, kinds, caller, number)
    state = refusal_of(found, kinds[found.kind].roles, caller, now)
    if state is not ApprovalState.WITHDRAWN:
        _refuse_outside(conn, caller, found)
    approvals.decide(conn, number, state, caller.name, why, now)
    told = {"what": found.what, "why": why, "digest": found.digest, "asked_by": found.asked_by}
    append_events(conn, [_entry(found, f"approval.{state.value}", caller.name, now, told)])
    return _decided(found, state, caller, why, now)


def _find(conn: Connection, kinds: Kinds, caller: Caller, number: int) -> Approval:
    """The request, locked after what it is about: as everybody takes the locks."""
    name = approvals.kind_of(conn, caller.district, number)
    if name is None or name not in kinds:
        raise NotFound("approval", number)
    kinds[name].lock(conn)
    found = approvals.lock_approval(conn, caller.district, number)
    assert found is not None, "requests are never deleted"
    return found


def _refuse_outside(conn: Connection, caller: Caller, found: Approval) -> None:
    """Whoever is bounded decides what lies within alone, by page, API or command."""
    if not approvals.is_inside(conn, caller.scope, found.id):
        raise caller.scope.refusal("approval", found.id)


def _overtaken(found: Approval, moved: Sequence[Mapping[str, Any]]) -> Conflict:
    who = "; ".join(f"{m['actor']}, {m['at']}: {m['what']}" for m in moved) or "somebody"
    return Conflict(
        f"what approval {found.id} was made on has changed since ({who}); ask for it anew",
        current={"refused": "overtaken", "changed": list(moved)},
    )


def _expire(conn: Connection, district: str, now: datetime) -> list[NewEvent]:
    return [
        NewEvent(now, district, "approval.expired", f"approval:{number}", SYSTEM, {"what": what})
        for number, what in approvals.expire(conn, district, now)
    ]


def _entry(
    found: Approval, kind: str, actor: str, now: datetime, payload: dict[str, Any]
) -> NewEvent:
    return NewEvent(now, found.district, kind, f"approval:{found.id}", actor, payload)


def _decided(
    found: Approval, state: ApprovalState, caller: Caller, why: str, now: datetime
) -> Approval:
    return replace(
        found, state=state, decided_by=caller.name, decided_at=now, decided_why=why
    )  # fmt: skip
