"""`/live/snapshot`, `/live/map` and `/events`: what a screen starts from and how it stays right."""

from __future__ import annotations

from flask import Blueprint, Response, request

from dashboard.api.events import read_sequence
from dashboard.api.params import read_args
from dashboard.shell.auth import current_caller, still_welcome
from dashboard.shell.live import Wall
from dashboard.shell.packing import Packed
from dashboard.shell.parts import parts
from dashboard.shell.streams import event_stream

live = Blueprint("live", __name__)


@live.get("/live/snapshot")
def snapshot() -> Response:
    """The current picture, built once for everybody who asks."""
    response = _packed(_wall().snapshot())
    response.headers["Cache-Control"] = "no-store"
    return response


@live.get("/live/map")
def city_map() -> Response:
    """What lies below the live layer; a browser that has it already gets 304."""
    document = _wall().map.document()
    response = _packed(document.packed)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(document.etag, weak=True)
    response.make_conditional(request)
    return response


@live.get("/events")
def follow() -> Response:
    """The live channel (see `dashboard.shell.fan_out`), from `Last-Event-ID` or `last` on."""
    args = read_args(("last",))
    given = request.headers.get("Last-Event-ID") or args.get("last") or None
    last = None if given is None else read_sequence("last", given)
    return event_stream(_wall().stream(last, still_welcome()), parts().places)


def _wall() -> Wall:
    return parts().walls.of(current_caller().scope)


def _packed(document: Packed) -> Response:
    zipped = request.accept_encodings["gzip"] > 0
    response = Response(
        document.zipped if zipped else document.plain, content_type="application/json"
    )
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    return response
