"""The Things Stack v3 (community and industries): uplinks, joins, downlink events as JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from city.lighting import LampAnswer, LampCommand
from city.reading import (
    METRICS,
    REASON_FIELD,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reading,
    Reject,
    TimeSource,
)
from wire.body import (
    TEXT_LIMIT,
    as_dict,
    as_finite,
    as_list,
    as_text,
    identity,
    parse_object,
    shown,
)
from wire.command import Commanding, Downlink, as_json, below_feed, frame_of, needed_attribute
from wire.format import Format, Refused, about, fits_object, guarded
from wire.lorawan.lorawan import (
    decoded_object,
    details,
    eui_text,
    first_time,
    gateway,
    place,
    receptions,
)
from wire.lorawan.server import FRAME_COUNTERS, Envelope, by_server_and_gateways
from wire.quality import out_of_range
from wire.times import time_or_none
from wire.topics import level_of
from wire.values import Flattened, Stamp, flatten

NAME = "ttn"
SUBSCRIPTIONS = (
    "v3/+/devices/+/up",
    "v3/+/devices/+/up/normalized",
    "v3/+/devices/+/join",
    "v3/+/devices/+/down/#",
    "v3/+/devices/+/location/solved",
    "v3/+/devices/+/service/data",
)
FRAME = Envelope(
    NAME, "f_cnt", "f_port", "frm_payload", "decoded_payload",
    leaves_out_zero=True, numbers_as_text=False,
)  # fmt: skip
# Points of a normalised payload that are read; devices that store send some ten at a time.
POINT_LIMIT = 64
# Warnings of a decoder, and correlation ids of a message, that are looked at.
WARNING_LIMIT = 8
CORRELATION_LIMIT = 32
# Correlation ids that one frame has in all its messages, the better one first.
UPLINK_MARKS = ("ns:uplink:", "gs:uplink:")
UPLINKS = ("uplink_message", "uplink_normalized")
# Names of the stack's own normalised payload: metric and factor to its unit. They are the
# same for every device model, so no model file is needed for them.
NORMALIZED: dict[str, tuple[str, float]] = {
    "air.temperature": ("temperature_c", 1),
    "air.relativeHumidity": ("humidity_pct", 1),
    "air.pressure": ("pressure_kpa", 0.1),  # hPa
    "air.co2": ("co2_ppm", 1),
    "air.lightIntensity": ("illuminance_lx", 1),
    "action.motion.detected": ("motion", 1),
    "battery": ("battery_v", 1),
    "water.leak": ("flooded", 1),
}


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = _message(parse_object(payload))
    device = _device(topic, body)
    for key in UPLINKS:
        if key in body:
            return about(device, _uplink, device, body, key, received_at)
    event = next((key for key in body if key.startswith(_EVENT_KEYS)), "")
    if not event and not _matches(topic):
        raise Refused(REASON_FIELD, "body: holds no message of The Things Stack", device)
    return _other(event or "/".join(topic.split("/")[4:])[:TEXT_LIMIT], device, body)


LOCATION = {"latitude": "latitude", "longitude": "longitude", "accuracy": "accuracy_m"}
_EVENT_KEYS = ("join_accept", "downlink_", "location_solved", "service_data")


def _other(event: str, device: str, body: Mapping[str, Any]) -> Decoded:
    """Joins, downlinks, locations and data of services: counted, nothing measured."""
    content = as_dict(body.get(event))
    location = as_dict(content.get("location"))
    link = {"event": event, **details(content, ("service",)), **details(location, ("source",))}
    link |= place(location, LOCATION)
    error = as_text(as_dict(content.get("error")).get("name"))
    if error:
        link["error"] = error
    answer = _answer(event, body, content, error)
    return Decoded(NAME, MessageClass.OTHER, device, link=link, answer=answer)


# What our downlinks are known by in the messages about them.
MARK = "gridwarden:lamp:"


def _answer(
    event: str, body: Mapping[str, Any], content: Mapping[str, Any], error: str
) -> LampAnswer | None:
    """The device has the frame, or it could not be sent. A frame that was not acknowledged
    (`downlink_nack`) stays in the server's queue."""
    if event not in ("downlink_ack", "downlink_failed"):
        return None
    inner = as_dict(content.get("downlink")) or content
    ids = [*as_list(inner.get("correlation_ids")), *as_list(body.get("correlation_ids"))]
    ours = (as_text(said) for said in ids[: 2 * CORRELATION_LIMIT])
    token = next((said.removeprefix(MARK) for said in ours if said.startswith(MARK)), "")
    return LampAnswer(token, event == "downlink_ack", detail=error) if token else None


def _encode(command: LampCommand) -> Downlink:
    """A confirmed downlink, pushed behind what others have in the device's queue."""
    lamp = command.lamp
    port, frame = frame_of(command)
    application = needed_attribute(lamp, "application_id")
    device = needed_attribute(lamp, "device_id")
    downlink = {
        "f_port": port, "frm_payload": base64.b64encode(frame).decode(), "priority": "NORMAL",
        "confirmed": True, "correlation_ids": [MARK + command.token],
    }  # fmt: skip
    topic = f"v3/{application}/devices/{device}/down/push"
    return Downlink(below_feed(lamp, topic), as_json({"downlinks": [downlink]}))


def _message(body: dict[str, Any]) -> dict[str, Any]:
    """The message inside a console event ({"name", "data"}), a storage line ({"result"}) or a
    tool's record of it ({"format", "payload"})."""
    for wrapper in ("data", "result", "payload"):
        inner = body.get(wrapper)
        if isinstance(inner, dict) and "end_device_ids" in inner:
            return inner
    return body


def _device(topic: str, body: Mapping[str, Any]) -> str:
    """The EUI; a device without one (activation by personalisation) goes by its id."""
    ids = as_dict(body.get("end_device_ids"))
    said = ids.get("dev_eui") or ids.get("device_id")
    if said is None and level_of(topic, 2) == "devices":
        said = level_of(topic, 3)
    return eui_text(identity(said, "end_device_ids.dev_eui"))


def _uplink(device: str, body: dict[str, Any], key: str, received_at: datetime) -> Decoded:
    message = body.get(key)
    if not isinstance(message, dict):
        raise Refused(REASON_FIELD, f"{key}: must be an object (got {shown(message)})")
    stamp = _stamp(body, message, received_at)
    decoded = decoded_object(message.get(FRAME.values), FRAME.values, stamp)
    readings, normalized = _normalized(device, message, stamp)
    # Beside the decoder's own names the rest of the normalised ones says nothing new.
    more = () if decoded.values else normalized.values
    flat = Flattened((*decoded.values, *more), (*decoded.rejects, *normalized.rejects))
    warnings = as_list(message.get("decoded_payload_warnings"))[:WARNING_LIMIT]
    return FRAME.read(
        device,
        message,
        stamp,
        _gateways(message),
        values=flat,
        readings=readings,
        device_id=as_text(as_dict(body.get("end_device_ids")).get("device_id")),
        deduplication=_deduplication(body, message),
        last_battery_pct=as_finite(as_dict(message.get("last_battery_percentage")).get("value")),
        warnings=[as_text(warning) for warning in warnings] or None,
        # The same frame came, or comes, as `up`.
        second_form=key == "uplink_normalized" or None,
    )


def _deduplication(body: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """The same in `up`, `up/normalized` and their repeats: the frame's counter in its session,
    else the id under which a server took it in."""
    session = as_text(message.get("session_key_id"))
    if session:
        return f"{session}-{FRAME.count(message)}"
    ids = [as_text(said) for said in as_list(body.get("correlation_ids"))[:CORRELATION_LIMIT]]
    return next((said for mark in UPLINK_MARKS for said in ids if said.startswith(mark)), "")


def _normalized(
    device: str, message: Mapping[str, Any], stamp: Stamp
) -> tuple[tuple[Reading, ...], Flattened]:
    """The stack's normalised payload, one measurement or a list of them: readings, and the
    values that no metric exists for."""
    sent = message.get("normalized_payload")
    readings: list[Reading] = []
    others: list[RawValue] = []
    rejects: list[Reject] = []
    for point in map(as_dict, sent[:POINT_LIMIT] if isinstance(sent, list) else [sent]):
        ts = time_or_none(point.get("time"))
        when = stamp if ts is None else Stamp(ts, TimeSource.DEVICE, stamp.quality)
        flat = flatten({name: point[name] for name in point if name != "time"}, when)
        rejects += flat.rejects
        for value in flat.values:
            found = _normalized_reading(device, value)
            if isinstance(found, Reading):
                readings.append(found)
            elif isinstance(found, Reject):
                rejects.append(found)
            else:
                others.append(value)
    return tuple(readings), Flattened(tuple(others), tuple(rejects))


def _normalized_reading(device: str, value: RawValue) -> Reading | Reject | None:
    metric_name, factor = NORMALIZED.get(value.name, ("", 1.0))
    metric = METRICS.get(metric_name)
    if metric is None or isinstance(value.value, str):
        return None
    number = float(value.value) * factor
    if not metric.low <= number <= metric.high:
        return out_of_range(f"normalized_payload.{value.name}", number, metric)
    return Reading(
        device, metric.name, number, metric.unit, value.ts, value.ts_from,
        value.name, value.value, value.unit, value.quality,
    )  # fmt: skip


def _stamp(body: Mapping[str, Any], message: Mapping[str, Any], received_at: datetime) -> Stamp:
    """The network server's time of receipt, then the application server's, then a gateway's.

    Gateway clocks come last here: in captured streams they are years behind, while both
    servers' clocks were right to the second."""
    quality = Quality.SIMULATED if body.get("simulated") is True else Quality.GOOD
    heard = [entry.get("time") for entry in receptions(message.get("rx_metadata"))]
    times = (
        (time_or_none(message.get("received_at")), TimeSource.SERVER),
        (time_or_none(body.get("received_at")), TimeSource.SERVER),
        *((time_or_none(said), TimeSource.GATEWAY) for said in heard),
    )
    return first_time(times, received_at, quality)


def _gateways(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All receptions. What a partner network forwards (Packet Broker) may be a gateway of our
    own once more: the later entry says which gateway it repeats."""
    seen: dict[str, str] = {}
    for entry in receptions(message.get("rx_metadata")):
        broker = as_dict(entry.get("packet_broker"))
        name, eui = _gateway_ids(entry, broker)
        time = time_or_none(entry.get("time"))
        record = gateway(name, entry.get("rssi"), entry.get("snr"), time)
        first = seen.setdefault(eui or name, name)
        if first != name:
            record["repeats"] = first
        if broker:
            record["network"] = as_text(broker.get("forwarder_tenant_id")) or "packetbroker"
        yield record


def _gateway_ids(entry: Mapping[str, Any], broker: Mapping[str, Any]) -> tuple[str, str]:
    """Name and EUI of a gateway; behind Packet Broker it is the forwarder's."""
    ids = as_dict(entry.get("gateway_ids"))
    eui = as_text(broker.get("forwarder_gateway_eui") or ids.get("eui"))
    name = as_text(broker.get("forwarder_gateway_id")) or (broker and eui)
    return name or as_text(ids.get("gateway_id")) or eui, eui.lower()


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    return len(parts) >= 5 and parts[0] == "v3" and parts[2] == "devices"


def _fits(body: Mapping[str, Any]) -> bool:
    inner = _message(dict(body))
    return "end_device_ids" in inner or any(key in inner for key in UPLINKS)


TTN = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse),
    carriers=by_server_and_gateways, numbering=FRAME_COUNTERS,
    commanding=Commanding(_encode, None, acknowledges=True),
)  # fmt: skip
