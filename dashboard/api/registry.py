"""`/discovered` and the changes of `/devices`: who may change the registry, what it answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from city.errors import InvalidInput
from city.requests import (
    ApproveRequest,
    CorrectRequest,
    MoveRequest,
    OutOfServiceRequest,
    ReasonRequest,
    RenameRequest,
    ReplaceRequest,
    ReplayRequest,
    VersionRequest,
)
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import (
    check_choice,
    cursor_key,
    page,
    parse_filter,
    parse_time,
    read_args,
    read_list_query,
)
from dashboard.screens.devices import load as work
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.parts import parts
from db import discovery
from db.pool import transaction

DISCOVERED_FILTERS: dict[str, type] = {"state": str, "format": str, "kind": str}

registry = Blueprint("registry", __name__)


@registry.get("/discovered")
@requires(*work.READERS)
def list_discovered() -> Response:
    query = read_list_query(DISCOVERED_FILTERS)
    check_choice(query.filters, "state", discovery.STATES)
    key = cursor_key(query, str, int)
    with transaction(parts().pool) as conn:
        rows = discovery.list_discovered(
            conn,
            **query.filters,
            since=query.since,
            before=(parse_time("cursor", key[0]), key[1]) if key else None,
            limit=query.limit + 1,
        )
    return json_answer(page(rows, query.limit, lambda row: [row.last_seen.isoformat(), row.id]))


@registry.post("/discovered/<int:discovered_id>/approve")
@requires(*work.CHANGERS)
def approve(discovered_id: int) -> Response:
    asked = read_body(ApproveRequest)
    number = known_id("discovered device", discovered_id)
    answer = work.approve(current_caller(), number, asked, read_once())
    response = stored_answer(answer)
    response.headers["Location"] = f"/api/v1/devices/{answer.body['device']['code']}"
    return response


@registry.post("/discovered/<int:discovered_id>/ignore")
@requires(*work.CHANGERS)
def ignore(discovered_id: int) -> Response:
    number = known_id("discovered device", discovered_id)
    return stored_answer(work.ignore(current_caller(), number, read_once()))


@registry.post("/devices/<code>/out-of-service")
@requires(*work.CHANGERS)
def take_out_of_service(code: str) -> Response:
    asked = read_body(OutOfServiceRequest)
    wanted = check_text("code", code)
    return stored_answer(work.take_out_of_service(current_caller(), wanted, asked, read_once()))


@registry.post("/devices/<code>/return")
@requires(*work.CHANGERS)
def return_to_service(code: str) -> Response:
    version = read_body(VersionRequest).version
    wanted = check_text("code", code)
    return stored_answer(work.return_to_service(current_caller(), wanted, version, read_once()))


@registry.post("/devices/<code>/replace")
@requires(*work.CHANGERS)
def replace(code: str) -> Response:
    asked = read_body(ReplaceRequest)
    wanted = check_text("code", code)
    return stored_answer(work.replace(current_caller(), wanted, asked, read_once()))


@registry.post("/devices/<code>/rename")
@requires(*work.CHANGERS)
def rename(code: str) -> Response:
    return _put_right(code, "rename", read_body(RenameRequest))


@registry.post("/devices/<code>/move")
@requires(*work.CHANGERS)
def move(code: str) -> Response:
    return _put_right(code, "move", read_body(MoveRequest))


@registry.post("/devices/<code>/correct")
@requires(*work.CHANGERS)
def correct(code: str) -> Response:
    return _put_right(code, "correct", read_body(CorrectRequest))


@registry.post("/devices/<code>/retire")
@requires(*work.CHANGERS)
def retire(code: str) -> Response:
    return _put_right(code, "retire", read_body(ReasonRequest))


@registry.post("/devices/<code>/revive")
@requires(*work.CHANGERS)
def revive(code: str) -> Response:
    return _put_right(code, "revive", read_body(ReasonRequest))


def _put_right(code: str, step: work.Correction, asked: Any) -> Response:
    wanted = check_text("code", code)
    return stored_answer(work.put_right(current_caller(), wanted, step, asked, read_once()))


@registry.post("/devices/<code>/replay")
@requires(*work.CHANGERS)
def replay(code: str) -> Response:
    """What the device sent before it was registered; a message is taken once at most."""
    after = max(0, read_body(ReplayRequest).after)
    wanted = check_text("code", code)
    return json_answer(work.replay(current_caller(), wanted, after, datetime.now(UTC)))


@registry.get("/devices/<code>/identities")
def list_identities(code: str) -> Response:
    read_args(())
    found = work.identities(current_caller(), check_text("code", code))
    return json_answer({"items": found, "next": None})


@registry.post("/devices/import")
@requires(*work.CHANGERS)
def import_devices() -> Response:
    """multipart/form-data with `file`, a .csv or .geojson.

    409 with `current.datum_question` where positions look shifted; `datum` is the answer. With
    `why`, rows whose code is registered change that device.
    """
    args = read_args(("dry_run", "datum", "why"))
    why = check_text("why", args["why"]) if "why" in args else None
    datum = check_text("datum", args["datum"]) if args.get("datum") else None
    dry_run = bool(parse_filter("dry_run", args["dry_run"], bool)) if "dry_run" in args else False
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InvalidInput("file", None, "is missing: send multipart/form-data")
    name, content = check_text("file", file.filename), file.read()
    said = [str(dry_run), datum or "", *([] if why is None else [why]), name]
    once = read_once([*(text.encode() for text in said), content])
    return stored_answer(
        work.import_file(
            current_caller(), name, content, dry_run=dry_run, datum=datum, why=why, once=once
        )
    )
