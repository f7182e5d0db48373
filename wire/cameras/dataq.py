"""DataQ, an application on Axis cameras: tracked objects, paths, occupancy, events, connection.

Topics `{prefix}/{connect,status,detections,tracker,path,occupancy,event,geospace,image}/{serial}`.
Objects are numbered: what is said of one, many times a second, is one event, which the last
report (`active` false) or the path of the object ends. Times are epoch milliseconds, those of a
path's points seconds; coordinates are thousandths of the picture, confidence is per cent.
Source: the application's MQTT_topics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    Decoded,
    EventPhase,
    MessageClass,
    Reject,
    VideoEvent,
)
from wire.body import as_dict, as_finite, as_list, as_text, identity, kind_of
from wire.cameras.application import GRID, application_status, open_message
from wire.cameras.video import (
    Box,
    as_state,
    bounded,
    condition_name,
    counted,
    counts_report,
    levels_behind,
    moment_or,
    relative_box,
    report_condition,
    share,
    started_before,
)
from wire.format import Format, Refused, about, fits_object, guarded

NAME = "dataq"
# Pictures and places of objects (`image`, `geospace`) are understood but not subscribed. Neither
# is `dataq/status/+`: Shelly's `+/status/+` brings it, and a broker may send what two filters
# match twice.
SUBSCRIPTIONS = (
    "dataq/connect/+", "dataq/detections/+", "dataq/tracker/+", "dataq/path/+",
    "dataq/occupancy/+", "dataq/event/#",
)  # fmt: skip
# Objects of one picture, and classes of one count.
OBJECT_LIMIT = 128
CLASS_LIMIT = 64
# Points of a path that are kept with the event.
POINT_LIMIT = 32
_KINDS = frozenset("connect status detections tracker path occupancy event geospace image".split())


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    kind, device, body = open_message(topic, payload, _KINDS)
    if kind == "event":
        return about(device, _camera_event, topic, body, device, received_at)
    return about(device, _by_body, kind, body, device, received_at)


def _by_body(kind: str, body: dict[str, Any], device: str, received_at: datetime) -> Decoded:
    if isinstance(body.get("connected"), bool):
        return application_status(NAME, body, device, body["connected"], received_at)
    if kind == "status" or "Uptime_Hours" in body:
        return application_status(NAME, body, device, True, received_at)
    if kind == "image" or "image" in body:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "image"})
    if "occupancy" in body:
        return _occupancy(body, device, received_at)
    if "list" in body:
        return _objects(body, device, received_at)
    if isinstance(body.get("path"), list):
        return _path(body, device, received_at)
    if "class" in body:
        return _decoded(device, "tracker", [_object(body, device, received_at)])
    raise Refused(REASON_FIELD, "body: holds no object, path, occupancy or connection")


def _decoded(
    device: str, what: str, found: list[tuple[VideoEvent, str]], rejects: list[Reject] | None = None
) -> Decoded:
    events = tuple(event for event, _ in found)
    link = {"event": what, "time_from": found[0][1] if found else "received"}
    message_class = MessageClass.EVENT if events else MessageClass.INVALID
    return Decoded(
        NAME, message_class, device, events=events, rejects=tuple(rejects or ()), link=link
    )


def _objects(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """All objects of one picture; an empty list says that the scene is clear."""
    entries = body["list"]
    if not isinstance(entries, list):
        raise Refused(REASON_FIELD, f"list: must be an array (got {kind_of(entries)})")
    if not entries:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "scene_clear"})
    found: list[tuple[VideoEvent, str]] = []
    rejects: list[Reject] = []
    for entry in entries[:OBJECT_LIMIT]:
        try:
            found.append(_object(as_dict(entry), device, received_at))
        except Refused as refusal:
            rejects.append(refusal.reject)
    return _decoded(device, "detections", found, rejects)


def _object(
    fields: Mapping[str, Any], device: str, received_at: datetime
) -> tuple[VideoEvent, str]:
    """The state of one tracked object: `active` is false in the last report of it."""
    at, time_from = moment_or(fields.get("timestamp"), received_at)
    start_at, _ = moment_or(fields.get("birth"), started_before(at, fields.get("age")))
    over = fields.get("active") is False
    sides = [fields.get(side) for side in "xywh"]
    return _event(
        fields, device, EventPhase.END if over else EventPhase.UPDATE, min(start_at, at),
        max(start_at, at) if over else None, relative_box(sides, GRID),
    ), time_from.value  # fmt: skip


def _path(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """The way of an object that has left: `timestamp` is its birth, `age` its whole life."""
    start_at, time_from = moment_or(body.get("timestamp"), received_at)
    points = [point for point in as_list(body["path"]) if isinstance(point, dict)]
    last, _ = moment_or(points[-1].get("t") if points else None, start_at)
    age = as_finite(body.get("age")) or 0.0
    end_at = max(start_at, last, start_at + (start_at - started_before(start_at, age)))
    event = _event(body, device, EventPhase.END, start_at, end_at, None)
    event.attributes["path"] = bounded(points[:POINT_LIMIT])
    return _decoded(device, "path", [(event, time_from.value)])


def _event(
    fields: Mapping[str, Any], device: str, phase: EventPhase, start_at: datetime,
    end_at: datetime | None, box: Box | None,
) -> VideoEvent:  # fmt: skip
    label = identity(fields.get("class"), "class")
    dropped = ("serial", "path", "timestamp", "birth", "id")
    return VideoEvent(
        device, identity(fields.get("id"), "id"), label, phase, start_at, end_at,
        confidence=share(fields.get("confidence"), 100),
        bbox=box, model=NAME,
        attributes=bounded({k: v for k, v in fields.items() if k not in dropped}),
    )  # fmt: skip


def _occupancy(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """How many objects of each class are there; a class that is left out is not counted as 0."""
    counts = body["occupancy"]
    if not isinstance(counts, dict):
        raise Refused(REASON_FIELD, f"occupancy: must be an object (got {kind_of(counts)})")
    if not counts:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "scene_clear"})
    at, time_from = moment_or(body.get("timestamp"), received_at)
    found = [
        counted(f"occupancy.{label}"[:128], sent, at, time_from)
        for label, sent in list(counts.items())[:CLASS_LIMIT]
    ]
    return counts_report(NAME, device, found)


def _camera_event(
    topic: str, body: Mapping[str, Any], device: str, received_at: datetime
) -> Decoded:
    """An event of the camera's own: its topic stands behind the serial number."""
    levels = levels_behind(topic)
    path = "/".join(levels[levels.index("event") + 2 :])
    path = identity(path or as_text(body.get("topic")), "topic")
    at, time_from = moment_or(body.get("timestamp"), received_at)
    state = as_state(body.get("active", body.get("state")))
    dropped = ("serial", "timestamp")
    event = report_condition(
        device, condition_name("event", path), path.rsplit("/", 1)[-1], state, at, model=NAME,
        attributes={"topic": path} | bounded({k: v for k, v in body.items() if k not in dropped}),
    )  # fmt: skip
    return _decoded(device, "event", [(event, time_from.value)])


def _matches(topic: str) -> bool:
    return topic.startswith("dataq/")


def _fits(body: Mapping[str, Any]) -> bool:
    if isinstance(body.get("occupancy"), dict) and "timestamp" in body:
        return True
    if "serial" in body and any(isinstance(body.get(key), bool) for key in ("connected", "active")):
        return True
    if "class" in body and "id" in body:
        return "confidence" in body and ("age" in body or "active" in body)
    return "serial" in body and ("list" in body or "Uptime_Hours" in body)


DATAQ = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), kind="camera",
    base=NAME,
)  # fmt: skip
