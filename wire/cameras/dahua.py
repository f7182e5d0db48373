"""Dahua cameras: events as JSON objects and as `Code=…;action=…;index=…;data={…}` text.

Both are bridged from HTTP (`eventManager.cgi`) or from a home automation's bus to
`feed/dahua/{device}/…`. `Start` and `Stop` name a condition (code, rule or object class, channel)
and number nothing, so it recurs; `Pulse` is a moment. Identity: the device the message or the
topic names, with the channel behind it from the second channel on (a recorder has many).
Source: Dahua HTTP API ("Event Manager"), captured events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_TEXT,
    Decoded,
    MessageClass,
    TimeSource,
    VideoEvent,
)
from wire.body import (
    as_dict,
    as_finite,
    as_list,
    as_text,
    identity,
    parse_json,
    parse_object,
    shown,
)
from wire.cameras.video import (
    Box,
    bounded,
    condition_name,
    feed_camera,
    number_or_text,
    one_report,
    relative_box,
    report_condition,
    set_moment_or,
)
from wire.format import Format, Refused, fits_object, guarded, no_topic
from wire.times import from_epoch

NAME = "dahua"
# HTTP: a bridge publishes to feed/dahua/{device}, which everybody listens to.
SUBSCRIPTIONS: tuple[str, ...] = ()
# Coordinates of boxes and lines are shares of the picture in this many parts.
GRID = 8192.0
# Events of one multipart body.
EVENT_LIMIT = 64
_ACTIONS: dict[str, bool | None] = {"start": True, "stop": False, "pulse": None}
# The device about itself: files, clocks, logins, states that are asked for.
_OWN_AFFAIRS = frozenset(
    "heartbeat newfile updatefile ntpadjusttime timechange rtspsessiondisconnect videomotioninfo "
    "systemstate lefunctionstatussync intervideoaccess netabort networkchange reboot dhcpchange "
    "recordplanchange recordstatechange configchange usermanager login logout".split()
)
_RECORD = re.compile(
    r"Code=(?P<code>[^;\s=]{1,128})(?P<rest>(?:;[A-Za-z]{1,16}=[^;{\r\n]{0,128})*)"
)
_DATA = re.compile(r"\s{0,8};?\s{0,8}(?:data=)?\s{0,8}(?=\{)")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    named = feed_camera(topic)
    if payload.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{":
        return _judged(parse_object(payload), named, received_at)
    records = _records(payload)
    parts = [_judged(record, named, received_at) for record in records]
    if len(parts) == 1:
        return parts[0]
    found = max(parts, key=lambda part: part.message_class is MessageClass.EVENT).message_class
    return Decoded(NAME, found, parts=tuple(parts))


def _records(payload: bytes) -> list[dict[str, Any]]:
    """The records of the text form, with or without the envelope of a multipart body."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(REASON_TEXT, f"not UTF-8 at byte {error.start}") from None
    records: list[dict[str, Any]] = []
    position = 0
    while len(records) < EVENT_LIMIT and (match := _RECORD.search(text, position)):
        record, position = _record(text, match)
        records.append(record)
    if records:
        return records
    if "heartbeat" in text[-512:].lower():
        return [{"Code": "Heartbeat", "action": "Pulse"}]
    raise Refused(REASON_TEXT, "no record of the form Code=…;action=…")


def _record(text: str, match: re.Match[str]) -> tuple[dict[str, Any], int]:
    """A record, and where the text goes on behind it."""
    fields = dict(pair.split("=", 1) for pair in match["rest"].split(";") if "=" in pair)
    record: dict[str, Any] = {"Code": match["code"], **{k: v.strip() for k, v in fields.items()}}
    opening = _DATA.match(text, match.end())
    if opening is None:
        return record, match.end()
    end = _end_of_object(text, opening.end())
    record["data"] = parse_json(text[opening.end() : end].encode())
    return record, end


def _end_of_object(text: str, start: int) -> int:
    """Where a JSON object ends: a boundary or the next record may follow it."""
    depth, quoted, escaped = 0, False, False
    for index in range(start, len(text)):
        sign = text[index]
        if quoted:
            quoted = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
            continue
        quoted = sign == '"'
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return index + 1
    raise Refused(REASON_TEXT, "data: the object has no end")


def _judged(body: Mapping[str, Any], named: str, received_at: datetime) -> Decoded:
    fields = {name.lower(): value for name, value in list(body.items())[:32]}
    code = identity(fields.get("code"), "Code")
    channel = number_or_text(fields.get("index"))
    channel = channel if type(channel) is int and 0 <= channel < 100_000 else 0
    who = as_text(fields.get("name") or fields.get("devicename") or fields.get("deviceid")) or named
    device = identity(who, "name") if who else ""
    device = f"{device}/{channel + 1}" if channel and device else device
    data = as_dict(fields.get("data"))
    action = as_text(fields.get("action")).strip()
    if code.lower() in _OWN_AFFAIRS or action.lower() == "state":
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": code})
    if action.lower() not in _ACTIONS:
        detail = f"action: must be Start, Stop or Pulse (got {shown(fields.get('action'))})"
        raise Refused(REASON_FIELD, detail, device)
    at, time_from = _time(data, received_at)
    return one_report(NAME, _event(device, code, action, data, at), code, time_from)


def _time(data: Mapping[str, Any], received_at: datetime) -> tuple[datetime, TimeSource]:
    """`UTC` in seconds and `UTCMS`, the milliseconds of that second. Devices are known to count
    their local time as UTC; nothing in the message shows it."""
    seconds, milliseconds = as_finite(data.get("UTC")), as_finite(data.get("UTCMS")) or 0.0
    if seconds is None:
        return received_at, TimeSource.RECEIVED
    moment = from_epoch(seconds + (milliseconds / 1000 if 0 <= milliseconds < 1000 else 0.0))
    return set_moment_or(moment, received_at)


def _event(
    device: str, code: str, action: str, data: Mapping[str, Any], at: datetime
) -> VideoEvent:
    found = as_dict(data.get("Object") or (as_list(data.get("Objects")) or [{}])[0])
    rule = as_text(data.get("Name"), 64)
    attributes = {"Code": code, "action": action}
    attributes |= _named({
        "rule": rule, "rule_id": data.get("RuleId", data.get("RuleID")),
        "direction": data.get("Direction"), "object_type": found.get("ObjectType"),
        "object_id": found.get("ObjectID"), "plate": _plate(data, found),
        "box": found.get("BoundingBox"), "sequence": data.get("EventSeq"),
        "regions": data.get("RegionName"), "sense_method": data.get("SenseMethod"),
    })  # fmt: skip
    state = _ACTIONS[action.lower()]
    condition = condition_name(code, rule or attributes.get("rule_id"))
    if state is None:  # of moments there may be several in the same instant
        condition = condition_name(condition, attributes.get("object_id"))
    return report_condition(
        device, condition, code, state, at, model=NAME, attributes=attributes,
        bbox=_box(found), confidence=_confidence(found),
    )  # fmt: skip


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in bounded(dict(values)).items() if item not in ("", [])}


def _plate(data: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The number plate that a traffic camera read."""
    read = as_dict(data.get("TrafficCar")).get("PlateNumber") or data.get("PlateNumber")
    plain = found.get("Text") if found.get("ObjectType") == "Plate" else ""
    return as_text(read or plain, 32)


def _box(found: Mapping[str, Any]) -> Box | None:
    corners = [as_finite(corner) for corner in as_list(found.get("BoundingBox"))[:5]]
    if len(corners) != 4 or None in corners:
        return None
    left, top, right, bottom = (corner or 0.0 for corner in corners)
    return relative_box((left, top, right - left, bottom - top), GRID)


def _confidence(found: Mapping[str, Any]) -> float | None:
    """0 to 255 by the API's description; 0 is "not said"."""
    number = as_finite(found.get("Confidence"))
    return number / 255 if number is not None and 0 < number <= 255 else None


def _fits(body: Mapping[str, Any]) -> bool:
    names = {name.lower() for name in list(body)[:32]}
    return {"code", "action"} <= names


def _fits_bytes(payload: bytes) -> bool:
    return b"Code=" in payload[:2048] and b"action=" in payload[:4096]


DAHUA = Format(
    NAME, SUBSCRIPTIONS, no_topic, fits_object(_fits), guarded(NAME, _parse), _fits_bytes,
    kind="camera",
)  # fmt: skip
