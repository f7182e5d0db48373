"""What the camera formats share: times, states, attributes without pictures, conditions."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from city.reading import (
    REASON_FIELD,
    Decoded,
    EventPhase,
    MessageClass,
    RawValue,
    Reject,
    TimeSource,
    VideoEvent,
    occurrence_id,
)
from wire.body import TEXT_LIMIT, as_finite, shown
from wire.times import time_or_none

Box = tuple[float, float, float, float]

# The lasting condition of which frames of scene metadata are reports.
SCENE = "scene"
UNCLASSIFIED = "(unclassified)"

# Entries of an object and of a list that are kept with an event.
OBJECT_LIMIT = 64
LIST_LIMIT = 32
NESTING_LIMIT = 4
# Characters. No description is as long; base64 pictures begin at some thousands.
PICTURE_LENGTH = 2_000
# Characters of the name of a condition, so that a time still fits behind it.
CONDITION_LIMIT = 96
# Clocks that were never set begin in 1970 or 2000, a few months at most before somebody looks.
CLOCK_SET_SINCE = datetime(2001, 1, 1, tzinfo=UTC)
_STATES = {
    "1": True, "true": True, "on": True, "active": True, "yes": True,
    "0": False, "false": False, "off": False, "inactive": False, "no": False,
}  # fmt: skip
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?")


def feed_levels(topic: str) -> list[str]:
    """The levels of `feed/{format}/…` behind the format; none for another topic."""
    levels = topic.split("/")
    return levels[2:] if levels[0] == "feed" else []


def feed_camera(topic: str) -> str:
    """The camera in `feed/{format}/{camera}/…`; empty for another topic."""
    return next(iter(feed_levels(topic)), "")


def levels_behind(topic: str) -> list[str]:
    """The levels behind the prefix: `{prefix}/…`, or `feed/{format}/…`."""
    return feed_levels(topic) if topic.startswith("feed/") else topic.split("/")[1:]


def moment_or(value: Any, received_at: datetime) -> tuple[datetime, TimeSource]:
    """The camera's time, or ours where it says none, one without offset, or was never set."""
    return set_moment_or(time_or_none(value), received_at)


def set_moment_or(moment: datetime | None, received_at: datetime) -> tuple[datetime, TimeSource]:
    """The same of a time that was read already."""
    if moment is None or moment < CLOCK_SET_SINCE:
        return received_at, TimeSource.RECEIVED
    return moment, TimeSource.DEVICE


def as_state(value: Any) -> bool | None:
    """Whether a condition holds, in any of the words for it; None if that is not a state."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return bool(value) if value in (0, 1) else None
    return _STATES.get(value.strip().lower()) if isinstance(value, str) else None


def number_or_text(value: Any) -> Any:
    """A number written as text as that number; anything else as it is."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    return float(value) if "." in value else int(value)


def bounded(value: Any, depth: int = 0) -> Any:
    """A JSON value as it may be stored: short texts, few entries, no pictures; None for none."""
    if isinstance(value, str):
        return value[:TEXT_LIMIT] if len(value) <= PICTURE_LENGTH else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (dict, list)) and depth >= NESTING_LIMIT:
        return None
    if isinstance(value, dict):
        return _bounded_object(value, depth)
    if isinstance(value, list):
        return [bounded(item, depth + 1) for item in value[:LIST_LIMIT]]
    number = as_finite(value)
    return int(value) if isinstance(value, int) and number == value else number


def _bounded_object(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, item in list(value.items())[:OBJECT_LIMIT]:
        short = bounded(item, depth + 1)
        if short is not None:
            kept[key[:TEXT_LIMIT]] = short
    return kept


def condition_name(*parts: Any) -> str:
    """The name of a condition, made of what tells it from the camera's others."""
    name = "/".join(str(part).strip() for part in parts if part not in (None, ""))
    printable = "".join(sign if sign.isprintable() else "?" for sign in name[:PICTURE_LENGTH])
    if len(name) <= CONDITION_LIMIT:
        return printable
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{printable[: CONDITION_LIMIT - 17]}~{digest}"


def relative_box(sides: Sequence[Any], scale: float = 1.0) -> Box | None:
    """Left, top, width and height as shares of the picture; None unless each is one."""
    numbers = [as_finite(side) for side in sides]
    inside = [side / scale for side in numbers if side is not None and 0 <= side <= scale]
    if len(numbers) != 4 or len(inside) != 4:
        return None
    return inside[0], inside[1], inside[2], inside[3]


def share(value: Any, of: float = 1.0) -> float | None:
    """A confidence as a share of its scale; None if it is not on the scale."""
    number = as_finite(value)
    return number / of if number is not None and 0 <= number <= of else None


def report_condition(
    camera: str,
    condition: str,
    type_: str,
    state: bool | None,
    at: datetime,
    *,
    model: str,
    attributes: Mapping[str, Any],
    ongoing: bool = False,
    **more: Any,
) -> VideoEvent:
    """A condition began (True), is over (False), or happened at one moment (None).

    `ongoing`: it was reported as true before. A moment is an event of its own that has ended;
    its id holds its time, so that a repeated delivery is the same event.
    """
    if state is None:
        return VideoEvent(
            camera, occurrence_id(condition, at), type_, EventPhase.END, at, at,
            model=model, attributes=dict(attributes), **more,
        )  # fmt: skip
    phase = EventPhase.END if not state else EventPhase.UPDATE if ongoing else EventPhase.NEW
    return VideoEvent(
        camera, condition, type_, phase, at, None if state else at,
        model=model, attributes=dict(attributes), recurring=True, **more,
    )  # fmt: skip


def scene_report(
    camera: str, seen: Sequence[tuple[str, float | None, str]], at: datetime, *, model: str
) -> VideoEvent:
    """One picture's worth of scene metadata, of which there are several a second: the scene is busy
    as long as there are objects in it. Of each object its class ("" for none), how sure that is,
    and its name."""
    attributes = {
        "observations": len(seen),
        "by_class": dict(Counter(name or UNCLASSIFIED for name, _, _ in seen)),
        "track_ids": [track for _, _, track in seen[:LIST_LIMIT]],
    }
    scores = [score for _, score, _ in seen if score is not None]
    return report_condition(
        camera, SCENE, SCENE, bool(seen), at, model=model, attributes=attributes, ongoing=True,
        confidence=max(scores, default=None),
    )  # fmt: skip


def one_report(
    name: str, event: VideoEvent, what: str, time_from: TimeSource, rejects: Sequence[Reject] = ()
) -> Decoded:
    """A message of one event; `what` is the camera's own word for it."""
    return Decoded(
        name, MessageClass.EVENT, event.camera, events=(event,), rejects=tuple(rejects),
        link={"event": what, "time_from": time_from.value},
    )  # fmt: skip


def counted(name: str, sent: Any, at: datetime, time_from: TimeSource) -> RawValue | Reject:
    """A count of what was seen: a whole number, 0 or more."""
    count = as_finite(sent)
    if count is None or count < 0 or not count.is_integer():
        return Reject(REASON_FIELD, f"{name}: must be a count (got {shown(sent)})")
    return RawValue(name, count, at, time_from, sent=sent)


def counts_report(name: str, camera: str, found: Sequence[RawValue | Reject]) -> Decoded:
    """A message of counts, with what is none beside them."""
    values = tuple(count for count in found if isinstance(count, RawValue))
    rejects = tuple(count for count in found if isinstance(count, Reject))
    message_class = MessageClass.TELEMETRY if values else MessageClass.INVALID
    return Decoded(name, message_class, camera, values=values, rejects=rejects)


def started_before(at: datetime, seconds: Any) -> datetime:
    """The moment that many seconds earlier; `at` if that is no plausible number of them."""
    number = as_finite(seconds)
    if number is None or not 0 <= number <= 86_400 * 7:
        return at
    return at - timedelta(seconds=number)
