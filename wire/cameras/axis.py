"""Axis cameras: events over MQTT, scene metadata, tracks of objects, counts of people.

An event names a condition ("ObjectAnalytics/Device1Scenario1") and whether it holds; it has no
number, so it is reported as recurring. What a camera says of any of its scenarios or profiles
("…ScenarioANY") repeats what it says of one of them: the special report carries the general
name in `repeated_as`, and both become one event. Frames of scene metadata, ten a second, are
reports of one lasting condition. Sources: developer.axis.com (MQTT event bridge, Analytics
MQTT, AXIS Object Analytics), the push report of AXIS 3D People Counter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    Decoded,
    EventPhase,
    MessageClass,
    RawValue,
    Reject,
    StatusReport,
    TimeSource,
    VideoEvent,
)
from city.video import inline_picture
from wire.body import as_dict, as_finite, as_list, as_text, identity, kind_of, parse_object, shown
from wire.cameras.video import (
    LIST_LIMIT,
    OBJECT_LIMIT,
    SCENE,
    Box,
    as_state,
    bounded,
    condition_name,
    counted,
    counts_report,
    feed_camera,
    moment_or,
    number_or_text,
    one_report,
    relative_box,
    report_condition,
    scene_report,
    share,
)
from wire.format import Format, Refused, about, fits_object, guarded

NAME = "axis"
# The prefix is free; other prefixes are bridged to `feed/axis/{serial}/…`.
SUBSCRIPTIONS = ("axis/#",)
UNCLASSIFIED = "unclassified"
# Objects of one frame; a full square has some dozens.
OBSERVATION_LIMIT = 500
MEASUREMENT_LIMIT = 256
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,32}:")
# The names of conditions that stand for any scenario or profile, and of the special ones.
_ONE_OF_MANY = re.compile(r"(.*(?:Scenario|Profile))([A-Za-z0-9]+)")
_STATE_NAMES = (
    "active", "state", "logicalstate", "ismotion", "isinside", "istamper", "triggered", "trigger",
    "tampering", "day", "sensor_level", "issoundalarm", "disconnected", "accessed", "is_moving",
    "on_preset", "signal_status_ok", "ready",
)  # fmt: skip
# What the camera's MQTT client sends on connecting, and its Last Will; the words are free.
_ONLINE = {
    "online": True, "connected": True, "connect": True, "1": True, "true": True,
    "offline": False, "disconnected": False, "disconnect": False, "0": False, "false": False,
}  # fmt: skip


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device = _device_of(topic)
    word = payload.strip().lower() if len(payload) <= 16 else b""
    online = _ONLINE.get(word.decode("ascii", "replace"))
    if online is not None:
        return _status(identity(device, "topic"), online, received_at)
    return about(device, _by_kind, parse_object(payload), device, received_at)


def _by_kind(body: dict[str, Any], device: str, received_at: datetime) -> Decoded:
    if isinstance(body.get("frame"), dict):
        return _frame(body["frame"], device, received_at)
    if _is_track(body):
        return _track(body, device, received_at)
    if "measurements" in as_dict(body.get("data")):
        return _counts(body, device, received_at)
    if isinstance(body.get("connected"), bool):
        return _status(_serial(body, device), body["connected"], received_at)
    notified = as_dict(as_dict(body.get("params")).get("notification"))  # WebSocket, bridged
    return _event(notified or body, device, received_at)


def _device_of(topic: str) -> str:
    """`axis/{serial}/event/…`, or any other prefix before the level `event`."""
    levels = topic.split("/")
    if levels[0] == "feed":
        return feed_camera(topic)
    if "event" in levels[1:]:
        return levels[levels.index("event", 1) - 1]
    return levels[1] if len(levels) > 1 else ""


def _serial(body: Mapping[str, Any], device: str) -> str:
    return identity(body["serial"], "serial") if body.get("serial") else device


def _status(device: str, online: bool, received_at: datetime) -> Decoded:
    report = StatusReport(device, online, received_at, TimeSource.RECEIVED)
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,))


def _event(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """One event of the camera's event system."""
    device = _serial(body, device)
    path = _NAMESPACE.sub("", identity(body.get("topic"), "topic")).strip("/")
    message = body.get("message")
    if not isinstance(message, dict):
        raise Refused(REASON_FIELD, f"message: must be an object (got {kind_of(message)})", device)
    data = message.get("data")
    if not isinstance(data, dict):
        detail = f"message.data: must be an object (got {kind_of(data)})"
        raise Refused(REASON_FIELD, detail, device)
    at, time_from = moment_or(body.get("timestamp"), received_at)
    sources = {**as_dict(message.get("source")), **as_dict(message.get("key"))}
    condition = condition_name(path, *(f"{name}={item}" for name, item in _few(sources)))
    attributes = {"topic": path} | {
        name: number_or_text(value) for name, value in bounded({**sources, **data}).items()
    }
    event = _judged(device, path, condition, data, at, attributes)
    return one_report(NAME, event, path, time_from)


def _few(sources: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What tells two sources of one topic apart, in an order of its own."""
    return sorted((name, as_text(str(value))) for name, value in list(sources.items())[:8])


def _judged(
    device: str, path: str, condition: str, data: Mapping[str, Any], at: datetime,
    attributes: Mapping[str, Any],
) -> VideoEvent:  # fmt: skip
    if _is_count(data):
        # One event for the whole period of counting: its totals grow with every passage.
        period = as_text(data.get("startTime"))
        return VideoEvent(
            device, condition_name(condition, period), "counting", EventPhase.UPDATE, at,
            model=NAME, attributes=dict(attributes), recurring=not period,
        )  # fmt: skip
    return report_condition(
        device, condition, _type(path, data), _state(data), at,
        model=NAME, attributes=attributes, repeated_as=_general(condition),
    )  # fmt: skip


def _is_count(data: Mapping[str, Any]) -> bool:
    return "total" in data and "active" not in data


def _state(data: Mapping[str, Any]) -> bool | None:
    """The value of the first field that is known to be a state, else of an only field."""
    fields = {name.lower(): value for name, value in list(data.items())[:OBJECT_LIMIT]}
    for name in _STATE_NAMES:
        if name in fields:
            return as_state(fields[name])
    states = [as_state(value) for value in fields.values()]
    return states[0] if len(states) == 1 else None


def _general(condition: str) -> str:
    """The general condition that repeats this special one; empty for any other."""
    match = _ONE_OF_MANY.fullmatch(condition)
    if match is None or match[2].upper() == "ANY":
        return ""
    return f"{match[1]}ANY"


def _type(path: str, data: Mapping[str, Any]) -> str:
    """What was seen if the event says so, else the application or sensor that speaks."""
    classes = as_text(data.get("classTypes")).split(",")[0].strip()
    if classes:
        return classes
    levels = path.split("/")
    if levels[0] in ("CameraApplicationPlatform", "RuleEngine") and len(levels) > 1:
        return levels[1]
    return levels[-1]


def _frame(frame: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """One picture's worth of scene metadata: the scene is busy, or has become empty."""
    at, time_from = moment_or(frame.get("timestamp"), received_at)
    observations = frame.get("observations", [])
    if not isinstance(observations, list):
        got = kind_of(observations)
        raise Refused(REASON_FIELD, f"frame.observations: must be an array (got {got})")
    seen = [item for item in observations[:OBSERVATION_LIMIT] if isinstance(item, dict)]
    if not seen and not as_list(frame.get("operations")):
        link = {"event": SCENE, "time_from": time_from.value}
        return Decoded(NAME, MessageClass.OTHER, device, link=link)
    objects = [(*_class_of(item), as_text(item.get("track_id"))) for item in seen]
    return one_report(NAME, scene_report(device, objects, at, model=NAME), SCENE, time_from)


def _class_of(observation: Mapping[str, Any]) -> tuple[str, float | None]:
    found = as_dict(observation.get("class"))
    return as_text(found.get("type"), 64), share(found.get("score"))


def _is_track(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("classes"), list) and "start_time" in body and "id" in body


def _track(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """A track that is complete: one object from its first to its last appearance."""
    device = _serial(body, device)
    rejects: list[Reject] = []
    end_at, time_from = moment_or(body.get("end_time"), received_at)
    start_at, _ = moment_or(body.get("start_time"), end_at)
    if start_at > end_at:
        detail = f"end_time: must not be before start_time (got {shown(body.get('end_time'))})"
        rejects.append(Reject(REASON_FIELD, detail))
        end_at = start_at
    classes = [item for item in as_list(body["classes"])[:LIST_LIMIT] if isinstance(item, dict)]
    best = max(classes, key=lambda item: share(item.get("score")) or 0.0, default={})
    label = as_text(best.get("type"), 64) or UNCLASSIFIED
    attributes = bounded({
        "label": label, "score": best.get("score"), "duration_s": body.get("duration"),
        "observations": len(as_list(body.get("observations"))), "classes": classes,
    })  # fmt: skip
    event = VideoEvent(
        device, identity(body.get("id"), "id"), label, EventPhase.END, start_at, end_at,
        confidence=share(best.get("score")), bbox=_box(body), snapshot=_picture(body), model=NAME,
        attributes=attributes,
    )  # fmt: skip
    return one_report(NAME, event, "track", time_from, rejects)


def _picture(body: Mapping[str, Any]) -> str:
    """The crop of the object that a track may carry."""
    data = as_dict(body.get("image")).get("data")
    found = f"data:image/jpeg;base64,{data}" if isinstance(data, str) else ""
    return found if inline_picture(found) is not None else ""


def _box(body: Mapping[str, Any]) -> Box | None:
    """The box of the picture that was sent along, else of the last observation."""
    last = as_dict((as_list(body.get("observations")) or [{}])[-1])
    box = as_dict(as_dict(body.get("image")).get("bounding_box") or last.get("bounding_box"))
    sides = [as_finite(box.get(side)) for side in ("left", "top", "right", "bottom")]
    if None in sides:
        return None
    left, top, right, bottom = (side or 0.0 for side in sides)
    return relative_box((left, top, round(right - left, 6), round(bottom - top, 6)))


def _counts(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """Counts of people in intervals. The local times have no offset; the UTC ones are beside."""
    device = _serial(as_dict(body.get("sensor")), device)
    data = as_dict(body["data"])
    measurements = data["measurements"]
    if not isinstance(measurements, list):
        got = kind_of(measurements)
        raise Refused(REASON_FIELD, f"data.measurements: must be an array (got {got})", device)
    found: list[RawValue | Reject] = []
    for entry in measurements[:MEASUREMENT_LIMIT]:
        measured = as_dict(entry)
        ended = measured.get("utcTo") or data.get("utcTo") or body.get("utcSent")
        at, time_from = moment_or(ended, received_at)
        prefix = _count_prefix(as_text(measured.get("kind"), 64))
        for item in as_list(measured.get("items"))[:MEASUREMENT_LIMIT]:
            fields = as_dict(item)
            name = prefix + (as_text(fields.get("direction"), 64) or "count")
            found.append(counted(name, fields.get("count"), at, time_from))
    if not found:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "no_counts"})
    return counts_report(NAME, device, found)


def _count_prefix(kind: str) -> str:
    return "" if kind in ("", "people-counts") else f"{kind}."


def _matches(topic: str) -> bool:
    return topic.startswith("axis/") and "/onvif-ej/" not in topic


def _fits(body: Mapping[str, Any]) -> bool:
    message = as_dict(body.get("message"))
    if "message" in body and ("topic" in body or "data" in message):
        return True
    if "observations" in as_dict(body.get("frame")) or _is_track(body):
        return True
    return "measurements" in as_dict(body.get("data")) and "sensor" in body


AXIS = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), kind="camera",
    base=NAME,
)  # fmt: skip
