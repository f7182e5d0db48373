"""JetLinks official protocol: topics `/{productId}/{deviceId}/…`, and the platform's own messages.

A child device's messages have `/{productId}/{gatewayId}/child/{childId}/` before the rest. The
topic says what a message is; a message that the platform passes on says it in `messageType`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    RawValue,
    StatusReport,
    TimeSource,
)
from wire.body import as_dict, as_text, identity, parse_object, shown
from wire.carriers import by_server
from wire.format import Format, Refused, about, fits_object, guarded
from wire.series import clock_is_set
from wire.times import time_or_none
from wire.values import Flattened, Stamp, flatten

NAME = "jetlinks"
SUBSCRIPTIONS = (
    "/+/+/properties/#",
    "/+/+/event/+",
    "/+/+/online",
    "/+/+/offline",
    "/+/+/child/#",
    "/+/+/child-reply/#",
)
# Levels of gateways behind gateways; the protocol's own codec nests without a limit.
CHILD_LIMIT = 4
_REPORTS = ("properties/report", "properties/read/reply", "properties/write/reply")
# The documentation writes `connected`, the codec `online`; devices in the field do both.
_ONLINE = {"online": True, "connected": True, "offline": False, "disconnected": False}
_OTHERS = frozenset(
    {"properties/read", "properties/write", "function/invoke", "function/invoke/reply", "tags"}
    | {"register", "unregister", "firmware/upgrade", "firmware/upgrade/progress"}
    | {"firmware/pull", "firmware/pull/reply", "firmware/report", "firmware/read"}
    | {"firmware/read/reply", "metadata/derived", "disconnect", "disconnect/reply", "log"}
    | {"state-check", "state-check/reply", "time-sync", "time-sync/reply", "children"}
    # A misprint of the documentation that devices followed.
    | {"children/reply", "properties/wirte/reply"}
)
# What the platform calls the same messages when it passes them on.
_KINDS = {
    "REPORT_PROPERTY": "properties/report", "READ_PROPERTY_REPLY": "properties/read/reply",
    "WRITE_PROPERTY_REPLY": "properties/write/reply", "ONLINE": "online", "OFFLINE": "offline",
    "REGISTER": "register", "UN_REGISTER": "unregister", "LOG": "log",
    "INVOKE_FUNCTION_REPLY": "function/invoke/reply", "UPDATE_TAG": "tags",
}  # fmt: skip


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device, kind = _address(topic)
    if kind == "direct":
        link = {"time": received_at.isoformat(), "time_from": TimeSource.RECEIVED.value}
        return Decoded(NAME, MessageClass.UNDECODED, device, raw_bytes=payload, link=link)
    body = parse_object(payload)
    return _message(device, kind, body, received_at, 0)


def _message(
    device: str, kind: str, body: Mapping[str, Any], received_at: datetime, depth: int
) -> Decoded:
    child = body.get("childDeviceMessage")
    if isinstance(child, dict) and depth < CHILD_LIMIT:
        inner = as_text(body.get("childDeviceId"))
        return _message(inner, "", child, received_at, depth + 1)
    device = identity(body.get("deviceId") or device, "deviceId")
    kind = kind or _kind(body)
    return about(device, _by_kind, device, kind, body, received_at)


def _by_kind(device: str, kind: str, body: Mapping[str, Any], received_at: datetime) -> Decoded:
    stamp = _stamp(body.get("timestamp"), received_at)
    if body.get("success") is False:
        return _failed(device, kind, body)
    if kind in _REPORTS:
        return _properties(device, kind, body, stamp)
    if kind.startswith("event/"):
        return _event(device, kind.removeprefix("event/"), body, stamp)
    if kind in _ONLINE:
        report = StatusReport(device, _ONLINE[kind], stamp.ts, stamp.ts_from)
        return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,))
    if kind in _OTHERS:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": kind})
    raise Refused(REASON_TOPIC, f"not a message of JetLinks: {kind[:120]!r}")


def _failed(device: str, kind: str, body: Mapping[str, Any]) -> Decoded:
    """The device could not do what it was asked to: there are no values, and no mistake in it."""
    said = {key: as_text(body.get(key)) for key in ("code", "message")}
    return Decoded(NAME, MessageClass.OTHER, device, link={"event": kind, "success": False, **said})


def _properties(device: str, kind: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    properties = body.get("properties")
    if properties is None and kind != _REPORTS[0]:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": kind})
    if not isinstance(properties, dict):
        raise Refused(REASON_FIELD, f"properties: must be an object (got {shown(properties)})")
    flat = _with_own_times(flatten({"": properties}, stamp), body)
    return _telemetry(device, MessageClass.TELEMETRY, flat, {})


def _with_own_times(flat: Flattened, body: Mapping[str, Any]) -> Flattened:
    """Properties may have been measured at times of their own (`propertySourceTimes`)."""
    times = as_dict(body.get("propertySourceTimes"))
    return replace(flat, values=tuple(_at_own_time(value, times) for value in flat.values))


def _at_own_time(value: RawValue, times: Mapping[str, Any]) -> RawValue:
    ts = time_or_none(times.get(value.name))
    if ts is None or not clock_is_set(ts):
        return value
    return replace(value, ts=ts, ts_from=TimeSource.DEVICE)


def _event(device: str, event: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    """An event's data under the event's name: fire_alarm, or fire_alarm.level of an object."""
    data = body.get("data")
    flat = flatten({event: data}, stamp)
    return _telemetry(device, MessageClass.EVENT, flat, {"event": event})


def _telemetry(
    device: str, message_class: MessageClass, flat: Flattened, link: dict[str, Any]
) -> Decoded:
    if not flat.values and not flat.rejects and message_class is MessageClass.TELEMETRY:
        message_class, link = MessageClass.OTHER, {"event": "empty report"}
    return Decoded(NAME, message_class, device, values=flat.values, rejects=flat.rejects, link=link)


def _stamp(said: Any, received_at: datetime) -> Stamp:
    ts = time_or_none(said)
    if ts is None or not clock_is_set(ts):
        return Stamp(received_at, TimeSource.RECEIVED)
    return Stamp(ts, TimeSource.DEVICE)


def _kind(body: Mapping[str, Any]) -> str:
    """What a message is that no topic says it of."""
    said = as_text(body.get("messageType"), 64).upper()
    if said == "EVENT":
        return f"event/{as_text(body.get('event'), 64)}"
    if not said and isinstance(body.get("properties"), dict):
        return "properties/report"
    return _KINDS.get(said, said.lower())


def _address(topic: str) -> tuple[str, str]:
    """Device and kind of message by the topic; of a child, the child's."""
    parts = topic.split("/")
    if parts[0] == "feed":
        return (parts[2] if len(parts) > 2 else ""), "/".join(parts[3:])
    if len(parts) < 4 or parts[0] or (parts[1] == "device" and "message" in parts):
        return "", ""
    device, rest = parts[2], parts[3:]
    while len(rest) > 2 and rest[0] in ("child", "child-reply"):
        device, rest = rest[1], rest[2:]
    return device, "/".join(rest)


def _matches(topic: str) -> bool:
    """Topics with an empty first level and a kind that the protocol knows."""
    if not topic.startswith("/"):
        return False
    kind = _address(topic)[1]
    return kind in _REPORTS or kind in _ONLINE or kind in _OTHERS or kind.startswith("event/")


def _fits(body: Mapping[str, Any]) -> bool:
    if isinstance(body.get("messageType"), str) and "deviceId" in body:
        return True
    return isinstance(body.get("properties"), dict) and isinstance(body.get("deviceId"), str)


JETLINKS = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), carriers=by_server
)
