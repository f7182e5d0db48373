"""`/permits`: who may open covers where, from when to when; an open one is ended early."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Blueprint, Response

from city.errors import NotFound
from city.incident import Role
from city.permit import NewPermit, read_place
from city.person import ADMINISTRATORS
from city.requests import PermitEndRequest, PermitRequest
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import check_choice, cursor_key, page, read_list_query
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import CREATED, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.rule_ports import PermitSteps
from db import permits as stored
from db.permits import PermitRow
from db.pool import Connection, transaction

MAKERS = (*ADMINISTRATORS, Role.DISPATCHER, Role.GAS_ENGINEER)
READERS = (*MAKERS, Role.LEADER, Role.SQUAD_LEADER, Role.CHECKER)
FILTERS: dict[str, type] = {"state": str, "device": str}
STATES = ("open", "all")

permits = Blueprint("permits", __name__)


class PermitItem(msgspec.Struct, kw_only=True):
    """A permit. `place` is what was asked for, `devices` what that came to; `noted` are covers
    that were open under it; `state` is planned, open or over."""

    id: int
    district: str
    code: str
    who: str
    why: str
    place: dict[str, Any]
    from_at: datetime
    until_at: datetime
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_why: str
    due_at: datetime | None
    version: int
    devices: list[str]
    noted: list[dict[str, Any]]
    state: str


@permits.get("/permits")
@requires(*READERS)
def list_permits() -> Response:
    query = read_list_query(FILTERS)
    check_choice(query.filters, "state", STATES)
    key, now = cursor_key(query, int), datetime.now(UTC)
    with transaction(parts().pool) as conn:
        rows = stored.list_permits(
            conn, current_caller().scope,
            open_at=now if query.filters.get("state") == "open" else None,
            device=query.filters.get("device"),
            below=key[0] if key else None, limit=query.limit + 1,
        )  # fmt: skip
    found = [row for row in rows if query.since is None or row.made_at >= query.since]
    answer = page(found, query.limit, lambda row: [row.id])
    answer["items"] = [_item(row, now) for row in found[: query.limit]]
    return json_answer(answer)


@permits.get("/permits/<path:code>")
@requires(*READERS)
def get_permit(code: str) -> Response:
    name, scope = check_text("code", code), current_caller().scope
    with transaction(parts().pool) as conn:
        row = stored.find_permit(conn, scope.district, name)
        if row is None:
            raise NotFound("permit", name)
        if not stored.is_inside(conn, scope, row.id):
            raise scope.refusal("permit", name)
    return json_answer(_item(row, datetime.now(UTC)))


@permits.post("/permits")
@requires(*MAKERS)
def add() -> Response:
    asked, caller = read_body(PermitRequest), current_caller()

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        new = NewPermit(
            code=asked.code or f"WP-{stored.next_number(conn)}", who=asked.who, why=asked.why,
            place=read_place(asdict(asked)), from_at=asked.begin or now, until_at=asked.until,
        )  # fmt: skip
        return _item(_steps().add_permit(conn, caller, new, now), now)

    return stored_answer(change(caller, work, once=read_once(), status=CREATED))


@permits.post("/permits/<path:code>/end")
@requires(*MAKERS)
def end(code: str) -> Response:
    asked, caller, name = read_body(PermitEndRequest), current_caller(), check_text("code", code)

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        return _item(_steps().end_permit(conn, caller, name, asked.version, asked.why, now), now)

    return stored_answer(change(caller, work, once=read_once()))


def _steps() -> PermitSteps:
    return parts().ports.permits


def _item(row: PermitRow, now: datetime) -> dict[str, Any]:
    """A permit as it stands now."""
    state = "planned" if now < row.from_at else "open" if now < row.until_at else "over"
    plain: dict[str, Any] = as_plain(row)
    return plain | {"state": state}
