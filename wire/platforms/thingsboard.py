"""ThingsBoard's MQTT API: telemetry and attributes of a device, and the gateway's for many.

On `v1/devices/me/…` the access token of the connection names the device, and nothing in the
message does; such devices are bridged to `feed/thingsboard/{device}[/telemetry|/attributes]`.
A gateway's messages name their devices and become one part for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    RawValue,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import (
    TEXT_LIMIT,
    as_dict,
    as_finite,
    as_plain,
    as_text,
    identity,
    kind_of,
    parse_json,
    shown,
)
from wire.carriers import by_server
from wire.format import Format, Refused, guarded
from wire.series import stamps
from wire.times import from_epoch
from wire.values import VALUE_LIMIT, Stamp, flatten

NAME = "thingsboard"
SUBSCRIPTIONS = ("v1/devices/me/#", "v1/gateway/#", "v2/t/#", "v2/a/#")
# Devices of one gateway message, and points of one device; the gateway sends some ten at once.
DEVICE_LIMIT = 256
POINT_LIMIT = 256
_TELEMETRY, _ATTRIBUTES = "telemetry", "attributes"
# The short topics of version 2 for devices that pay by the byte.
_SHORT = {"t": _TELEMETRY, "a": _ATTRIBUTES}
# Words about the message that some firmware puts among its values.
_ABOUT_MESSAGE = frozenset({"message_type", "messageType", "deviceType", "msgType"})


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device, kind = _address(topic)
    head, _, rest = kind.partition("/")
    if head not in _READERS and head not in ("", _TELEMETRY, _ATTRIBUTES):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": kind[:120]})
    body = parse_json(payload)
    if head == _ATTRIBUTES and rest.partition("/")[0] in ("request", "response"):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": f"attributes {rest[:40]}"})
    if topic.startswith("v1/gateway/"):
        return _gateway(head, body, received_at)
    device, body = _own_name(device, body)
    if head == _ATTRIBUTES:
        return _attributes(device, body, received_at)
    return _telemetry(device, body, received_at)


def _own_name(device: str, body: Any) -> tuple[str, Any]:
    """An integration's converter puts the device's name beside its telemetry."""
    if isinstance(body, dict) and isinstance(body.get("deviceName"), str) and "telemetry" in body:
        return identity(body["deviceName"], "deviceName"), body["telemetry"]
    return device, body


# --- One device -------------------------------------------------------------------------------


def _telemetry(device: str, body: Any, received_at: datetime) -> Decoded:
    """{name: value}, {"ts", "values"}, or a list of either."""
    points: list[tuple[datetime | None, Mapping[str, Any]]] = []
    rejects: list[Reject] = []
    entries = body if isinstance(body, list) else [body]
    for number, entry in enumerate(entries[:POINT_LIMIT]):
        where = f"[{number}]" if isinstance(body, list) else "body"
        try:
            points.append(_point(entry, where))
        except Refused as refusal:
            rejects.append(refusal.reject)
    if len(entries) > POINT_LIMIT:
        problem = f"more than {POINT_LIMIT} points, the rest was left out"
        rejects.append(Reject(REASON_FIELD, problem))
    if rejects and not points:
        return Decoded(NAME, MessageClass.INVALID, device, rejects=tuple(rejects))
    marks = stamps((ts for ts, _ in points), received_at)
    contents = [content for _, content in points]
    values = tuple(_values(zip(contents, marks, strict=True), rejects))
    link = _about_message(contents)
    if not values and not rejects:
        link = {"event": "empty telemetry"}
    message_class = MessageClass.TELEMETRY if values else MessageClass.OTHER
    if rejects and not values:
        message_class = MessageClass.INVALID
    return Decoded(NAME, message_class, device, values=values, rejects=tuple(rejects), link=link)


def _point(entry: Any, where: str) -> tuple[datetime | None, Mapping[str, Any]]:
    if not isinstance(entry, dict):
        raise Refused(REASON_FIELD, f"{where}: must be an object (got {kind_of(entry)})")
    if "ts" not in entry or "values" not in entry:
        return None, entry
    if not isinstance(entry["values"], dict):
        problem = f"{where}.values: must be an object (got {shown(entry['values'])})"
        raise Refused(REASON_FIELD, problem)
    return _time(entry["ts"], f"{where}.ts"), entry["values"]


def _time(value: Any, where: str) -> datetime:
    """Epoch milliseconds, and nothing else: ThingsBoard refuses what is not a whole number."""
    number = as_finite(value)
    ts = None if number is None else from_epoch(number / 1000)
    if ts is None:
        raise Refused(REASON_FIELD, f"{where}: must be epoch milliseconds (got {shown(value)})")
    return ts


def _values(
    points: Iterator[tuple[Mapping[str, Any], Stamp]], rejects: list[Reject]
) -> Iterator[RawValue]:
    left = VALUE_LIMIT
    for content, stamp in points:
        kept = {key: item for key, item in content.items() if key not in _ABOUT_MESSAGE}
        flat = flatten({"": kept}, stamp)
        rejects.extend(flat.rejects)
        if len(flat.values) > left:
            problem = f"more than {VALUE_LIMIT} values, the rest was left out"
            rejects.append(Reject(REASON_FIELD, problem))
        yield from flat.values[:left]
        left -= len(flat.values)
        if left < 0:
            return


def _about_message(contents: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        key: as_text(content[key])
        for content in contents
        for key in sorted(_ABOUT_MESSAGE & content.keys())
    }


def _attributes(device: str, body: Any, received_at: datetime) -> Decoded:
    """What a device tells about itself: firmware, settings, serial number."""
    if not isinstance(body, dict):
        raise Refused(REASON_FIELD, f"body: must be an object (got {kind_of(body)})", device)
    if not device:
        return Decoded(NAME, MessageClass.OTHER, link={"event": "attributes"})
    plain = {key[:TEXT_LIMIT]: as_plain(item) for key, item in list(body.items())[:VALUE_LIMIT]}
    told = {key: item for key, item in plain.items() if item is not None}
    return _status(device, None, received_at, told)


def _status(
    device: str, online: bool | None, received_at: datetime, told: dict[str, Any]
) -> Decoded:
    report = StatusReport(device, online, received_at, TimeSource.RECEIVED, told)
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,))


# --- A gateway and the devices behind it ------------------------------------------------------


def _gateway(kind: str, body: Any, received_at: datetime) -> Decoded:
    if not isinstance(body, dict):
        raise Refused(REASON_FIELD, f"body: must be an object (got {kind_of(body)})")
    if kind in _READERS:
        device = identity(body.get("device"), "device")
        about = {"type": as_text(body["type"])} if "type" in body else {}
        return _status(device, _READERS[kind], received_at, about)
    if isinstance(body.get("device"), str):
        return Decoded(NAME, MessageClass.OTHER, body["device"], link={"event": kind})
    if not body:
        raise Refused(REASON_FIELD, "body: must name at least one device")
    parts = [
        _gateway_part(kind, name, content, received_at)
        for name, content in list(body.items())[:DEVICE_LIMIT]
    ]
    if len(body) > DEVICE_LIMIT:
        problem = f"more than {DEVICE_LIMIT} devices, the rest was left out"
        parts[0] = replace(parts[0], rejects=(*parts[0].rejects, Reject(REASON_FIELD, problem)))
    if len(parts) == 1:
        return parts[0]
    return Decoded(NAME, parts[0].message_class, parts=tuple(parts))


def _gateway_part(kind: str, name: str, content: Any, received_at: datetime) -> Decoded:
    try:
        device = identity(name, "device")
        read = _attributes if kind == _ATTRIBUTES else _telemetry
        return read(device, content, received_at)
    except Refused as refusal:
        return Decoded(NAME, MessageClass.INVALID, refusal.device, rejects=(refusal.reject,))


_READERS = {"connect": True, "disconnect": False}


# --- Where from, and what ---------------------------------------------------------------------


def _address(topic: str) -> tuple[str, str]:
    """Device (if the topic names it) and kind of message."""
    parts = topic.split("/")
    if parts[0] == "feed":
        return parts[2] if len(parts) > 2 else "", "/".join(parts[3:])
    if parts[:1] == ["v2"] and len(parts) > 1:
        return "", _SHORT.get(parts[1], parts[1])
    if parts[:2] == ["v1", "devices"] and len(parts) > 2:
        return parts[2] if parts[2] != "me" else "", "/".join(parts[3:])
    if parts[:2] == ["v1", "gateway"]:
        return "", "/".join(parts[2:])
    if topic:
        raise Refused(REASON_TOPIC, f"not a topic of ThingsBoard: {topic[:120]!r}")
    return "", ""


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    return parts[:2] in (["v1", "devices"], ["v1", "gateway"], ["v2", "t"], ["v2", "a"])


def _fits(body: Any) -> bool:
    """Points with their times, of one device or of several by name: a flat object of names and
    values could be anybody's."""
    if isinstance(body, dict) and body and all(isinstance(of, list) for of in body.values()):
        return all(of and _is_point(of[0]) for of in body.values())
    return _is_point(next(iter(body), None) if isinstance(body, list) else body)


def _is_point(item: Any) -> bool:
    point = as_dict(item)
    return point.keys() == {"ts", "values"} and isinstance(point["values"], dict)


THINGSBOARD = Format(
    NAME, SUBSCRIPTIONS, _matches, _fits, guarded(NAME, _parse), carriers=by_server
)
