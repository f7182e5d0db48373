"""`/duty` and `/roster`: who is on duty, was at a moment, and will be this week."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Blueprint, Response

from city.errors import InvalidInput
from dashboard.api.answers import json_answer
from dashboard.api.params import parse_time, read_args
from dashboard.screens.roster import load as work
from dashboard.shell.auth import current_caller

duty = Blueprint("duty", __name__)


@duty.get("/duty")
def who_is_on_duty() -> Response:
    """Who was on duty at `at`, as it was entered then; now without it."""
    args = read_args(("at",))
    at = parse_time("at", args["at"]) if "at" in args else None
    return json_answer(work.on_duty(current_caller(), at, datetime.now(UTC)))


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
