"""`/registers` and `/register-entries`: the lists of the city, an entry, its inspection, draws."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from city.errors import InvalidInput
from city.register import INSPECTORS, KEEPERS, READERS
from city.requests import (
    DrawRequest,
    EntryChangeRequest,
    EntryRequest,
    InspectionRequest,
    OffenceRequest,
    RecusalRequest,
    RetireEntryRequest,
)
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import check_choice, cursor_key, page, read_args, read_list_query
from dashboard.screens.registers import load
from dashboard.screens.registers.label import ON_A_SHEET, label_sheets, label_svg
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db.pool import transaction
from db.registers import NEVER
from registers import steps

ENTRY_FILTERS: dict[str, type] = {"q": str, "state": str, "due": str}
# A permitted route has thousands of points.
ENTRY_MAX_BYTES = 1_000_000
# A code takes some milliseconds.
SHEETS_MAX = 20
DUE_WORDS = (load.DUE, load.OVERDUE)

registers = Blueprint("registers", __name__)
labels = Blueprint("labels", __name__)


@labels.get("/r/<short>")
def scanned(short: str) -> AnyResponse:
    """What a label leads to; the guard has had whoever scans it sign in."""
    return redirect(f"/registers?entry={check_text('short', short)}")


@registers.get("/registers")
@requires(*READERS)
def list_registers() -> Response:
    read_args(())
    found = load.list_registers(current_caller())
    return json_answer({"items": as_plain(found), "next": None})


@registers.get("/registers/<code>")
@requires(*READERS)
def get_register(code: str) -> Response:
    read_args(())
    return json_answer(as_plain(load.find_register(current_caller(), check_text("code", code))))


@registers.get("/registers/<code>/entries")
@requires(*READERS)
def list_entries(code: str) -> Response:
    query = read_list_query(ENTRY_FILTERS)
    check_choice(query.filters, "due", DUE_WORDS)
    if query.since is not None:
        raise InvalidInput("since", query.since.isoformat(), "is no parameter of entries")
    key = cursor_key(query, str, str)
    found = load.page_entries(
        current_caller(), check_text("code", code), text=query.filters.get("q", ""),
        state=query.filters.get("state"), due=query.filters.get("due"),
        after=(_day(key[0]), key[1]) if key else None, limit=query.limit + 1,
    )  # fmt: skip
    return json_answer(page(found, query.limit, _place_in_list))


def _place_in_list(item: load.EntryItem) -> list[Any]:
    return [(item.due_on or NEVER).isoformat(), item.code]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("cursor", "…", "is not a cursor of this list") from error


@registers.get("/registers/<code>/draws")
@requires(*READERS)
def list_draws(code: str) -> Response:
    read_args(())
    found = load.list_draws(current_caller(), check_text("code", code))
    return json_answer({"items": as_plain(found), "next": None})


@registers.post("/registers/<code>/draws")
@requires(*steps.DRAWERS)
def make_draw(code: str) -> Response:
    wanted = read_body(DrawRequest)
    for text in wanted.inspectors:
        check_text("inspectors", text)
    name = check_text("code", code)
    return stored_answer(load.make_draw(current_caller(), name, wanted, read_once()))


@registers.get("/register-draws/<int:draw_id>/verification")
@requires(*READERS)
def verify_draw(draw_id: int) -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        found = steps.verify_draw(conn, current_caller().district, known_id("draw", draw_id))
    return json_answer(as_plain(found))


@registers.get("/register-entries/<short>")
@requires(*READERS)
def get_entry(short: str) -> Response:
    read_args(())
    return json_answer(as_plain(load.find_entry(current_caller(), check_text("short", short))))


@registers.get("/register-entries/<short>/label")
@requires(*READERS)
def get_label(short: str) -> Response:
    """A sticker with the QR code, to be printed."""
    read_args(())
    found = load.find_entry(current_caller(), check_text("short", short))
    address = f"{request.host_url}r/{found.entry.short}"
    label = label_svg(found.register, found.entry.code, found.entry.short, address)
    response = Response(label, content_type="image/svg+xml")
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@registers.get("/registers/<code>/labels")
@requires(*READERS)
def list_labels(code: str) -> Response:
    """Labels of entries as sheets of A4, 24 each, to be printed; `after` is the code of the last
    one that was printed."""
    args = read_args(("after",))
    name, after = check_text("code", code), check_text("after", args.get("after", ""))
    register, found = load.find_labels(current_caller(), name, after, SHEETS_MAX * ON_A_SHEET + 1)
    page_of, rest = found[: SHEETS_MAX * ON_A_SHEET], found[SHEETS_MAX * ON_A_SHEET :]
    last = page_of[-1][0] if rest else ""
    response = Response(
        label_sheets(register, page_of, f"{request.host_url}r/", last), content_type="text/html"
    )
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-modals allow-top-navigation"
    )
    return response


@registers.post("/registers/<code>/entries")
@requires(*KEEPERS)
def add_entry(code: str) -> Response:
    wanted, name = read_body(EntryRequest, ENTRY_MAX_BYTES), check_text("code", code)
    _check_cells(wanted)
    return stored_answer(load.add_entry(current_caller(), name, wanted, read_once()))


@registers.post("/register-entries/<short>/change")
@requires(*KEEPERS)
def change_entry(short: str) -> Response:
    wanted, name = read_body(EntryChangeRequest, ENTRY_MAX_BYTES), check_text("short", short)
    _check_cells(wanted)
    return stored_answer(load.change_entry(current_caller(), name, wanted, read_once()))


@registers.post("/register-entries/<short>/retire")
@requires(*KEEPERS)
def retire_entry(short: str) -> Response:
    wanted, name = read_body(RetireEntryRequest), check_text("short", short)
    check_text("why", wanted.why)
    return stored_answer(load.retire_entry(current_caller(), name, wanted, read_once()))


@registers.post("/register-entries/<short>/recusals")
@requires(*INSPECTORS)
def recuse(short: str) -> Response:
    wanted, name = read_body(RecusalRequest), check_text("short", short)
    check_text("person", wanted.person + wanted.why)
    return stored_answer(load.recuse(current_caller(), name, wanted, read_once()))


def _check_cells(wanted: EntryRequest | EntryChangeRequest) -> None:
    for name, value in wanted.cells.items():
        check_text("cells", name + value)
    check_text("why", wanted.why)


@registers.post("/register-entries/<short>/inspections")
@requires(*INSPECTORS)
def inspect(short: str) -> Response:
    wanted = read_body(InspectionRequest)
    for item, answer in wanted.answers.items():
        check_text("answers", item + answer)
    name = check_text("short", short)
    return stored_answer(load.inspect(current_caller(), name, wanted, read_once()))


@registers.post("/offences")
@requires(*INSPECTORS)
def list_offences() -> Response:
    """Earlier failed inspections of a person or merchant; nothing is written."""
    party = read_body(OffenceRequest).party
    with transaction(parts().pool) as conn:
        found = steps.offences_of(conn, current_caller(), party)
    return json_answer({"items": as_plain(found), "next": None})
