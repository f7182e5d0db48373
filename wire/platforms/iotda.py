"""Huawei Cloud IoTDA: what devices publish under `$oc/devices/{id}/sys/…`, and what the platform
passes on ({resource, event, notify_data}).

Times are UTC, `20151212T121212Z` or `2015-12-12T12:12:12.000Z`; the platform takes its own time
where one is missing or wrong, and so do we.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from city.reading import (
    REASON_FIELD,
    REASON_JSON,
    Decoded,
    MessageClass,
    RawValue,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import as_dict, as_list, as_text, identity, kind_of, parse_json, parse_object, shown
from wire.carriers import by_server
from wire.format import Format, Refused, about, fits_object, guarded
from wire.series import clock_is_set
from wire.times import time_or_none
from wire.values import Flattened, Stamp, flatten

NAME = "iotda"
SUBSCRIPTIONS = ("$oc/devices/+/sys/#", "$oc/devices/+/user/#")
# Sub-devices of one report and services of one device; the platform allows 100 of the first.
DEVICE_LIMIT = 128
SERVICE_LIMIT = 64
_ROOT = "$oc"
_PROPERTIES = "properties/report"
_SUB_DEVICES = ("gateway/sub_devices/properties/report", "gateway/sub-devices/properties/report")
_MESSAGES = "messages/up"
_EVENTS = "events/up"
_ONLINE = {"ONLINE": True, "OFFLINE": False, "ABNORMAL": False}
# What the platform calls the messages of devices when it passes them on.
_RESOURCES = {
    "device.property": _PROPERTIES, "device.message": _MESSAGES, "device.event": _EVENTS,
}  # fmt: skip


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device, kind = _address(topic)
    if kind == _MESSAGES:
        return _message(device, payload, received_at)
    body = parse_object(payload)
    return about(device, _object, device, kind, body, received_at)


def _object(device: str, kind: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    if "notify_data" in body:
        return _forwarded(body, received_at)
    return _by_kind(device, kind or _kind(body), body, Stamp(received_at, TimeSource.RECEIVED))


def _by_kind(device: str, kind: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    if kind == _PROPERTIES:
        return _properties(identity(device, "topic"), body, stamp)
    if kind in _SUB_DEVICES:
        return _sub_devices(body, stamp)
    if kind == _EVENTS:
        return _events(device, body, stamp)
    if not kind:
        raise Refused(REASON_FIELD, "body: has neither services nor devices of IoTDA")
    # Answers to commands and settings, shadow, bootstrap: what the platform and a device say to
    # each other.
    return Decoded(NAME, MessageClass.OTHER, device, link={"event": kind[:120]})


# --- Properties -------------------------------------------------------------------------------


def _sub_devices(body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    """A gateway's report for the devices behind it."""
    devices = _list(body, "devices")
    if not devices:
        raise Refused(REASON_FIELD, "devices: must name at least one device")
    parts = [
        _sub_device(entry, f"devices[{number}]", stamp)
        for number, entry in enumerate(devices[:DEVICE_LIMIT])
    ]
    if len(devices) > DEVICE_LIMIT:
        problem = f"devices: more than {DEVICE_LIMIT}, the rest was left out"
        parts[0] = replace(parts[0], rejects=(*parts[0].rejects, Reject(REASON_FIELD, problem)))
    if len(parts) == 1:
        return parts[0]
    return Decoded(NAME, parts[0].message_class, parts=tuple(parts))


def _sub_device(entry: Any, where: str, stamp: Stamp) -> Decoded:
    body = as_dict(entry)
    device = ""
    try:
        device = identity(body.get("device_id"), f"{where}.device_id")
        return _properties(device, body, stamp)
    except Refused as refusal:
        return Decoded(NAME, MessageClass.INVALID, device, rejects=(refusal.reject,))


def _properties(device: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    values: list[RawValue] = []
    rejects: list[Reject] = []
    for number, service in enumerate(_list(body, "services")[:SERVICE_LIMIT]):
        where = f"services[{number}]"
        try:
            flat = _service(as_dict(service), "properties", where, stamp)
        except Refused as refusal:
            rejects.append(refusal.reject)
            continue
        values.extend(flat.values)
        rejects.extend(flat.rejects)
    if not values and not rejects:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "empty report"})
    message_class = MessageClass.TELEMETRY if values else MessageClass.INVALID
    return Decoded(NAME, message_class, device, values=tuple(values), rejects=tuple(rejects))


def _service(service: Mapping[str, Any], key: str, where: str, stamp: Stamp) -> Flattened:
    """Values of one service under {service}.{property}."""
    name = identity(service.get("service_id"), f"{where}.service_id")
    content = service.get(key)
    if not isinstance(content, dict):
        raise Refused(REASON_FIELD, f"{where}.{key}: must be an object (got {shown(content)})")
    return flatten({name: content}, _stamp(service.get("event_time"), stamp))


def _stamp(said: Any, other: Stamp) -> Stamp:
    ts = _time(said)
    return other if ts is None else Stamp(ts, TimeSource.DEVICE)


def _time(said: Any) -> datetime | None:
    """UTC by the interface's definition, with or without the Z that says so."""
    if not isinstance(said, str) or len(said) > 40:
        return None
    ts = time_or_none(said)
    if ts is None:
        try:
            ts = datetime.fromisoformat(said).replace(tzinfo=UTC)
        except ValueError:
            return None
    return ts if clock_is_set(ts) else None


# --- Messages and events ----------------------------------------------------------------------


def _message(device: str, payload: bytes, received_at: datetime) -> Decoded:
    """A device's own message: the platform's envelope around anything, or anything at all."""
    try:
        body = parse_json(payload)
    except Refused:
        return _bytes(device, payload, received_at)
    stamp = Stamp(received_at, TimeSource.RECEIVED)
    if not isinstance(body, dict):
        raise Refused(REASON_FIELD, f"body: must be an object (got {kind_of(body)})", device)
    device = as_text(body.get("object_device_id")) or device
    if "content" in body:
        return _content(device, body["content"], stamp)
    return _content(device, body, stamp)


def _content(device: str, content: Any, stamp: Stamp) -> Decoded:
    device = identity(device, "device_id")
    if isinstance(content, str):
        try:
            content = msgspec.json.decode(content)
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            return _bytes(device, content.encode("utf-8", "replace"), stamp.ts)
    if not isinstance(content, dict):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "message"})
    if "services" in content:
        return _properties(device, content, stamp)
    flat = flatten(content, stamp)
    if not flat.values and not flat.rejects:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "message"})
    return Decoded(NAME, MessageClass.TELEMETRY, device, values=flat.values, rejects=flat.rejects)


def _bytes(device: str, content: bytes, received_at: datetime) -> Decoded:
    if not content:
        raise Refused(REASON_JSON, "empty payload", device)
    link = {"time": received_at.isoformat(), "time_from": TimeSource.RECEIVED.value}
    return Decoded(
        NAME, MessageClass.UNDECODED, identity(device, "topic"), raw_bytes=content, link=link
    )


def _events(device: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    """Events of a product model are EVENT; the platform's own services ($…) are counted only,
    but for the states of the devices behind a gateway."""
    device = identity(body.get("object_device_id") or device, "object_device_id")
    values: list[RawValue] = []
    rejects: list[Reject] = []
    statuses: list[StatusReport] = []
    names: list[str] = []
    for number, entry in enumerate(_list(body, "services")[:SERVICE_LIMIT]):
        service = as_dict(entry)
        names.append(as_text(service.get("event_type"), 64))
        if as_text(service.get("service_id")).startswith("$"):
            statuses.extend(_statuses(service, stamp))
            continue
        try:
            flat = _service(service, "paras", f"services[{number}]", stamp)
        except Refused as refusal:
            rejects.append(refusal.reject)
            continue
        values.extend(flat.values)
        rejects.extend(flat.rejects)
    link = {"event": ", ".join(filter(None, names))[:200]}
    if statuses:
        return _status_parts(statuses, link)
    if rejects and not values:
        return Decoded(NAME, MessageClass.INVALID, device, rejects=tuple(rejects))
    message_class = MessageClass.EVENT if values else MessageClass.OTHER
    return Decoded(
        NAME, message_class, device, values=tuple(values), rejects=tuple(rejects), link=link
    )


def _statuses(service: Mapping[str, Any], stamp: Stamp) -> Iterator[StatusReport]:
    when = _stamp(service.get("event_time"), stamp)
    listed = as_list(as_dict(service.get("paras")).get("device_statuses"))
    for entry in map(as_dict, listed[:DEVICE_LIMIT]):
        device = as_text(entry.get("device_id"), 128).strip()
        online = _ONLINE.get(as_text(entry.get("status")).upper())
        if device.isprintable() and device and online is not None:
            yield StatusReport(device, online, when.ts, when.ts_from)


def _status_parts(statuses: list[StatusReport], link: dict[str, Any]) -> Decoded:
    parts = tuple(
        Decoded(NAME, MessageClass.STATUS, status.device, statuses=(status,), link=link)
        for status in statuses
    )
    return parts[0] if len(parts) == 1 else Decoded(NAME, MessageClass.STATUS, parts=parts)


# --- What the platform passes on --------------------------------------------------------------


def _forwarded(body: Mapping[str, Any], received_at: datetime) -> Decoded:
    resource = as_text(body.get("resource"), 64)
    data = as_dict(body["notify_data"])
    # The documentation's own examples have the body beside notify_data, not in it.
    content = as_dict(data.get("body") or body.get("body"))
    device = as_text(as_dict(data.get("header")).get("device_id")) or as_text(data.get("device_id"))
    stamp = _server_stamp(body, received_at)
    if resource == "device.status":
        return _status(identity(device, "notify_data.header.device_id"), content, stamp)
    if resource == "device.message":
        return _content(device, content.get("content"), stamp)
    kind = _RESOURCES.get(resource)
    if kind is None:
        event = f"{resource}.{as_text(body.get('event'), 32)}"
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": event})
    return _by_kind(device, kind, content, stamp)


def _server_stamp(body: Mapping[str, Any], received_at: datetime) -> Stamp:
    ts = _time(body.get("event_time_ms")) or _time(body.get("event_time"))
    if ts is None:
        return Stamp(received_at, TimeSource.RECEIVED)
    return Stamp(ts, TimeSource.SERVER)


def _status(device: str, content: Mapping[str, Any], stamp: Stamp) -> Decoded:
    said = as_text(content.get("status"), 32).upper()
    ts = _time(content.get("status_update_time"))
    when = stamp if ts is None else Stamp(ts, TimeSource.SERVER)
    report = StatusReport(device, _ONLINE.get(said), when.ts, when.ts_from, {"status": said})
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,))


# --- Where from, and what ---------------------------------------------------------------------


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if not isinstance(value, list):
        raise Refused(REASON_FIELD, f"{key}: must be a list (got {shown(value)})")
    return value


def _kind(body: Mapping[str, Any]) -> str:
    """What a message is that no topic says it of."""
    if isinstance(body.get("devices"), list):
        return _SUB_DEVICES[0]
    services = as_list(body.get("services"))
    if any("event_type" in as_dict(service) for service in services[:SERVICE_LIMIT]):
        return _EVENTS
    return _PROPERTIES if services else ""


def _address(topic: str) -> tuple[str, str]:
    """Device and kind: `$oc/devices/{id}/sys/{kind}`, or `feed/iotda/{id}[/sys]/{kind}`."""
    parts = topic.split("/")
    if parts[0] == "feed":
        parts = ["$oc", "devices", *parts[2:]]
    if parts[:2] != [_ROOT, "devices"] or len(parts) < 3:
        return "", ""
    rest = parts[3:]
    if rest[:1] == ["user"]:
        return parts[2], _MESSAGES
    return parts[2], "/".join(rest[1:] if rest[:1] == ["sys"] else rest)


def _matches(topic: str) -> bool:
    return topic.startswith(f"{_ROOT}/devices/")


def _fits(body: Mapping[str, Any]) -> bool:
    if isinstance(body.get("notify_data"), dict) and "resource" in body:
        return True
    lists = as_list(body.get("services")) or as_list(body.get("devices"))
    first = as_dict(next(iter(lists), None))
    return "service_id" in first or ("device_id" in first and "services" in first)


IOTDA = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), carriers=by_server
)
