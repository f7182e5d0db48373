"""The Things Stack v3 (community and industries): uplinks, joins, downlink events as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

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
from ingest.formats.body import as_dict, as_finite, as_list, as_text, identity, parse_object, shown
from ingest.formats.format import Format, Refused, fits_object, guarded
from ingest.formats.lorawan import (
    eui_text,
    frame_bytes,
    frame_counter,
    gateway,
    link_record,
    port,
    receptions,
)
from ingest.formats.times import time_or_none
from ingest.formats.values import Flattened, Stamp, flatten
from ingest.quality import is_in_future

NAME = "ttn"
SUBSCRIPTIONS = (
    "v3/+/devices/+/up",
    "v3/+/devices/+/up/normalized",
    "v3/+/devices/+/join",
    "v3/+/devices/+/down/#",
)
# Points of a normalised payload that are read; devices that store send some ten at a time.
POINT_LIMIT = 64
UPLINKS = ("uplink_message", "uplink_normalized")
# Names of the stack's own normalised payload: metric and factor to its unit. They are the
# same for every device model, so no model file is needed for them.
NORMALIZED: dict[str, tuple[str, float]] = {
    "air.temperature": ("temperature_c", 1),
    "air.relativeHumidity": ("humidity_pct", 1),
    "air.pressure": ("pressure_kpa", 0.1),  # hPa
    "battery": ("battery_v", 1),
    "water.leak": ("flooded", 1),
}


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = _message(parse_object(payload))
    device = _device(topic, body)
    try:
        for key in UPLINKS:
            if key in body:
                return _uplink(device, body, key, received_at)
    except Refused as refusal:
        refusal.device = refusal.device or device
        raise
    event = next((key for key in body if key.startswith(_EVENT_KEYS)), "")
    if not event and not _matches(topic):
        raise Refused(REASON_FIELD, "body: holds no message of The Things Stack", device)
    return Decoded(NAME, MessageClass.OTHER, device, link={"event": event})


_EVENT_KEYS = ("join_accept", "downlink_", "location_solved", "service_data")


def _message(body: dict[str, Any]) -> dict[str, Any]:
    """The message inside a console event ({"name", "data"}) or a storage line ({"result"})."""
    for wrapper in ("data", "result"):
        inner = body.get(wrapper)
        if isinstance(inner, dict) and "end_device_ids" in inner:
            return inner
    return body


def _device(topic: str, body: Mapping[str, Any]) -> str:
    """The EUI; a device without one (activation by personalisation) goes by its id."""
    ids = as_dict(body.get("end_device_ids"))
    said = ids.get("dev_eui") or ids.get("device_id")
    if said is None:
        parts = topic.split("/")
        said = parts[3] if len(parts) > 3 and parts[2] == "devices" else None
    return eui_text(identity(said, "end_device_ids.dev_eui"))


def _uplink(device: str, body: dict[str, Any], key: str, received_at: datetime) -> Decoded:
    message = body.get(key)
    if not isinstance(message, dict):
        raise Refused(REASON_FIELD, f"{key}: must be an object (got {shown(message)})")
    stamp = _stamp(body, message, received_at)
    raw, rejects = frame_bytes(message.get("frm_payload"), "frm_payload")
    fport = port(message.get("f_port"), "f_port")
    flat = _decoded_payload(message, stamp)
    readings = _normalized(device, message, stamp)
    if flat.values or flat.rejects or readings:
        message_class = MessageClass.TELEMETRY
    else:
        message_class = MessageClass.UNDECODED if raw or fport else MessageClass.OTHER
    return Decoded(
        NAME,
        message_class,
        device,
        readings,
        flat.values,
        rejects=(*rejects, *flat.rejects),
        raw_bytes=raw,
        fport=fport,
        link=_link(body, message, stamp),
    )


def _link(body: Mapping[str, Any], message: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    ids = as_dict(body.get("end_device_ids"))
    battery = as_dict(message.get("last_battery_percentage"))
    return link_record(
        frame_counter(message.get("f_cnt")),
        _gateways(message),
        device_id=as_text(ids.get("device_id")),
        time=stamp.ts.isoformat(),
        time_from=stamp.ts_from.value,
        quality=int(stamp.quality) or None,
        last_battery_pct=as_finite(battery.get("value")),
        warnings=[as_text(w) for w in as_list(message.get("decoded_payload_warnings"))[:8]] or None,
    )


def _decoded_payload(message: Mapping[str, Any], stamp: Stamp) -> Flattened:
    decoded = message.get("decoded_payload")
    if decoded is None or isinstance(decoded, dict):
        return flatten(decoded or {}, stamp)
    detail = f"decoded_payload: must be an object (got {shown(decoded)})"
    return Flattened((), (Reject(REASON_FIELD, detail),))


def _normalized(device: str, message: Mapping[str, Any], stamp: Stamp) -> tuple[Reading, ...]:
    """Readings of the stack's normalised payload: one measurement, or a list of them."""
    sent = message.get("normalized_payload")
    readings: list[Reading] = []
    for point in map(as_dict, sent[:POINT_LIMIT] if isinstance(sent, list) else [sent]):
        ts = time_or_none(point.get("time"))
        when = stamp if ts is None else Stamp(ts, TimeSource.DEVICE, stamp.quality)
        for value in flatten(point, when).values:
            reading = _normalized_reading(device, value)
            if reading is not None:
                readings.append(reading)
    return tuple(readings)


def _normalized_reading(device: str, value: RawValue) -> Reading | None:
    metric_name, factor = NORMALIZED.get(value.name, ("", 1.0))
    metric = METRICS.get(metric_name)
    if metric is None or isinstance(value.value, str):
        return None
    number = float(value.value) * factor
    if not metric.low <= number <= metric.high:
        return None
    return Reading(
        device, metric.name, number, metric.unit, value.ts, value.ts_from,
        value.name, value.value, value.unit, value.quality,
    )  # fmt: skip


def _stamp(body: Mapping[str, Any], message: Mapping[str, Any], received_at: datetime) -> Stamp:
    """The network server's time of receipt, then the application server's, then a gateway's.

    Gateway clocks come last here: in captured streams they are years behind, while both
    servers' clocks were right to the second."""
    quality = Quality.SIMULATED if body.get("simulated") is True else Quality.GOOD
    times = list(_times(body, message))
    for ts, ts_from in times:
        if not is_in_future(ts, received_at):
            return Stamp(ts, ts_from, quality)
    if times:
        return Stamp(*times[0], quality)
    return Stamp(received_at, TimeSource.RECEIVED, quality)


def _times(
    body: Mapping[str, Any], message: Mapping[str, Any]
) -> Iterator[tuple[datetime, TimeSource]]:
    heard = receptions(message.get("rx_metadata"))
    for source, sayings in (
        (TimeSource.SERVER, [message.get("received_at"), body.get("received_at")]),
        (TimeSource.GATEWAY, [entry.get("time") for entry in heard]),
    ):
        for said in sayings:
            ts = time_or_none(said)
            if ts is not None:
                yield ts, source


def _gateways(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in receptions(message.get("rx_metadata")):
        ids = as_dict(entry.get("gateway_ids"))
        name = ids.get("gateway_id") or ids.get("eui")
        yield gateway(name, entry.get("rssi"), entry.get("snr"), time_or_none(entry.get("time")))


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    return len(parts) >= 5 and parts[0] == "v3" and parts[2] == "devices"


def _fits(body: Mapping[str, Any]) -> bool:
    inner = _message(dict(body))
    return "end_device_ids" in inner or any(key in inner for key in UPLINKS)


TTN = Format(NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse))
