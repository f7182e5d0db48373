"""`/reports`: what came from the public page and waits for somebody to look at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from city.incident import Role
from city.intake import PublicReport, RejectReason, ReportPhoto, ReportState
from city.intake_requests import ReportAcceptRequest, ReportRejectRequest
from city.place import LonLat, distance_m
from city.requests import VersionRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import check_choice, cursor_key, page, read_args, read_list_query
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import change
from dashboard.shell.intake_ports import ReportSteps
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.who_sees_what import CENTRE
from db import public_reports as stored
from db.pool import Connection, transaction

MODERATORS = (Role.ADMIN, Role.DISPATCHER, Role.CHECKER)
READERS = (*MODERATORS, Role.LEADER)
FILTERS: dict[str, type] = {"state": str}

reports = Blueprint("reports", __name__)


class ReportItem(msgspec.Struct, kw_only=True):
    """A public report. `photos` say how far from the named place they were taken."""

    id: int
    code: str
    kind: str
    said: str
    place_said: str
    lon: float | None
    lat: float | None
    phone: str
    received_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    incident_id: int | None
    version: int
    photos: list[ReportPhoto]


class AcceptedAnswer(msgspec.Struct, kw_only=True):
    """The case that a report became or joined."""

    incident_id: int


@reports.get("/reports")
@requires(*READERS)
def list_reports() -> Response:
    query = read_list_query(FILTERS)
    check_choice(query.filters, "state", tuple(ReportState))
    key = cursor_key(query, int)
    with transaction(parts().pool) as conn:
        rows = stored.list_reports(
            conn, current_caller().scope, state=query.filters.get("state"),
            since=query.since, before_id=key[0] if key else None, limit=query.limit + 1,
        )  # fmt: skip
        photos = stored.list_photos(conn, [row.id for row in rows])
    items = [_item(row, [p for p in photos if p.report_id == row.id]) for row in rows]
    return json_answer(page(items, query.limit, lambda item: [item.id]))


@reports.post("/reports/<int:report_id>/accept")
@requires(*MODERATORS)
def accept(report_id: int) -> Response:
    asked, caller = read_body(ReportAcceptRequest), current_caller()
    number = known_id("report", report_id)

    def work(conn: Connection, now: datetime) -> AcceptedAnswer:
        return AcceptedAnswer(incident_id=_steps().accept_report(conn, caller, number, asked, now))

    return stored_answer(change(caller, work, once=read_once()))


@reports.post("/reports/<int:report_id>/reject")
@requires(*MODERATORS)
def reject(report_id: int) -> Response:
    asked, caller = read_body(ReportRejectRequest), current_caller()
    number = known_id("report", report_id)

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        _steps().reject_report(conn, caller, number, asked, now)
        return {"state": ReportState.REJECTED.value}

    return stored_answer(change(caller, work, once=read_once()))


@reports.post("/reports/<int:report_id>/spam")
@requires(*MODERATORS)
def spam(report_id: int) -> Response:
    asked, caller = read_body(VersionRequest), current_caller()
    number = known_id("report", report_id)

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        wanted = ReportRejectRequest(RejectReason.UNCLEAR, asked.version)
        _steps().reject_report(conn, caller, number, wanted, now, spam=True)
        return {"state": ReportState.SPAM.value}

    return stored_answer(change(caller, work, once=read_once()))


@reports.get("/reports/<int:report_id>/photos/<int:ordinal>")
@requires(*READERS)
def get_photo(report_id: int, ordinal: int) -> Response:
    """The picture, as any browser shows it; never run by the browser, whatever it says it is."""
    read_args(())
    with transaction(parts().pool) as conn:
        photo = stored.find_photo(
            conn, current_caller().scope, known_id("report", report_id),
            known_id("photo", min(ordinal, 32767)),
        )  # fmt: skip
    content, media_type = photo.content, photo.media_type
    if photo.shown is not None:
        content, media_type = photo.shown, "image/jpeg"
    response = Response(content, content_type=media_type)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    response.headers["ETag"] = f'"{photo.sha256.hex()}"'
    response.make_conditional(request)
    return response


def _steps() -> ReportSteps:
    return parts().ports.reports


def _item(row: PublicReport, photos: list[ReportPhoto]) -> ReportItem:
    plain = as_plain(row)
    plain.pop("district")
    if current_caller().role not in CENTRE:
        plain["phone"] = ""
    return msgspec.convert(
        plain | {"photos": [as_plain(_placed(row, photo)) for photo in photos]}, ReportItem
    )


def _placed(report: PublicReport, photo: ReportPhoto) -> ReportPhoto:
    """The photo with its distance from the place that was named."""
    if report.at is None or photo.lon is None or photo.lat is None:
        return photo
    return replace(photo, metres_away=round(distance_m(report.at, LonLat(photo.lon, photo.lat))))
