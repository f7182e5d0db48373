"""Xiaomi and Aqara gateways: reports of Zigbee devices as numbered properties.

The properties have numbers and no names: `siid.piid` of the MIoT specification, or a resource
name such as `0.12.85`. What a number means depends on the device's model, except for the
resources that all devices share. The messages are those the gateway's own broker carries on
`zigbee/send`, as the XiaomiGateway3 integration for Home Assistant reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    Decoded,
    MessageClass,
    RawValue,
    Reject,
    TimeSource,
)
from wire.body import as_dict, as_finite, as_list, as_text, identity, parse_object, shown
from wire.format import Format, Refused, fits_object, guarded
from wire.times import time_or_none
from wire.topics import own_levels
from wire.values import VALUE_LIMIT, Stamp, flatten

NAME = "xiaomi-gw3"
SUBSCRIPTIONS = ("zigbee/send",)
# Devices of one heartbeat that are taken.
DEVICE_LIMIT = 64
_REPORTS = ("report", "read_rsp", "heartbeat")
_LISTS = ("params", "results", "res_list", "mi_spec")
_RESOURCE = re.compile(r"\d{1,5}\.\d{1,5}(\.\d{1,5})?")
# Resources that mean the same for every device.
_UNITS = {
    "8.0.2001": "%", "8.0.2006": "°C", "8.0.2008": "mV", "0.11.85": "mV", "0.12.85": "W",
    "0.13.85": "Wh", "0.14.85": "mA",
}  # fmt: skip


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_object(payload)
    command = body.get("cmd")
    if not isinstance(command, str) or not command:
        raise Refused(REASON_FIELD, f"cmd: must be a text (got {shown(command)})")
    if command not in _REPORTS or own_levels(topic)[-1] == "recv":
        device = as_text(body.get("did"), 128)
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": command[:64]})
    if command == "heartbeat":
        return _heartbeat(body, received_at)
    return _report(body, body, command, received_at)


def _heartbeat(body: Mapping[str, Any], received_at: datetime) -> Decoded:
    """What the gateway knows of one or several devices, each with its own time."""
    entries = [as_dict(entry) for entry in as_list(body.get("params"))[:DEVICE_LIMIT]]
    parts = tuple(_report(body, entry, "heartbeat", received_at) for entry in entries)
    if not parts:
        raise Refused(REASON_FIELD, "params: must be a list of devices")
    return parts[0] if len(parts) == 1 else Decoded(NAME, MessageClass.TELEMETRY, parts=parts)


def _report(
    body: Mapping[str, Any], entry: Mapping[str, Any], command: str, received_at: datetime
) -> Decoded:
    device = identity(entry.get("did"), "did")
    link = _link(body, entry, command)
    ts = time_or_none(as_finite(entry.get("time"))) or time_or_none(as_finite(body.get("time")))
    source = TimeSource.RECEIVED if ts is None else TimeSource.GATEWAY
    stamp = Stamp(ts or received_at, source)
    values: list[RawValue] = []
    rejects: list[Reject] = []
    for found in _properties(entry, stamp):
        if isinstance(found, RawValue):
            values.append(found)
        else:
            rejects.append(found)
    if not values and not rejects:
        return Decoded(NAME, MessageClass.OTHER, device, link=link)
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, values=tuple(values), rejects=tuple(rejects),
        link=link,
    )  # fmt: skip


def _link(body: Mapping[str, Any], entry: Mapping[str, Any], command: str) -> dict[str, Any]:
    """The level at which the gateway heard the device, and the Zigbee sequence number."""
    link: dict[str, Any] = {"event": command}
    for name in ("rssi", "zseq"):
        number = as_finite(entry.get(name, body.get(name)))
        if number is not None:
            link[name] = number
    return link


def _properties(entry: Mapping[str, Any], stamp: Stamp) -> Iterator[RawValue | Reject]:
    """Each property as `2.1` or `0.12.85`; one that failed to be read has no value."""
    lists = [part for name in _LISTS for part in as_list(entry.get(name))]
    for part in map(as_dict, lists[:VALUE_LIMIT]):
        if part.get("error_code") or part.get("code") or "value" not in part:
            continue
        name = _name(part)
        if not name:
            yield Reject(REASON_FIELD, "property: must have siid and piid, or res_name")
            continue
        flat = flatten({name: part["value"]}, stamp)
        yield from (replace(value, unit=_UNITS.get(name, "")) for value in flat.values)
        yield from flat.rejects


def _name(part: Mapping[str, Any]) -> str:
    resource = part.get("res_name")
    if isinstance(resource, str) and _RESOURCE.fullmatch(resource):
        return resource
    numbers = [part.get("siid"), part.get("piid")]
    if all(type(number) is int and 0 < number < 100_000 for number in numbers):
        return f"{numbers[0]}.{numbers[1]}"
    return ""


def _matches(topic: str) -> bool:
    return topic in ("zigbee/send", "zigbee/recv")


def _fits(body: Mapping[str, Any]) -> bool:
    if body.get("cmd") not in _REPORTS:
        return False
    entries = [as_dict(entry) for entry in as_list(body.get("params"))[:1]]
    return "did" in body or any("did" in entry for entry in entries)


XIAOMI_GW3 = Format(NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse))
