"""Whether a person has to see a video event: pure. What is not shown stays, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from alerts.video.types import VideoType, find_type
from city.area import Area, AreaKind, areas_at
from city.video import LookedEvent, VideoLimit

NEW, STAY, REVIEW, HELD = "new", "stay", "review", "held"
LOW_CONFIDENCE, SHORT_STAY = "low_confidence", "short_stay"
PERMITTED, NO_CATEGORY = "permitted", "no_category"
HELD_WHY = (LOW_CONFIDENCE, SHORT_STAY, PERMITTED, NO_CATEGORY)
# What lies in an important or dangerous place comes before all others.
FRONT = 10


@dataclass(frozen=True, slots=True)
class Need:
    """What an event has to reach."""

    min_confidence: float
    min_stay: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """`look_at` is when to judge again although nobody has said anything new."""

    standing: str
    why: str = ""
    area: str = ""
    priority: int = 0
    look_at: datetime | None = None


def need_of(known: VideoType, camera: str, limits: Sequence[VideoLimit]) -> Need:
    """The most special row that says something counts: type and camera, camera, type, all."""
    order = ((known.name, camera), ("", camera), (known.name, ""), ("", ""))
    rows = {(limit.type, limit.camera): limit for limit in limits}
    confidence, stay = known.min_confidence, known.min_stay_s
    for key in reversed(order):
        row = rows.get(key)
        if row is not None and row.min_confidence is not None:
            confidence = row.min_confidence
        if row is not None and row.min_stay_s is not None:
            stay = row.min_stay_s
    return Need(confidence, timedelta(seconds=stay))


def stay_of(event: LookedEvent, now: datetime) -> timedelta:
    """How long it has been seen. A camera that said nothing but that it began goes on seeing it;
    one that repeats itself and falls silent does not."""
    if event.end_at is not None:
        until = min(event.end_at, event.seen_until)
    else:
        until = now if event.phase == NEW else event.seen_until
    return max(until - event.start_at, timedelta(0))


def judge_standing(
    event: LookedEvent,
    limits: Sequence[VideoLimit],
    areas: Sequence[Area],
    zone: tzinfo,
    now: datetime,
) -> Standing:
    """What becomes of an event that nobody has judged. One that a person should see stays so."""
    known = find_type(event.type)
    if known is None:
        return Standing(HELD, NO_CATEGORY)
    seen_at = min(now, event.end_at or max(event.seen_until, event.start_at))
    around = areas_at(areas, event.lon, event.lat, seen_at, zone)
    priority = 5 - known.severity.value
    if any(area.kind is not AreaKind.STALLS for area in around):
        priority += FRONT
    if event.standing == REVIEW:
        return Standing(REVIEW, priority=priority)
    permitting = next((area for area in around if area.permits(known.name)), None)
    if permitting is not None:
        return Standing(HELD, PERMITTED, permitting.code, priority)
    need = need_of(known, event.camera, limits)
    if event.confidence is not None and event.confidence < need.min_confidence:
        return Standing(HELD, LOW_CONFIDENCE, priority=priority)
    stay = stay_of(event, now)
    if stay >= need.min_stay:
        return Standing(REVIEW, priority=priority)
    if event.end_at is not None:
        return Standing(HELD, SHORT_STAY, priority=priority)
    look_at = event.start_at + need.min_stay if event.phase == NEW else None
    return Standing(STAY, priority=priority, look_at=look_at)
