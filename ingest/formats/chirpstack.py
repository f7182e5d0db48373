"""ChirpStack, JSON encoding: v4 events, and the v3 and v1 forms still found in the field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    METRICS,
    REASON_FIELD,
    REASON_RANGE,
    Decoded,
    MessageClass,
    Reading,
    Reject,
    StatusReport,
    TimeSource,
)
from ingest.formats.body import (
    as_dict,
    as_finite,
    as_number,
    as_text,
    identity,
    parse_object,
    shown,
)
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

NAME = "chirpstack"
SUBSCRIPTIONS = ("application/+/device/+/event/+", "application/+/node/+/rx")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_object(payload)
    device = _device(topic, body)
    event = _event(topic, body)
    try:
        return _READERS.get(event, _other)(event, device, body, received_at)
    except Refused as refusal:
        refusal.device = refusal.device or device
        raise


def _device(topic: str, body: Mapping[str, Any]) -> str:
    """The EUI in the body is the identity; the topic changes when a device moves."""
    said = as_dict(body.get("deviceInfo")).get("devEui") or body.get("devEUI")
    if said is None:
        parts = topic.split("/")
        said = parts[3] if len(parts) > 3 else None
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
_OTHER_EVENTS = frozenset({"join", "ack", "txack", "log", "error", "location", "integration"})


def _uplink(event: str, device: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    stamp = _stamp(body, received_at)
    raw, rejects = frame_bytes(body.get("data"), "data")
    fport = port(body.get("fPort"), "fPort")
    link = link_record(
        frame_counter(body.get("fCnt")),
        _gateways(body),
        deduplication=as_text(body.get("deduplicationId")),
        time=stamp.ts.isoformat(),
        time_from=stamp.ts_from.value,
    )
    decoded, refusal = _object(body)
    flat = flatten(decoded, stamp) if decoded else Flattened((), ())
    if flat.values or flat.rejects:
        message_class = MessageClass.TELEMETRY
    else:
        message_class = MessageClass.UNDECODED if raw or fport else MessageClass.OTHER
    return Decoded(
        NAME,
        message_class,
        device,
        values=flat.values,
        rejects=(*rejects, *refusal, *flat.rejects),
        raw_bytes=raw,
        fport=fport,
        link=link,
    )


def _object(body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Reject, ...]]:
    """What the network server's codec made of the frame; v3 may write it as JSON in a text."""
    decoded = body.get("object")
    if decoded is None and isinstance(body.get("objectJSON"), str):
        text = body["objectJSON"]
        decoded = parse_object(text.encode()) if text.strip() else None
    if decoded is None or isinstance(decoded, dict):
        return decoded or {}, ()
    return {}, (Reject(REASON_FIELD, f"object: must be an object (got {shown(decoded)})"),)


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
            readings = (_battery(device, number, stamp),)
            attributes["battery_pct"] = number
        else:
            detail = f"batteryLevel: must be 0 to 100 % (got {shown(level)})"
            rejects = (Reject(REASON_RANGE, detail),)
    report = StatusReport(device, True, stamp.ts, stamp.ts_from, attributes)
    return Decoded(NAME, MessageClass.STATUS, device, readings, statuses=(report,), rejects=rejects)


def _battery(device: str, percent: float, stamp: Stamp) -> Reading:
    unit = METRICS["battery_pct"].unit
    return Reading(
        device, "battery_pct", percent, unit, stamp.ts, stamp.ts_from,
        "batteryLevel", percent, unit, stamp.quality,
    )  # fmt: skip


def _other(event: str, device: str, body: dict[str, Any], received_at: datetime) -> Decoded:
    """Joins, acknowledgements, logs, locations: counted, nothing measured."""
    link: dict[str, Any] = {"event": event}
    for key in ("level", "code", "type", "description", "error", "integrationName"):
        if isinstance(body.get(key), str):
            link[key] = as_text(body[key])
    return Decoded(NAME, MessageClass.OTHER, device, link=link)


_Reader = Callable[[str, str, dict[str, Any], datetime], Decoded]
_READERS: dict[str, _Reader] = {"up": _uplink, "rx": _uplink, "status": _status}


def _stamp(body: Mapping[str, Any], received_at: datetime) -> Stamp:
    """The first time that is not in the future: the message's own (the gateway's clock where
    it has one, else the server's), a gateway's, the server's; else the time of receipt.

    When every clock is ahead the first is kept, for the quality check to refuse it by name."""
    times = list(_times(body))
    for ts, ts_from in times:
        if not is_in_future(ts, received_at):
            return Stamp(ts, ts_from)
    return Stamp(*times[0]) if times else Stamp(received_at, TimeSource.RECEIVED)


def _times(body: Mapping[str, Any]) -> Iterator[tuple[datetime, TimeSource]]:
    heard = receptions(body.get("rxInfo"))
    at_gateway = [t for entry in heard if (t := _gateway_time(entry)) is not None]
    own = time_or_none(body.get("time"))
    if own is not None:
        yield own, TimeSource.GATEWAY if own in at_gateway else TimeSource.SERVER
    for ts in at_gateway:
        yield ts, TimeSource.GATEWAY
    for said in [*(entry.get("nsTime") for entry in heard), body.get("publishedAt")]:
        ts_server = time_or_none(said)
        if ts_server is not None:
            yield ts_server, TimeSource.SERVER


def _gateway_time(entry: Mapping[str, Any]) -> datetime | None:
    return time_or_none(entry.get("gwTime") or entry.get("time"))


def _gateways(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in receptions(body.get("rxInfo")):
        name = entry.get("gatewayId") or entry.get("gatewayID") or entry.get("mac")
        text = eui_text(name) if isinstance(name, str) else ""
        snr = entry["snr"] if "snr" in entry else entry.get("loRaSNR")
        yield gateway(text, entry.get("rssi"), snr, _gateway_time(entry))


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


CHIRPSTACK = Format(NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse))
