"""ChirpStack, JSON encoding: v4 events, and the v3 and v1 forms still found in the field."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.lighting import LampAnswer, LampCommand
from city.reading import (
    REASON_RANGE,
    Decoded,
    MessageClass,
    Quality,
    Reading,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import (
    as_dict,
    as_finite,
    as_number,
    as_text,
    identity,
    parse_json,
    parse_object,
    shown,
)
from wire.command import Commanding, Downlink, as_json, below_feed, frame_of, needed_attribute
from wire.format import Format, about, fits_object, guarded
from wire.lorawan.lorawan import (
    battery_reading,
    decoded_object,
    details,
    eui_text,
    first_time,
    gateway,
    place,
    receptions,
)
from wire.lorawan.server import (
    FRAME_COUNTERS,
    Envelope,
    by_server_and_gateways,
    gateway_eui,
    snr_of,
)
from wire.quality import STALE_LIMIT
from wire.times import time_or_none
from wire.topics import level_of
from wire.values import Stamp

NAME = "chirpstack"
SUBSCRIPTIONS = ("application/+/device/+/event/+", "application/+/node/+/rx")
FRAME = Envelope(
    NAME, "fCnt", "fPort", "data", "object", leaves_out_zero=True, numbers_as_text=False
)


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_object(payload)
    device = _device(topic, body)
    event = _event(topic, body)
    return about(device, _READERS.get(event, _other), event, device, body, received_at)


def _device(topic: str, body: Mapping[str, Any]) -> str:
    """The EUI in the body is the identity; the topic changes when a device moves."""
    said = as_dict(body.get("deviceInfo")).get("devEui") or body.get("devEUI")
    if said is None:
        said = level_of(topic, 3)
    return eui_text(identity(said, "deviceInfo.devEui"))


def _event(topic: str, body: Mapping[str, Any]) -> str:
    """The kind of event: the last level of the topic, else what the body looks like."""
    last = topic.rsplit("/", 1)[-1]
    if last in _READERS or last in _OTHER_EVENTS:
        return "up" if last == "rx" else last
    for event, keys in _SIGNS:
        if body.keys() & keys:
            return event
    return "join"


# What tells events apart where the topic does not say, most telling first.
_SIGNS: tuple[tuple[str, frozenset[str]], ...] = (
    ("status", frozenset({"batteryLevel", "batteryLevelUnavailable", "margin"})),
    ("log", frozenset({"level", "code", "error"})),
    ("integration", frozenset({"integrationName", "eventType"})),
    ("ack", frozenset({"acknowledged"})),
    ("txack", frozenset({"downlinkId", "queueItemId"})),
    ("up", frozenset({"fPort", "data", "object", "objectJSON", "rxInfo", "fCnt"})),
    ("location", frozenset({"location"})),
)
# What is kept of events that measure nothing.
OTHER_KEYS = (
    "level", "code", "type", "description", "error", "integrationName", "eventType",
    "acknowledged", "fCntDown", "queueItemId", "gatewayId", "devAddr",
)  # fmt: skip
LOCATION = {"latitude": "latitude", "longitude": "longitude", "accuracy": "accuracy_m"}
_OTHER_EVENTS = frozenset({"join", "ack", "txack", "log", "error", "location", "integration"})


def _uplink(event: str, device: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    stamp = _stamp(body, received_at)
    values = decoded_object(_object(body), FRAME.values, stamp)
    deduplication = as_text(body.get("deduplicationId"))
    return FRAME.read(
        device, body, stamp, _gateways(body), values=values, deduplication=deduplication
    )


def _object(body: Mapping[str, Any]) -> Any:
    """What the network server's codec made of the frame; v3 may write it as JSON in a text."""
    decoded = body.get("object")
    text = body.get("objectJSON")
    if decoded is None and isinstance(text, str):
        return parse_json(text.encode("utf-8", "replace")) if text.strip() else None
    return text if decoded is None else decoded


def _status(event: str, device: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    """Battery and margin as the network server learned them from the device."""
    stamp = _stamp(body, received_at)
    external = body.get("externalPowerSource") is True
    attributes: dict[str, Any] = {"external_power": external}
    margin = as_finite(body.get("margin"))
    if margin is not None:
        attributes["margin_db"] = margin
    readings: tuple[Reading, ...] = ()
    rejects: tuple[Reject, ...] = ()
    level = body.get("batteryLevel")
    if level is not None and not external and body.get("batteryLevelUnavailable") is not True:
        number = as_number(level)
        if number is not None and 0 <= number <= 100:
            readings = (battery_reading(device, number, stamp, "batteryLevel", number),)
            attributes["battery_pct"] = number
        else:
            detail = f"batteryLevel: must be 0 to 100 % (got {shown(level)})"
            rejects = (Reject(REASON_RANGE, detail),)
    report = StatusReport(device, True, stamp.ts, stamp.ts_from, attributes)
    return Decoded(NAME, MessageClass.STATUS, device, readings, statuses=(report,), rejects=rejects)


def _other(event: str, device: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    """Joins, acknowledgements, logs, locations: counted, nothing measured."""
    link = {"event": event, **details(body, OTHER_KEYS)}
    location = as_dict(body.get("location"))
    link |= place(location, LOCATION) | details(location, ("source",))
    said = body.get("deduplicationId") or as_dict(body.get("context")).get("deduplication_id")
    if as_text(said):  # of a log: which frame it is about
        link["deduplication"] = as_text(said)
    answer = None
    if event == "ack" and body.get("acknowledged") is True:
        # Not acknowledged is left out, as all that is false: the command is sent again in time.
        answer = LampAnswer(as_text(body.get("queueItemId")), ok=True)
    return Decoded(NAME, MessageClass.OTHER, device, link=link, answer=answer)


_Reader = Callable[[str, str, dict[str, Any], datetime], Decoded]
_READERS: dict[str, _Reader] = {"up": _uplink, "rx": _uplink, "status": _status}


def _stamp(body: Mapping[str, Any], received_at: datetime) -> Stamp:
    """The message's own time (of a gateway that has a clock, else the server's), a gateway's, the
    server's, else the receipt's. A gateway that is further off than any network keeps a frame has
    a wrong clock: then the server's time counts."""
    heard = receptions(body.get("rxInfo"))
    by_server = list(_server_times(body, heard))
    stamp = first_time((*_gateway_times(body, heard), *by_server), received_at)
    if stamp.ts_from is not TimeSource.GATEWAY or not by_server:
        return stamp
    server = first_time(by_server, received_at)
    if abs(stamp.ts - server.ts) > STALE_LIMIT and server.ts_from is TimeSource.SERVER:
        return replace(server, quality=Quality.CLOCK_REPLACED)
    return stamp


_Times = Iterator[tuple[datetime | None, TimeSource]]
_Heard = Sequence[Mapping[str, Any]]


def _gateway_times(body: Mapping[str, Any], heard: _Heard) -> _Times:
    at_gateway = [t for entry in heard if (t := _gateway_time(entry)) is not None]
    own = time_or_none(body.get("time"))
    yield own, TimeSource.GATEWAY if own in at_gateway else TimeSource.SERVER
    for ts in at_gateway:
        yield ts, TimeSource.GATEWAY


def _server_times(body: Mapping[str, Any], heard: _Heard) -> _Times:
    for said in (*(entry.get("nsTime") for entry in heard), body.get("publishedAt")):
        yield time_or_none(said), TimeSource.SERVER


def _gateway_time(entry: Mapping[str, Any]) -> datetime | None:
    return time_or_none(entry.get("gwTime") or entry.get("time"))


def _gateways(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All receptions. Networks that exchange frames (Helium, ThingsIX) deliver one reception
    under two gateway ids: the later one says which gateway it repeats."""
    seen: dict[tuple[Any, ...], str] = {}
    for entry in receptions(body.get("rxInfo")):
        name = entry.get("gatewayId") or entry.get("gatewayID") or entry.get("mac")
        text = gateway_eui(name)
        record = gateway(text, entry.get("rssi"), snr_of(entry), _gateway_time(entry))
        first = seen.setdefault(_reception(entry, text), text)
        yield record if first == text else record | {"repeats": first}


def _reception(entry: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """What two reports of one reception share: the concentrator's counter (`context`) and the
    uplink's id. Without them every gateway heard for itself."""
    context, uplink_id = as_text(entry.get("context")), as_finite(entry.get("uplinkId"))
    if not context or uplink_id is None:
        return (name,)
    return context, uplink_id, as_finite(entry.get("rssi"))


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    if parts[0] != "application":
        return False
    return (len(parts) == 6 and parts[2] == "device" and parts[4] == "event") or (
        len(parts) == 5 and parts[2] == "node" and parts[4] == "rx"
    )


def _fits(body: Mapping[str, Any]) -> bool:
    if "devEui" in as_dict(body.get("deviceInfo")):
        return True
    return "devEUI" in body and bool(
        body.keys() & {"applicationID", "object", "objectJSON", "deviceProfileName", "error"}
    )


def _encode(command: LampCommand) -> Downlink:
    """`DownlinkCommand` of version 4: its id is that of the queue's item, which the event `ack`
    names; while an item waits in the queue the same id is not taken a second time."""
    lamp = command.lamp
    port, frame = frame_of(command)
    application = needed_attribute(lamp, "application_id")
    eui = eui_text(lamp.external_id)
    body = {
        "id": command.token, "devEui": eui, "confirmed": True, "fPort": port,
        "data": base64.b64encode(frame).decode(),
    }  # fmt: skip
    topic = f"application/{application}/device/{eui}/command/down"
    return Downlink(below_feed(lamp, topic), as_json(body))


CHIRPSTACK = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse),
    carriers=by_server_and_gateways, numbering=FRAME_COUNTERS,
    commanding=Commanding(_encode, None, acknowledges=True),
)  # fmt: skip
