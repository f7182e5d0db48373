"""`/approvals`: what waits for a second person, exactly what it would change, and the decision."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response

from city.approval import Approval, ApprovalState
from city.errors import NotFound
from city.incident import Role
from city.person import ADMINISTRATORS, Caller
from city.requests import ApprovalApproveRequest, ApprovalRefuseRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import cursor_key, page, read_args, read_list_query
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.ports import ApprovalSteps
from db.pool import Connection, transaction

READERS = (*ADMINISTRATORS, Role.DISPATCHER, Role.GAS_ENGINEER, Role.LEADER)
# Of all kinds together; each kind says who decides it.
DECIDERS = (*ADMINISTRATORS, Role.DISPATCHER, Role.GAS_ENGINEER, Role.LEADER)
# Whoever asked may take it back.
REFUSERS = (*DECIDERS, Role.SQUAD_LEADER)

approvals = Blueprint("approvals", __name__)


@approvals.get("/approvals")
@requires(*READERS)
def list_approvals() -> Response:
    query = read_list_query({})
    key = cursor_key(query, int)
    caller, now = current_caller(), datetime.now(UTC)
    with transaction(parts().pool) as conn:
        rows = _steps().list_approvals(
            conn, caller, below=key[0] if key else None, limit=query.limit + 1
        )
    since = [row for row in rows if query.since is None or row.asked_at >= query.since]
    answer = page(since, query.limit, lambda row: [row.id])
    answer["items"] = [_item(row, caller, now) for row in since[: query.limit]]
    return json_answer(answer)


@approvals.get("/approvals/<int:id>")
@requires(*READERS)
def get_approval(id: int) -> Response:
    read_args(())
    caller, number = current_caller(), known_id("approval", id)
    with transaction(parts().pool) as conn:
        rows = _steps().list_approvals(conn, caller, below=number + 1, limit=1)
    if not rows or rows[0].id != number:
        raise NotFound("approval", number)
    return json_answer(_item(rows[0], caller, datetime.now(UTC)))


@approvals.post("/approvals/<int:id>/approve")
@requires(*DECIDERS)
def approve(id: int) -> Response:
    asked, caller = read_body(ApprovalApproveRequest), current_caller()
    number = known_id("approval", id)

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        done = _steps().approve(conn, caller, number, asked.digest, asked.why, now)
        return _item(done, caller, now)

    return stored_answer(change(caller, work, once=read_once()))


@approvals.post("/approvals/<int:id>/refuse")
@requires(*REFUSERS)
def refuse(id: int) -> Response:
    asked, caller = read_body(ApprovalRefuseRequest), current_caller()
    number = known_id("approval", id)

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        return _item(_steps().refuse(conn, caller, number, asked.why, now), caller, now)

    return stored_answer(change(caller, work, once=read_once()))


def _steps() -> ApprovalSteps:
    return parts().ports.approvals


def _item(row: Approval, caller: Caller, now: datetime) -> dict[str, Any]:
    """A request as this caller sees it."""
    state = row.standing(now)
    waits = state is ApprovalState.WAITING
    may = waits and _steps().may_approve(row, caller)
    plain: dict[str, Any] = as_plain(row)
    return plain | {
        "state": state.value,
        "may_approve": may,
        "may_refuse": may or (waits and caller.name == row.asked_by),
    }
