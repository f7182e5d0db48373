"""What all LoRaWAN network servers share: EUIs, frame bytes, and who heard the frame."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, Reject
from ingest.formats.body import as_finite, as_list, as_number, as_text
from ingest.formats.format import Refused

# Gateways kept in the link record; a frame in a dense network is heard by about ten.
GATEWAY_LIMIT = 32
EUI_BYTES = 8
_HEX_EUI = re.compile(r"[0-9A-Fa-f]{16}")


def eui_text(value: str) -> str:
    """A device EUI as lower hex; base64 of 8 bytes is understood, other text stays as it is."""
    if _HEX_EUI.fullmatch(value):
        return value.lower()
    if len(value) == 12:
        try:
            raw = base64.b64decode(value, validate=True)
        except binascii.Error:
            return value.lower()
        if len(raw) == EUI_BYTES:
            return raw.hex()
    return value.lower()


def frame_bytes(value: Any, field: str) -> tuple[bytes, tuple[Reject, ...]]:
    """The bytes of a base64 text; broken base64 is a rejection of this field only."""
    if value is None or value == "":
        return b"", ()
    try:
        return base64.b64decode(value, validate=True), ()
    except (TypeError, ValueError):
        return b"", (Reject(REASON_FIELD, f"{field}: must be base64"),)


def port(value: Any, field: str) -> int | None:
    """An fPort, 0 to 255; None where the message has none."""
    if value is None:
        return None
    number = as_number(value)
    if number is None or not 0 <= number <= 255 or number != int(number):
        raise Refused(REASON_FIELD, f"{field}: must be a whole number from 0 to 255")
    return int(number)


def frame_counter(value: Any) -> int:
    """A frame counter; both servers leave the key out when it is 0."""
    number = as_number(value)
    return int(number) if number is not None and 0 <= number < 2**32 else 0


def receptions(value: Any) -> list[dict[str, Any]]:
    """Who heard the frame, as far as it is kept: objects only, and not endlessly many."""
    return [entry for entry in as_list(value)[:GATEWAY_LIMIT] if isinstance(entry, dict)]


def gateway(name: Any, rssi: Any, snr: Any, time: datetime | None) -> dict[str, Any]:
    """One reception of a frame, as it is kept in the link record."""
    entry: dict[str, Any] = {"gateway": as_text(name)}
    for key, value in (("rssi_dbm", rssi), ("snr_db", snr)):
        number = as_finite(value)
        if number is not None:
            entry[key] = number
    if time is not None:
        entry["time"] = time.isoformat()
    return entry


def link_record(frame: int, gateways: Iterable[dict[str, Any]], **extra: Any) -> dict[str, Any]:
    """Frame counter, receptions and the best signal: one frame, however many gateways."""
    kept = list(gateways)
    link: dict[str, Any] = {"frame": frame, "gateways": kept}
    for key in ("rssi_dbm", "snr_db"):
        heard = [entry[key] for entry in kept if key in entry]
        if heard:
            link[key] = max(heard)
    link.update({key: value for key, value in extra.items() if value not in (None, "")})
    return link
