"""ThingPark (Actility): uplinks with or without driver output, notifications, locations.

Field names and meanings: docs.thingpark.com, "ThingPark X IoT Flow: Message" and the tunnel
interface LRC to application server. Older platforms write every number as text, or the report
as XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_RANGE,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reading,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import as_dict, as_finite, as_list, as_text, identity, parse_object, shown
from wire.format import Format, Refused, about, fits_object, guarded
from wire.lorawan.lorawan import (
    BATTERY_EXTERNAL,
    BATTERY_UNKNOWN,
    battery_percent,
    battery_reading,
    battery_record,
    decoded_object,
    details,
    eui_text,
    first_time,
    gateway,
    hex_bytes,
    place,
    receptions,
    said_number,
)
from wire.lorawan.server import FRAME_COUNTERS, Envelope, by_server_and_gateways
from wire.markup import as_object, parse_xml
from wire.times import time_or_none
from wire.topics import level_of
from wire.values import VALUE_LIMIT, Flattened, Stamp, flatten

NAME = "thingpark"
SUBSCRIPTIONS = ("mqtt/things/+/uplink",)
FRAME = Envelope(NAME, "FCntUp", "FPort", "payload_hex", "payload", hex_bytes)
ROOT = "DevEUI_"
_XML_ROOT = re.compile(rb"<(\w+:)?DevEUI_\w+[\s>]")
# Characters of a unit; the longest of the ontology has ten.
UNIT_LIMIT = 16
# What is kept of reports that measure nothing: how a downlink fared, in which slot and why not.
OTHER_KEYS = (
    "DeliveryStatus", "DeliveryFailedCause1", "DeliveryFailedCause2", "DeliveryFailedCause3",
    "CorrelationID",
)  # fmt: skip
# What a location report says, and the name it gets here.
LOCATION = {
    "DevLAT": "latitude", "DevLON": "longitude", "DevAlt": "altitude_m",
    "DevLocRadius": "accuracy_m",
}  # fmt: skip


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    kind, report = _report(_body(payload))
    device = _device(topic, report)
    if kind == "uplink":
        return about(device, _uplink, device, report, received_at)
    if kind == "notification" and report.get("Type") == "devstatusans":
        return about(device, _status, device, report, received_at)
    return _other(kind, device, report)


def _body(payload: bytes) -> dict[str, Any]:
    if not payload.lstrip().startswith(b"<"):
        return parse_object(payload)
    root = parse_xml(payload)
    return {root.tag: as_object(root)}


def _report(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of report and its content: {"DevEUI_uplink": {…}}."""
    key = next((key for key in body if key.startswith(ROOT)), None)
    if key is None:
        raise Refused(REASON_FIELD, "body: holds no DevEUI_… report of ThingPark")
    report = body[key]
    if not isinstance(report, dict):
        raise Refused(REASON_FIELD, f"{key}: must be an object (got {shown(report)})")
    kind = key[len(ROOT) :]
    return kind[:1].lower() + kind[1:], report  # also DevEUI_Uplink, as other servers write it


def _device(topic: str, report: Mapping[str, Any]) -> str:
    said = report.get("DevEUI")
    if said is None:
        said = level_of(topic, 2)
    return eui_text(identity(said, "DevEUI"))


def _uplink(device: str, report: dict[str, Any], received_at: datetime) -> Decoded:
    if "rawJoinRequest" in report:
        return _other("join", device, report)
    stamp = _stamp(report, received_at)
    return FRAME.read(
        device,
        report,
        stamp,
        _gateways(report),
        values=_driver_output(report, stamp),
        sealed=said_number(report.get("PayloadEncryption")) == 1,
        **battery_record(report.get("BatteryLevel")),
        late=stamp.quality is Quality.LATE or None,
        driver_error=as_text(as_dict(report.get("payloadDecodedError")).get("message")),
    )


def _driver_output(report: Mapping[str, Any], stamp: Stamp) -> Flattened:
    """The driver's own names (`payload`), and what only the common ontology (`points`) has."""
    flat = decoded_object(report.get(FRAME.values), FRAME.values, stamp)
    points = list(islice(_points(as_dict(report.get("points")), stamp), VALUE_LIMIT))
    units = {(value.name, value.value): value.unit for value in points if value.unit}
    named = {value.name for value in flat.values}
    own = (
        value if value.unit else replace(value, unit=units.get((value.name, value.value), ""))
        for value in flat.values
    )
    more = (value for value in points if value.name not in named)
    return Flattened((*own, *more), flat.rejects)


def _points(points: Mapping[str, Any], stamp: Stamp) -> Iterator[RawValue]:
    """{"temperature": {"unitId": "Cel", "record": 24}}, or `records` with times of their own."""
    for name, point in points.items():
        content = as_dict(point)
        unit = as_text(content.get("unitId"), UNIT_LIMIT)
        for said, when in _records(content, stamp):
            for value in flatten({name: said}, when).values:
                yield replace(value, unit=value.unit or unit)


def _records(content: Mapping[str, Any], stamp: Stamp) -> Iterator[tuple[Any, Stamp]]:
    """The one value of a point, or stored ones with their times: only the newest is live."""
    records = [as_dict(record) for record in as_list(content.get("records"))[:VALUE_LIMIT]]
    if not records:
        yield content.get("record"), stamp
    times = [time_or_none(record.get("eventTime")) for record in records]
    newest = max((ts for ts in times if ts is not None), default=None)
    for record, ts in zip(records, times, strict=True):
        if ts is None:
            yield record.get("value"), stamp
        else:
            quality = stamp.quality if ts == newest else max(stamp.quality, Quality.LATE)
            yield record.get("value"), Stamp(ts, TimeSource.DEVICE, quality)


def _status(device: str, report: dict[str, Any], received_at: datetime) -> Decoded:
    """The device answered a status request: battery (0 to 255) and margin."""
    stamp = _stamp(report, received_at)
    raw = as_finite(said_number(report.get("Var1")))
    attributes: dict[str, Any] = {}
    readings: tuple[Reading, ...] = ()
    rejects: tuple[Reject, ...] = ()
    margin = as_finite(said_number(report.get("Var2")))
    if margin is not None:
        attributes["margin_db"] = margin
    if raw is None or not BATTERY_EXTERNAL <= raw <= BATTERY_UNKNOWN:
        said = shown(report.get("Var1"))
        rejects = (Reject(REASON_RANGE, f"Var1: must be a battery of 0 to 255 (got {said})"),)
    elif raw == BATTERY_EXTERNAL:
        attributes["external_power"] = True
    elif raw < BATTERY_UNKNOWN:
        attributes["battery_pct"] = battery_percent(raw)
        readings = (battery_reading(device, battery_percent(raw), stamp, "Var1", raw),)
    status = StatusReport(device, True, stamp.ts, stamp.ts_from, attributes)
    return Decoded(NAME, MessageClass.STATUS, device, readings, statuses=(status,), rejects=rejects)


def _other(kind: str, device: str, report: Mapping[str, Any]) -> Decoded:
    """Joins, resets, downlinks sent or rejected, network locations: counted, nothing measured."""
    event = as_text(report.get("Type")) if kind == "notification" else ""
    # Var1 of a join is the session key, and stays out.
    keys = OTHER_KEYS if event != "reset" else (*OTHER_KEYS, "Var1")
    link = {"event": event or kind.lower(), **details(report, keys)}
    if kind == "location":
        link |= place(report, LOCATION)
    return Decoded(NAME, MessageClass.OTHER, device, link=link)


def _stamp(report: Mapping[str, Any], received_at: datetime) -> Stamp:
    """`Time` is when the gateway heard the frame, also of one that it had to keep for a while."""
    late = said_number(report.get("Late")) == 1
    quality = Quality.LATE if late else Quality.GOOD
    times = ((time_or_none(report.get("Time")), TimeSource.GATEWAY),)
    return first_time(times, received_at, quality)


def _gateways(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All receptions; `Lrrs.Lrr` is an object where XML was converted with one entry."""
    said = as_dict(report.get("Lrrs")).get("Lrr")
    heard = receptions(said if isinstance(said, list) else [said])
    best = report.get("Lrrid")
    for entry in heard or ([dict(report)] if best else []):
        time = time_or_none(report.get("Time")) if entry.get("Lrrid") == best else None
        yield gateway(entry.get("Lrrid"), entry.get("LrrRSSI"), entry.get("LrrSNR"), time)


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    return len(parts) == 4 and parts[:2] == ["mqtt", "things"]


def _fits(body: Mapping[str, Any]) -> bool:
    return any(key.startswith(ROOT) for key in body)


def _fits_bytes(payload: bytes) -> bool:
    return _XML_ROOT.search(payload[:512]) is not None


THINGPARK = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), _fits_bytes,
    carriers=by_server_and_gateways, numbering=FRAME_COUNTERS,
)  # fmt: skip
