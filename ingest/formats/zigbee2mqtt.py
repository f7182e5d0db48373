"""Zigbee2MQTT: a device's cached state, single attributes, availability, the bridge's own topics.

Topics, bodies and `last_seen` are those of "MQTT topics and messages" and of the settings in
Zigbee2MQTT's documentation; units are those of its page of exposes for each device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
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
    StatusReport,
    TimeSource,
)
from ingest.formats.body import (
    IDENTITY_LIMIT,
    as_dict,
    as_finite,
    as_text,
    identity,
    parse_object,
    shown,
)
from ingest.formats.format import Format, Refused, fits_object, guarded
from ingest.formats.times import is_local_time, time_or_none
from ingest.formats.topics import own_levels, plain_text
from ingest.formats.values import Stamp, flatten

NAME = "zigbee2mqtt"
SUBSCRIPTIONS = ("zigbee2mqtt/#",)
# Battery voltages are sent in millivolts and lie above this, voltages of the mains in volts.
MILLIVOLTS_FROM = 1000
# Parts of the state that describe the device and are no readings.
_NO_READINGS = frozenset({"device", "last_seen", "update", "update_available", "elapsed"})
_ONLINE = {"online": True, "offline": False}
# Lights with several endpoints are published once more on a subtopic of this name each.
_ENDPOINT = re.compile(
    r"l\d{1,2}|ep\d{1,2}|left|right|center|top|bottom|(top|bottom|center)_(left|right)|"
    r"row_\d|white|rgb|cct|main|usb|relay|channel_\d|output_\d|button_\d{1,2}"
)
# An IEEE address as Zigbee2MQTT writes it, also where it is the friendly name.
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{16}")
_UNITS = {
    "battery": "%", "temperature": "°C", "device_temperature": "°C", "humidity": "%",
    "soil_moisture": "%", "pressure": "hPa", "illuminance_lux": "lx", "power": "W",
    "current": "A", "energy": "kWh", "power_apparent": "VA", "power_reactive": "var",
    "ac_frequency": "Hz", "co2": "ppm", "angle": "°", "angle_x": "°", "angle_y": "°",
    "angle_z": "°", "angle_x_absolute": "°", "angle_y_absolute": "°",
    "voltage": "V", "liquid_level_percent": "%", "color_temp": "mired", "alarm_time": "s",
    "produced_energy": "kWh", "energy_produced": "kWh", "energy_consumed": "kWh",
    "pm25": "µg/m³", "pm10": "µg/m³",
}  # fmt: skip
# Which phase, conductor or endpoint a value is of: power_phase_b, current_a, energy_l2.
_PART_OF = re.compile(r"_(phase_[abc]|neutral|[abc]|ab|l\d{1,2}|ep\d{1,2}|left|right|\d)$")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    levels = _levels(topic)
    if levels == ["bridge", "state"]:
        return _availability(NAME, payload, received_at, {"bridge": True})
    if len(levels) > 1 and levels[-1] == "availability":
        device = _name(levels[:-1])
        return _availability(device, payload, received_at, {})
    command = _command(levels)
    if command:
        device = _name(levels[: levels.index(command, 1)])
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": command})
    if not payload.strip():
        # A retained state is deleted this way, and so is an attribute that became null.
        return Decoded(NAME, MessageClass.OTHER, _name(levels), link={"event": "cleared"})
    if len(levels) > 1 and not payload.lstrip().startswith(b"{"):
        return _attribute(levels, payload, received_at)
    return _state(levels, payload, received_at)


def _levels(topic: str) -> list[str]:
    """The levels after the base topic; the friendly name may itself have several."""
    levels = own_levels(topic)
    return levels[1:] if levels[0] == NAME and len(levels) > 1 else levels


def _name(levels: list[str]) -> str:
    """The friendly name: spaces, slashes and letters of any language, and it may be empty."""
    text = "/".join(levels)
    return identity(text, "topic") if text.strip() else ""


def _command(levels: list[str]) -> str:
    """`set` or `get` if the topic is one to which commands are sent, else empty."""
    return next((level for level in levels[1:][-2:] if level in ("set", "get")), "")


def _availability(
    device: str, payload: bytes, received_at: datetime, link: dict[str, Any]
) -> Decoded:
    """Bare text in old versions, `{"state": …}` since 2.0."""
    if payload.lstrip().startswith(b"{"):
        word: Any = parse_object(payload).get("state")
    else:
        word = plain_text(payload)
    if not isinstance(word, str) or word not in _ONLINE:
        detail = f"state: must be online or offline (got {shown(word)})"
        raise Refused(REASON_FIELD, detail, device)
    report = StatusReport(
        device, _ONLINE[word], received_at, TimeSource.RECEIVED, {"availability": word, **link}
    )
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,), link=link)


def _attribute(levels: list[str], payload: bytes, received_at: datetime) -> Decoded:
    """Output mode `attribute`: one topic for each name of the state, nested ones `color-x`."""
    device, name = _name(levels[:-1]), levels[-1][:IDENTITY_LIMIT]
    body = {name: plain_text(payload)}
    return _decoded(device, body, Stamp(received_at, TimeSource.RECEIVED), (), {})


def _state(levels: list[str], payload: bytes, received_at: datetime) -> Decoded:
    device = _name(levels)
    try:
        body = parse_object(payload)
    except Refused as refusal:
        refusal.device = device
        raise
    link: dict[str, Any] = {}
    address = _address(as_dict(body.get("device")))
    if address:
        link["name"], device = device, address
    if len(levels) > 1 and _ENDPOINT.fullmatch(levels[-1]):
        link |= {"parent": "/".join(levels[:-1]), "endpoint": levels[-1]}
    stamp, rejects = _stamp(body.get("last_seen"), received_at)
    if is_local_time(body.get("last_seen")):
        link["time_local"] = body["last_seen"]
    if body.get("preheat") is True:
        stamp = replace(stamp, quality=Quality.SUSPECT)
    return replace(_decoded(device, body, stamp, rejects, link), cached=True)


def _address(about: Mapping[str, Any]) -> str:
    """The hardware address from a `device` object, where the bridge sends one along."""
    text = as_text(about.get("ieeeAddr") or about.get("ieee_address"))
    return text.lower() if _ADDRESS.fullmatch(text) else ""


def _stamp(last_seen: Any, received_at: datetime) -> tuple[Stamp, tuple[Reject, ...]]:
    """When the bridge heard the device: ISO text or epoch milliseconds, 0 or null unknown."""
    received = Stamp(received_at, TimeSource.RECEIVED)
    if last_seen is None or last_seen in (0, "", "N/A") or is_local_time(last_seen):
        return received, ()
    ts = time_or_none(last_seen)
    if ts is not None:
        return Stamp(ts, TimeSource.SERVER), ()
    detail = f"last_seen: must be ISO 8601 with an offset or epoch milliseconds ({last_seen!r:.60})"
    return received, (Reject(REASON_FIELD, detail),)


def _decoded(
    device: str, body: Mapping[str, Any], stamp: Stamp, rejects: tuple[Reject, ...],
    link: dict[str, Any],
) -> Decoded:  # fmt: skip
    # A button's `action` is cleared by an empty text: that it ended is no reading.
    said = {name: value for name, value in body.items() if name not in _NO_READINGS and value != ""}
    flat = flatten(said, stamp)
    quality = as_finite(body.get("linkquality"))
    if quality is not None:
        link["linkquality"] = quality
    values, readings = [], []
    for value in flat.values:
        reading = _battery_voltage(device, value)
        if reading is None:
            values.append(replace(value, unit=value.unit or _unit(value)))
        else:
            readings.append(reading)
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, readings=tuple(readings), values=tuple(values),
        rejects=(*rejects, *flat.rejects), link=link,
    )  # fmt: skip


def _battery_voltage(device: str, value: RawValue) -> Reading | None:
    """`voltage` is the mains' in volts or the battery's in millivolts: a name that no model can
    tell apart, so the battery's is a reading already here."""
    if value.name != "voltage" or type(value.value) is not float:
        return None
    volts = value.value / 1000
    if value.value <= MILLIVOLTS_FROM or volts > METRICS["battery_v"].high:
        return None
    return Reading(
        device, "battery_v", volts, "V", value.ts, value.ts_from, value.name, value.sent, "mV",
        value.quality,
    )  # fmt: skip


def _unit(value: RawValue) -> str:
    if type(value.value) is not float:
        return ""
    return _UNITS.get(value.name) or _UNITS.get(_PART_OF.sub("", value.name), "")


def _matches(topic: str) -> bool:
    return topic.startswith("zigbee2mqtt/")


def _fits(body: Mapping[str, Any]) -> bool:
    return "linkquality" in body and "cmd" not in body


_parse_guarded = guarded(NAME, _parse)


def _parse_any_size(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    """The bridge's own lists, logs and answers are counted unread: they can be megabytes."""
    levels = _levels(topic)
    if levels[0] == "bridge" and len(levels) > 1 and levels != ["bridge", "state"]:
        return Decoded(NAME, MessageClass.OTHER, link={"event": "/".join(levels)[:200]})
    return _parse_guarded(topic, payload, received_at)


ZIGBEE2MQTT = Format(NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), _parse_any_size)
