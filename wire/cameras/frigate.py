"""Frigate NVR: tracked objects, reviews, later findings about them, and plain text topics."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from city.gateway import NVR
from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    EventPhase,
    MessageClass,
    RawValue,
    Reject,
    StatusReport,
    TimeSource,
    VideoEvent,
)
from wire.body import (
    as_dict,
    as_finite,
    as_list,
    as_number,
    as_text,
    identity,
    parse_object,
    shown,
)
from wire.cameras.video import Box, levels_behind, relative_box
from wire.carriers import by_program
from wire.format import Format, Refused, always_local, fits_object, guarded
from wire.times import from_epoch

NAME = "frigate"
# Counts, motion and settings topics are understood but not subscribed: they repeat what the
# events say, change many times a second and carry no time.
SUBSCRIPTIONS = (
    "frigate/events",
    "frigate/reviews",
    "frigate/tracked_object_update",
    "frigate/triggers",
    "frigate/available",
    "frigate/+/status/+",
)
# Entries of a list (zones, detections, objects) that are kept with an event.
LIST_LIMIT = 32
# A count of objects in one picture; more is not a count.
COUNT_LIMIT = 10_000
_PHASES = {"new": EventPhase.NEW, "update": EventPhase.UPDATE, "end": EventPhase.END}
# What a language model wrote about a review, as a rule after it ended (0.17).
_DESCRIBED = "genai"
# Event ids begin with the second in which the object appeared: 1607123955.475377-mxklsc.
_ID_TIME = re.compile(r"(\d{9,10}\.\d{1,9})-\w{1,32}")
# One settings or command word after the camera, or a topic of the whole installation.
_SETTINGS = frozenset({"state", "set", "snapshot", "suspend", "suspended", "role", "clip"})
_ONLINE = {"online": True, "offline": False, "stopped": False, "disabled": False}
_SWITCH = {"ON": True, "OFF": False}


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    parts = levels_behind(topic)
    if len(parts) > 1 and parts[-1] in _BODIES and payload.lstrip()[:1] == b"{":
        parts = parts[-1:]  # a prefix of several levels, or a bridge's name before it
    reader = _BODIES.get(parts[0]) if len(parts) == 1 else None
    if reader is not None:
        return reader(parse_object(payload), received_at)
    if not parts:
        body = parse_object(payload)
        return _BODIES[_kind(body)](body, received_at)
    return _plain(parts, topic, payload, received_at)


def _kind(body: Mapping[str, Any]) -> str:
    """The topic that a body of unknown origin was published to."""
    if "severity" in as_dict(body.get("after")):
        return "reviews"
    if "after" in body:
        return "events"
    if "event_id" in body:
        return "triggers"
    if "id" in body:
        return "tracked_object_update"
    raise Refused(REASON_TOPIC, "neither topic nor body is of a known kind of message")


def _tracked_object(body: dict[str, Any], received_at: datetime) -> Decoded:
    """`frigate/events`: `after` is the state now, `before` is history and never an event."""
    after, phase = _after(body)
    camera = identity(after.get("camera"), "after.camera")
    false_alarm = after.get("false_positive") is True
    if false_alarm and phase is EventPhase.NEW:
        return Decoded(NAME, MessageClass.OTHER, camera, link={"event": "false_positive"})
    if false_alarm:
        phase = EventPhase.END  # what was reported turned out to be nothing
    rejects: list[Reject] = []
    event = VideoEvent(
        camera=camera,
        event_id=identity(after.get("id"), "after.id"),
        type=identity(after.get("label"), "after.label"),
        phase=phase,
        start_at=_seconds(after.get("start_time"), "after.start_time"),
        end_at=_end(after, phase, received_at, rejects),
        confidence=_score(after),
        bbox=_relative_box(after),
        model="frigate",
        attributes=_attributes(after, _TRACKED_TEXTS, _TRACKED_NUMBERS, _TRACKED_LISTS)
        | {"false_positive": false_alarm, "stationary": after.get("stationary") is True},
    )
    return Decoded(NAME, MessageClass.EVENT, camera, events=(event,), rejects=tuple(rejects))


_TRACKED_TEXTS = ("sub_label", "recognized_license_plate")
_TRACKED_NUMBERS = (
    "frame_time", "score", "top_score", "area", "current_estimated_speed", "velocity_angle",
)  # fmt: skip
_TRACKED_LISTS = ("box", "current_zones", "entered_zones", "sub_label", "recognized_license_plate")


def _review(body: dict[str, Any], received_at: datetime) -> Decoded:
    """`frigate/reviews`: a stretch of time that gathers tracked objects. Its type is its own,
    so that the review and the object it is about do not count as two of the same."""
    after, phase = _after(body)
    camera = identity(after.get("camera"), "after.camera")
    severity = identity(after.get("severity"), "after.severity")
    found = as_dict(after.get("data"))
    rejects: list[Reject] = []
    event = VideoEvent(
        camera=camera,
        event_id=identity(after.get("id"), "after.id"),
        type=f"review_{severity}",
        phase=phase,
        start_at=_seconds(after.get("start_time"), "after.start_time"),
        end_at=_end(after, phase, received_at, rejects),
        model="frigate",
        attributes={"severity": severity}
        | _attributes(found, (), (), ("objects", "sub_labels", "zones", "detections", "audio"))
        | _described(as_dict(found.get("metadata"))),
    )
    return Decoded(NAME, MessageClass.EVENT, camera, events=(event,), rejects=tuple(rejects))


def _finding(body: dict[str, Any], received_at: datetime) -> Decoded:
    """`frigate/tracked_object_update`: something learned later about a known event. Its type
    is left empty: the event keeps the one it has. Without a camera it belongs to no event
    that could be found again."""
    event_id = identity(body.get("id"), "id")
    what = as_text(body.get("type")) or "update"
    attributes = {"finding": what} | _attributes(
        body,
        ("name", "plate", "description", "model", "sub_label", "attribute"),
        ("score",),
        ("plate_box", "sub_label"),
    )
    if not body.get("camera"):
        return Decoded(NAME, MessageClass.OTHER, link={"event_id": event_id, **attributes})
    camera = identity(body["camera"], "camera")
    learned_at = _moment(body.get("timestamp"))
    started = _ID_TIME.fullmatch(event_id)
    start_at = _moment(float(started[1])) if started else learned_at
    if learned_at is not None:
        attributes["found_at"] = learned_at.isoformat()
    event = VideoEvent(
        camera, event_id, "", EventPhase.UPDATE, start_at or received_at,
        model="frigate", attributes=attributes,
    )  # fmt: skip
    return Decoded(NAME, MessageClass.EVENT, camera, events=(event,))


def _trigger(body: dict[str, Any], received_at: datetime) -> Decoded:
    """`frigate/triggers` (0.17): a known event looks like a picture or text somebody described."""
    found = {"id": body.get("event_id"), "camera": body.get("camera"), "score": body.get("score")}
    return _finding(found | {"name": body.get("name"), "type": "trigger"}, received_at)


def _described(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a language model says about the review."""
    texts = ("title", "scene", "shortSummary", "time")
    numbers = ("confidence", "potential_threat_level")
    kept = _attributes(metadata, texts, numbers, ("other_concerns",))
    return {"described": kept} if kept else {}


_BODIES: dict[str, Callable[[dict[str, Any], datetime], Decoded]] = {
    "events": _tracked_object,
    "reviews": _review,
    "tracked_object_update": _finding,
    "triggers": _trigger,
}


def _plain(parts: list[str], topic: str, payload: bytes, received_at: datetime) -> Decoded:
    """Topics whose whole body is one word or number, or that are not about the street."""
    if parts == ["available"]:
        text = _word(payload, topic)
        return _availability("frigate", text, received_at, {"bridge": True})
    if len(parts) == 3 and parts[1] == "status":
        camera = identity(parts[0], "topic")
        return _availability(camera, _word(payload, topic), received_at, {"role": parts[2][:32]})
    if not parts:
        raise Refused(REASON_TOPIC, f"not a topic of Frigate: {topic[:200]!r}")
    quiet = not _QUIET.isdisjoint(parts[:2])
    if len(parts) == 1 or quiet or parts[-1] in _SETTINGS or parts[1:] == ["audio", _SPOKEN]:
        return Decoded(NAME, MessageClass.OTHER, link={"event": "/".join(parts)[:200]})
    return _camera_value(identity(parts[0], "topic"), parts[1:], payload, received_at)


# Second levels that say nothing about what is seen.
_QUIET = frozenset(
    {"review_status", "classification", "ptz", "ptz_autotracker", "notifications"}
    | {"profiles", "birdseye", "improve_contrast"}
)
# What was said before a microphone, as text (0.17).
_SPOKEN = "transcription"


def _camera_value(camera: str, parts: list[str], payload: bytes, received_at: datetime) -> Decoded:
    """Counts of objects, motion and sound of one camera or zone."""
    try:
        text = _word(payload, "/".join(parts))
        name, value = _value(parts, text)
    except Refused as refusal:
        refusal.device = camera
        raise
    found = RawValue(name, value, received_at, TimeSource.RECEIVED, sent=text)
    return Decoded(NAME, MessageClass.TELEMETRY, camera, values=(found,))


def _value(parts: list[str], text: str) -> tuple[str, float | bool]:
    label = parts[0]
    if label == "motion" or (label == "audio" and text.upper() in _SWITCH):
        if text.upper() not in _SWITCH:
            raise Refused(REASON_FIELD, f"{label}: must be ON or OFF (got {shown(text)})")
        return ".".join(parts)[:100], _SWITCH[text.upper()]
    if label == "audio":
        return ".".join(parts)[:100], _plain_number(label, text)
    name = f"{label[:80]}_active_count" if parts[1:] == ["active"] else f"{label[:80]}_count"
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) > COUNT_LIMIT:
        raise Refused(REASON_FIELD, f"{name}: must be a count of objects (got {shown(text)})")
    return name, float(text)


def _plain_number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(REASON_FIELD, f"{name}: must be a number (got {shown(text)})")
    return number


def _availability(
    device: str, text: str, received_at: datetime, attributes: dict[str, Any]
) -> Decoded:
    if text not in _ONLINE:
        expected = ", ".join(_ONLINE)
        raise Refused(REASON_FIELD, f"body: must be one of {expected} (got {shown(text)})", device)
    report = StatusReport(
        device, _ONLINE[text], received_at, TimeSource.RECEIVED,
        {"availability": text, **attributes},
    )  # fmt: skip
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,), link=dict(attributes))


def _word(payload: bytes, field: str) -> str:
    """The body as one short word; a picture or a document is no word."""
    try:
        text = payload.decode("ascii").strip() if len(payload) <= 64 else ""
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text:
        raise Refused(REASON_FIELD, f"{field[:100]}: must be one short plain word or number")
    return text


def _after(body: Mapping[str, Any]) -> tuple[dict[str, Any], EventPhase]:
    after = body.get("after")
    if not isinstance(after, dict):
        raise Refused(REASON_FIELD, f"after: must be an object (got {shown(after)})")
    phase = body.get("type")
    if phase == _DESCRIBED:
        phase = "update" if after.get("end_time") is None else "end"
    if not isinstance(phase, str) or phase not in _PHASES:
        raise Refused(REASON_FIELD, f"type: must be new, update or end (got {shown(phase)})")
    return after, _PHASES[phase]


def _end(
    after: Mapping[str, Any], phase: EventPhase, received_at: datetime, rejects: list[Reject]
) -> datetime | None:
    """When the event ended: said, or for an `end` without a time the frame it was seen last."""
    said = after.get("end_time")
    start_at = _moment(after.get("start_time")) or received_at
    end_at = _moment(said)
    if end_at is not None and end_at >= start_at:
        return end_at
    if said is not None:
        detail = f"after.end_time: must be epoch seconds after start_time (got {shown(said)})"
        rejects.append(Reject(REASON_FIELD, detail))
    if phase is not EventPhase.END:
        return None
    return max(_moment(after.get("frame_time")) or received_at, start_at)


def _seconds(value: Any, field: str) -> datetime:
    moment = _moment(value)
    if moment is None:
        raise Refused(REASON_FIELD, f"{field}: must be epoch seconds (got {shown(value)})")
    return moment


def _moment(value: Any) -> datetime | None:
    number = as_number(value)
    return from_epoch(number) if number is not None and 0 < number < math.inf else None


def _score(after: Mapping[str, Any]) -> float | None:
    """The best score so far, or this frame's where there is none yet; 0 to 1."""
    for field in ("top_score", "score"):
        number = as_number(after.get(field))
        if number is not None and 0 < number <= 1:
            return number
    return None


def _relative_box(after: Mapping[str, Any]) -> Box | None:
    """The box relative to the picture, where the message gives it so; boxes in pixels stay
    with the attributes, because the size of the picture is not in the message."""
    return relative_box(as_list(as_dict(after.get("data")).get("box"))[:5])


def _attributes(
    source: Mapping[str, Any], texts: tuple[str, ...], numbers: tuple[str, ...],
    lists: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    """The named fields that have the expected type, shortened: pictures never come along."""
    kept: dict[str, Any] = {}
    for field in texts:
        if isinstance(source.get(field), str):
            kept[field] = as_text(source[field], 1000)
    for field in numbers:
        number = as_finite(source.get(field))
        if number is not None:
            kept[field] = number
    for field in lists:
        entries = source.get(field)
        if isinstance(entries, list):
            kept[field] = [_plain_entry(entry) for entry in entries[:LIST_LIMIT]]
    return kept


def _plain_entry(entry: Any) -> str | float | None:
    number = as_finite(entry)
    return number if number is not None else as_text(entry) or None


def _matches(topic: str) -> bool:
    return topic.startswith("frigate/")


def _fits(body: Mapping[str, Any]) -> bool:
    after = as_dict(body.get("after"))
    if "camera" in after and "type" in body:
        return True
    if "event_id" in body and "camera" in body and body.get("type") in ("thumbnail", "description"):
        return True
    return "id" in body and body.get("type") in ("face", "lpr", "description", "classification")


FRIGATE = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse),
    carriers=by_program(NVR), kind="camera", base=NAME, is_local=always_local,
)  # fmt: skip
