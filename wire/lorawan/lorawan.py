"""What all LoRaWAN network servers share: EUIs, frame bytes, and who heard the frame."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from city.reading import (
    METRICS,
    REASON_FIELD,
    Decoded,
    MessageClass,
    Quality,
    Reading,
    Reject,
    TimeSource,
)
from wire.body import as_finite, as_list, as_number, as_text, shown
from wire.format import Refused
from wire.quality import is_in_future
from wire.values import Flattened, Stamp, flatten

# Gateways kept in the link record; a frame in a dense network is heard by about ten.
GATEWAY_LIMIT = 32
EUI_BYTES = 8
# LoRaWAN 1.0 is of January 2015: an earlier time comes from a clock that was never set.
CLOCK_SET_SINCE = datetime(2015, 1, 1, tzinfo=UTC)
# DevStatusAns (LoRaWAN 1.0.4, 5.5): 0 is external power, 1 to 254 empty to full, 255 unknown.
BATTERY_EXTERNAL = 0
BATTERY_FULL = 254
BATTERY_UNKNOWN = 255
_HEX_EUI = re.compile(r"[0-9A-Fa-f]{16}")
_SPACED_EUI = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){7}")
_NUMBER_TEXT = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?")

NOTHING = Flattened((), ())


@dataclass(frozen=True, slots=True)
class Frame:
    """What the device sent: its bytes and the port it sent them on."""

    raw: bytes = b""
    fport: int | None = None
    rejects: tuple[Reject, ...] = ()


def eui_text(value: str) -> str:
    """A device EUI as lower hex without separators; base64 of 8 bytes is understood, other text
    stays as it is."""
    if _HEX_EUI.fullmatch(value):
        return value.lower()
    if _SPACED_EUI.fullmatch(value):
        return value.replace("-", "").replace(":", "").lower()
    if len(value) == 12:
        try:
            raw = base64.b64decode(value, validate=True)
        except ValueError:  # not base64, or not even ASCII
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


def hex_bytes(value: Any, field: str) -> tuple[bytes, tuple[Reject, ...]]:
    """The bytes of a hex text of either case; anything else is a rejection of this field only."""
    if value is None or value == "":
        return b"", ()
    try:
        return bytes.fromhex(value), ()
    except (TypeError, ValueError):
        return b"", (Reject(REASON_FIELD, f"{field}: must be hex (got {shown(value)})"),)


def said_number(value: Any) -> Any:
    """A number that is written as text, as a number; anything else as it is."""
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value.strip()):
        return float(value)
    return value


def port(value: Any, field: str) -> int | None:
    """An fPort, 0 to 255; None where the message has none."""
    if value is None:
        return None
    number = as_number(value)
    if number is None or not 0 <= number <= 255 or number != int(number):
        raise Refused(REASON_FIELD, f"{field}: must be a whole number from 0 to 255")
    return int(number)


def counter_or_none(value: Any) -> int | None:
    """A frame counter, where that is one."""
    number = as_number(value)
    return int(number) if number is not None and 0 <= number < 2**32 else None


def receptions(value: Any) -> list[dict[str, Any]]:
    """Who heard the frame, as far as it is kept: objects only, and not endlessly many."""
    return [entry for entry in as_list(value)[:GATEWAY_LIMIT] if isinstance(entry, dict)]


def gateway(name: Any, rssi: Any, snr: Any, time: datetime | None = None) -> dict[str, Any]:
    """One reception of a frame, as it is kept in the link record."""
    entry: dict[str, Any] = {"gateway": as_text(name)}
    for key, value in (("rssi_dbm", rssi), ("snr_db", snr)):
        number = as_finite(said_number(value))
        if number is not None:
            entry[key] = number
    if time is not None:
        entry["time"] = time.isoformat()
    return entry


def link_record(
    frame: int | None,
    gateways: Iterable[dict[str, Any]],
    stamp: Stamp,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Frame counter, receptions and the best signal: one frame, however many gateways. Its time,
    for a codec that runs later, and the `facts` that are there."""
    kept = list(gateways)
    link: dict[str, Any] = {"gateways": kept} if frame is None else {
        "frame": frame, "gateways": kept,
    }  # fmt: skip
    for key in ("rssi_dbm", "snr_db"):
        heard = [entry[key] for entry in kept if key in entry]
        if heard:
            link[key] = max(heard)
    link["time"], link["time_from"] = stamp.ts.isoformat(), stamp.ts_from.value
    if stamp.quality is not Quality.GOOD:
        link["quality"] = int(stamp.quality)
    for key, value in facts.items():
        if value is not None and value != "":
            link[key] = value
    return link


def details(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """What is kept of a message that measures nothing: short texts, numbers, truth values."""
    found: dict[str, Any] = {}
    for key in keys:
        value = body.get(key)
        kept = value if isinstance(value, bool) else as_text(value) or as_finite(value)
        if kept is not None:
            found[key] = kept
    return found


def place(location: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Where a network believes a device to be, under our names (`keys`: theirs to ours).

    Nothing if it is no place on Earth. It is shown beside the registry's place, never instead."""
    said = {ours: as_finite(said_number(location.get(theirs))) for theirs, ours in keys.items()}
    found = {name: number for name, number in said.items() if number is not None}
    latitude, longitude = found.get("latitude"), found.get("longitude")
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return {}
    return found if abs(latitude) <= 90 and abs(longitude) <= 180 else {}


def first_time(
    times: Iterable[tuple[datetime | None, TimeSource]],
    received_at: datetime,
    quality: Quality = Quality.GOOD,
) -> Stamp:
    """The first time that is not in the future and not from before LoRaWAN, else the receipt's.

    When every clock is ahead the first is kept, for the quality check to refuse it by name."""
    said = [(ts, source) for ts, source in times if ts is not None and ts >= CLOCK_SET_SINCE]
    for ts, source in said:
        if not is_in_future(ts, received_at):
            return Stamp(ts, source, quality)
    if said:
        return Stamp(*said[0], quality)
    return Stamp(received_at, TimeSource.RECEIVED, quality)


def battery_record(value: Any) -> dict[str, Any]:
    """The device's last DevStatusAns as a network server repeats it with every frame."""
    raw = as_finite(said_number(value))
    if raw is None or not BATTERY_EXTERNAL <= raw < BATTERY_UNKNOWN or raw != int(raw):
        return {}
    if raw == BATTERY_EXTERNAL:
        return {"battery_raw": 0, "external_power": True}
    return {"battery_raw": int(raw), "last_battery_pct": battery_percent(raw)}


def battery_percent(raw: float) -> float:
    """1 to 254 as a share of full, as ChirpStack computes it too."""
    return round(raw / BATTERY_FULL * 100, 2)


def battery_reading(device: str, percent: float, stamp: Stamp, raw_name: str, raw: Any) -> Reading:
    """A battery level that the device has just reported in a DevStatusAns."""
    unit = METRICS["battery_pct"].unit
    return Reading(
        device, "battery_pct", percent, unit, stamp.ts, stamp.ts_from,
        raw_name, raw, unit if raw == percent else "", stamp.quality,
    )  # fmt: skip


def decoded_object(value: Any, field: str, stamp: Stamp) -> Flattened:
    """The values of a network server's own decoder; what is no object is refused alone."""
    if value is None:
        return NOTHING
    if isinstance(value, dict):
        return flatten(value, stamp)
    detail = f"{field}: must be an object (got {shown(value)})"
    return Flattened((), (Reject(REASON_FIELD, detail),))


def uplink(
    name: str,
    device: str,
    frame: Frame,
    link: dict[str, Any],
    flat: Flattened = NOTHING,
    readings: tuple[Reading, ...] = (),
) -> Decoded:
    """One frame of a device, whose `link` record it keeps. Port 0 carries commands of the network
    itself, and a frame may carry nothing at all: both are signs of life, and no codec has a say in
    them."""
    kind, event = _frame_class(frame, link, bool(flat.values or flat.rejects or readings))
    if event:
        link["event"] = event
    return Decoded(
        name,
        kind,
        device,
        readings,
        flat.values,
        rejects=(*frame.rejects, *flat.rejects),
        raw_bytes=b"" if frame.fport == 0 else frame.raw,
        fport=frame.fport,
        link=link,
    )


def _frame_class(
    frame: Frame, link: Mapping[str, Any], has_values: bool
) -> tuple[MessageClass, str]:
    if has_values:
        return MessageClass.TELEMETRY, ""
    if frame.fport == 0:
        return MessageClass.OTHER, "mac_commands"
    if frame.raw or frame.fport or "encrypted" in link:
        return MessageClass.UNDECODED, ""
    return MessageClass.OTHER, "no_payload"
