"""Hikvision ISAPI: EventNotificationAlert as XML or JSON, bridged from HTTP.

A device repeats `active` (counting in `activePostCount`) about once a second while a condition
lasts, and says `inactive` when it is over; nothing is numbered, so conditions recur. `videoloss
inactive`, every few seconds, is the heartbeat of the stream. Identity: `{mac}/{channel}`, since
a recorder speaks for all its channels under its own address; without an address the level of
the topic behind `feed/hikvision/`, else the serial number, else the network address. Sources:
ISAPI General Application Guide, captured alerts.
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
    Reject,
    VideoEvent,
)
from wire.body import as_dict, as_list, as_text, identity, parse_object, shown
from wire.cameras.video import (
    Box,
    bounded,
    condition_name,
    feed_camera,
    moment_or,
    number_or_text,
    one_report,
    relative_box,
    report_condition,
    share,
)
from wire.format import Format, Refused, about, fits_object, guarded, no_topic
from wire.markup import as_object, parse_xml, without_envelope

NAME = "hikvision"
# ISAPI is HTTP: a bridge publishes to feed/hikvision/{device}, which everybody listens to.
SUBSCRIPTIONS: tuple[str, ...] = ()
ROOT = "EventNotificationAlert"
# In the older dialect (PSIA) the channels of a recorder's network cameras begin behind its 32
# analogue ones: channelID 34 is camera 2.
PSIA_OFFSET = 32
NO_ADDRESS = "0.0.0.0"  # what some devices write for their own
PSIA_MARK = b"urn:psialliance-org"
# Event types that only keep the connection alive.
_HEARTBEATS = frozenset({"heartbeat"})
# What happened at one moment; the device says `active` once and never takes it back.
_MOMENTS = frozenset(
    "anpr vehicledetection facecapture facesnap accesscontrollerevent peoplecounting".split()
)
_BESIDE = frozenset({"eventState", "activePostCount", "eventDescription"})
_STATES = {"active": True, "inactive": False}
# Parts of an alert that are read field by field.
_TAKEN_APART = frozenset({"ANPR", "DetectionRegionList", "TargetRect"})
_DROPPED = frozenset({"detectionPictureTransType", "pictureInfoList", "pictureInfo", "eventPush"})


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    alert = _alert(payload)
    device, channel = _identity(alert, feed_camera(topic), PSIA_MARK in payload[:1024])
    return about(device, _judged, alert, device, channel, received_at)


def _alert(payload: bytes) -> dict[str, Any]:
    """The alert as an object, out of XML or JSON, without the envelope of a multipart body."""
    part = without_envelope(payload)
    if part.startswith(b"{"):
        body = parse_object(part)
        wrapped = body.get(ROOT)
        return wrapped if isinstance(wrapped, dict) else body
    root = parse_xml(part)
    found = root if root.tag == ROOT else root.find(f".//{ROOT}")
    if found is None:
        raise Refused(REASON_FIELD, f"body: <{root.tag[:64]}> is no {ROOT}")
    alert = as_object(found)
    if not isinstance(alert, dict):
        raise Refused(REASON_FIELD, f"body: {ROOT} is empty")
    return alert


def _identity(alert: Mapping[str, Any], named: str, psia: bool) -> tuple[str, int | None]:
    """Who speaks, and for which of its channels."""
    address = as_text(alert.get("macAddress")) or as_text(alert.get("physicalAddress"))
    serial = as_text(as_dict(alert.get("Extensions")).get("serialNumber"))
    ip = as_text(alert.get("ipAddress"))
    who = address.lower() or named or serial or ("" if ip == NO_ADDRESS else ip)
    channel = _channel(alert)
    if not who:
        return "", channel
    who = identity(who, "macAddress")
    if channel is not None and psia and channel > PSIA_OFFSET:
        channel -= PSIA_OFFSET
    return (who if channel is None else f"{who}/{channel}"), channel


def _channel(alert: Mapping[str, Any]) -> int | None:
    for name in ("channelID", "dynChannelID", "channelId"):
        number = number_or_text(alert.get(name))
        if type(number) is int and 0 <= number < 100_000:
            return number
    return None


def _judged(
    alert: Mapping[str, Any], device: str, channel: int | None, received_at: datetime
) -> Decoded:
    type_ = identity(_event_type(alert), "eventType")
    state = as_text(alert.get("eventState")).strip().lower() or "active"
    if state not in _STATES:
        detail = f"eventState: must be active or inactive (got {shown(alert['eventState'])})"
        raise Refused(REASON_FIELD, detail)
    lowered = type_.lower()
    if lowered in _HEARTBEATS or (lowered == "videoloss" and state == "inactive"):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "heartbeat"})
    at, time_from = moment_or(alert.get("dateTime"), received_at)
    target, rejects = _target(alert), _bad_time(alert, time_from.value)
    event = _event(alert, device, type_, _STATES[state], at, target)
    event.attributes.update({"channel_id": channel} if channel is not None else {})
    return one_report(NAME, event, type_, time_from, rejects)


def _event_type(alert: Mapping[str, Any]) -> Any:
    """The type; of a `duration`, which repeats how long an event lasts, that of the event."""
    lasting = as_dict(as_dict(alert.get("DurationList")).get("Duration")).get("relationEvent")
    return lasting or alert.get("eventType")


def _bad_time(alert: Mapping[str, Any], time_from: str) -> tuple[Reject, ...]:
    """A time that says nothing is named; a device without a set clock or zone is no fault."""
    said = alert.get("dateTime")
    if time_from == "device" or said in (None, "") or re.match(r"\d{4}-\d\d-\d\d", str(said)[:10]):
        return ()
    return (Reject(REASON_FIELD, f"dateTime: must be an ISO 8601 time (got {shown(said)})"),)


def _event(
    alert: Mapping[str, Any], device: str, type_: str, active: bool, at: datetime,
    target: dict[str, Any],
) -> VideoEvent:  # fmt: skip
    attributes = _attributes(alert) | target
    box = _box(alert)
    moment = type_.lower() in _MOMENTS
    uuid = as_text(alert.get("UUID"), 128)
    if moment and uuid.isprintable() and uuid.strip():
        return VideoEvent(
            device, condition_name(type_, uuid), type_, EventPhase.END, at, at,
            confidence=_plate_confidence(alert), bbox=box, model=NAME, attributes=attributes,
        )  # fmt: skip
    port, plate = attributes.get("inputIOPortID"), attributes.get("licensePlate")
    condition = condition_name(type_, plate if moment else "", f"port={port}" if port else "")
    return report_condition(
        device, condition, type_, None if moment else active, at, model=NAME,
        attributes=attributes, ongoing=_posts(alert) > 1, bbox=box,
        confidence=_plate_confidence(alert),
    )  # fmt: skip


def _posts(alert: Mapping[str, Any]) -> int:
    """How often the device has said this already; 0 or 1 is the first time."""
    count = number_or_text(alert.get("activePostCount"))
    return count if type(count) is int else 0


def _attributes(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the alert that are plain, those of a number plate that was read, and what the
    kind of event has of its own (counts of people, a temperature, a card), as it stands."""
    plain = {
        name: number_or_text(value)
        for name, value in bounded({**_flat(alert), **_flat(as_dict(alert.get("ANPR")))}).items()
        if value != ""
    }
    region = _region(alert)
    if "regionID" in region:
        plain["regionID"] = number_or_text(bounded(region["regionID"]))
    # Plates of digits are texts, and a leading zero counts.
    plate = as_text(as_dict(alert.get("ANPR")).get("licensePlate"), 32)
    plain |= {"licensePlate": plate} if plate else {}
    own = {name: alert[name] for name in alert.keys() - _DROPPED - _TAKEN_APART}
    return bounded({key: item for key, item in own.items() if isinstance(item, dict)}) | plain


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in fields.items()
        if name not in _DROPPED and not isinstance(value, (dict, list))
    }


def _region(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The first region of a rule in which something was detected."""
    entries = as_dict(alert.get("DetectionRegionList")).get("DetectionRegionEntry")
    first = (as_list(entries) or [entries])[0]
    return as_dict(first)


def _target(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The class of object: in `targetType`, or with the region."""
    found = as_text(alert.get("targetType") or _region(alert).get("detectionTarget"), 64)
    return {"targetType": found} if found else {}


def _box(alert: Mapping[str, Any]) -> Box | None:
    rect = as_dict(_region(alert).get("TargetRect") or alert.get("TargetRect"))
    sides = [number_or_text(rect.get(name)) for name in ("X", "Y", "width", "height")]
    return relative_box(sides)


def _plate_confidence(alert: Mapping[str, Any]) -> float | None:
    return share(number_or_text(as_dict(alert.get("ANPR")).get("confidenceLevel")), 100)


def _fits(body: Mapping[str, Any]) -> bool:
    alert = as_dict(body.get(ROOT)) or body
    return "eventType" in alert and not alert.keys().isdisjoint(_BESIDE)


def _fits_bytes(payload: bytes) -> bool:
    return ROOT.encode() in payload or (b'"eventType"' in payload and b'"dateTime"' in payload)


HIKVISION = Format(
    NAME, SUBSCRIPTIONS, no_topic, fits_object(_fits), guarded(NAME, _parse), _fits_bytes,
    kind="camera",
)  # fmt: skip
