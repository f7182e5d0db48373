"""Milesight gateways with their built-in network server: frames, and news of the devices.

Field names: Milesight support article 73000600064 and the building gateway's application guide
("Uplink Data", "Notification"). The messages descend from LoRa Server 1, with a time added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from city.reading import Decoded, MessageClass, StatusReport, TimeSource
from wire.body import as_text, identity, parse_object
from wire.format import Format, about, fits_object, guarded, no_topic
from wire.lorawan.lorawan import (
    decoded_object,
    details,
    eui_text,
    first_time,
    gateway,
    receptions,
)
from wire.lorawan.server import (
    FRAME_COUNTERS,
    Envelope,
    by_gateways,
    gateway_eui,
    snr_of,
)
from wire.times import time_or_none
from wire.topics import feed_device
from wire.values import Flattened, Stamp

NAME = "milesight-gateway"
FRAME = Envelope(NAME, "fCnt", "fPort", "data", "object", leaves_out_zero=True)
# What the gateway says about a frame. A payload codec may put the values beside these.
METADATA = frozenset({
    "applicationID", "applicationName", "deviceName", "deviceID", "devEUI", "devAddr", "time",
    "gatewayTime", "gatewaySN", "gatewayName", "rxInfo", "txInfo", "fCnt", "fcnt", "fPort",
    "data", "object", "metadata", "adr", "confirmed", "tags", "type", "joinEUI", "appEUI",
    "deviceProfileID", "deviceProfileName", "modulation",
})  # fmt: skip
# "2020-0327T…": some firmware forgets one of the dashes.
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})T(.{5,40})")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_object(payload)
    device = _device(topic, body)
    status = as_text(body.get("status")).lower()
    if status in ("online", "offline"):
        return _status(device, status == "online", body, received_at)
    event = _event(body)
    if event:
        return _other(event, device, body)
    stamp = _stamp(body, received_at)
    values = _values(body, stamp)
    return about(device, FRAME.read, device, body, stamp, _gateways(body), values=values)


def _device(topic: str, body: Mapping[str, Any]) -> str:
    """The EUI; devices on the gateway's wires have none and go by topic, else by name."""
    said = body.get("devEUI") or feed_device(topic) or body.get("deviceName")
    return eui_text(identity(said, "devEUI"))


def _event(body: Mapping[str, Any]) -> str:
    """Which notification it is; empty for a frame."""
    if "acknowledged" in body:
        return "ack"
    if "error" in body and not body.keys() & {"data", "object"}:
        return "error"
    return "join" if not body.keys() & {"data", "object", "fPort", "fCnt"} | _plain(body) else ""


def _plain(body: Mapping[str, Any]) -> set[str]:
    """Values that a payload codec put beside the metadata instead of below `object`."""
    return set() if body.keys() & {"data", "object"} else set(body.keys() - METADATA)


def _values(body: Mapping[str, Any], stamp: Stamp) -> Flattened:
    plain = _plain(body)
    said = {key: body[key] for key in body if key in plain} if plain else body.get(FRAME.values)
    return decoded_object(said, FRAME.values, stamp)


def _status(device: str, online: bool, body: dict[str, Any], received_at: datetime) -> Decoded:
    stamp = _stamp(body, received_at)
    status = StatusReport(device, online, stamp.ts, stamp.ts_from)
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(status,))


def _other(event: str, device: str, body: Mapping[str, Any]) -> Decoded:
    link = {"event": event, **details(body, ("acknowledged", "error", "fcnt"))}
    return Decoded(NAME, MessageClass.OTHER, device, link=link)


def _stamp(body: Mapping[str, Any], received_at: datetime) -> Stamp:
    """Server and gateway are one machine: every time is the gateway's."""
    heard = [entry.get("time") for entry in receptions(body.get("rxInfo"))]
    said = (body.get("time"), *heard, body.get("gatewayTime"))
    return first_time(((_time(value), TimeSource.GATEWAY) for value in said), received_at)


def _time(value: Any) -> datetime | None:
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return time_or_none(value)
    return time_or_none("{}-{}-{}T{}".format(*match.groups()))


def _gateways(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in receptions(body.get("rxInfo")):
        name = gateway_eui(entry.get("mac") or entry.get("gatewayID"))
        yield gateway(name, entry.get("rssi"), snr_of(entry), _time(entry.get("time")))


def _fits(body: Mapping[str, Any]) -> bool:
    """ChirpStack 3 and LoRa Server 1 look alike, but give a frame no time of its own."""
    return "gatewaySN" in body or ("devEUI" in body and "time" in body and "applicationID" in body)


MILESIGHT_GATEWAY = Format(
    NAME, (), no_topic, fits_object(_fits), guarded(NAME, _parse),
    carriers=by_gateways, numbering=FRAME_COUNTERS,
)  # fmt: skip
