"""`/video-events`: what cameras reported, and a person's verdict on it."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response

from city.errors import NotFound
from city.requests import ReviewRequest
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import check_choice, cursor_key, page, parse_time, read_list_query
from dashboard.shell.auth import current_caller
from dashboard.shell.changes import change
from dashboard.shell.parts import parts
from db import listings
from db.listings import ListedVideoEvent
from db.pool import Connection, transaction

# What the columns of a video event can hold.
REVIEWS = ("pending", "confirmed", "dismissed")
PHASES = ("new", "update", "end")

video = Blueprint("video", __name__)


@video.get("/video-events")
def list_video_events() -> Response:
    query = read_list_query(listings.VIDEO_FILTERS)
    check_choice(query.filters, "review", REVIEWS)
    check_choice(query.filters, "phase", PHASES)
    key = cursor_key(query, str, int, str)
    with transaction(parts().pool) as conn:
        rows = listings.list_video_events(
            conn,
            current_caller().district,
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
    """`camera` is the device code or its number; the verdict is `confirmed` or `dismissed`."""
    wanted = read_body(ReviewRequest)
    caller = current_caller()
    with transaction(parts().pool) as conn:
        camera_id = listings.find_camera_id(conn, caller.district, check_text("camera", camera))
    named = {"camera_id": camera_id, "event_id": check_text("event_id", event_id)}

    def work(conn: Connection, now: datetime) -> ListedVideoEvent:
        if not listings.list_video_events(conn, caller.district, filters=named, limit=1):
            raise NotFound("video event", event_id)
        parts().ports.alarms.review_video_event(
            conn, caller, camera_id, event_id, wanted.verdict, wanted.note, now
        )
        return listings.list_video_events(conn, caller.district, filters=named, limit=1)[0]

    return stored_answer(change(caller, work, once=read_once()))
