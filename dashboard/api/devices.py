"""`/devices`: the registry with newest values, and the history of one metric."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request

from city.errors import InvalidInput
from dashboard.api.answers import json_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import (
    cursor_key,
    encode_cursor,
    page,
    parse_time,
    read_args,
    read_list_query,
)
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import listings
from db.pool import transaction
from db.readings import HISTORY_LIMIT, HistoryPoint, list_history

# What a history shows when nobody says from when.
DEFAULT_SPAN = timedelta(hours=24)

devices = Blueprint("devices", __name__)


@devices.get("/devices")
def list_devices() -> Response:
    query = read_list_query(listings.DEVICE_FILTERS)
    key = cursor_key(query, str)
    with transaction(parts().pool) as conn:
        rows = listings.list_devices(
            conn,
            current_caller().scope,
            datetime.now(UTC),
            filters=query.filters,
            since=query.since,
            after=check_text("cursor", key[0]) if key else None,
            limit=query.limit + 1,
        )
    return json_answer(page(rows, query.limit, lambda row: [row.code]))


@devices.get("/devices/<code>")
def get_device(code: str) -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        row = listings.find_detailed_device(
            conn, current_caller().scope, check_text("code", code), datetime.now(UTC)
        )
    return json_answer(as_plain(row))


@devices.get("/devices/<code>/readings")
def get_readings(code: str) -> Response:
    """Raw readings, or buckets whose min and max keep every peak."""
    query = read_list_query({}, also=("metric", "from", "to", "bucket"))
    args = request.args
    now = datetime.now(UTC)
    to = parse_time("to", args["to"]) if "to" in args else now
    start = parse_time("from", args["from"]) if "from" in args else to - DEFAULT_SPAN
    if query.since is not None:
        start = max(start, query.since)
    if key := cursor_key(query, str):
        start = parse_time("cursor", key[0])
    if "metric" not in args:
        raise InvalidInput("metric", None, "is missing")
    if start >= to:
        raise InvalidInput("to", args.get("to"), "must be after from")
    with transaction(parts().pool) as conn:
        device = listings.find_device(conn, current_caller().scope, check_text("code", code), now)
        points = list_history(conn, device.id, args["metric"], start, to, args.get("bucket"))
    return json_answer(
        {
            "device": device.code,
            "metric": args["metric"],
            "from": as_plain(start),
            "to": as_plain(to),
            **_page(points, query.limit if "limit" in args else HISTORY_LIMIT),
        }
    )


def _page(points: Sequence[HistoryPoint], limit: int) -> dict[str, Any]:
    """The next page begins with the first point that is not on this one."""
    more = points[limit] if len(points) > limit else None
    following = encode_cursor([more.ts.isoformat()]) if more else None
    return {"items": as_plain(points[:limit]), "next": following}
