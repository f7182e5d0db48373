"""`/handovers`: what one shift leaves to the next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Blueprint, Response

from city.errors import Forbidden, NotFound
from city.incident import Role
from city.intake_requests import HandoverNoteRequest, HandoverRequest
from city.requests import VersionRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import cursor_key, page, read_args, read_list_query
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import CREATED, change
from dashboard.shell.intake_ports import HandoverSteps
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import handovers as stored
from db.handovers import Handover
from db.pool import Connection, transaction

SIGNERS = (Role.ADMIN, Role.DISPATCHER)
READERS = (*SIGNERS, Role.GAS_ENGINEER, Role.LEADER, Role.CHECKER)

handovers = Blueprint("handovers", __name__)


class SheetNow(msgspec.Struct, kw_only=True):
    """What the sheet would say now, and the one that waits to be taken over, if one does."""

    since_at: datetime
    content: dict[str, Any]
    open: Handover | None
    now: datetime


@handovers.get("/handovers")
@requires(*READERS)
def list_handovers() -> Response:
    query = read_list_query({})
    key = cursor_key(query, int)
    _check_unbounded()
    with transaction(parts().pool) as conn:
        rows = stored.list_handovers(
            conn, current_caller().district, since=query.since,
            before_id=key[0] if key else None, limit=query.limit + 1,
        )  # fmt: skip
    return json_answer(page(rows, query.limit, lambda row: [row.id]))


@handovers.get("/handovers/now")
@requires(*READERS)
def sheet_now() -> Response:
    read_args(())
    caller, now = current_caller(), datetime.now(UTC)
    with transaction(parts().pool) as conn:
        sheet = _steps().draw_up(conn, caller, now)
        waiting = stored.find_open(conn, caller.district)
    answer = SheetNow(since_at=sheet["since_at"], content=sheet["content"], open=waiting, now=now)
    return json_answer(as_plain(answer))


@handovers.get("/handovers/<int:handover_id>")
@requires(*READERS)
def get_handover(handover_id: int) -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        return json_answer(as_plain(_find(conn, known_id("handover", handover_id))))


@handovers.post("/handovers")
@requires(*SIGNERS)
def give() -> Response:
    asked, caller = read_body(HandoverRequest), current_caller()

    def work(conn: Connection, now: datetime) -> Handover:
        return _find(conn, _steps().give_over(conn, caller, asked, now))

    return stored_answer(change(caller, work, once=read_once(), status=CREATED))


@handovers.post("/handovers/<int:handover_id>/notes")
@requires(*READERS)
def note(handover_id: int) -> Response:
    asked, caller = read_body(HandoverNoteRequest), current_caller()
    number = known_id("handover", handover_id)

    def work(conn: Connection, now: datetime) -> Handover:
        _steps().add_note(conn, caller, number, asked, now)
        return _find(conn, number)

    return stored_answer(change(caller, work, once=read_once(), status=CREATED))


@handovers.post("/handovers/<int:handover_id>/take")
@requires(*SIGNERS)
def take(handover_id: int) -> Response:
    asked, caller = read_body(VersionRequest), current_caller()
    number = known_id("handover", handover_id)

    def work(conn: Connection, now: datetime) -> Handover:
        _steps().take_over(conn, caller, number, asked.version, now)
        return _find(conn, number)

    return stored_answer(change(caller, work, once=read_once()))


def _steps() -> HandoverSteps:
    return parts().ports.handovers


def _check_unbounded() -> None:
    """A sheet is about the whole district."""
    if current_caller().within is not None:
        raise Forbidden("the handover sheets are of the whole district")


def _find(conn: Connection, handover_id: int) -> Handover:
    _check_unbounded()
    found = stored.find_handover(conn, current_caller().district, handover_id)
    if found is None:
        raise NotFound("handover", handover_id)
    return found
