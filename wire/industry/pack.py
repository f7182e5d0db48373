"""Packs of SenML (RFC 8428, RFC 8798, RFC 9100, RFC 9193) in JSON and CBOR, resolved to records.

A pack is a list of records whose base fields hold for all records after them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from city.reading import REASON_CBOR, REASON_FIELD, Decoded, Reject
from wire.body import TEXT_LIMIT, as_list, kind_of, parse_json, shown, without_bad_text
from wire.cbor import parse_cbor
from wire.format import Refused
from wire.industry.records import (
    NAME_LIMIT,
    PATH_NAME,
    Record,
    decode_records,
    number_of,
    text_of,
    time_of,
    truth_of,
)
from wire.values import VALUE_LIMIT

# Times below this are relative to now (RFC 8428 section 4.5.3), in seconds.
RELATIVE_TIME_LIMIT = 2**28
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


@dataclass(slots=True)
class _Base:
    """Base fields as the records so far left them."""

    fields: dict[str, Any] = field(default_factory=dict)

    def text(self, key: str) -> str:
        return str(self.fields.get(key, ""))

    def number(self, key: str) -> float:
        return float(self.fields.get(key, 0.0))


def decode_pack(
    name: str, topic_device: str, pack: Sequence[Any], received_at: datetime
) -> Decoded:
    """A pack as one message, or as one part for each device that it speaks of."""
    records, rejects = resolve(pack, received_at)
    return decode_records(name, topic_device, records, rejects, received_at)


def is_pack(body: Any) -> bool:
    """A list whose first record has fields of SenML only, a name or a base field among them."""
    if isinstance(body, dict):
        body = as_list(body.get("pack"))
    if not isinstance(body, list) or not body or not isinstance(body[0], dict):
        return False
    first = body[0]
    named = any(key in first for key in ("bn", "n", "bver", "bt"))
    return named and all(key in _FIELDS or key.endswith("_") for key in first)


def is_binary_pack(payload: bytes) -> bool:
    """A CBOR pack, or its hex digits; frames of devices may begin with the same byte."""
    payload = _unhexed(payload)
    if not _is_cbor(payload):
        return False
    try:
        return is_pack([_with_labels(record) for record in _cbor_list(payload, stream=False)])
    except Refused:
        return False


# --- Bytes to a list of records with the labels of JSON ---------------------------------------


def parse_pack(payload: bytes, *, stream: bool = False) -> list[Any]:
    """The records of a pack in JSON, CBOR or CBOR as hex digits, under the names of JSON. Of a
    `stream` only a part of an endless list arrives."""
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
    if not _NAME_RULE.fullmatch(name) and not PATH_NAME.fullmatch(name):
        problem = "may hold letters, digits and -:./_ and must begin with a letter or digit"
        raise Refused(REASON_FIELD, f"{where}: name {problem} (got {shown(name)})")
    return name


def _time(
    entry: Mapping[str, Any], base: _Base, where: str, received_at: datetime
) -> datetime | None:
    """The time of a record; None is now."""
    own = number_of(entry["t"], f"{where}: t") if "t" in entry else 0.0
    seconds = base.number("bt") + own
    return time_of(seconds, where, received_at, relative_below=RELATIVE_TIME_LIMIT)


def _value(value: Any, key: str, base: _Base, where: str) -> float | bool | str | bytes:
    if key == "v":
        return number_of(number_of(value, where) + base.number("bv"), where)
    if key == "vs":
        return text_of(value, where)[:TEXT_LIMIT]
    if key == "vb":
        return truth_of(value, where)
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
