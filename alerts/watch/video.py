"""A video event that a person confirmed; over when the camera says so, or its time limit does.

Which incident category a camera's event type is, is read from `alerts/video_types.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from alerts.book import SYSTEM, Finding, Place
from alerts.fields import Fields
from alerts.judge import Clear, Raise
from alerts.rules import SEVERITIES, Rule
from alerts.watch.kind import Kind, Look, one_level
from city.alarm import Reason, Severity
from city.errors import InvalidInput
from city.event import NewEvent
from city.video import ReviewedEvent
from db import alarms, video_reviews
from db.pool import Connection

FILE = Path(__file__).parents[1] / "video_types.toml"
CONFIRMED = "confirmed_by_person"


@dataclass(frozen=True, slots=True)
class VideoState:
    """Conditions of alarms that stand although their events have ended or are overdue."""

    over: Sequence[str]


class VideoKind(Kind[Rule, VideoState]):
    """Fields of its own: none. Raised by a review (`confirmed`), never by looking."""

    name = "video"
    city_wide = False
    sentences: ClassVar = {
        CONFIRMED: (
            "{reviewer} 确认了视频事件 {type}",
            "{reviewer} confirmed the video event {type}",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> Rule:
        return Rule(levels=one_level(fields), **common)

    def due(self, conn: Connection, rules: Sequence[Rule], now: datetime) -> list[str]:
        return video_reviews.list_due_districts(conn, now)

    def load(self, conn: Connection, rules: Sequence[Rule], look: Look) -> VideoState:
        over = video_reviews.list_over(conn, look.district, look.now)
        look.book.add(alarms.list_live_alarms(conn, conditions=over))
        return VideoState(over)

    def judge(self, rules: Sequence[Rule], state: VideoState, now: datetime) -> Iterator[Finding]:
        for condition in state.over:
            yield Finding(Clear(now), None, condition=condition)

    def settle(
        self, conn: Connection, state: VideoState, findings: Sequence[Finding], look: Look
    ) -> None:
        """Events whose cameras never said that they ended are ended."""
        look.events += [
            NewEvent(
                at=look.now,
                district=event.district,
                kind="video.ended",
                subject=f"video:{event.camera}/{event.event_id}",
                actor=SYSTEM,
                payload={"camera": event.camera, "event_id": event.event_id, "why": "time_limit"},
            )
            for event in video_reviews.end_overdue(conn, look.district, look.now)
        ]


@dataclass(frozen=True, slots=True)
class VideoType:
    """What a confirmed event of this type becomes."""

    name: str
    category: str
    severity: Severity
    title_zh: str
    title_en: str
    source: str


@cache
def video_types() -> Mapping[str, VideoType]:
    """Types by name and by every other name that cameras use for them."""
    return parse_types(FILE.read_text(encoding="utf-8"), FILE.name)


def parse_types(text: str, file: str) -> dict[str, VideoType]:
    """Read the table of types; a name that is given twice is an error."""
    found: dict[str, VideoType] = {}
    table = Fields(tomllib.loads(text), file)
    for part in table.tables("type"):
        name = part.code("name")
        known = VideoType(
            name=name,
            category=part.text("category"),
            severity=SEVERITIES[part.one_of("severity", list(SEVERITIES))],
            title_zh=part.text("title_zh"),
            title_en=part.text("title_en"),
            source=part.text("source"),
        )
        for alias in [name, *(plain(a) for a in part.texts("also"))]:
            if alias in found:
                raise part.wrong("also", alias, "is given twice")
            found[alias] = known
        part.nothing_left()
    table.nothing_left()
    return found


def type_of(event: ReviewedEvent) -> VideoType:
    """What the event becomes; a type without a category cannot be confirmed."""
    known = video_types().get(plain(event.type))
    if known is None:
        raise InvalidInput(
            "type", event.type, "no incident category belongs to it; report what you see by hand"
        )
    return known


def confirmed(rule: Rule, event: ReviewedEvent, reviewer: str) -> Finding:
    """What follows from a person's word that the event is what the camera took it for. Pure."""
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
        judge_confirmed(rule, event, known, reviewer), rule, place,
        condition=condition_of_event(event), camera_event=event.event_id, actor=reviewer,
    )  # fmt: skip


def condition_of_event(event: ReviewedEvent) -> str:
    """Every event is a condition of its own."""
    return f"video/{event.camera}/{event.event_id}"


def judge_confirmed(rule: Rule, event: ReviewedEvent, known: VideoType, reviewer: str) -> Raise:
    """The alarm of an event that a person confirmed. Pure."""
    reason = Reason(
        code=CONFIRMED,
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
        },
    )
    return Raise(known.severity, reason, event.start_at, event.received_at)


def plain(name: str) -> str:
    """`Illegal-Parking` and `illegal_parking` are one type."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")
