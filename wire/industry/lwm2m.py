"""LwM2M bridged to MQTT: OMA JSON (LwM2M 1.0), SenML JSON and CBOR with object paths (1.1), and
the envelope of EMQX's LwM2M gateway (`lwm2m/{endpoint}/up/…`).

Paths are /object/instance/resource; the OMA registry (`oma`) says what they stand for. The body
names no device: it is the endpoint of the topic, or `feed/lwm2m/{device}/…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    Decoded,
    MessageClass,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import (
    TEXT_LIMIT,
    as_dict,
    as_finite,
    as_list,
    as_text,
    identity,
    parse_object,
    shown,
)
from wire.carriers import by_server
from wire.format import Format, Refused, guarded
from wire.industry import oma
from wire.industry.pack import decode_pack, is_pack, parse_pack
from wire.industry.records import (
    NAME_LIMIT,
    Record,
    decode_records,
    number_of,
    text_of,
    time_of,
    truth_of,
)
from wire.values import VALUE_LIMIT

NAME = "lwm2m"
SUBSCRIPTIONS = ("lwm2m/+/up/#",)
# Names of the value fields of OMA JSON; `bv` is a truth value here, not SenML's base value.
_VALUE_FIELDS = ("v", "bv", "sv", "ov")
_ONLINE = {"register": True, "update": True, "deregister": False}


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device = _device(topic)
    if payload.lstrip()[:1] != b"{":
        return decode_pack(NAME, device, parse_pack(payload), received_at)
    body = parse_object(payload)
    if "e" in body:
        return _oma_json(device, body, received_at)
    if "msgType" in body:
        return _gateway_message(device, body, received_at)
    if "pack" in body:
        return decode_pack(NAME, device, as_list(body["pack"]), received_at)
    raise Refused(REASON_FIELD, "body: has neither a list e of OMA JSON nor a msgType", device)


def _oma_json(device: str, body: Mapping[str, Any], received_at: datetime) -> Decoded:
    entries = body["e"]
    if not isinstance(entries, list):
        raise Refused(REASON_FIELD, f"e: must be a list (got {shown(entries)})", device)
    base = text_of(body.get("bn", ""), "bn")
    base_time = number_of(body.get("bt", 0), "bt")
    records: list[Record] = []
    rejects: list[Reject] = []
    for number, entry in enumerate(entries[:VALUE_LIMIT]):
        where = f"e[{number}]"
        try:
            records.append(_record(entry, base, base_time, where, received_at))
        except Refused as refusal:
            rejects.append(refusal.reject)
    if len(entries) > VALUE_LIMIT:
        problem = f"e: more than {VALUE_LIMIT} entries, the rest was left out"
        rejects.append(Reject(REASON_FIELD, problem))
    return decode_records(NAME, device, records, rejects, received_at)


def _record(entry: Any, base: str, base_time: float, where: str, received_at: datetime) -> Record:
    if not isinstance(entry, dict):
        raise Refused(REASON_FIELD, f"{where}: must be an object (got {shown(entry)})")
    name = base + text_of(entry.get("n", ""), f"{where}.n")
    if not 0 < len(name) <= NAME_LIMIT or oma.parse_path(name) is None:
        raise Refused(REASON_FIELD, f"{where}: name must be a resource's path (got {shown(name)})")
    found = [key for key in _VALUE_FIELDS if key in entry]
    if len(found) != 1:
        problem = f"must have one value of {', '.join(_VALUE_FIELDS)}"
        raise Refused(REASON_FIELD, f"{where}: {problem}")
    value = _value(entry[found[0]], found[0], f"{where}.{found[0]}")
    seconds = base_time + number_of(entry.get("t", 0), f"{where}.t")
    # Unlike in SenML every positive time counts from 1970; less than zero is before now.
    ts = time_of(seconds, where, received_at, relative_below=0)
    return Record(base, name, value, "", entry[found[0]], ts)


def _value(value: Any, key: str, where: str) -> float | bool | str:
    if key == "v":
        return number_of(value, where)
    if key == "bv":
        return truth_of(value, where)
    return text_of(value, where)[:TEXT_LIMIT]


# --- EMQX's gateway ---------------------------------------------------------------------------


def _gateway_message(device: str, body: Mapping[str, Any], received_at: datetime) -> Decoded:
    kind = as_text(body["msgType"], 32)
    data = as_dict(body.get("data"))
    device = device or as_text(data.get("ep"))
    online = _ONLINE.get(kind)
    if online is not None:
        device = identity(device, "data.ep")
        attributes = {"event": kind, "lifetime_s": as_finite(data.get("lt"))}
        status = StatusReport(device, online, received_at, TimeSource.RECEIVED, attributes)
        return Decoded(NAME, MessageClass.STATUS, device, statuses=(status,))
    content = data.get("content")
    if not isinstance(content, list):
        link = {"event": kind, "code": as_text(data.get("code"), 8)}
        return Decoded(NAME, MessageClass.OTHER, device, link=link)
    records, rejects = _contents(content)
    return decode_records(NAME, device, records, rejects, received_at)


def _contents(content: list[Any]) -> tuple[list[Record], list[Reject]]:
    records: list[Record] = []
    rejects: list[Reject] = []
    for number, entry in enumerate(map(as_dict, content[:VALUE_LIMIT])):
        where = f"data.content[{number}]"
        path = as_text(entry.get("path"))
        value = _plain(entry.get("value"))
        if oma.parse_path(path) is None:
            problem = f"{where}.path: must be a resource's path (got {shown(entry.get('path'))})"
            rejects.append(Reject(REASON_FIELD, problem))
        elif value is None:
            problem = f"{where}.value: must be a number, truth value or text"
            rejects.append(Reject(REASON_FIELD, problem))
        else:
            records.append(Record("", path, value, "", entry["value"]))
    return records, rejects


def _plain(value: Any) -> float | bool | str | None:
    """The gateway writes numbers as JSON numbers or, of resources it does not know, as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:TEXT_LIMIT]
    return as_finite(value)


def _device(topic: str) -> str:
    """`feed/lwm2m/{device}/…` or `lwm2m/{endpoint}/up/…`; no other topic names the device."""
    parts = topic.split("/")
    if parts[0] == "feed" and len(parts) > 2:
        return parts[2]
    return parts[1] if parts[0] == "lwm2m" and len(parts) > 1 else ""


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    return len(parts) >= 3 and parts[0] == "lwm2m" and parts[2] == "up"


def _fits(body: Any) -> bool:
    """OMA JSON, a SenML pack whose names are paths of objects and nothing more, or a message in
    the envelope of a gateway."""
    if isinstance(body, dict) and isinstance(body.get("msgType"), str) and "data" in body:
        return True
    if isinstance(body, dict) and isinstance(body.get("e"), list):
        first = as_dict(next(iter(body["e"]), None))
        return "bn" in body or any(key in first for key in _VALUE_FIELDS)
    if not isinstance(body, list) or not is_pack(body):
        return False
    name = as_text(body[0].get("bn")) + as_text(body[0].get("n"))
    path = oma.parse_path(name) or oma.parse_path(f"{name.rstrip('/')}/0")
    return path is not None and not path.device


LWM2M = Format(
    NAME, SUBSCRIPTIONS, _matches, _fits, guarded(NAME, _parse), carriers=by_server,
    base=NAME,
)  # fmt: skip
