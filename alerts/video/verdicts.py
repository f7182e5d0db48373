"""What follows from a verdict on a video event: an alarm or none, and how the verdict is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.book import Finding, Place
from alerts.judge import Raise
from alerts.rules import Rule
from alerts.scope import EVERYWHERE
from alerts.video.types import VideoType, find_type
from city.alarm import Reason
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.event import NewEvent
from city.video import ReviewedEvent
from db import evaluation, video_queue, video_reviews
from db.pool import Connection

CONFIRMED = "confirmed_by_person"
FILED = "filed_by_precision"
VERDICTS = ("confirmed", "dismissed", "merged")


# Of an event that no rule is about: its picture is kept so many days, then deleted.
SNAPSHOT_DAYS, SNAPSHOT_THEN, SNAPSHOT_BLUR = 30, "delete", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRule(Rule):
    """A rule on video events. `types` are those that it is about, none: all that no other rule
    names. The picture of an event is forgotten `snapshot_days` after it came (0: never), and then
    blurred or deleted; who may not review sees it with `snapshot_blur`."""

    types: frozenset[str] = frozenset()
    auto_file_min_precision: float | None = None
    auto_file_min_verdicts: int = 0
    snapshot_days: int = SNAPSHOT_DAYS
    snapshot_then: str = SNAPSHOT_THEN
    snapshot_blur: str = SNAPSHOT_BLUR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said of an event. `into` is the subject of what it is merged into."""

    verdict: str
    by: str
    reason: str = ""
    note: str = ""
    into: str = ""

    def as_json(self) -> dict[str, str]:
        return {
            "verdict": self.verdict, "reason": self.reason, "note": self.note, "into": self.into,
        }  # fmt: skip


def verdict_of(body: Mapping[str, Any], by: str) -> Verdict:
    """What `Verdict.as_json` wrote."""
    return Verdict(by=by, **body)


def load_cameras(
    conn: Connection, rules: Sequence[Rule], ids: Iterable[int]
) -> dict[int, WatchedDevice]:
    """The cameras of events by id; none where no rule asks which camera it is."""
    if all(rule.scope is EVERYWHERE for rule in rules if isinstance(rule, VideoRule)):
        return {}
    return {d.id: d for d in evaluation.list_watched_devices(conn, sorted(set(ids)))}


def rule_for(rules: Sequence[Rule], type_: str, camera: WatchedDevice | None) -> VideoRule | None:
    """The rule that names the type, else the first that names none; of several, one that has
    bounds goes before one that has none. `camera` is the one of the event, as `load_cameras` has
    it."""
    known = find_type(type_)
    name = known.name if known else type_
    mine = [rule for rule in rules if isinstance(rule, VideoRule) and _covers(rule, camera)]
    mine.sort(key=lambda rule: rule.scope is EVERYWHERE)
    named = next((rule for rule in mine if name in rule.types), None)
    return named or next((rule for rule in mine if not rule.types), None)


def _covers(rule: VideoRule, camera: WatchedDevice | None) -> bool:
    if rule.scope is EVERYWHERE:
        return True
    return camera is not None and rule.scope.covers(camera, rule.category_attribute)


def type_of(event: ReviewedEvent) -> VideoType:
    """What the event becomes; a type without a category cannot be confirmed."""
    known = find_type(event.type)
    if known is None:
        raise InvalidInput(
            "type", event.type, "no incident category belongs to it; report what you see by hand"
        )
    return known


def confirmed(rule: Rule, event: ReviewedEvent, reviewer: str, **facts: Any) -> Finding:
    """What follows from a person's word that the event is what the camera took it for; `facts` of
    a measured precision stand for one that nobody looked at. Pure."""
    known = type_of(event)
    place = Place(
        name=event.camera,
        district=event.district,
        lon=event.lon,
        lat=event.lat,
        unit_grid=event.unit_grid,
        demo=event.demo,
        device_id=event.camera_id,
        category=known.category,
    )
    return Finding(
        judge_confirmed(rule, event, known, reviewer, **facts), rule, place,
        condition=condition_of_event(event), camera_event=event.event_id, actor=reviewer,
    )  # fmt: skip


def condition_of_event(event: ReviewedEvent) -> str:
    """Every event is a condition of its own."""
    return f"video/{event.camera}/{event.event_id}"


def judge_confirmed(
    rule: Rule, event: ReviewedEvent, known: VideoType, reviewer: str, **facts: Any
) -> Raise:
    """The alarm of an event that a person confirmed. Pure."""
    reason = Reason(
        code=FILED if facts else CONFIRMED,
        rule=rule.code,
        rule_version=rule.version,
        value=event.confidence,
        since=event.start_at,
        facts={
            "type": event.type,
            "reviewer": reviewer,
            "title_zh": known.title_zh,
            "title_en": known.title_en,
            "snapshot": event.snapshot,
            "camera": event.camera,
            "event_id": event.event_id,
            **facts,
        },
    )
    return Raise(known.severity, reason, event.start_at, event.received_at)


def mark(
    conn: Connection, event: ReviewedEvent, said: Verdict, category: str | None, now: datetime
) -> list[NewEvent]:
    """Keep a verdict with its event; nobody has the event any more. Answers what is to be told."""
    video_reviews.mark_reviewed(
        conn, event,
        verdict=said.verdict, category=category, note=said.note, reviewed_by=said.by, now=now,
        reason=said.reason, into=said.into,
    )  # fmt: skip
    video_queue.drop_claim(conn, event.camera_id, event.event_id)
    subject = f"video:{event.camera}/{event.event_id}"
    payload = {
        "camera": event.camera, "camera_id": event.camera_id, "event_id": event.event_id,
        "type": event.type, "category": category, "note": said.note,
    }  # fmt: skip
    if said.reason:
        payload["reason"] = said.reason
    if said.into:
        payload["into"] = said.into
    kind = f"video.{said.verdict}"
    told = [NewEvent(now, event.district, kind, subject, said.by, payload)]
    if said.into.startswith("incident:"):
        told.append(NewEvent(now, event.district, "video.joined", said.into, said.by, payload))
    return told
