"""SenML (RFC 8428, RFC 8798, RFC 9100, RFC 9193): measurement lists in JSON and CBOR.

A pack is a list of records whose base fields hold for all records after them. Names are base
name and name together and are world-wide unique, so the device is the first part of a name:
`urn:dev:ow:10e2073a0108006:voltage` is `voltage` of the device `urn:dev:ow:10e2073a0108006`.
Values keep the resolved name. Streams (SensML) are read on `feed/sensml/…`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from city.reading import (
    REASON_CBOR,
    REASON_FIELD,
    REASON_NAN,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reject,
    TimeSource,
)
from wire.body import (
    TEXT_LIMIT,
    as_finite,
    as_list,
    as_number,
    as_text,
    identity,
    kind_of,
    parse_json,
    shown,
    without_bad_text,
)
from wire.cbor import parse_cbor
from wire.format import Format, Refused, guarded
from wire.industry import oma
from wire.quantities import quantity_of, sort_out
from wire.series import clock_is_set, stamps
from wire.times import from_epoch
from wire.values import VALUE_LIMIT, Stamp

NAME = "senml"
SUBSCRIPTIONS: tuple[str, ...] = ()  # SenML fixes no topic: feed/senml/…
# Times below this are relative to now (RFC 8428 section 4.5.3), in seconds.
RELATIVE_TIME_LIMIT = 2**28
# Characters of a resolved name; the longest in the RFCs has 46.
NAME_LIMIT = 256
# The version without extensions, and the feature bits that are understood beside it: 2**4 is
# secondary units (RFC 9100). The bits of 10 itself are reserved and always set.
VERSION = 10
FEATURES = 2**4
# What may stand before any CBOR to say that it is CBOR (RFC 8949 section 3.4.6).
CBOR_MARK = b"\xd9\xd9\xf7"

_LABELS = {
    -6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_FIELDS = frozenset({*_LABELS.values(), "ct", "bct"})
_VALUE_FIELDS = ("v", "vs", "vb", "vd")
_NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
# LwM2M begins paths with a slash, against the rule for names (OMA-TS-LightweightM2M_Core).
_LWM2M_NAME = re.compile(r"/\d{1,5}(/\d{1,5}){0,3}/?")
_URN_DEVICE = re.compile(r"(urn:dev:[A-Za-z0-9]+:[^:/_]+)")
_SEPARATORS = ":/._-"


@dataclass(frozen=True, slots=True)
class Record:
    """One resolved record. A time of None is now."""

    base: str
    name: str
    value: float | bool | str | bytes
    unit: str = ""
    sent: Any = None
    ts: datetime | None = None


@dataclass(slots=True)
class _Base:
    """Base fields as the records so far left them."""

    fields: dict[str, Any] = field(default_factory=dict)

    def text(self, key: str) -> str:
        return str(self.fields.get(key, ""))

    def number(self, key: str) -> float:
        return float(self.fields.get(key, 0.0))


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    return decode_pack(NAME, _topic_device(topic), parse_pack(topic, payload), received_at)


def decode_pack(
    name: str, topic_device: str, pack: Sequence[Any], received_at: datetime
) -> Decoded:
    """A pack as one message, or as one part for each device that it speaks of."""
    records, rejects = resolve(pack, received_at)
    return decode_records(name, topic_device, records, rejects, received_at)


def decode_records(
    name: str,
    topic_device: str,
    records: Sequence[Record],
    rejects: Sequence[Reject],
    received_at: datetime,
) -> Decoded:
    """Resolved records as a message of the format `name`."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(_device(record, topic_device), []).append(record)
    if not groups:
        return _nothing(name, topic_device, rejects)
    parts = [_part(name, device, group, received_at) for device, group in groups.items()]
    parts[0] = _with_rejects(parts[0], rejects)
    return (
        parts[0] if len(parts) == 1 else Decoded(name, parts[0].message_class, parts=tuple(parts))
    )


def _nothing(name: str, device: str, rejects: Sequence[Reject]) -> Decoded:
    if rejects:
        return Decoded(name, MessageClass.INVALID, device, rejects=tuple(rejects))
    return Decoded(name, MessageClass.OTHER, device, link={"event": "pack without values"})


def _with_rejects(part: Decoded, rejects: Sequence[Reject]) -> Decoded:
    return Decoded(
        part.format, part.message_class, part.device, part.readings, part.values,
        rejects=(*rejects, *part.rejects), raw_bytes=part.raw_bytes, link=part.link,
    )  # fmt: skip


# --- Bytes to a list of records with the labels of JSON ---------------------------------------


def parse_pack(topic: str, payload: bytes) -> list[Any]:
    """The records of a pack in JSON, CBOR or CBOR as hex digits, under the names of JSON."""
    stream = topic.startswith("feed/sensml/")
    payload = _unhexed(payload)
    if _is_cbor(payload) or (stream and payload[:1] and payload[0] > 0x9F):
        return [_with_labels(record) for record in _cbor_list(payload, stream)]
    if stream:
        # Only a part of the endless list arrives: its brackets may be elsewhere.
        payload = b"[" + payload.strip(b"[], \t\r\n") + b"]"
    body = parse_json(payload)
    if isinstance(body, dict):
        body = body.get("pack")  # message buses put a time of their own around a pack
    if not isinstance(body, list):
        raise Refused(REASON_FIELD, f"body: must be a list of records (got {kind_of(body)})")
    return body


def _unhexed(payload: bytes) -> bytes:
    """CBOR that was written down as hex digits; no JSON pack consists of these alone."""
    text = payload.strip()
    if not re.match(rb"(?:d9d9f7)?[89][0-9a-f]", text[:8], re.IGNORECASE):
        return payload
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        return payload


def _is_cbor(payload: bytes) -> bool:
    """A list of CBOR, with or without the mark."""
    head = payload.removeprefix(CBOR_MARK)[:1]
    return bool(head) and 0x80 <= head[0] <= 0x9F


def _cbor_list(payload: bytes, stream: bool) -> list[Any]:
    if stream:
        # The head of the endless list came with the first message, its end comes never.
        if not 0x80 <= payload[0] <= 0x9F:
            payload = b"\x9f" + payload
        if payload[0] == 0x9F and payload[-1:] != b"\xff":
            payload += b"\xff"
    body = parse_cbor(payload)
    if not isinstance(body, list):
        raise Refused(REASON_CBOR, f"body: must be a list of records (got {kind_of(body)})")
    return body


def _with_labels(record: Any) -> Any:
    """A CBOR record under the names that JSON uses; labels may be numbers or texts."""
    if not isinstance(record, dict):
        return record
    named = {_LABELS.get(key, key) if type(key) is int else key: v for key, v in record.items()}
    return {key: without_bad_text(v) for key, v in named.items() if isinstance(key, str)}


# --- Records with base fields to resolved records ---------------------------------------------


def resolve(pack: Sequence[Any], received_at: datetime) -> tuple[list[Record], list[Reject]]:
    """Resolved records, and a rejection for each one that is wrong by itself. What is wrong
    with a base field, or must be understood and is not, refuses the whole pack."""
    base = _Base()
    records: list[Record] = []
    rejects: list[Reject] = []
    for number, entry in enumerate(pack):
        if len(records) + len(rejects) >= VALUE_LIMIT:
            problem = f"more than {VALUE_LIMIT} records, the rest was left out"
            return records, [*rejects, Reject(REASON_FIELD, problem)]
        where = f"record {number + 1}"
        if not isinstance(entry, dict):
            rejects.append(Reject(REASON_FIELD, f"{where}: must be an object"))
            continue
        _take_base(entry, base, where)
        try:
            records.extend(_records(entry, base, where, received_at))
        except Refused as refusal:
            rejects.append(refusal.reject)
    return records, rejects


def _take_base(entry: Mapping[str, Any], base: _Base, where: str) -> None:
    for key in entry:
        if key.endswith("_") and key not in _FIELDS:
            problem = f"{where}: {key[:40]!r} must be understood to read the pack and is not known"
            raise Refused(REASON_FIELD, problem)
    for key in ("bn", "bu", "bct"):
        if key in entry:
            base.fields[key] = text_of(entry[key], f"{where}: {key}")
    for key in ("bt", "bv", "bs"):
        if key in entry:
            base.fields[key] = number_of(entry[key], f"{where}: {key}")
    if "bver" in entry:
        version = _version(entry["bver"], f"{where}: bver")
        if base.fields.setdefault("bver", version) != version:
            raise Refused(REASON_FIELD, f"{where}: bver differs from that of an earlier record")


def _version(value: Any, where: str) -> int:
    if type(value) is not int or value < 1:
        raise Refused(
            REASON_FIELD, f"{where}: must be a positive whole number (got {shown(value)})"
        )
    if value > VERSION and value != VERSION | FEATURES:
        problem = f"is a version that is not known; {VERSION} and {VERSION | FEATURES} are"
        raise Refused(REASON_FIELD, f"{where}: {problem} (got {shown(value)})")
    return value


def _records(
    entry: Mapping[str, Any], base: _Base, where: str, received_at: datetime
) -> list[Record]:
    """None for a record of base fields, one for a value, one more for a sum beside it."""
    found = [key for key in _VALUE_FIELDS if key in entry]
    if len(found) > 1:
        raise Refused(REASON_FIELD, f"{where}: has several values ({', '.join(found)})")
    implied = not found and "n" in entry  # what is not there is zero, beside a base value or sum
    summed = "s" in entry or (implied and base.number("bs") != 0)
    if implied and not summed and base.number("bv") != 0:
        found, entry = ["v"], {**entry, "v": 0}
    if not found and not summed:
        if any(key in _FIELDS and key.startswith("b") for key in entry):
            return []
        raise Refused(REASON_FIELD, f"{where}: has no value")
    name = _name(entry, base, where)
    ts = _time(entry, base, where, received_at)
    unit = text_of(entry["u"], f"{where}: u") if "u" in entry else base.text("bu")
    records = []
    for key in found:
        value = _value(entry[key], key, base, f"{where}: {key}")
        sent = entry[key] if key == "v" and base.number("bv") == 0 else None
        own_unit = unit if key == "v" else ""
        records.append(Record(base.text("bn"), name, value, own_unit, sent, ts))
    if summed:
        total = number_of(entry.get("s", 0), f"{where}: s") + base.number("bs")
        own_unit = f"{unit}*s" if unit else ""
        records.append(Record(base.text("bn"), f"{name}.sum", total, own_unit, None, ts))
    return records


def _name(entry: Mapping[str, Any], base: _Base, where: str) -> str:
    own = text_of(entry["n"], f"{where}: n") if "n" in entry else ""
    name = base.text("bn") + own
    if not name or len(name) > NAME_LIMIT:
        raise Refused(REASON_FIELD, f"{where}: name must have 1 to {NAME_LIMIT} characters")
    if not _NAME_RULE.fullmatch(name) and not _LWM2M_NAME.fullmatch(name):
        problem = "may hold letters, digits and -:./_ and must begin with a letter or digit"
        raise Refused(REASON_FIELD, f"{where}: name {problem} (got {shown(name)})")
    return name


def _time(
    entry: Mapping[str, Any], base: _Base, where: str, received_at: datetime
) -> datetime | None:
    """The time of a record; None is now."""
    own = number_of(entry["t"], f"{where}: t") if "t" in entry else 0.0
    seconds = base.number("bt") + own
    if seconds == 0:
        return None
    relative = seconds < RELATIVE_TIME_LIMIT
    ts = moved(received_at, seconds) if relative else from_epoch(seconds)
    if ts is None:
        raise Refused(REASON_FIELD, f"{where}: t is no time the calendar knows ({seconds:g})")
    return ts


def moved(ts: datetime, seconds: float) -> datetime | None:
    """The moment this many seconds later; None outside the calendar."""
    try:
        return ts + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _value(value: Any, key: str, base: _Base, where: str) -> float | bool | str | bytes:
    if key == "v":
        return number_of(number_of(value, where) + base.number("bv"), where)
    if key == "vs":
        return text_of(value, where)[:TEXT_LIMIT]
    if key == "vb":
        if not isinstance(value, bool):
            raise Refused(REASON_FIELD, f"{where}: must be true or false (got {shown(value)})")
        return value
    return value if isinstance(value, bytes) else _from_base64url(value, where)


def _from_base64url(value: Any, where: str) -> bytes:
    """Bytes of base64url without padding (RFC 8428 section 5.1), with it as many write it."""
    text = value if isinstance(value, str) else ""
    if re.fullmatch(r"[A-Za-z0-9_-]*={0,2}", text):
        bare = text.rstrip("=")
        try:
            return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
        except binascii.Error:
            pass
    elif not isinstance(value, str):
        raise Refused(REASON_FIELD, f"{where}: must be text (got {kind_of(value)})")
    raise Refused(REASON_FIELD, f"{where}: is not base64url (got {shown(text)})")


def number_of(value: Any, where: str) -> float:
    """A finite number, or a refusal that says where."""
    number = as_number(value)
    if number is None:
        raise Refused(REASON_FIELD, f"{where}: must be a number (got {shown(value)})")
    if as_finite(number) is None:
        raise Refused(REASON_NAN, f"{where}: must be a finite number (got {shown(value)})")
    return number


def text_of(value: Any, where: str) -> str:
    """A text, or a refusal that says where."""
    if not isinstance(value, str):
        raise Refused(REASON_FIELD, f"{where}: must be text (got {shown(value)})")
    return value


# --- Resolved records to values of devices ----------------------------------------------------


def _device(record: Record, topic_device: str) -> str:
    """The part of a name that is the device: a device URN, what stands before an object path,
    the base name; a name without any of these is the device's if the topic names none."""
    urn = _URN_DEVICE.match(record.name)
    path = oma.parse_path(record.name) if urn is None else None
    if urn is not None:
        found = urn[1]
    elif path is not None:
        found = path.device
    else:
        found = _object_prefix(record.base) or record.base.rstrip(_SEPARATORS)
    found = found.strip("/")
    if not found:
        found = topic_device
    if not found and path is None and not _LWM2M_NAME.fullmatch(record.name):
        found = record.name
    return identity(found, "name") if found else ""


def _object_prefix(base: str) -> str:
    """What stands before `/{object}/` at the end of a base name: 9fb5/3330/ is of 9fb5."""
    match = re.fullmatch(r"(.{1,256}?)/(\d{1,5})(?:/\d{1,5})?/?", base)
    return match[1] if match and int(match[2]) in oma.OBJECTS else ""


def _part(name: str, device: str, records: Sequence[Record], received_at: datetime) -> Decoded:
    marks = stamps((record.ts for record in records), received_at)
    details = _details(records)
    told: list[tuple[RawValue, str]] = []
    link: dict[str, Any] = {}
    blobs: list[tuple[str, bytes]] = []
    for record, stamp in zip(records, marks, strict=True):
        if isinstance(record.value, bytes):
            blobs.append((record.name, record.value))
        elif record.unit in ("lat", "lon", "alt") and not isinstance(record.value, str):
            link.setdefault("place", {})[record.unit] = float(record.value)
        elif not _is_remark(record, link):
            told.append(_named(record, stamp, details))
    found = sort_out(device, told)
    objects = _object_names(records)
    link |= {"objects": objects} if objects else {}
    link |= {"data": [blob_name for blob_name, _ in blobs]} if blobs else {}
    raw = blobs[0][1] if len(blobs) == 1 and not told else b""
    message_class = _class(bool(told), bool(raw))
    if message_class is MessageClass.UNDECODED:
        link |= {"time": marks[0].ts.isoformat(), "time_from": marks[0].ts_from.value}
    if message_class is MessageClass.OTHER:
        link["event"] = "place" if "place" in link else "info"
    return Decoded(
        name, message_class, device, found.readings, found.values,
        rejects=found.rejects, raw_bytes=raw, link=link,
    )  # fmt: skip


def _class(values: bool, raw: bool) -> MessageClass:
    if values:
        return MessageClass.TELEMETRY
    return MessageClass.UNDECODED if raw else MessageClass.OTHER


def _named(
    record: Record, stamp: Stamp, details: Mapping[tuple[int, int], _Detail]
) -> tuple[RawValue, str]:
    """The value under its resolved name, and the metric that unit or registry tell."""
    path = oma.parse_path(record.name)
    detail = _NO_DETAIL if path is None else details.get(path.place, _NO_DETAIL)
    unit = record.unit
    if path is None:
        metric = quantity_of(record.name, unit)
    else:
        unit = unit or (detail.unit if path.resource == oma.SENSOR_VALUE else "")
        metric, unit = oma.metric_of(path, unit)
        if path.key == (3325, oma.SENSOR_VALUE) and detail.application:
            metric = quantity_of(detail.application, unit or "ppm")
    when = detail.stamp or stamp
    if detail.doubtful:
        when = Stamp(when.ts, when.ts_from, Quality.SUSPECT)
    value = record.value if isinstance(record.value, (bool, str)) else float(record.value)
    raw = RawValue(record.name, value, when.ts, when.ts_from, unit, record.sent, when.quality)
    return raw, metric


@dataclass(frozen=True, slots=True)
class _Detail:
    """What the resources of one object instance say about the value beside them."""

    unit: str = ""
    application: str = ""
    stamp: Stamp | None = None
    doubtful: bool = False


_NO_DETAIL = _Detail()


def _details(records: Sequence[Record]) -> dict[tuple[int, int], _Detail]:
    about: dict[tuple[int, int], dict[int, Any]] = {}
    for record in records:
        path = oma.parse_path(record.name)
        if path is not None:
            about.setdefault(path.place, {})[path.resource] = record.value
    return {place: _detail(resources) for place, resources in about.items()}


def _detail(resources: Mapping[int, Any]) -> _Detail:
    seconds = as_finite(resources.get(oma.TIMESTAMP))
    fraction = as_finite(resources.get(oma.FRACTION)) or 0.0
    ts = None if seconds is None else from_epoch(seconds + fraction)
    return _Detail(
        unit=as_text(resources.get(oma.SENSOR_UNITS), 16),
        application=as_text(resources.get(oma.APPLICATION_TYPE), 64),
        stamp=Stamp(ts, TimeSource.DEVICE) if ts is not None and clock_is_set(ts) else None,
        doubtful=resources.get(oma.QUALITY_INDICATOR) in oma.DOUBTFUL
        or resources.get(oma.QUALITY_LEVEL) == 0,
    )


def _is_remark(record: Record, link: dict[str, Any]) -> bool:
    """Texts of an object (maker, unit, tenant) and resources about other resources go with
    the link; so does the marker that only names the object."""
    path = oma.parse_path(record.name)
    if path is not None and path.resource in oma.ABOUT:
        link.setdefault("about", {})[record.name] = record.value
        return True
    if path is not None and path.key in (oma.LATITUDE, oma.LONGITUDE):
        axis = "lat" if path.key == oma.LATITUDE else "lon"
        link.setdefault("place", {})[axis] = record.value
        return True
    if isinstance(record.value, str) and (path is not None or _object_prefix(record.base)):
        link.setdefault("text", {})[record.name] = record.value
        return True
    return False


def _object_names(records: Sequence[Record]) -> dict[str, str]:
    paths = (oma.parse_path(record.name) for record in records)
    numbers = {path.object for path in paths if path is not None and path.object in oma.OBJECTS}
    return {str(number): oma.OBJECTS[number] for number in sorted(numbers)}


def _topic_device(topic: str) -> str:
    parts = topic.split("/")
    return parts[2] if len(parts) > 2 and parts[0] == "feed" else ""


def _matches(topic: str) -> bool:
    return False


def is_pack(body: Any) -> bool:
    """A list whose first record has fields of SenML only, a name or a base field among them."""
    if isinstance(body, dict):
        body = as_list(body.get("pack"))
    if not isinstance(body, list) or not body or not isinstance(body[0], dict):
        return False
    first = body[0]
    named = any(key in first for key in ("bn", "n", "bver", "bt"))
    return named and all(key in _FIELDS or key.endswith("_") for key in first)


def _fits_bytes(payload: bytes) -> bool:
    """A CBOR pack, or its hex digits; frames of devices may begin with the same byte."""
    payload = _unhexed(payload)
    if not _is_cbor(payload):
        return False
    try:
        return is_pack([_with_labels(record) for record in _cbor_list(payload, stream=False)])
    except Refused:
        return False


SENML = Format(NAME, SUBSCRIPTIONS, _matches, is_pack, guarded(NAME, _parse), _fits_bytes)
