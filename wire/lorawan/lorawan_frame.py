"""Bare device bytes, hex or base64 text or binary, on `feed/lorawan-frame/{device}/{fport}`.

For bridges that know neither format nor codec: the device model's codec reads the bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, REASON_TOO_LARGE, Decoded, TimeSource
from wire.body import identity
from wire.format import Format, Refused, guarded, no_body, no_topic
from wire.lorawan.lorawan import (
    Frame,
    eui_text,
    link_record,
    port,
    said_number,
    uplink,
)
from wire.spelling import bytes_of, is_hex
from wire.values import Stamp

NAME = "lorawan-frame"
# Bytes of the largest application payload in any region (LoRaWAN regional parameters, N).
FRAME_LIMIT = 242
# Bytes from which a text of hex digits is a frame and not just a word ("add", "face").
SURELY_HEX = 3
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
    link = link_record(None, (), Stamp(received_at, TimeSource.RECEIVED), {})
    return uplink(NAME, device, Frame(raw, fport), link)


def _address(topic: str) -> tuple[str, int | None]:
    """Device and port of `feed/lorawan-frame/{device}/{fport}`; by hand `{device}/{fport}`."""
    levels = topic.split("/")
    if levels[0] == "feed":
        levels = levels[2:]
    device = eui_text(identity(levels[0], "device")) if levels and levels[0] else ""
    fport: Any = said_number(levels[1]) if len(levels) > 1 and levels[1] else None
    return device, port(fport, "fport")


def _fits_bytes(payload: bytes) -> bool:
    """Hex text is taken for a frame; of other bodies nobody can tell."""
    raw = bytes_of(payload, HEX_LIMIT)
    return is_hex(payload) and SURELY_HEX <= len(raw) <= FRAME_LIMIT


LORAWAN_FRAME = Format(NAME, (), no_topic, no_body, guarded(NAME, _parse), _fits_bytes)
