"""`/video-events`: what cameras reported, and a person's verdict on it."""

from __future__ import annotations

from flask import Blueprint, Response

from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.bodies import ReviewBody, check_text
from dashboard.api.params import check_choice, cursor_key, page, parse_time, read_list_query
from dashboard.shell import load
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from db import listings
from db.pool import transaction

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
    body = read_body(ReviewBody)
    caller = current_caller()
    with transaction(parts().pool) as conn:
        camera_id = listings.find_camera_id(conn, caller.district, check_text("camera", camera))
    return stored_answer(
        load.judge_video(
            caller,
            camera_id,
            check_text("event_id", event_id),
            body.verdict,
            body.note,
            read_once(),
        )
    )
