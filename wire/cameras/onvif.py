"""ONVIF devices: events as JSON over MQTT, and events and scenes as XML, bridged.

JSON is published to `{prefix}/onvif-ej/{topic}/&{source values}`; the prefix names the device.
XML (`NotificationMessage`, alone, in a MetadataStream or in a SOAP answer, and `VideoAnalytics`
frames) is bridged to `feed/onvif/{device}/…`. An event with a state is a property and recurs;
an empty body takes a retained property back. Sources: ONVIF Core (Event Service, Event Broker),
ONVIF Analytics (rules, scene description).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from city.reading import (
    REASON_FIELD,
    Decoded,
    EventPhase,
    MessageClass,
    Reject,
    TimeSource,
    VideoEvent,
)
from wire.body import IDENTITY_LIMIT, as_dict, as_finite, as_text, identity, parse_object
from wire.cameras.video import (
    LIST_LIMIT,
    OBJECT_LIMIT,
    as_state,
    bounded,
    condition_name,
    feed_levels,
    moment_or,
    one_report,
    report_condition,
    scene_report,
)
from wire.format import Format, Refused, about, always_local, fits_object, guarded
from wire.markup import as_object, parse_xml, text_of

NAME = "onvif"
SUBSCRIPTIONS = ("+/onvif-ej/#",)
PAYLOAD_PREFIX = "onvif-ej"
# An event whose topic got lost on the way: its sources still tell it from others.
UNNAMED = "event"
# Notifications of one document; a camera answers with what it has kept, some dozens at most.
NOTIFICATION_LIMIT = 256
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,32}:")
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?")
_DELETED = "deleted"
# Rules whose data is a number that grows: ONVIF Analytics, CountAggregation.
_COUNTS = ("count", "inside", "peoplecount", "vehiclecount")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device, rule = _split(topic)
    if not payload.strip():
        if not rule:
            raise Refused(REASON_FIELD, "body: is empty, and the topic names no event", device)
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "property_deleted"})
    return about(device, _body, payload, device, rule, received_at)


def _body(payload: bytes, device: str, rule: str, received_at: datetime) -> Decoded:
    if payload.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<", b"--", b"Content-")):
        return _document(parse_xml(payload), device, received_at)
    return _json(parse_object(payload), device, rule, received_at)


def _split(topic: str) -> tuple[str, str]:
    """Device and event of a topic. A prefix may have several levels: all of them are the device."""
    prefix, found, rule = topic.partition(f"/{PAYLOAD_PREFIX}/")
    if found:
        levels = feed_levels(prefix)
        device = "/".join(levels) if levels else prefix
        return device[:IDENTITY_LIMIT], rule
    levels = feed_levels(topic)
    return (levels[0] if levels else ""), "/".join(levels[1:])


def _json(body: Mapping[str, Any], device: str, rule: str, received_at: datetime) -> Decoded:
    path, _, where = rule.partition("/&")
    path = _plain(path or as_text(body.get("Topic"))) or UNNAMED
    for part in ("Source", "Data"):
        if body.get(part) is not None and not isinstance(body[part], dict):
            raise Refused(REASON_FIELD, f"{part}: must be an object")
    source = {**as_dict(body.get("Source")), **as_dict(body.get("Key"))}
    data = as_dict(body.get("Data"))
    if not source and not data:
        raise Refused(REASON_FIELD, "body: has neither Source nor Data")
    operation = as_text(body.get("PropertyOperation"))
    at, time_from = _utc(body.get("UtcTime"), received_at)
    if not source and where:
        source = {"source": where[:IDENTITY_LIMIT]}
    return one_report(NAME, _event(device, path, source, data, operation, at), path, time_from)


def _plain(path: str) -> str:
    """An event's topic without namespaces and dialect marks."""
    return _NAMESPACE.sub("", path).strip().rstrip("/.")[:IDENTITY_LIMIT]


def _utc(value: Any, received_at: datetime) -> tuple[datetime, TimeSource]:
    """`UtcTime` is UTC by its name, with or without the letter."""
    if isinstance(value, str) and _WITHOUT_OFFSET.fullmatch(value.strip()):
        value = f"{value.strip()}Z"
    return moment_or(value, received_at)


def _event(
    device: str, path: str, source: Mapping[str, Any], data: Mapping[str, Any], operation: str,
    at: datetime,
) -> VideoEvent:  # fmt: skip
    names = [f"{name}={as_text(str(item), 64)}" for name, item in sorted(source.items())[:16]]
    condition = condition_name(path, *names)
    attributes = {"topic": path} | bounded({**source, **data})
    kind = path.split("/")
    type_ = "/".join(kind[1:]) if kind[0] == "RuleEngine" and len(kind) > 2 else kind[-1]
    more: dict[str, Any] = {"model": NAME, "attributes": attributes}
    label, confidence = _seen(data)
    if label:
        attributes["label"] = label
        more["confidence"] = confidence
    if any(name.lower() in _COUNTS for name in data):
        return VideoEvent(device, condition, type_, EventPhase.UPDATE, at, recurring=True, **more)
    state = _state(data)
    if operation.lower() == _DELETED:
        state = False
    if state is None:  # two objects may cross a line in the same instant
        condition = condition_name(condition, as_text(str(data.get("ObjectId", ""))))
    return report_condition(device, condition, type_, state, at, **more)


def _state(data: Mapping[str, Any]) -> bool | None:
    """The truth value among the data: IsMotion, IsInside, State, LogicalState. Numbers that are
    ids or counts are no states."""
    for name, value in list(data.items())[:OBJECT_LIMIT]:
        lowered = name.lower()
        if lowered.startswith("is") or lowered.endswith(("state", "active", "alarm", "motion")):
            state = as_state(value)
            if state is not None:
                return state
    words = [value for value in data.values() if str(value).lower() in ("true", "false")]
    return as_state(words[0]) if len(words) == 1 else None


def _seen(data: Mapping[str, Any]) -> tuple[str, float | None]:
    """The class of the object, where the event carries one (ONVIF Analytics, Appearance)."""
    plain = as_text(data.get("ClassTypes") or data.get("ObjectType"), 64)
    if plain:
        return plain.split(",")[0].split(" ")[0], None
    appearance = as_dict(as_dict(data.get("Object")).get("Appearance"))
    return _class(as_dict(appearance.get("Class")))


def _class(found: Mapping[str, Any]) -> tuple[str, float | None]:
    """`Type` (text, or an object with `Likelihood`), or the likeliest `ClassCandidate`."""
    candidates = found.get("Type") or found.get("ClassCandidate") or ""
    entries = candidates if isinstance(candidates, list) else [candidates]
    named = [_candidate(entry) for entry in entries[:LIST_LIMIT]]
    return max(named, key=lambda entry: entry[1] or 0.0, default=("", None))


def _candidate(entry: Any) -> tuple[str, float | None]:
    if isinstance(entry, str):
        return entry[:64], None
    fields = as_dict(entry)
    name = as_text(fields.get("Type") or fields.get("#text"), 64)
    return name, _likelihood(fields.get("Likelihood"))


def _likelihood(value: Any) -> float | None:
    number = as_finite(value)
    if number is None and isinstance(value, str) and len(value) <= 16:
        try:
            number = float(value)
        except ValueError:
            return None
    return number if number is not None and 0 <= number <= 1 else None


def _document(root: Element, device: str, received_at: datetime) -> Decoded:
    """Every notification and frame of a document; they all speak of one device."""
    events: list[VideoEvent] = []
    rejects: list[Reject] = []
    sources: set[TimeSource] = set()
    for message in _notifications(root)[:NOTIFICATION_LIMIT]:
        try:
            event, time_from = _notification(message, device, received_at)
        except Refused as refusal:
            rejects.append(refusal.reject)
        else:
            events.append(event)
            sources.add(time_from)
    frames = [element for element in root.iter("Frame") if element.get("UtcTime")]
    for frame in frames[:NOTIFICATION_LIMIT]:
        at, time_from = _utc(frame.get("UtcTime"), received_at)
        events.append(_frame(frame, device, at))
        sources.add(time_from)
    if events:
        link = {"time_from": min(sources, key=list(TimeSource).index).value}
        return Decoded(
            NAME, MessageClass.EVENT, device, events=tuple(events), rejects=tuple(rejects),
            link=link,
        )  # fmt: skip
    if rejects:
        return Decoded(NAME, MessageClass.INVALID, device, rejects=tuple(rejects))
    if root.tag in ("MetadataStream", "Envelope"):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "nothing_new"})
    raise Refused(REASON_FIELD, f"body: <{root.tag[:64]}> is no notification and no metadata")


def _notifications(root: Element) -> list[Element]:
    if root.tag == "NotificationMessage":
        return [root]
    found = list(root.iter("NotificationMessage"))
    bare = [root] if root.tag == "Message" and root.get("UtcTime") else []
    return found or bare


def _notification(
    element: Element, device: str, received_at: datetime
) -> tuple[VideoEvent, TimeSource]:
    message = next((m for m in element.iter("Message") if m.get("UtcTime")), None)
    if message is None:
        raise Refused(REASON_FIELD, "Message: has no UtcTime")
    path = _plain(identity(text_of(element, "Topic"), "Topic"))
    source = {**_items(message.find("Source")), **_items(message.find("Key"))}
    data = _items(message.find("Data"))
    at, time_from = _utc(message.get("UtcTime"), received_at)
    operation = as_text(message.get("PropertyOperation"))
    return _event(device, path, source, data, operation, at), time_from


def _items(group: Element | None) -> dict[str, Any]:
    """SimpleItem: name and text; ElementItem: name and an object."""
    found: dict[str, Any] = {}
    for item in list(group if group is not None else ())[:OBJECT_LIMIT]:
        name = (item.get("Name") or "")[:64]
        if name and item.tag == "SimpleItem":
            found[name] = item.get("Value") or ""
        elif name and item.tag == "ElementItem":
            found[name] = as_object(item)
    return found


def _frame(frame: Element, device: str, at: datetime) -> VideoEvent:
    """A frame of scene metadata, several a second: one lasting condition while it has objects."""
    objects = frame.findall("Object")[:NOTIFICATION_LIMIT]
    seen = [(*_class_of(item), as_text(item.get("ObjectId"), 64)) for item in objects]
    return scene_report(device, seen, at, model=NAME)


def _class_of(element: Element) -> tuple[str, float | None]:
    found = element.find("Appearance/Class")
    if found is None:
        return "", None
    typed = [(text_of(t), _likelihood(t.get("Likelihood"))) for t in found.findall("Type")]
    for candidate in found.findall("ClassCandidate"):
        typed.append((text_of(candidate, "Type"), _likelihood(text_of(candidate, "Likelihood"))))
    name, score = max(typed, key=lambda entry: entry[1] or 0.0, default=("", None))
    return name[:64], score


def _matches(topic: str) -> bool:
    return f"/{PAYLOAD_PREFIX}/" in topic


def _fits(body: Mapping[str, Any]) -> bool:
    return "UtcTime" in body and ("Source" in body or "Data" in body)


def _fits_bytes(payload: bytes) -> bool:
    marks = (b"NotificationMessage", b"MetadataStream", b"www.onvif.org")
    return b"<" in payload[:512] and any(mark in payload for mark in marks)


ONVIF = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), _fits_bytes,
    kind="camera", any_prefix=True, is_local=always_local,
)  # fmt: skip
