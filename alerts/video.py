"""Which incident category a camera's event type is, read from a file beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alerts.fields import Fields
from alerts.judge import Raise
from alerts.reasons import CONFIRMED
from alerts.rules import SEVERITIES, Rule
from city.alarm import Reason, Severity
from city.errors import InvalidInput
from city.video import ReviewedEvent

FILE = Path(__file__).with_name("video_types.toml")


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


def judge_confirmed(rule: Rule, event: ReviewedEvent, known: VideoType, reviewer: str) -> Raise:
    """The alarm of an event that a person confirmed."""
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
