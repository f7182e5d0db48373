"""`/check-in` and `/distress-calls`: "I am fine", and calls for help."""

from __future__ import annotations

from flask import Blueprint, Response

from city.incident import Role
from city.safety_requests import CheckInRequest, DistressSeenRequest, DuressRequest, FineRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import cursor_key, page, read_args, read_list_query, read_sent_at
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import CREATED, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import safety
from db.pool import transaction

FILTERS: dict[str, type] = {"open": bool}
LEADERS = (Role.SQUAD_LEADER,)
CENTRE = (Role.ADMIN, Role.DISPATCHER)

lone_work = Blueprint("lone_work", __name__)


@lone_work.get("/check-in")
@requires(*LEADERS)
def my_check_in() -> Response:
    """The caller's own; an empty list where none runs."""
    read_args(())
    caller = current_caller()
    with transaction(parts().pool) as conn:
        row = safety.find_running(conn, caller.district, caller.name)
    return json_answer({"items": [as_plain(row)] if row else [], "next": None})


@lone_work.post("/check-in")
@requires(*LEADERS)
def begin() -> Response:
    asked, caller = read_body(CheckInRequest), current_caller()
    steps = parts().ports.lone_work
    answer = change(
        caller,
        lambda conn, now: steps.begin_check_in(conn, caller, asked, now),
        once=read_once(),
        status=CREATED,
    )
    return stored_answer(answer)


@lone_work.post("/check-in/fine")
@requires(*LEADERS)
def fine() -> Response:
    asked, caller, sent_at = read_body(FineRequest), current_caller(), read_sent_at()
    steps = parts().ports.lone_work
    answer = change(
        caller,
        lambda conn, now: steps.say_fine(conn, caller, asked, now, sent_at),
        once=read_once(),
    )
    return stored_answer(answer)


@lone_work.post("/check-in/end")
@requires(*LEADERS)
def end() -> Response:
    caller, steps = current_caller(), parts().ports.lone_work
    answer = change(
        caller, lambda conn, now: steps.end_check_in(conn, caller, now), once=read_once()
    )
    return stored_answer(answer)


@lone_work.get("/distress-calls")
def list_calls() -> Response:
    query = read_list_query(FILTERS)
    key = cursor_key(query, int)
    with transaction(parts().pool) as conn:
        rows = safety.list_calls(
            conn,
            current_caller().district,
            only_open=bool(query.filters.get("open")),
            since=query.since,
            below=key[0] if key else None,
            limit=query.limit + 1,
        )
    return json_answer(page(rows, query.limit, lambda row: [row.id]))


@lone_work.post("/distress-calls")
@requires(*LEADERS)
def call() -> Response:
    asked, caller, sent_at = read_body(DuressRequest), current_caller(), read_sent_at()
    steps = parts().ports.lone_work
    answer = change(
        caller,
        lambda conn, now: steps.call_for_help(conn, caller, asked, now, sent_at),
        once=read_once(),
        status=CREATED,
    )
    return stored_answer(answer)


@lone_work.post("/distress-calls/<int:call_id>/acknowledge")
@requires(*CENTRE)
def acknowledge(call_id: int) -> Response:
    asked, caller = read_body(DistressSeenRequest), current_caller()
    number, steps = known_id("distress call", call_id), parts().ports.lone_work
    answer = change(
        caller,
        lambda conn, now: steps.acknowledge_call(conn, caller, number, asked, now),
        once=read_once(),
    )
    return stored_answer(answer)
