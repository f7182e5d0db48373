"""Bare device bytes, hex or base64 text or binary, on `feed/lorawan-frame/{device}/{fport}`.

For bridges that know neither format nor codec: the device model's codec reads the bytes.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, REASON_TOO_LARGE, Decoded, TimeSource
from wire.body import identity
from wire.format import Format, Refused, guarded
from wire.lorawan.lorawan import (
    Frame,
    eui_text,
    link_record,
    port,
    said_number,
    time_record,
    uplink,
)
from wire.values import Stamp

NAME = "lorawan-frame"
# Bytes of the largest application payload in any region (LoRaWAN regional parameters, N).
FRAME_LIMIT = 242
# Bytes from which a text of hex digits is a frame and not just a word ("add", "face").
SURELY_HEX = 3
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_HEX = re.compile(rb"\s*(?:0[xX])?((?:[0-9A-Fa-f]{2}[ :-]?)+)\s*")
# The longest spelling of a frame: two digits and a separator a byte, and a little around it.
HEX_LIMIT = FRAME_LIMIT * 3 + 16


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    device, fport = _address(topic)
    raw = bytes_of(payload, HEX_LIMIT)
    if not raw:
        raise Refused(REASON_FIELD, "frame: must hold at least one byte", device)
    if len(raw) > FRAME_LIMIT:
        detail = f"{len(raw)} bytes, a LoRaWAN frame holds at most {FRAME_LIMIT}"
        raise Refused(REASON_TOO_LARGE, detail, device)
    link = link_record(None, (), **time_record(Stamp(received_at, TimeSource.RECEIVED)))
    return uplink(NAME, device, Frame(raw, fport), link)


def bytes_of(payload: bytes, text_limit: int) -> bytes:
    """The bytes that a hex or base64 text spells, else the payload as it is."""
    if len(payload) > text_limit:
        return payload
    match = _HEX.fullmatch(payload)
    if match is not None:
        return bytes.fromhex(re.sub(rb"[ :-]", b"", match[1]).decode())
    return _of_base64(payload.strip()) or payload


def _of_base64(text: bytes) -> bytes:
    """The bytes of a base64 text. One without padding must have letters of both cases and digits,
    so that no word that a device sends is taken for one."""
    if len(text) % 4 or not _BASE64.fullmatch(text):
        return b""
    mixed = all(re.search(kind, text) for kind in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))
    return base64.b64decode(text) if text.endswith(b"=") or mixed else b""


def _address(topic: str) -> tuple[str, int | None]:
    """Device and port of `feed/lorawan-frame/{device}/{fport}`; by hand `{device}/{fport}`."""
    levels = topic.split("/")
    if levels[0] == "feed":
        levels = levels[2:]
    device = eui_text(identity(levels[0], "device")) if levels and levels[0] else ""
    fport: Any = said_number(levels[1]) if len(levels) > 1 and levels[1] else None
    return device, port(fport, "fport")


def _matches(topic: str) -> bool:
    return False  # only where the topic says so: feed/lorawan-frame/…


def _fits(body: Any) -> bool:
    return False


def _fits_bytes(payload: bytes) -> bool:
    """Hex text is taken for a frame; of other bodies nobody can tell."""
    raw = bytes_of(payload, HEX_LIMIT)
    return _HEX.fullmatch(payload) is not None and SURELY_HEX <= len(raw) <= FRAME_LIMIT


LORAWAN_FRAME = Format(NAME, (), _matches, _fits, guarded(NAME, _parse), _fits_bytes)
