"""`/rules`: alarm rules as text and form, tried on the past, put in force with a reason."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response

from city.errors import InvalidInput
from city.incident import Role
from city.person import ADMINISTRATORS
from city.requests import RuleApplyRequest, RuleTextRequest, RuleTrialRequest
from city.rule_pages import AppliedTrial, TrialAnswer
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import read_args
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import CREATED, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.rule_ports import RuleSteps
from db.pool import Connection, transaction

READERS = (*ADMINISTRATORS, Role.GAS_ENGINEER, Role.LEADER, Role.DISPATCHER)
EDITORS = (*ADMINISTRATORS, Role.GAS_ENGINEER)

rules = Blueprint("rules", __name__)


@rules.get("/rules")
@requires(*READERS)
def list_rules() -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        found = _steps().list_rules(conn, current_caller(), datetime.now(UTC))
    return json_answer({"items": as_plain(found), "next": None})


@rules.get("/rules/<code>")
@requires(*READERS)
def show(code: str) -> Response:
    read_args(())
    name = check_text("code", code)
    with transaction(parts().pool) as conn:
        found = _steps().show_rule(conn, current_caller(), name, datetime.now(UTC))
    return json_answer(as_plain(found))


@rules.post("/rules/form")
@requires(*READERS)
def form() -> Response:
    """The text as a form: read by the parser that puts it in force. Nothing is written."""
    asked = read_body(RuleTextRequest)
    for name, value in asked.put.items():
        if isinstance(value, float | int) and not isinstance(value, bool) and abs(value) > 1e15:
            raise InvalidInput(name, value, "is too large")
    with transaction(parts().pool) as conn:
        found = _steps().read_text(conn, current_caller(), asked.text, asked.put, datetime.now(UTC))
    return json_answer(as_plain(found))


@rules.post("/rule-trials")
@requires(*EDITORS)
def start_trial() -> Response:
    asked, caller = read_body(RuleTrialRequest), current_caller()

    def work(conn: Connection, now: datetime) -> TrialAnswer:
        return _steps().start_trial(conn, caller, asked.text, asked.retire, asked.seen, now)

    return stored_answer(change(caller, work, once=read_once(), status=CREATED))


@rules.get("/rule-trials/<int:id>")
@requires(*READERS)
def get_trial(id: int) -> Response:
    read_args(())
    number = known_id("trial", id)
    with transaction(parts().pool) as conn:
        found = _steps().find_trial(conn, current_caller(), number, datetime.now(UTC))
    return json_answer(as_plain(found))


@rules.post("/rule-trials/<int:id>/cancel")
@requires(*EDITORS)
def cancel(id: int) -> Response:
    caller, number = current_caller(), known_id("trial", id)

    def work(conn: Connection, now: datetime) -> TrialAnswer:
        return _steps().cancel_trial(conn, caller, number, now)

    return stored_answer(change(caller, work))


@rules.post("/rule-trials/<int:id>/apply")
@requires(*EDITORS)
def apply(id: int) -> Response:
    asked, caller = read_body(RuleApplyRequest), current_caller()
    number = known_id("trial", id)

    def work(conn: Connection, now: datetime) -> AppliedTrial:
        return _steps().apply_trial(conn, caller, number, asked.why, asked.accept, now)

    return stored_answer(change(caller, work, once=read_once()))


def _steps() -> RuleSteps:
    return parts().ports.rules
