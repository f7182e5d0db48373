"""`/incidents`: the queue, one incident, reporting, actions, recommendations and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import Blueprint, Response, request

from city.act_time import SaidTime
from city.errors import InvalidInput, NotFound
from city.incident import FINAL_STATES, VOICE_TYPES, IncidentState
from city.requests import ActionRequest, ChecklistRequest, ReportRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import (
    cursor_key,
    page,
    parse_filter,
    parse_time,
    read_args,
    read_list_query,
    read_sent_at,
)
from dashboard.screens.detail import load
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from dashboard.shell.who_sees_what import may_see_photo
from db import evidence as evidence_rows
from db import incidents as incident_rows
from db.pool import transaction
from db.scopes import refuse_outside

FILTERS: dict[str, type] = {
    "state": str, "open": bool, "squad": str, "category": str, "family": str, "device": str,
    "severity": int, "q": str,
}  # fmt: skip
# Only these are shown inside the browser; everything else is a download.
SHOWN_TYPES = (
    frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4"}) | VOICE_TYPES
)

incidents = Blueprint("incidents", __name__)


@incidents.get("/incidents")
def list_incidents() -> Response:
    query = read_list_query(FILTERS)
    key = cursor_key(query, int)
    wanted = dict(query.filters)
    states = _states(wanted.pop("state", None), wanted.pop("open", None))
    search = wanted.pop("q", None)
    before_id = key[0] if key else None
    if search is not None:
        _alone("q", {**wanted, **({"since": query.since} if query.since else {})})
        rows = load.search(current_caller(), search, states, before_id, query.limit + 1)
    else:
        with transaction(parts().pool) as conn:
            rows = incident_rows.list_incidents(
                conn,
                current_caller().scope,
                states=states,
                since=query.since,
                before_id=before_id,
                limit=query.limit + 1,
                **wanted,
            )
    return json_answer(page(rows, query.limit, lambda row: [row.id]))


def _alone(name: str, others: Mapping[str, object]) -> None:
    """A search goes with the states alone: what else there is would be words of it."""
    for other, value in others.items():
        raise InvalidInput(other, value, f"does not go with {name}; state and open do")


def _states(state: str | None, is_open: bool | None) -> list[str] | None:
    """The states asked for; several are separated by commas."""
    words = state.split(",") if state is not None else None
    for word in words or ():
        if word not in set(IncidentState):
            raise InvalidInput("state", word, "must be one of " + ", ".join(IncidentState))
    if is_open is None:
        return words
    matching = [s.value for s in IncidentState if (s not in FINAL_STATES) == is_open]
    return [word for word in matching if words is None or word in words]


@incidents.post("/incidents")
def report_incident() -> Response:
    answer = load.report(current_caller(), read_body(ReportRequest), read_once())
    response = stored_answer(answer)
    response.headers["Location"] = f"/api/v1/incidents/{answer.body['id']}"
    return response


@incidents.get("/incidents/<int:incident_id>")
def get_incident(incident_id: int) -> Response:
    read_args(())
    return json_answer(load.incident_facts(current_caller(), known_id("incident", incident_id)))


@incidents.post("/incidents/<int:incident_id>/actions")
def act(incident_id: int) -> Response:
    wanted = read_body(ActionRequest)
    number = known_id("incident", incident_id)
    return stored_answer(load.act(current_caller(), number, wanted, read_once(), read_sent_at()))


@incidents.post("/incidents/<int:incident_id>/checklist")
def answer_step(incident_id: int) -> Response:
    wanted = read_body(ChecklistRequest)
    number = known_id("incident", incident_id)
    return stored_answer(load.answer_step(current_caller(), number, wanted, read_once()))


@incidents.get("/incidents/forecasts")
def list_forecasts() -> Response:
    """How likely the running attempts are late."""
    read_args(())
    found = load.forecasts(current_caller(), datetime.now(UTC))
    return json_answer({"items": found, "next": None})


@incidents.get("/incidents/<int:incident_id>/recommendations")
def recommend(incident_id: int) -> Response:
    read_args(())
    number = known_id("incident", incident_id)
    return json_answer({"items": load.recommendations(current_caller(), number), "next": None})


@incidents.post("/incidents/<int:incident_id>/evidence")
def add_evidence(incident_id: int) -> Response:
    """multipart/form-data with `stage` and `file`; a phone also says when the file was made by its
    clock (`acted_at`, `clock_offset_ms` as of an action)."""
    stage = check_text("stage", request.form.get("stage", ""))
    file = request.files.get("file")
    if not stage:
        raise InvalidInput("stage", None, "is missing")
    if file is None or not file.filename:
        raise InvalidInput("file", None, "is missing: send multipart/form-data")
    content = file.read()
    name = check_text("file", file.filename)
    once = read_once([stage.encode(), name.encode(), content])
    return stored_answer(
        load.add_evidence(
            current_caller(),
            known_id("incident", incident_id),
            (stage, name, check_text("file", file.mimetype), content),
            once,
            _said_time(),
        )
    )


def _said_time() -> SaidTime | None:
    text = request.form.get("acted_at")
    if text is None:
        return None
    ahead = request.form.get("clock_offset_ms", "")
    try:
        offset = timedelta(milliseconds=int(ahead)) if ahead else None
    except (ValueError, OverflowError) as error:
        raise InvalidInput("clock_offset_ms", ahead, "must be milliseconds") from error
    return SaidTime(parse_time("acted_at", text), read_sent_at(), offset)


@incidents.get("/incidents/<int:incident_id>/evidence")
def list_evidence(incident_id: int) -> Response:
    read_args(())
    facts = load.incident_facts(current_caller(), known_id("incident", incident_id))
    return json_answer({"items": facts["evidence"], "next": None})


@incidents.get("/incidents/<int:incident_id>/evidence/<int:evidence_id>")
def get_evidence(incident_id: int, evidence_id: int) -> Response:
    """The file itself, or with `shown` a picture that any browser shows; never run by the browser,
    whatever it says it is."""
    args = read_args(("shown",))
    wants_shown = bool(parse_filter("shown", args.get("shown", "false"), bool))
    with transaction(parts().pool) as conn:
        stored = evidence_rows.find_content(conn, known_id("evidence", evidence_id))
        incident = incident_rows.find(conn, stored.incident_id)
        refuse_outside(conn, current_caller().scope, incident)
    if stored.incident_id != incident_id or not may_see_photo(current_caller(), stored.district):
        raise NotFound("evidence", evidence_id)
    content, media_type = stored.content, stored.media_type
    if wants_shown and stored.shown is not None:
        content, media_type = stored.shown, "image/jpeg"
    shown = media_type in SHOWN_TYPES
    response = Response(content, content_type=media_type if shown else "application/octet-stream")
    how = "inline" if shown else "attachment"
    response.headers["Content-Disposition"] = f"{how}; filename*=UTF-8''{quote(stored.filename)}"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.headers["ETag"] = f'"{stored.sha256.hex()}{"-shown" if wants_shown else ""}"'
    # A film is asked for in parts.
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response
