"""`/duty` and `/roster`: who is on duty, was at a moment, and will be this week."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Blueprint, Response

from city.errors import InvalidInput
from city.requests import DutyChangeRequest
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.params import parse_time, read_args
from dashboard.api.shapes import WaitingAnswer
from dashboard.screens.roster import load as work
from dashboard.shell.auth import current_caller
from dashboard.shell.changes import ACCEPTED, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db.idempotency import StoredAnswer
from db.pool import Connection, transaction

duty = Blueprint("duty", __name__)


@duty.get("/duty")
def who_is_on_duty() -> Response:
    """Who was on duty at `at`, as it was entered then; now without it."""
    args = read_args(("at",))
    at = parse_time("at", args["at"]) if "at" in args else None
    return json_answer(work.on_duty(current_caller(), at, datetime.now(UTC)))


@duty.post("/roster/changes")
def ask_for_change() -> Response:
    """Leave or a swap: asked for, and done once somebody else approves it."""
    wanted, caller = read_body(DutyChangeRequest), current_caller()

    def work(conn: Connection, now: datetime) -> StoredAnswer:
        asked = parts().ports.duty.ask_change(conn, caller, wanted, now)
        return StoredAnswer(ACCEPTED, as_plain(WaitingAnswer.of(asked)))

    return stored_answer(change(caller, work, once=read_once()))


@duty.get("/roster/stand-ins")
def show_stand_ins() -> Response:
    """Who of a squad could take the duty that begins on `day` at `start`."""
    args = read_args(("squad", "day", "start"))
    for name in ("squad", "day", "start"):
        if not args.get(name):
            raise InvalidInput(name, None, "is missing")
    with transaction(parts().pool) as conn:
        found = parts().ports.duty.list_stand_ins(
            conn, current_caller(), args["squad"], args["day"], args["start"], datetime.now(UTC)
        )
    return json_answer({"items": as_plain(found), "next": None})


@duty.get("/roster")
def show_week() -> Response:
    """The week of a day, from its Monday on."""
    args = read_args(("from",))
    first = None
    if text := args.get("from"):
        try:
            first = date.fromisoformat(text)
        except ValueError:
            raise InvalidInput("from", text, "must be YYYY-MM-DD") from None
    return json_answer(work.week(current_caller(), first, datetime.now(UTC)))
