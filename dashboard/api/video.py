"""`/video-events`: what cameras reported, who judges which, and a person's verdict on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from city.area import areas_at, geometry_of, hours_text
from city.errors import InvalidInput, NotFound
from city.incident import Role
from city.requests import NextEventsRequest, ReviewRequest
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import (
    check_choice,
    cursor_key,
    page,
    parse_time,
    read_args,
    read_list_query,
)
from dashboard.api.shapes import AreaItem, PrecisionItem
from dashboard.shell.alarm_ports import AlarmSteps
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import areas, listings, places
from db.listings import ListedVideoEvent
from db.pool import Connection, transaction

# What the columns of a video event can hold.
REVIEWS = ("pending", "confirmed", "dismissed", "merged")
PHASES = ("new", "update", "end")
STANDINGS = ("new", "stay", "review", "held")
HELD_WHY = ("low_confidence", "short_stay", "permitted", "no_category")
REVIEWERS = (Role.ADMIN, Role.DISPATCHER, Role.CHECKER)
PRECISION_READERS = (*REVIEWERS, Role.LEADER, Role.GAS_ENGINEER)

SKIPPED_MAX = 100

video = Blueprint("video", __name__)


@video.get("/video-events")
def list_video_events() -> Response:
    query = read_list_query(listings.VIDEO_FILTERS)
    check_choice(query.filters, "review", REVIEWS)
    check_choice(query.filters, "phase", PHASES)
    check_choice(query.filters, "standing", STANDINGS)
    check_choice(query.filters, "held_why", HELD_WHY)
    key = cursor_key(query, str, int, str)
    with transaction(parts().pool) as conn:
        rows = listings.list_video_events(
            conn,
            current_caller().scope,
            filters=query.filters,
            since=query.since,
            before=(parse_time("cursor", key[0]), key[1], key[2]) if key else None,
            limit=query.limit + 1,
        )
    return json_answer(
        page(rows, query.limit, lambda row: [row.start_at.isoformat(), row.camera_id, row.event_id])
    )


@video.post("/video-events/<camera>/<path:event_id>/review")
def review(camera: str, event_id: str) -> Response:
    """`camera` is the device code or its number; the verdict is `confirmed`, `dismissed` or
    `merged`."""
    wanted = read_body(ReviewRequest)
    caller = current_caller()
    camera_id, named = _named(camera, event_id)

    def work(conn: Connection, now: datetime) -> ListedVideoEvent:
        _one(conn, named)
        _steps().review_video_event(
            conn, caller, camera_id, event_id, wanted.verdict, wanted.note, now,
            reason=wanted.reason, into=wanted.into, take_back_s=wanted.take_back_s,
        )  # fmt: skip
        return _one(conn, named)

    return stored_answer(change(caller, work, once=read_once()))


@video.post("/video-events/<camera>/<path:event_id>/take-back")
@requires(*REVIEWERS)
def take_back(camera: str, event_id: str) -> Response:
    """One's own verdict that does not hold yet."""
    caller = current_caller()
    camera_id, named = _named(camera, event_id)

    def work(conn: Connection, now: datetime) -> ListedVideoEvent:
        _steps().take_back(conn, caller, camera_id, event_id, now)
        return _one(conn, named)

    return stored_answer(change(caller, work))


@video.post("/video-events/<camera>/<path:event_id>/queue")
@requires(*REVIEWERS)
def queue(camera: str, event_id: str) -> Response:
    """An event that was held back is to be judged by a person."""
    caller = current_caller()
    camera_id, named = _named(camera, event_id)

    def work(conn: Connection, now: datetime) -> ListedVideoEvent:
        _steps().show_held(conn, caller, camera_id, event_id, now)
        return _one(conn, named)

    return stored_answer(change(caller, work))


@video.get("/video-events/<camera>/<path:event_id>/snapshot")
def snapshot(camera: str, event_id: str) -> Response:
    """The picture that we keep, as far as the caller may see it; never run by the browser."""
    read_args(())
    caller = current_caller()
    camera_id, _ = _named(camera, event_id)
    with transaction(parts().pool) as conn:
        found = _steps().picture_for(conn, caller, camera_id, event_id, datetime.now(UTC))
    if found is None:
        raise NotFound("snapshot", event_id)
    content, media_type = found
    response = Response(content, content_type=media_type)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    # It may be blurred or deleted one day: kept for as long as somebody works with it.
    response.headers["Cache-Control"] = "private, max-age=600"
    response.add_etag()
    response.make_conditional(request)
    return response


@video.post("/video-review/next")
@requires(*REVIEWERS)
def next_events() -> Response:
    """Events for the caller alone until the lease ends, the first to be judged first."""
    wanted, caller = read_body(NextEventsRequest), current_caller()
    skip = [_split(check_text("skip", name)) for name in wanted.skip[:SKIPPED_MAX]]

    def work(conn: Connection, now: datetime) -> dict[str, Any]:
        return _steps().next_events(conn, caller, wanted.count, skip, now)

    return stored_answer(change(caller, work))


@video.post("/video-review/leave")
@requires(*REVIEWERS)
def leave() -> Response:
    """What the caller only looked at goes to the others at once."""
    caller = current_caller()
    return stored_answer(change(caller, lambda conn, _: _steps().leave(conn, caller)))


@video.get("/video-review/precision")
@requires(*PRECISION_READERS)
def list_precision() -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        found = _steps().precision(conn, current_caller().scope, datetime.now(UTC))
    items = [
        PrecisionItem(
            camera=p.camera, camera_name=p.camera_name, type=p.type, right=p.right, wrong=p.wrong,
            neither=p.neither, judged=p.judged, ratio=p.ratio, lower=p.lower,
            reasons=dict(p.reasons),
        )
        for p in found
    ]  # fmt: skip
    return json_answer({"items": as_plain(items), "next": None})


@video.get("/areas")
def list_areas() -> Response:
    """All areas, or those that a place (`lon`, `lat`) lies in at a time (`at`, else now)."""
    args = read_args(("lon", "lat", "at"))
    district = current_caller().district
    with transaction(parts().pool) as conn:
        found = areas.list_areas(conn, district)
        zone = places.zone_of(conn, district)
    if "lon" in args or "lat" in args:
        at = parse_time("at", args["at"]) if "at" in args else datetime.now(UTC)
        lon, lat = _degrees(args, "lon", 180), _degrees(args, "lat", 90)
        found = areas_at(found, lon, lat, at, zone)
    items = [
        AreaItem(
            code=a.code, kind=a.kind.value, name_zh=a.name_zh, name_en=a.name_en,
            geometry=geometry_of(a), radius_m=a.radius_m, classes=list(a.classes),
            hours=hours_text(a.hours), valid_from=a.valid_from, valid_until=a.valid_until,
            note=a.note,
        )
        for a in found
    ]  # fmt: skip
    return json_answer({"items": as_plain(items), "next": None})


def _degrees(args: dict[str, str], name: str, most: float) -> float:
    try:
        value = float(args.get(name, ""))
    except ValueError:
        value = float("nan")
    if not abs(value) <= most:
        raise InvalidInput(name, args.get(name), f"must be degrees between -{most} and {most}")
    return value


def _split(name: str) -> tuple[str, str]:
    camera, _, event_id = name.partition("/")
    return camera, event_id


def _steps() -> AlarmSteps:
    return parts().ports.alarms


def _named(camera: str, event_id: str) -> tuple[int, dict[str, Any]]:
    with transaction(parts().pool) as conn:
        camera_id = listings.find_camera_id(
            conn, current_caller().scope, check_text("camera", camera)
        )
    return camera_id, {"camera_id": camera_id, "event_id": check_text("event_id", event_id)}


def _one(conn: Connection, named: dict[str, Any]) -> ListedVideoEvent:
    rows = listings.list_video_events(conn, current_caller().scope, filters=named, limit=1)
    if not rows:
        raise NotFound("video event", named["event_id"])
    return rows[0]
