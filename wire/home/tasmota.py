"""Tasmota: telemetry, status answers, availability, and bridges that speak for other devices.

Topics are those of "MQTT" in Tasmota's documentation: FullTopic in any order, `%prefix%` being
`tele` or `stat`. Units are those its pages about the sensors state; TempUnit, PressureUnit and
SpeedUnit travel with the values, because they are settings of the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from city.gateway import ZIGBEE_BRIDGE, Carrier
from city.lighting import LampCommand
from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    StatusReport,
    TimeSource,
)
from wire.body import as_dict, as_finite, as_list, as_text, identity, parse_object, shown
from wire.command import (
    CannotCommand,
    Commanding,
    Downlink,
    below_feed,
    channel_of,
    identity_of,
    is_dimmable,
)
from wire.format import Format, Refused, about, always_local, fits_object, guarded
from wire.times import is_local_time, time_or_none
from wire.topics import own_levels, plain_text
from wire.values import Stamp, flatten

NAME = "tasmota"
# The default order, the one with a prefix of the house, and `tasmota/%topic%/%prefix%/`.
SUBSCRIPTIONS = (
    "tele/#", "stat/#", "+/tele/#", "+/stat/#", "tasmota/+/tele/+", "tasmota/+/stat/+",
)  # fmt: skip
# Devices of one bridge message that are taken.
BRIDGED_LIMIT = 64
# Before its first contact with a time server a device counts from 1970; an RTC starts in 2000.
CLOCK_SET_SINCE = datetime(2001, 1, 1, tzinfo=UTC)
_PREFIXES = ("tele", "stat", "cmnd")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
# Last levels whose body is always a JSON object.
_JSON_ONLY = re.compile(r"STATE|SENSOR|RESULT|STATUS\d{0,2}|INFO\d|UPTIME|HASS_STATE|Zb\w+|Lw\w+")
_COUNTED = re.compile(r"INFO\d|UPTIME|LOGGING|ZBSTATE|ZbStat\w+|CONFIG|SENSORS", re.IGNORECASE)
_ONLINE = {"Online": True, "Offline": False}
# Names in an answer to a command that tell a state, and not a setting.
_STATES = re.compile(
    r"(POWER|Dimmer|Channel|Switch|Button|Shutter)\d*|Color|HSBColor|White|CT|Zb(Received|Info)|"
    r"Lw(Received|Decoded)"
)
# Messages in which a bridge speaks for its devices; in ZbInfo from its memory.
_BRIDGED = ("ZbReceived", "ZbInfo", "LwReceived", "LwDecoded")
_SHORT_ADDRESS = re.compile(r"0x[0-9A-Fa-f]{4}")
# Codes that a receiver heard: they happened, and measure nothing.
_HEARD = frozenset({"IrReceived", "RfReceived", "SerialReceived", "SSerialReceived", "RfRaw"})
# What the firmware tells about itself and the network in STATE.
_HOUSEKEEPING = frozenset({
    "Time", "Epoch", "Uptime", "Heap", "SleepMode", "Sleep", "LoadAvg", "MqttCount", "Berry",
    "TempUnit", "PressureUnit", "SpeedUnit", "TotalStartTime", "Hostname", "IPAddress",
})  # fmt: skip
_WIFI_KEPT = ("RSSI", "Signal")
# What a bridge says about a device beside its values.
_DESCRIPTION = frozenset({
    "Device", "Name", "Group", "Endpoint", "Endpoints", "Config", "Node", "IEEEAddr", "ModelId",
    "Manufacturer", "Reachable", "LastSeen", "LastSeenEpoch", "DevEUIh", "DevEUIl", "FPort",
    "Payload", "Decoder", "Events", "LastEvent", "Time", "Epoch", "simulated",
})  # fmt: skip
_UNITS = {
    "Humidity": "%", "Illuminance": "lx", "CarbonDioxide": "ppm", "eCO2": "ppm", "TVOC": "ppb",
    "AqaraAngles": "°", "Pitch": "°", "Roll": "°", "Yaw": "°",
    "Signal": "dBm", "SNR": "dB", "Vcc": "V",
    "Voltage": "V", "Current": "A", "Power": "W", "ApparentPower": "VA", "ReactivePower": "var",
    "Frequency": "Hz", "BatteryPercentage": "%", "BatteryVoltage": "V", "BattV": "V",
    "BatV": "V", "RMSVoltage": "V", "RMSCurrent": "A", "ActivePower": "W", "Battery": "%",
}  # fmt: skip
# Counters, whose names mean something else outside ENERGY.
_ENERGY_UNITS = {
    "Total": "kWh", "Yesterday": "kWh", "Today": "kWh", "ExportActive": "kWh",
    "ImportActive": "kWh", "Period": "Wh",
}  # fmt: skip
# Without a sensor before it, `Power` is the switch of a Zigbee device.
_OF_SENSORS = ("Power", "Current", "Voltage", "Frequency")
_DISTANCE_UNITS = {"SR04": "cm", "VL53L0X": "mm", "VL53L1X": "mm", "TOF10120": "mm"}
_TEMPERATURES = ("Temperature", "DewPoint")
_PRESSURES = ("Pressure", "SeaPressure")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    prefix, device, word = _address(topic)
    if prefix == "cmnd" or _COUNTED.fullmatch(word):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": word})
    return about(device, _said, prefix, device, word, payload, received_at)


def _said(prefix: str, device: str, word: str, payload: bytes, received_at: datetime) -> Decoded:
    if word == "LWT":
        return _availability(device, plain_text(payload), received_at)
    if not payload.lstrip().startswith(b"{") and not _JSON_ONLY.fullmatch(word):
        return _plain(device, word, payload, received_at)
    return _object(prefix, device, word, parse_object(payload), received_at)


def _address(topic: str) -> tuple[str, str, str]:
    """Prefix, device and last word. The device may have several levels and stands after the
    prefix, or before it where the FullTopic ends with it."""
    levels = own_levels(topic)
    at = next((i for i, level in enumerate(levels[:-1]) if level in _PREFIXES), None)
    if at is None:
        if levels[:2] == ["tasmota", "discovery"] and len(levels) > 2:
            return "tele", identity(levels[2], "topic"), "CONFIG"
        return "tele", identity(levels[0], "topic") if levels[0] else "", "SENSOR"
    device, word = levels[at + 1 : -1], levels[-1]
    if not device:
        device = levels[1:at] if levels[0] == NAME and at > 1 else levels[:at]
    if not _WORD.fullmatch(word) or not device:
        raise Refused(REASON_TOPIC, f"not a topic of Tasmota: {topic[:200]!r}")
    return levels[at], identity("/".join(device), "topic"), word


def _availability(device: str, word: str, received_at: datetime) -> Decoded:
    if word not in _ONLINE:
        raise Refused(REASON_FIELD, f"body: must be Online or Offline (got {shown(word)})")
    report = StatusReport(
        device, _ONLINE[word], received_at, TimeSource.RECEIVED, {"availability": word}
    )
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,))


def _plain(device: str, word: str, payload: bytes, received_at: datetime) -> Decoded:
    """`stat/…/POWER1 ON`, `tele/…/POWER_LOW ON`: the last level names the value."""
    text = plain_text(payload)
    if not text:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "cleared"})
    flat = flatten({word: text}, Stamp(received_at, TimeSource.RECEIVED))
    return Decoded(NAME, MessageClass.TELEMETRY, device, values=flat.values)


def _object(
    prefix: str, device: str, word: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    if word in _BRIDGED:
        body = {word: body}  # SetOption118 moves the name of the message into the topic
    elif word == "ENERGY":  # firmware before 5.12
        body = {"Time": body.pop("Time", None), word: body}
    elif word.startswith("STATUS") or any(name.startswith("Status") for name in body):
        body = {**as_dict(body.get("StatusSTS")), **as_dict(body.get("StatusSNS"))}
        if not body:
            return Decoded(NAME, MessageClass.OTHER, device, link={"event": word})
    elif prefix == "stat" and word not in ("STATE", "SENSOR") and not any(map(_STATES.match, body)):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": word})
    stamp, link = _stamp(body, received_at)
    parts = tuple(_bridged(device, body, stamp))
    own = _own_values(body)
    if not parts and not own:
        heard = next((name for name in body if name in _HEARD), word)
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": heard})
    if not parts:
        return _telemetry(device, own, body, stamp, link)
    if own:
        parts = (*parts, _telemetry(device, own, body, stamp, link))
    return parts[0] if len(parts) == 1 else Decoded(NAME, MessageClass.TELEMETRY, parts=parts)


def _stamp(body: Mapping[str, Any], received_at: datetime) -> tuple[Stamp, dict[str, Any]]:
    """`Epoch` is UTC, `Time` has an offset in newer firmware and is a wall clock in older."""
    link: dict[str, Any] = {}
    said = body.get("Time")
    ts = time_or_none(as_finite(body.get("Epoch")))
    if ts is None and said is not None:
        ts = time_or_none(said) if isinstance(said, str) else None
        if ts is None and not is_local_time(said):
            problem = "must be an ISO 8601 date and time"
            raise Refused(REASON_FIELD, f"Time: {problem} (got {shown(said)})")
    if isinstance(said, str) and is_local_time(said):
        link["time_local"] = said
    if ts is not None and ts >= CLOCK_SET_SINCE:
        return Stamp(ts, TimeSource.DEVICE), link
    never_set = ts is not None or link.get("time_local", "9") < str(CLOCK_SET_SINCE.year)
    quality = Quality.CLOCK_REPLACED if never_set else Quality.GOOD
    return Stamp(received_at, TimeSource.RECEIVED, quality), link


def _own_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the device tells of itself, without its firmware's housekeeping."""
    kept = {
        name: item
        for name, item in body.items()
        if name not in _HOUSEKEEPING | _HEARD | frozenset(_BRIDGED) and not _is_bridged(name, item)
    }
    if "Wifi" in kept:
        wifi = as_dict(kept["Wifi"])
        kept["Wifi"] = {name: wifi[name] for name in _WIFI_KEPT if name in wifi}
    for name, item in kept.items():
        if isinstance(item, dict) and "TotalStartTime" in item:
            kept[name] = {key: value for key, value in item.items() if key != "TotalStartTime"}
    return kept


def _telemetry(
    device: str, said: Mapping[str, Any], body: Mapping[str, Any], stamp: Stamp,
    link: dict[str, Any],
) -> Decoded:  # fmt: skip
    flat = flatten(said, stamp)
    values = tuple(replace(value, unit=value.unit or _unit(value, body)) for value in flat.values)
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, values=values, rejects=flat.rejects, link=link
    )


def _unit(value: RawValue, body: Mapping[str, Any]) -> str:
    """The unit of a number by its name; arrays have one entry a phase."""
    if not isinstance(value.value, float) or isinstance(value.value, bool):
        return ""
    sensor, _, leaf = re.sub(r"\[\d+\]$", "", value.name).rpartition(".")
    leaf = leaf if leaf in _UNITS else leaf.rstrip("0123456789")  # ANALOG.Temperature1
    if leaf in _TEMPERATURES:
        return "°F" if body.get("TempUnit") == "F" else "°C"
    if leaf in _PRESSURES:
        return as_text(body.get("PressureUnit"), 8) or "hPa"
    if leaf == "Distance":
        return _DISTANCE_UNITS.get(sensor, "")
    if sensor == "ENERGY" and leaf in _ENERGY_UNITS:
        return _ENERGY_UNITS[leaf]
    if leaf in _OF_SENSORS and not sensor:
        return ""
    if leaf == "RSSI":
        return "%" if sensor == "Wifi" else "dBm"
    return _UNITS.get(leaf, "")


def _is_bridged(name: str, item: Any) -> bool:
    """SetOption83 leaves out the name of the message: the address stands alone."""
    return isinstance(item, dict) and _SHORT_ADDRESS.fullmatch(name) is not None


def _bridged(gateway: str, body: Mapping[str, Any], stamp: Stamp) -> Iterator[Decoded]:
    """One part for each device that a Zigbee or LoRaWAN bridge speaks for: the device is a key."""
    groups = [(kind, as_dict(body.get(kind))) for kind in _BRIDGED]
    groups.append(("", {key: item for key, item in body.items() if _is_bridged(key, item)}))
    found = [(kind, key, item) for kind, group in groups for key, item in group.items()]
    for kind, key, item in found[:BRIDGED_LIMIT]:
        if isinstance(item, dict):
            yield _bridged_device(gateway, kind, identity(key, kind or "body"), item, stamp)


def _bridged_device(
    gateway: str, kind: str, device: str, item: Mapping[str, Any], stamp: Stamp
) -> Decoded:
    link = {"via": gateway, **_description(item)}
    if kind == "ZbInfo":
        stamp = _remembered(item, stamp)
    said = {name: value for name, value in item.items() if name not in _DESCRIPTION}
    payload = as_list(item.get("Payload"))
    if kind == "LwReceived" and payload:
        return _frame(device, payload, item, stamp, link)
    if item.get("simulated") is True:
        stamp = replace(stamp, quality=Quality.SIMULATED)
    part = _telemetry(device, said, {}, stamp, link)
    return replace(part, cached=kind == "ZbInfo")


def _description(item: Mapping[str, Any]) -> dict[str, Any]:
    """Names and addresses that a bridge knows beside the key it uses."""
    texts = {
        "name": as_text(item.get("Name")), "ieee": as_text(item.get("IEEEAddr")).lower(),
        "model": as_text(item.get("ModelId") or item.get("Decoder")),
        "dev_eui": (as_text(item.get("DevEUIh")) + as_text(item.get("DevEUIl"))).lower(),
    }  # fmt: skip
    numbers = {"linkquality": as_finite(item.get("LinkQuality"))}
    return {key: value for key, value in (texts | numbers).items() if value not in ("", None)}


def _remembered(item: Mapping[str, Any], stamp: Stamp) -> Stamp:
    """ZbInfo repeats what the bridge remembers, with the time it last heard the device."""
    ts = time_or_none(as_finite(item.get("LastSeenEpoch")))
    if ts is None or ts < CLOCK_SET_SINCE:
        return stamp
    return Stamp(ts, TimeSource.GATEWAY)


def _frame(
    device: str, payload: list[Any], item: Mapping[str, Any], stamp: Stamp, link: dict[str, Any]
) -> Decoded:
    """A LoRaWAN frame for which the bridge has no decoder: its bytes are kept."""
    if not all(type(byte) is int and 0 <= byte <= 255 for byte in payload):
        raise Refused(REASON_FIELD, "Payload: must be a list of bytes, 0 to 255")
    port = as_finite(item.get("FPort"))
    signal = {"rssi_dbm": as_finite(item.get("RSSI")), "snr_db": as_finite(item.get("SNR"))}
    link |= {key: value for key, value in signal.items() if value is not None}
    link |= {
        "time": stamp.ts.isoformat(), "time_from": stamp.ts_from.value,
        "quality": int(stamp.quality),
    }  # fmt: skip
    return Decoded(
        NAME, MessageClass.UNDECODED, device, raw_bytes=bytes(payload),
        fport=int(port) if port is not None and 0 <= port <= 255 else None, link=link,
    )  # fmt: skip


def _matches(topic: str) -> bool:
    levels = topic.split("/")
    if levels[:2] == ["tasmota", "discovery"]:
        return len(levels) > 2
    prefixed = any(level in _PREFIXES for level in levels[:-1])
    return prefixed and len(levels) > 2 and _WORD.fullmatch(levels[-1]) is not None


_MARKS = frozenset({"ENERGY", "Wifi", "StatusSNS", "StatusSTS", "TempUnit", *_BRIDGED})


def _fits(body: Mapping[str, Any]) -> bool:
    if not body.keys().isdisjoint(_MARKS):
        return True
    return isinstance(body.get("Time"), str) and any(isinstance(v, dict) for v in body.values())


def _carriers(decoded: Decoded) -> Iterator[Carrier]:
    """The bridge that a device is behind."""
    if as_text(decoded.link.get("via")):
        yield Carrier(NAME, decoded.link["via"], ZIGBEE_BRIDGE)


# The device answers a command at once (`stat/…/RESULT`).
ANSWERS_S = 15.0
# The order of topics that the firmware ships with; another one is the attribute `full_topic`.
FULL_TOPIC = "%prefix%/%topic%/"


def _encode(command: LampCommand) -> Downlink:
    """`Power<x>` of a relay, `Dimmer` of a light: from 1 on that switches it on as well, 0 off
    ("Commands" of the documentation)."""
    lamp = command.lamp
    channel = channel_of(lamp)
    number = "" if not channel else str(channel + 1)
    if is_dimmable(command):
        word, body = f"Dimmer{number}", str(command.level)
    else:
        word, body = f"POWER{number}", "ON" if command.level else "OFF"
    order = lamp.attributes.get("full_topic", FULL_TOPIC)
    if not isinstance(order, str) or "%prefix%" not in order or "%topic%" not in order:
        raise CannotCommand(
            f"lamp {lamp.code}: attribute full_topic must hold %prefix% and %topic%: {order!r}",
            "attribute", "full_topic",
        )  # fmt: skip
    path = order.replace("%prefix%", "cmnd").replace("%topic%", identity_of(lamp)).rstrip("/")
    return Downlink(below_feed(lamp, f"{path}/{word}"), body.encode())


TASMOTA = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), carriers=_carriers,
    any_prefix=True, is_local=always_local, commanding=Commanding(_encode, ANSWERS_S),
)  # fmt: skip
