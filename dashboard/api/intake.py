"""`/intake`: calls and orders, what their form shows beside them, the reply and the call back they
are owed; `/tasks`: whose turn it is to look at a place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Blueprint, Response

from city.errors import InvalidInput, NotFound
from city.incident import FieldTask, Role
from city.intake import Channel, ListedIntake
from city.intake_requests import CallBackRequest, IntakeRequest, ReplyRequest
from city.place import LonLat
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import (
    check_choice,
    cursor_key,
    page,
    parse_filter,
    read_args,
    read_list_query,
)
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import CREATED, OK, change
from dashboard.shell.intake_ports import IntakeSteps
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.who_sees_what import CENTRE
from db import field_tasks
from db import intake as stored
from db.idempotency import StoredAnswer
from db.pool import Connection, transaction

READERS = (Role.ADMIN, Role.DISPATCHER, Role.CHECKER, Role.LEADER, Role.GAS_ENGINEER)
TAKERS = (*READERS, Role.SQUAD_LEADER)
TASK_READERS = (Role.ADMIN, Role.DISPATCHER, Role.CHECKER, Role.LEADER)
FILTERS: dict[str, type] = {"owed": bool, "channel": str, "incident_id": int}

intake = Blueprint("intake", __name__)


class ReceivedAnswer(msgspec.Struct, kw_only=True):
    """What became of a call; one whose external number was there before is not new."""

    intake_id: int
    incident_id: int
    number: str
    is_new: bool
    intake: ListedIntake


class TasksAnswer(msgspec.Struct, kw_only=True):
    """Tasks that wait, soonest due first, and who may be given one."""

    items: list[FieldTask]
    collectors: list[dict[str, Any]]
    next: str | None
    now: datetime


@intake.get("/intake")
@requires(*READERS)
def list_intake() -> Response:
    query = read_list_query(FILTERS)
    check_choice(query.filters, "channel", tuple(Channel))
    owed = bool(query.filters.get("owed"))
    if owed and query.cursor is not None:
        raise InvalidInput("cursor", "…", "what is owed comes on one page")
    key = cursor_key(query, int)
    with transaction(parts().pool) as conn:
        rows = stored.list_intake(
            conn, current_caller().scope, owed=owed,
            channel=query.filters.get("channel"), incident_id=query.filters.get("incident_id"),
            since=query.since, before_id=key[0] if key else None, limit=query.limit + 1,
        )  # fmt: skip
    answer = page([_shown(row) for row in rows], query.limit, lambda row: [row.id])
    return json_answer(answer | {"next": None} if owed else answer)


@intake.post("/intake")
@requires(*TAKERS)
def receive() -> Response:
    asked, caller = read_body(IntakeRequest), current_caller()

    def work(conn: Connection, now: datetime) -> StoredAnswer:
        received = _steps().receive(conn, caller, asked, now)
        row = _find(conn, received.intake_id)
        answer = ReceivedAnswer(
            intake_id=row.id,
            incident_id=row.incident_id,
            number=row.number,
            is_new=received.is_new,
            intake=row,
        )
        return StoredAnswer(CREATED if received.is_new else OK, as_plain(answer))

    return stored_answer(change(caller, work, once=read_once()))


@intake.get("/intake/<int:intake_id>")
@requires(*READERS)
def get_intake(intake_id: int) -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        return json_answer(as_plain(_find(conn, known_id("intake", intake_id))))


@intake.post("/intake/<int:intake_id>/reply")
@requires(*sorted(CENTRE - {Role.SYSTEM}))
def reply(intake_id: int) -> Response:
    asked, caller = read_body(ReplyRequest), current_caller()
    number = known_id("intake", intake_id)

    def work(conn: Connection, now: datetime) -> ListedIntake:
        _steps().reply(conn, caller, number, asked, now)
        return _find(conn, number)

    return stored_answer(change(caller, work, once=read_once()))


@intake.post("/intake/<int:intake_id>/call-back")
@requires(*sorted(CENTRE - {Role.SYSTEM}))
def call_back(intake_id: int) -> Response:
    asked, caller = read_body(CallBackRequest), current_caller()
    number = known_id("intake", intake_id)

    def work(conn: Connection, now: datetime) -> ListedIntake:
        _steps().call_back(conn, caller, number, asked, now)
        return _find(conn, number)

    return stored_answer(change(caller, work, once=read_once()))


@intake.get("/intake/categories")
@requires(*TAKERS)
def find_categories() -> Response:
    args = read_args(("q",))
    with transaction(parts().pool) as conn:
        found = _steps().find_categories(conn, current_caller().district, args.get("q", ""))
    return json_answer({"items": as_plain(found), "next": None})


@intake.get("/intake/places")
@requires(*TAKERS)
def find_places() -> Response:
    args = read_args(("q",))
    with transaction(parts().pool) as conn:
        found = _steps().find_places(conn, current_caller().scope, args.get("q", ""))
    return json_answer({"items": as_plain(found), "next": None})


@intake.get("/intake/around")
@requires(*TAKERS)
def list_around() -> Response:
    args = read_args(("lon", "lat", "category"))
    at = LonLat(_degrees("lon", args), _degrees("lat", args))
    with transaction(parts().pool) as conn:
        found = _steps().list_around(
            conn, current_caller().scope, at, args.get("category", ""), datetime.now(UTC)
        )
    return json_answer(as_plain(found))


@intake.get("/tasks")
@requires(*TASK_READERS)
def list_tasks() -> Response:
    args, caller = read_args(("mine",)), current_caller()
    mine = bool(parse_filter("mine", args.get("mine", "false"), bool))
    with transaction(parts().pool) as conn:
        rows = field_tasks.list_waiting(conn, caller.scope, collector=caller.name if mine else None)
        collectors = field_tasks.list_collectors(conn, caller.district)
    answer = TasksAnswer(
        items=rows,
        collectors=[
            {"name": name, "display_name": display, "waiting": waiting}
            for name, display, waiting in collectors
        ],
        next=None,
        now=datetime.now(UTC),
    )
    return json_answer(as_plain(answer))


def _steps() -> IntakeSteps:
    return parts().ports.intake


def _find(conn: Connection, intake_id: int) -> ListedIntake:
    found = stored.list_intake(conn, current_caller().scope, intake_id=intake_id, limit=1)
    if not found:
        raise NotFound("intake", intake_id)
    return _shown(found[0])


def _shown(row: ListedIntake) -> ListedIntake:
    """Who called is for the centre, which calls back."""
    return row if current_caller().role in CENTRE else replace(row, caller="", phone="")


def _degrees(name: str, args: dict[str, str]) -> float:
    try:
        return float(args[name])
    except (KeyError, ValueError) as error:
        raise InvalidInput(name, args.get(name), "must be degrees of WGS 84") from error
