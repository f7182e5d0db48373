"""LORIOT network server, application output: every frame at once (`rx`), and again with all
gateways (`gw`).

Field names and meanings: docs.loriot.io, "Uplink Data Message" and "Gateway Information".
Both messages of a frame have its counter and its time, so that they make the same readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, Decoded, MessageClass, Quality, Reject, TimeSource
from wire.body import as_text, identity, parse_object, shown
from wire.format import Format, Refused, about, fits_object, guarded, no_topic
from wire.lorawan.lorawan import (
    battery_record,
    details,
    eui_text,
    first_time,
    frame_bytes,
    gateway,
    hex_bytes,
    receptions,
    said_number,
)
from wire.lorawan.server import (
    FRAME_COUNTERS,
    Envelope,
    by_server_and_gateways,
    gateway_eui,
)
from wire.times import time_or_none
from wire.topics import feed_device
from wire.values import Stamp

NAME = "loriot"
UPLINKS = frozenset({"rx", "gw", "gws"})


def _bytes(said: Any, field: str) -> tuple[bytes, tuple[Reject, ...]]:
    """Hex, unless the application's output is set to base64."""
    raw, rejects = hex_bytes(said, field)
    if not rejects:
        return raw, ()
    other, problem = frame_bytes(said, field)
    return (other, ()) if not problem else (raw, rejects)


FRAME = Envelope(NAME, "fcnt", "port", "data", "decoded", _bytes)


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_object(payload)
    command = body.get("cmd")
    if not isinstance(command, str) or not command:
        raise Refused(REASON_FIELD, f"cmd: must be text (got {shown(command)})")
    device = _device(topic, body)
    if command not in UPLINKS:
        return _other(as_text(command, 32), device, body)
    if not device:
        raise Refused(REASON_FIELD, f"EUI: missing from a frame (cmd {command})")
    return about(device, _uplink, command, device, body, received_at)


def _device(topic: str, body: Mapping[str, Any]) -> str:
    """The EUI; answers of the server itself (`mon`, `cq`) speak for no device."""
    said = body.get("EUI", feed_device(topic))
    return "" if said is None else eui_text(identity(said, "EUI"))


def _uplink(command: str, device: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    stamp = _stamp(body, received_at)
    return FRAME.read(
        device,
        body,
        stamp,
        _gateways(body),
        **battery_record(body.get("bat")),
        deduplication=_deduplication(device, FRAME.count(body), stamp),
        message=command,
        late=stamp.quality is Quality.LATE or None,
        # Without its key the server cannot read the frame, and neither can a codec.
        encrypted=as_text(body.get("encdata"), 512),
    )


def _deduplication(device: str, counter: int | None, stamp: Stamp) -> str:
    """The same for a frame's `rx` and `gw`; the time tells it from one after a rejoin."""
    if counter is None or stamp.ts_from is TimeSource.RECEIVED:
        return ""
    return f"{device}-{counter}-{stamp.ts.timestamp() * 1000:.0f}"


def _stamp(body: Mapping[str, Any], received_at: datetime) -> Stamp:
    """`ts` of the message; a frame that a gateway had kept while offline is late."""
    quality = Quality.LATE if body.get("offline") is True else Quality.GOOD
    heard = [(_time(entry), TimeSource.GATEWAY) for entry in receptions(body.get("gws"))]
    times = [(time_or_none(said_number(body.get("ts"))), TimeSource.SERVER), *heard]
    return first_time(times, received_at, quality)


def _gateways(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All gateways of a `gw`; of an `rx` the one signal, whose gateway is not named."""
    heard = receptions(body.get("gws"))
    if not heard and (body.get("rssi") is not None or body.get("snr") is not None):
        yield gateway("", body.get("rssi"), body.get("snr"))
    for entry in heard:
        name = gateway_eui(entry.get("gweui"))
        yield gateway(name, entry.get("rssi"), entry.get("snr"), _time(entry))


def _time(entry: Mapping[str, Any]) -> datetime | None:
    return time_or_none(entry.get("time")) or time_or_none(said_number(entry.get("ts")))


def _other(command: str, device: str, body: Mapping[str, Any]) -> Decoded:
    """Joins, downlinks queued or sent, answers to queries: counted, nothing measured."""
    link = {"event": command, **details(body, ("error", "success", "seqdn"))}
    return Decoded(NAME, MessageClass.OTHER, device, link=link)


def _fits(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("cmd"), str) and (
        "EUI" in body or body["cmd"] in UPLINKS | {"tx", "txd", "cq", "join", "mon"}
    )


LORIOT = Format(
    NAME, (), no_topic, fits_object(_fits), guarded(NAME, _parse),
    carriers=by_server_and_gateways, numbering=FRAME_COUNTERS,
)  # fmt: skip
