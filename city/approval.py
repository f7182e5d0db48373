"""Four eyes: what one person asks for and another one lets happen. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Role
from city.person import Caller

# Whoever looks later than this looks at another city: it is asked for anew.
EXPIRES_AFTER = timedelta(days=7)
WHY_MAX = 2_000
# A token is nobody: whoever asks could have made one.
TOKEN = "token:"


class ApprovalState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # refused by whoever asked
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewApproval:
    """What is asked for. `change` is what would be done and `before` what it was made on: both
    are what is approved. `shown` is what people are told of it."""

    kind: str
    what: str
    change: Mapping[str, Any]
    before: Mapping[str, Any]
    shown: Mapping[str, Any]

    @property
    def digest(self) -> str:
        return digest_of(self.kind, self.change, self.before)


@dataclass(frozen=True, slots=True)
class Approval:
    """A request and what became of it."""

    id: int
    district: str
    kind: str
    what: str
    change: Mapping[str, Any]
    before: Mapping[str, Any]
    shown: Mapping[str, Any]
    digest: str
    asked_by: str
    asked_at: datetime
    why: str
    expires_at: datetime
    state: ApprovalState
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", ApprovalState(self.state))

    def standing(self, now: datetime) -> ApprovalState:
        """A request that nobody decided in time is none any more, whether or not that is
        written down yet."""
        over = self.state is ApprovalState.WAITING and now >= self.expires_at
        return ApprovalState.EXPIRED if over else self.state


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """What was asked for an incident and waits for the duty chief."""

    id: int
    action: str
    asked_by: str
    asked_at: datetime
    why: str
    until: datetime | None
    expires_at: datetime


def digest_of(kind: str, change: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """SHA-256 of what is approved, in one spelling of JSON."""
    text = json.dumps([kind, change, before], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def may_decide(approval: Approval, roles: Collection[Role], caller: Caller) -> bool:
    """Whether this person is the second one."""
    return (
        caller.role in roles
        and caller.district == approval.district
        and caller.name != approval.asked_by
        and not caller.name.startswith(TOKEN)
    )


def check_ask(roles: Collection[Role], caller: Caller, why: str) -> str:
    """The reason, if this person may ask and gives one."""
    _check_person(roles, caller)
    return check_why(why)


def check_why(why: str) -> str:
    why = why.strip()
    if not why or len(why) > WHY_MAX:
        raise InvalidInput("why", why[:80], f"must have 1 to {WHY_MAX} characters")
    return why


def check_approve(
    approval: Approval, roles: Collection[Role], caller: Caller, digest: str, now: datetime
) -> None:
    """Refuse whoever may not approve this, and what is not what they looked at."""
    _check_waits(approval, now)
    _check_person(roles, caller)
    if caller.name == approval.asked_by:
        raise Forbidden(f"{caller.name} asked for it: somebody else approves")
    made_of = digest_of(approval.kind, approval.change, approval.before)
    if digest != approval.digest or made_of != approval.digest:
        raise Conflict(
            f"approval {approval.id} is not what was looked at: look at it again",
            current={"refused": "other_digest", "digest": approval.digest},
        )


def refusal_of(
    approval: Approval, roles: Collection[Role], caller: Caller, now: datetime
) -> ApprovalState:
    """What a refusal by this person makes of a request; whoever asked takes it back."""
    _check_waits(approval, now)
    if caller.name == approval.asked_by:
        return ApprovalState.WITHDRAWN
    _check_person(roles, caller)
    return ApprovalState.REFUSED


def _check_waits(approval: Approval, now: datetime) -> None:
    state = approval.standing(now)
    if state is ApprovalState.WAITING:
        return
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    raise Conflict(
        f"approval {approval.id} waits no more: {state.value}{by}",
        current={"refused": "decided", "state": state.value, "decided_by": approval.decided_by},
    )


def _check_person(roles: Collection[Role], caller: Caller) -> None:
    if caller.name.startswith(TOKEN):
        raise Forbidden("a token is nobody: a person who signs in does this")
    if caller.role not in roles:
        takes = ", ".join(sorted(role.value for role in roles))
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: {takes}")
