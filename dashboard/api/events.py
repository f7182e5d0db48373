"""`/events`: the event log from a cursor, as a list or as a stream that follows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, TypedDict

import msgspec
from flask import Blueprint, Response, request

from city.errors import Forbidden, InvalidInput
from city.event import Event
from city.person import ADMINISTRATORS, Caller
from dashboard.api.answers import json_answer
from dashboard.api.bodies import BIGINT_MAX, number_of
from dashboard.api.params import DEFAULT_LIMIT, LIMITS, parse_filter, parse_time, read_args
from dashboard.shell import who_sees_what
from dashboard.shell.auth import current_caller, still_welcome
from dashboard.shell.fan_out import LEAVE, Audience
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.streams import event_stream
from db.events import last_seq, list_events
from db.pool import Pool, transaction

PAGE = 500
# A follower hears from us at least this often, so that both sides notice a dead line.
KEEP_ALIVE_S = 10.0

FILTERS: dict[str, type] = {"subject": str, "kind": str}

events = Blueprint("events", __name__)


class Wanted(TypedDict, total=False):
    """Which events a reader asked for, as `list_events` takes it."""

    district: str
    subject: str
    kind: str
    since: datetime
    with_rows: bool
    within: list[str] | None


@events.get("/events")
def get_events() -> Response:
    """Events after a sequence number, oldest first; `Accept: text/event-stream` follows."""
    args = read_args(("after", "cursor", "limit", "rows", "since", *FILTERS))
    after = read_sequence("after", request.headers.get("Last-Event-ID") or args.get("after", "0"))
    after = max(after, read_sequence("cursor", args.get("cursor", "0")))
    caller = current_caller()
    district = caller.district
    wanted: Wanted = {"district": district, "within": caller.scope.codes}
    if "subject" in args:
        wanted["subject"] = args["subject"]
    if "kind" in args:
        wanted["kind"] = args["kind"]
    if "since" in args:
        wanted["since"] = parse_time("since", args["since"])
    if parse_filter("rows", args.get("rows", "false"), bool):
        # Rows hold everything of people and squads that is no secret.
        if caller.role not in ADMINISTRATORS:
            raise Forbidden("only administrators may read the rows of events")
        wanted["with_rows"] = True
    if request.accept_mimetypes.best_match(["application/json", "text/event-stream"]) == (
        "text/event-stream"
    ):
        frames = _follow(
            parts().pool,
            parts().walls.of(caller.scope).audience,
            after,
            wanted,
            caller,
            welcome=still_welcome(),
        )
        return event_stream(frames, parts().places)
    limit = read_sequence("limit", args.get("limit", str(DEFAULT_LIMIT)))
    if limit not in LIMITS:
        raise InvalidInput("limit", limit, f"must be from {LIMITS.start} to {LIMITS.stop - 1}")
    with transaction(parts().pool) as conn:
        rows = list_events(conn, after=after, limit=limit + 1, **wanted)
        rows = who_sees_what.events_for(conn, rows, caller)
    shown = rows[:limit]
    following = str(shown[-1].seq) if len(rows) > limit else None
    return json_answer({"items": [event_json(row) for row in shown], "next": following})


def event_json(event: Event) -> dict[str, Any]:
    """An event with its place in the hash chain, and with its rows where they were read."""
    rows = {} if event.rows is None else {"rows": msgspec.Raw(event.rows.encode())}
    return {
        "seq": event.seq,
        "at": as_plain(event.at),
        "district": event.district,
        "kind": event.kind,
        "subject": event.subject,
        "actor": event.actor,
        "payload": event.payload,
        "prev_hash": bytes(event.prev_hash).hex(),
        "hash": bytes(event.hash).hex(),
        **rows,
    }


def _follow(
    pool: Pool,
    audience: Audience,
    after: int,
    wanted: Wanted,
    caller: Caller,
    *,
    welcome: Callable[[], bool],
) -> Generator[bytes, None, None]:
    """The live channel only says that there is something new; the events come from the log."""
    viewer, _ = audience.join(None)
    viewer.doubt()
    try:
        said = time.monotonic()
        yield b"retry: 2000\n\n"
        while not viewer.ended and not viewer.dropped:
            while True:
                rows, after = _read(pool, after, wanted, caller)
                if not rows:
                    break
                said = time.monotonic()
                yield b"".join(
                    b"id: %d\ndata: %s\n\n" % (row.seq, msgspec.json.encode(event_json(row)))
                    for row in rows
                )
            viewer.take(1.0)
            is_due = time.monotonic() - said >= KEEP_ALIVE_S
            if (viewer.was_doubted() or is_due) and not welcome():
                yield LEAVE
                return
            if is_due:
                said = time.monotonic()
                yield b": still here\n\n"
    finally:
        audience.leave(viewer)


def _read(pool: Pool, after: int, wanted: Wanted, caller: Caller) -> tuple[list[Event], int]:
    """The next events, and up to where the log was read: the same is not looked through again."""
    with transaction(pool) as conn:
        end = last_seq(conn)
        rows = list_events(conn, after=after, limit=PAGE, **wanted)
        until = rows[-1].seq if len(rows) == PAGE else max([after, end, *(r.seq for r in rows)])
        return who_sees_what.events_for(conn, rows, caller), until


def read_sequence(name: str, text: str) -> int:
    """A sequence number of the event log."""
    number = number_of(text, BIGINT_MAX)
    if number is None:
        raise InvalidInput(name, text, "must be a whole number")
    return number
