"""What reviewers do: take the next events, judge one, take a verdict back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts.book import AlarmBook
from alerts.known import load_rules
from alerts.lifecycle import Input
from alerts.save import save
from alerts.video.precision import REASONS, WINDOW, Precision, measure
from alerts.video.similar import SIMILAR_M, SIMILAR_WITHIN, Similar, rank_similar
from alerts.video.standing import need_of
from alerts.video.types import find_type, names_for, plain
from alerts.video.verdicts import (
    VERDICTS,
    Verdict,
    condition_of_event,
    confirmed,
    load_cameras,
    mark,
    rule_for,
    type_of,
)
from city.alarm import Alarm
from city.area import areas_at
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import FINAL_STATES, Role
from city.person import Caller
from city.place import LonLat
from city.scope import Scope
from city.video import ReviewedEvent
from db import alarms, areas, incidents, listings, places, video_queue, video_reviews
from db.events import append_events
from db.listings import ListedVideoEvent
from db.pool import Connection
from db.scopes import refuse_devices_outside, refuse_outside

REVIEWERS = frozenset({Role.ADMIN, Role.DISPATCHER, Role.CHECKER, Role.SYSTEM})
# How long an event stays with whoever looks at it: a telephone call, not a lunch.
LEASE = timedelta(minutes=2)
CLAIMED_MAX = 10
TAKE_BACK_MAX_S = 60
# Held events that are counted on the page.
HELD_SHOWN = timedelta(days=7)


def next_events(
    conn: Connection,
    caller: Caller,
    count: int,
    not_these: Sequence[tuple[str, str]],
    now: datetime,
) -> dict[str, Any]:
    """The next events for this reviewer, with what a verdict needs, and how many wait in all.
    Nobody else gets them until the lease ends."""
    _need_reviewer(caller)
    if not 1 <= count <= CLAIMED_MAX:
        raise InvalidInput("count", count, f"must be from 1 to {CLAIMED_MAX}")
    until = now + LEASE
    taken = video_queue.claim_events(conn, caller.scope, caller.name, count, now, until, not_these)
    counts = video_queue.count_waiting(conn, caller.scope, caller.name, now, now - HELD_SHOWN)
    return {"items": describe(conn, caller.scope, taken), "until": until, "counts": counts}


def describe(
    conn: Connection, scope: Scope, events: Sequence[tuple[int, str]]
) -> list[dict[str, Any]]:
    """Events with everything that a verdict needs: place, stay, what may be the same, areas."""
    if not events:
        return []
    district = scope.district
    zone, known_areas = places.zone_of(conn, district), areas.list_areas(conn, district)
    limits = areas.list_limits(conn, district)
    found = []
    for camera_id, event_id in events:
        named = {"camera_id": camera_id, "event_id": event_id}
        rows = listings.list_video_events(conn, scope, filters=named, limit=1)
        if not rows:
            continue
        row = rows[0]
        known = find_type(row.type)
        around = areas_at(known_areas, row.lon, row.lat, row.end_at or row.seen_until, zone)
        need = need_of(known, row.camera, limits) if known else None
        found.append({
            "event": row,
            "title_zh": known.title_zh if known else row.type,
            "title_en": known.title_en if known else row.type,
            "severity": known.severity.value if known else None,
            "min_confidence": need.min_confidence if need else None,
            "min_stay_s": round(need.min_stay.total_seconds()) if need else None,
            "similar": find_similar(conn, scope, row),
            "areas": [
                {"code": a.code, "kind": a.kind.value, "name_zh": a.name_zh,
                 "name_en": a.name_en, "permits": a.permits(known.name if known else row.type),
                 "note": a.note}
                for a in around
            ],
        })  # fmt: skip
    return found


def find_similar(conn: Connection, scope: Scope, row: ListedVideoEvent) -> list[Similar]:
    """What may be the same thing as this event, the likeliest first."""
    known = find_type(row.type)
    near = video_queue.list_near(
        conn, scope, row.lon, row.lat, row.start_at,
        types=[plain(name) for name in names_for(row.type)],
        category=known.category if known else "", metres=SIMILAR_M, within=SIMILAR_WITHIN,
        not_this=(row.camera_id, row.event_id),
    )  # fmt: skip
    return rank_similar(LonLat(row.lon, row.lat), row.start_at, near)


def review_video_event(
    conn: Connection,
    caller: Caller,
    camera_id: int,
    event_id: str,
    verdict: str,
    note: str,
    now: datetime,
    *,
    reason: str = "",
    into: str = "",
    take_back_s: int = 0,
) -> Alarm | None:
    """Judge what a camera reported; only a confirmed event becomes an alarm. With `take_back_s`
    the verdict holds that much later, and until then its reviewer can take it back."""
    _need_reviewer(caller)
    said = Verdict(verdict, caller.name, reason, note, into)
    _check(conn, caller, said, take_back_s)
    event = _lock(conn, caller, camera_id, event_id)
    if event.review != "pending":
        current = {"review": event.review, "reviewed_by": event.reviewed_by}
        raise Conflict(f"the event is {event.review} already", current=current)
    claim = video_queue.find_claim(conn, camera_id, event_id, now)
    if claim is not None and claim.reviewer != caller.name:
        current = {"review": event.review, "claimed_by": claim.reviewer}
        raise Conflict(f"{claim.reviewer} is looking at the event", current=current)
    rules = list(load_rules(conn, now).values())
    cameras = load_cameras(conn, rules, [camera_id])
    rule = rule_for(rules, event.type, cameras.get(camera_id))
    if verdict == "confirmed":
        type_of(event)
        if rule is None:
            raise Conflict("no rule for video events is in force", current={})
    if take_back_s:
        due_at = now + timedelta(seconds=take_back_s)
        video_queue.keep_verdict(conn, camera_id, event_id, caller.name, said.as_json(), due_at)
        return None
    book = AlarmBook(now)
    category = None
    if verdict == "confirmed" and rule is not None:
        found = confirmed(rule, event, caller.name)
        book.take(found)
        book.act(found.key, Input.ACKNOWLEDGE, caller.name)
        category = type_of(event).category
    told = mark(conn, event, said, category, now)
    append_events(conn, [*told, *save(conn, book)])
    return alarms.find_live(conn, condition_of_event(event)) if verdict == "confirmed" else None


def take_back(
    conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
) -> None:
    """A verdict that does not hold yet is none; a held event comes to be judged by a person."""
    _need_reviewer(caller)
    event = _lock(conn, caller, camera_id, event_id)
    claim = video_queue.find_claim(conn, camera_id, event_id, now)
    if event.review != "pending" or claim is None or claim.verdict is None:
        current = {"review": event.review, "reviewed_by": event.reviewed_by}
        problem = "there is no verdict that could be taken back any more"
        raise Conflict(problem, current=current)
    if claim.reviewer != caller.name:
        raise Forbidden(f"the verdict is that of {claim.reviewer}")
    video_queue.take_back(conn, camera_id, event_id, now + LEASE)


def show_held(
    conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
) -> None:
    """An event that was held back comes to the others: somebody wants a person to judge it."""
    _need_reviewer(caller)
    event = _lock(conn, caller, camera_id, event_id)
    if event.review != "pending":
        current = {"review": event.review, "reviewed_by": event.reviewed_by}
        raise Conflict(f"the event is {event.review} already", current=current)
    video_queue.set_standings(conn, [(camera_id, event_id, "review", "", "", 0, None)])
    payload = {"camera": event.camera, "event_id": event.event_id, "why": "by_hand"}
    subject = f"video:{event.camera}/{event.event_id}"
    append_events(
        conn, [NewEvent(now, event.district, "video.queued", subject, caller.name, payload)]
    )


def leave(conn: Connection, caller: Caller) -> None:
    """What this reviewer only looked at goes back to the others."""
    video_queue.drop_claims_of(conn, caller.district, caller.name)


def precision(conn: Connection, scope: Scope, now: datetime) -> list[Precision]:
    """Every camera and class with verdicts of the last 90 days."""
    return measure(video_queue.count_verdicts(conn, scope, now - WINDOW))


def _check(conn: Connection, caller: Caller, said: Verdict, take_back_s: int) -> None:
    if said.verdict not in VERDICTS:
        raise InvalidInput("verdict", said.verdict, f"must be one of {', '.join(VERDICTS)}")
    if said.reason and (said.verdict != "dismissed" or said.reason not in REASONS):
        problem = f"goes with dismissed, and must be one of {', '.join(REASONS)}"
        raise InvalidInput("reason", said.reason, problem)
    if not 0 <= take_back_s <= TAKE_BACK_MAX_S:
        raise InvalidInput("take_back_s", take_back_s, f"must be from 0 to {TAKE_BACK_MAX_S}")
    if (said.verdict == "merged") != bool(said.into):
        raise InvalidInput("into", said.into, "goes with merged, and is needed for it")
    if said.into:
        _check_target(conn, caller, said.into)


def _check_target(conn: Connection, caller: Caller, into: str) -> None:
    """An open case, or an event that is not merged itself, of the reviewer's district."""
    what, _, name = into.partition(":")
    if what == "incident" and name.isascii() and name.isdigit() and len(name) < 18:
        incident = incidents.find(conn, int(name), caller.district)
        refuse_outside(conn, caller.scope, incident)
        if incident.state in FINAL_STATES:
            current = {"state": incident.state.value}
            raise Conflict(f"incident {incident.number} is over", current=current)
        return
    camera, _, event_id = name.partition("/")
    if what != "video" or not event_id:
        problem = "must be incident:NUMBER-OF-ROW or video:CAMERA/EVENT"
        raise InvalidInput("into", into, problem)
    camera_id = listings.find_camera_id(conn, caller.scope, camera)
    event = video_reviews.find_event(conn, camera_id, event_id)
    if event is None or event.review in ("merged", "dismissed"):
        raise InvalidInput("into", into, "is no event that stands")


def _lock(conn: Connection, caller: Caller, camera_id: int, event_id: str) -> ReviewedEvent:
    district = video_reviews.find_district(conn, camera_id, event_id)
    if district is not None:
        alarms.lock_district(conn, district)
    event = video_reviews.find_event(conn, camera_id, event_id)
    if event is None or not (caller.role is Role.SYSTEM or caller.district == event.district):
        raise NotFound("video event", event_id)
    refuse_devices_outside(conn, caller.scope, [camera_id])
    return event


def _need_reviewer(caller: Caller) -> None:
    if caller.role not in REVIEWERS:
        raise Forbidden(f"role {caller.role.value} may not do this")
