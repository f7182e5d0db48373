"""`/lighting`: lamps now, orders to them, programmes, and the lit rate of the nights."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response

from city.errors import InvalidInput
from city.lighting import COMMANDERS, WATCHERS
from city.requests import (
    AssignRequest,
    LampCancelRequest,
    LampOrderRequest,
    NightRequest,
    ProgrammeRequest,
    ProgrammeRetireRequest,
)
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import check_choice, cursor_key, page, read_args, read_list_query
from dashboard.screens.lighting import load
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.plain_json import as_plain

ORDER_FILTERS: dict[str, type] = {"state": str}
ORDER_STATES = (
    "open", "lost", "queued", "sent", "acknowledged", "failed", "timed_out", "cancelled",
)  # fmt: skip

lighting = Blueprint("lighting", __name__)


@lighting.get("/lighting")
@requires(*WATCHERS)
def get_lighting() -> Response:
    read_args(())
    return json_answer(as_plain(load.read_lighting(current_caller())))


@lighting.get("/lighting/lamps")
@requires(*WATCHERS)
def list_lamps() -> Response:
    args = read_args(("cabinet", "street"))
    found = load.list_lamps(
        current_caller(), cabinet=args.get("cabinet"), street=args.get("street")
    )
    return json_answer({"items": as_plain(found), "next": None})


@lighting.get("/lighting/commands")
@requires(*WATCHERS)
def list_orders() -> Response:
    query = read_list_query(ORDER_FILTERS)
    check_choice(query.filters, "state", ORDER_STATES)
    if query.since is not None:
        raise InvalidInput("since", query.since.isoformat(), "is no parameter of commands")
    key = cursor_key(query, int)
    rows = load.page_orders(
        current_caller(), state=query.filters.get("state"), below=key[0] if key else None,
        limit=query.limit + 1,
    )  # fmt: skip
    return json_answer(page(rows, query.limit, lambda row: [row.id]))


@lighting.post("/lighting/commands")
@requires(*COMMANDERS)
def give_order() -> Response:
    wanted = read_body(LampOrderRequest)
    for text in wanted.lamps:
        check_text("lamps", text)
    return stored_answer(load.give_order(current_caller(), wanted, read_once()))


@lighting.get("/lighting/commands/<int:id>")
@requires(*WATCHERS)
def get_order(id: int) -> Response:
    read_args(())
    return json_answer(as_plain(load.find_order(current_caller(), known_id("lamp order", id))))


@lighting.post("/lighting/commands/<int:id>/cancel")
@requires(*COMMANDERS)
def cancel_order(id: int) -> Response:
    wanted, number = read_body(LampCancelRequest), known_id("lamp order", id)
    return stored_answer(load.cancel_order(current_caller(), number, wanted, read_once()))


@lighting.get("/lighting/programmes")
@requires(*WATCHERS)
def list_programmes() -> Response:
    read_args(())
    return json_answer({"items": as_plain(load.list_programmes(current_caller())), "next": None})


@lighting.post("/lighting/programmes")
@requires(*COMMANDERS)
def save_programme() -> Response:
    wanted = read_body(ProgrammeRequest)
    return stored_answer(load.save_programme(current_caller(), wanted, read_once()))


@lighting.post("/lighting/programmes/<code>/retire")
@requires(*COMMANDERS)
def retire_programme(code: str) -> Response:
    wanted = read_body(ProgrammeRetireRequest)
    name = check_text("code", code)
    return stored_answer(load.retire_programme(current_caller(), name, wanted, read_once()))


@lighting.post("/lighting/assignments")
@requires(*COMMANDERS)
def assign() -> Response:
    wanted = read_body(AssignRequest)
    return stored_answer(load.assign(current_caller(), wanted, read_once()))


@lighting.get("/lighting/nights")
@requires(*WATCHERS)
def list_nights() -> Response:
    args = read_args(("from", "to"))
    first, last = (_night(name, args[name]) if name in args else None for name in ("from", "to"))
    found = load.list_nights(current_caller(), first, last)
    return json_answer({"items": as_plain(found), "next": None})


@lighting.post("/lighting/nights/<night>/computation")
@requires(*COMMANDERS)
def compute_night(night: str) -> Response:
    wanted = read_body(NightRequest)
    day = _night("night", check_text("night", night))
    return stored_answer(load.compute_night(current_caller(), day, wanted, read_once()))


def _night(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(field, text, "must be the date on which the night began") from error
