"""Four eyes: who may decide what, until when, and that it is what was looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.approval import (
    EXPIRES_AFTER,
    Approval,
    ApprovalState,
    NewApproval,
    check_approve,
    check_ask,
    check_why,
    may_decide,
    refusal_of,
)
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Role
from city.person import Caller

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
ROLES = (Role.GAS_ENGINEER, Role.ADMIN)
NEW = NewApproval("gas_rules", "rule gas-lel", {"put": {"gas-lel": "a"}}, {"version": 1}, {})
WAITING = Approval(
    1,
    "991201",
    NEW.kind,
    NEW.what,
    NEW.change,
    NEW.before,
    NEW.shown,
    NEW.digest,
    "anna",
    NOW,
    "why not",
    NOW + EXPIRES_AFTER,
    ApprovalState.WAITING,
    None,
    None,
    "",
)


def caller(name: str, role: Role = Role.ADMIN, district: str = "991201") -> Caller:
    return Caller(name, role, district)


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (caller("bo"), True),
        (caller("bo", Role.GAS_ENGINEER), True),
        (caller("bo", Role.DISPATCHER), False),
        (caller("anna"), False),
        (caller("token:bo"), False),
        (caller("bo", district="991202"), False),
    ],
)
def test_the_second_person_is_another_one_of_the_roles(who: Caller, may: bool) -> None:
    assert may_decide(WAITING, ROLES, who) is may
    if may:
        check_approve(WAITING, ROLES, who, NEW.digest, NOW)
    elif who.district == WAITING.district:
        with pytest.raises(Forbidden):
            check_approve(WAITING, ROLES, who, NEW.digest, NOW)


def test_tokens_ask_for_nothing_and_a_reason_is_given() -> None:
    assert check_ask(ROLES, caller("anna"), " so ") == "so"
    for who in (caller("token:a"), caller("anna", Role.VIEWER)):
        with pytest.raises(Forbidden):
            check_ask(ROLES, who, "so")
    for why in ("", "  ", "x" * 2_001):
        with pytest.raises(InvalidInput, match="why"):
            check_why(why)


@pytest.mark.parametrize(
    "other",
    [
        replace(WAITING, change={"put": {"gas-lel": "b"}}),
        replace(WAITING, before={"version": 2}),
        replace(WAITING, kind="shelving"),
    ],
)
def test_what_was_exchanged_since_is_not_approved(other: Approval) -> None:
    with pytest.raises(Conflict, match="is not what was looked at"):
        check_approve(other, ROLES, caller("bo"), other.digest, NOW)
    with pytest.raises(Conflict, match="is not what was looked at"):
        check_approve(WAITING, ROLES, caller("bo"), "0" * 64, NOW)


def test_it_expires_by_itself_and_is_decided_once() -> None:
    late = WAITING.expires_at
    assert WAITING.standing(late - timedelta(seconds=1)) is ApprovalState.WAITING
    assert WAITING.standing(late) is ApprovalState.EXPIRED
    done = replace(WAITING, state=ApprovalState.REFUSED, decided_by="bo", decided_at=NOW)
    for over, at, said in ((WAITING, late, "expired"), (done, NOW, "refused by bo")):
        with pytest.raises(Conflict, match=said):
            check_approve(over, ROLES, caller("bo"), NEW.digest, at)
        with pytest.raises(Conflict, match=said):
            refusal_of(over, ROLES, caller("anna"), at)


def test_whoever_asked_takes_it_back_and_the_others_refuse_it() -> None:
    assert refusal_of(WAITING, ROLES, caller("anna"), NOW) is ApprovalState.WITHDRAWN
    assert refusal_of(WAITING, ROLES, caller("bo"), NOW) is ApprovalState.REFUSED
    with pytest.raises(Forbidden):
        refusal_of(WAITING, ROLES, caller("bo", Role.CHECKER), NOW)
