"""JSON bodies: bytes in, plain values out, or a refusal that names what is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from city.reading import REASON_FIELD, REASON_JSON
from wire.format import Refused

# Levels. Real bodies nest 6 deep; what lies deeper than this is cut off unread.
DEPTH_LIMIT = 32
# Characters of an identity (device, camera, event): EUIs have 16, friendly names 60.
IDENTITY_LIMIT = 128
# Characters of a text that is kept for people (raw value, description, label).
TEXT_LIMIT = 256
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_decode = msgspec.json.Decoder().decode


def parse_json(payload: bytes) -> Any:
    """Any JSON value. NaN and Infinity, which JSON does not know, come back as such floats,
    so that the field that holds one can be named and the rest of the message used."""
    if payload.startswith(BYTE_ORDER_MARK):
        payload = payload[3:]
    try:
        body = _decode(payload)
    except RecursionError:
        raise Refused(REASON_JSON, "nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if not _may_hold_foreign_numbers(payload):
            raise Refused(REASON_JSON, _describe(payload, error)) from None
        body = without_bad_text(_decode_leniently(payload))
    if b"\\u0000" in payload:
        body = without_bad_text(body)
    return body


def parse_object(payload: bytes) -> dict[str, Any]:
    """A JSON object, refused when it is any other JSON value."""
    body = parse_json(payload)
    if not isinstance(body, dict):
        raise Refused(REASON_FIELD, f"body: must be a JSON object (got {kind_of(body)})")
    return body


def as_number(value: Any) -> float | None:
    """The value as a float if it is a JSON number (not a truth value), else None."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return None


def as_finite(value: Any) -> float | None:
    """The value as a float if it is a finite JSON number, else None: for optional fields."""
    number = as_number(value)
    return number if number is not None and math.isfinite(number) else None


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one: for optional parts of a body."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one: for optional parts of a body."""
    return value if isinstance(value, list) else []


def as_text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """The value if it is text, shortened; else empty."""
    return value[:limit] if isinstance(value, str) else ""


def as_plain(value: Any) -> str | bool | float | None:
    """The value if it is text (shortened), a truth value or a finite number: for reports."""
    if isinstance(value, (str, bool)):
        return as_text(value) if isinstance(value, str) else value
    return as_finite(value)


def identity(value: Any, field: str) -> str:
    """A name that identifies something: not empty, not endless, nothing unprintable."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > IDENTITY_LIMIT or not text.isprintable():
        problem = f"must be 1 to {IDENTITY_LIMIT} printable characters"
        raise Refused(REASON_FIELD, f"{field}: {problem} (got {shown(value)})")
    return text


def kind_of(value: Any) -> str:
    """The JSON name of a value's type, for messages to people."""
    names = {dict: "object", list: "array", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")


def shown(value: Any) -> str:
    """A value as it may stand in a message to people: short, one line."""
    if isinstance(value, (dict, list)):
        return f"{kind_of(value)} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return "a number of very many digits"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def without_bad_text(value: Any, depth: int = 0) -> Any:
    """The same value without what PostgreSQL cannot store: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if depth >= DEPTH_LIMIT:
        return None
    if isinstance(value, dict):
        return {
            without_bad_text(key): without_bad_text(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_bad_text(item, depth + 1) for item in value]
    return value


def _may_hold_foreign_numbers(payload: bytes) -> bool:
    """True if the strict parser may have stumbled over NaN, Infinity or 1e999 only."""
    return any(mark in payload for mark in (b"NaN", b"Infinity", b"e", b"E"))


def _decode_leniently(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(REASON_JSON, _describe(payload, error)) from None


def _describe(payload: bytes, error: Exception) -> str:
    if not payload.strip():
        return "empty payload"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:200]
