"""Netmore (operator's push): an array of messages, one a frame; most numbers are text.

Field names are those of the operator's messages as diwise/iot-agent (MIT) reads them; the
operator publishes no public reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, Decoded, MessageClass, TimeSource
from wire.body import as_dict, as_text, identity, parse_json, shown
from wire.format import Format, Refused, guarded, no_topic, refused
from wire.lorawan.lorawan import (
    battery_record,
    eui_text,
    first_time,
    gateway,
    hex_bytes,
    receptions,
)
from wire.lorawan.server import FRAME_COUNTERS, Envelope, by_server_and_gateways
from wire.times import time_or_none

NAME = "netmore"
# Messages of one push. The operator sends a handful; 256 KiB hold about a thousand.
MESSAGE_LIMIT = 1000
# The frame's bytes; older messages write a capital letter.
BYTES_KEYS = ("payload", "Payload")
FRAMES = {key: Envelope(NAME, "fCntUp", "fPort", key, "object", hex_bytes) for key in BYTES_KEYS}


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_json(payload)
    messages = body if isinstance(body, list) else [body]
    if not messages or len(messages) > MESSAGE_LIMIT:
        problem = f"must hold 1 to {MESSAGE_LIMIT} messages (got {len(messages)})"
        raise Refused(REASON_FIELD, f"body: {problem}")
    parts = tuple(_part(message, received_at) for message in messages)
    if len(parts) == 1:
        return parts[0]
    return Decoded(NAME, MessageClass.TELEMETRY, parts=parts)


def _part(message: Any, received_at: datetime) -> Decoded:
    """One message; a broken one is refused alone, the others of the push are used."""
    device = ""
    try:
        if not isinstance(message, dict):
            raise Refused(REASON_FIELD, f"message: must be an object (got {shown(message)})")
        device = eui_text(identity(message.get("devEui"), "devEui"))
        return _message(device, message, received_at)
    except Refused as refusal:
        return refused(NAME, refusal.reject, device)


def _message(device: str, message: dict[str, Any], received_at: datetime) -> Decoded:
    kind = as_text(message.get("messageType")).lower()
    key = next((key for key in BYTES_KEYS if key in message), "")
    if not key or (kind and not kind.startswith("payload")):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": kind or "no_payload"})
    times = ((time_or_none(message.get("timestamp")), TimeSource.SERVER),)
    stamp = first_time(times, received_at)
    battery = battery_record(message.get("batteryLevel"))
    battery.pop("external_power", None)  # here 0 may as well be "never asked"
    sensor_type = as_text(message.get("sensorType"))
    return FRAMES[key].read(
        device, message, stamp, _gateways(message), sensor_type=sensor_type, **battery
    )


def _gateways(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All receptions if they are listed, else the best one, which stands in the message."""
    best = as_dict(message.get("rxInfo")) or dict(message)
    heard = receptions(message.get("gateways"))
    for entry in heard or ([best] if "rssi" in best or "snr" in best else []):
        name = entry.get("gwEui") or entry.get("gatewayIdentifier") or entry.get("gatewayId")
        yield gateway(name, entry.get("rssi"), entry.get("snr"))


def _fits(body: Any) -> bool:
    first = body[0] if isinstance(body, list) and body else body
    return isinstance(first, dict) and "devEui" in first and bool(
        first.keys() & {*BYTES_KEYS, "sensorType", "messageType"}
    )  # fmt: skip


NETMORE = Format(
    NAME, (), no_topic, _fits, guarded(NAME, _parse),
    carriers=by_server_and_gateways, numbering=FRAME_COUNTERS,
)  # fmt: skip
