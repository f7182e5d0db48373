"""Shelly, both generations of its MQTT: one value a topic, or notifications of components.

Topics, names and units are those of the vendor's "Gen1 Device API" and "Gen2+ Device API"
(RPC notifications, MQTT and the component pages). Generation 2 tells in NotifyStatus only what
changed, and null is "unknown"; generation 1 says -1 or 999 for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from city.lighting import Lamp, LampAnswer, LampCommand
from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import (
    IDENTITY_LIMIT,
    as_dict,
    as_finite,
    as_list,
    as_text,
    identity,
    parse_object,
    shown,
)
from wire.command import (
    CannotCommand,
    Commanding,
    Downlink,
    as_json,
    below_feed,
    channel_of,
    identity_of,
    is_dimmable,
)
from wire.format import Format, Refused, about, fits_object, guarded
from wire.times import time_or_none
from wire.topics import own_levels, plain_text
from wire.values import Stamp, flatten

NAME = "shelly"
GEN1_ROOT = "shellies"
# Whom a device of generation 2 sends its answers to: `{src of the request}/rpc`. Not `gridwarden`:
# below that our own marks of the broker's queues go.
SOURCE = "gridwarden-shelly"
SUBSCRIPTIONS = ("shellies/#", f"{SOURCE}/#", "+/events/rpc", "+/status/+", "+/online")
# Without contact to a time server the clocks count from 0, that is from 1970.
CLOCK_SET_SINCE = datetime(2001, 1, 1, tzinfo=UTC)
# Components of one message that are taken; the largest device has about thirty.
COMPONENT_LIMIT = 128
# Entries of a list (events, errors) that are kept with a message.
LIST_LIMIT = 16
_TRUTHS = {"true": True, "false": False}

# ---- generation 1 -------------------------------------------------------------------------

# Topics of a device that are no readings: commands to it, and what it says about itself.
_GEN1_OTHER = frozenset({"command", "set", "announce", "input_event", "act_reasons", "settings"})
# What a sensor says when it does not know.
_GEN1_UNKNOWN = ("unknown", "-1", "-1.0")
_GEN1_NO_PROBE = ("unknown", "999", "999.0", "-999")
_GEN1_PROBES = frozenset({"temperature", "humidity", "ext_temperature", "ext_humidity"})
_GEN1_NEVER_NEGATIVE = ("ppm", "tilt", "vibration")
_GEN1_NAMES = {"concentration": "concentration_ppm"}  # the name under which fleets know it
# A battery thermometer set to Fahrenheit sends that on `sensor/temperature` without saying so.
_GEN1_UNITS = {
    "power": "W", "voltage": "V", "current": "A", "reactive_power": "var", "total": "Wh",
    "total_returned": "Wh", "energy": "Wmin", "returned_energy": "Wmin",
    "temperature": "°C", "temperature_f": "°F", "ext_temperature": "°C",
    "ext_temperature_f": "°F", "ext_humidity": "%", "humidity": "%", "battery": "%",
    "lux": "lx", "tilt": "°", "concentration_ppm": "ppm", "brightness": "%", "pos": "%",
    "concentration.ppm": "ppm", "bat.value": "%", "bat.voltage": "V", "bat": "%", "hum.value": "%",
    "tmp.tC": "°C", "tmp.tF": "°F", "lux.value": "lx", "accel.tilt": "°", "tC": "°C",
    "tF": "°F", "rssi": "dBm", "adc": "V",
}  # fmt: skip
# Parts of the status object and of component objects that are no readings.
_GEN1_HOUSEKEEPING = frozenset({
    "actions_stats", "cfg_changed_cnt", "cloud", "fs_free", "fs_size", "has_update", "mac", "mqtt",
    "ram_free", "ram_total", "ram_lwm", "serial", "time", "unixtime", "update", "uptime",
    "source", "has_timer", "timer_started", "timer_duration", "timer_remaining",
    "transition", "counters", "timestamp", "act_reasons", "connect_retries", "id", "model", "ip",
    "fw_ver", "new_fw",
})  # fmt: skip
_GAS_TRUSTED = "normal"  # gas_sensor.sensor_state: any other means warm-up, fault or unknown

# ---- generation 2 and later ---------------------------------------------------------------

# The name that a device has from its maker, with its hardware address.
_HARDWARE = re.compile(r"shelly[a-z0-9]*-[0-9A-Fa-f]{6,12}")
_COMPONENT = re.compile(r"[a-z][a-z0-9_]{1,31}:\d{1,6}")
_SYSTEM = frozenset({"sys", "wifi", "eth", "ble", "cloud", "mqtt", "ws", "modbus", "ht_ui", "ui",
                     "script", "knx", "matter", "zigbee", "bthome", "plugs_ui", "ota"})  # fmt: skip
_GEN2_HOUSEKEEPING = frozenset({
    "id", "source", "by_minute", "minute_ts", "timer_started_at", "timer_duration", "errors",
    "flags", "user_calibrated_phase", "transition", "move_started_at", "move_timeout",
    "last_updated_ts", "packet_id",
})  # fmt: skip
_GEN2_UNITS = {
    "apower": "W", "aprtpower": "VA", "act_power": "W", "aprt_power": "VA", "voltage": "V",
    "current": "A", "freq": "Hz", "total": "Wh", "tC": "°C", "tF": "°F", "rh": "%", "percent": "%",
    "V": "V", "lux": "lx", "brightness": "%", "current_pos": "%", "ct": "K", "rssi": "dBm",
    "total_act": "Wh", "total_act_ret": "Wh", "total_act_energy": "Wh",
    "total_act_ret_energy": "Wh", "battery": "%",
}  # fmt: skip
_PHASE = re.compile(r"(?:[abcn]|total)_")
# Errors by which a component says that its values cannot be trusted.
_ERRORS_OF_VALUES = ("power_meter_failure", "out_of_range", "read", "ct_type_not_set")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    levels = own_levels(topic)
    if levels[0] == SOURCE and levels[-1] == "rpc":
        device = "/".join(levels[1:-1])
        return about(device, _answer, device, payload)
    if levels[0] == GEN1_ROOT and len(levels) > 2:
        levels = levels[1:]
        if not _is_gen2(levels):
            return _gen1(levels, payload, received_at)
    device, rest = _split(levels)
    return about(device, _later, device, rest, payload, received_at)


def _answer(device: str, payload: bytes) -> Decoded:
    """The answer to a call of ours. `device` stands in the topic where its prefix is not its
    maker's name: `src` of the frame is that name in any case."""
    body = parse_object(payload)
    device = identity(device or body.get("src"), "src")
    decoded = Decoded(NAME, MessageClass.OTHER, device, link={"event": "answer"})
    token = body.get("id")
    if not isinstance(token, str) or not ("result" in body or "error" in body):
        return decoded
    error = as_dict(body.get("error"))
    said = as_text(error.get("message")) or as_text(error.get("code"))
    answer = LampAnswer(identity(token, "id"), "error" not in body, None, said)
    return replace(decoded, answer=answer)


def _is_gen2(levels: list[str]) -> bool:
    """A newer device whose topic prefix was set to begin with that of the older ones."""
    return levels[-2:] == ["events", "rpc"] or _is_component(levels)


def _is_component(levels: list[str]) -> bool:
    """`…/status/switch:0`; generation 1 has `…/light/0/status`."""
    known = _COMPONENT.fullmatch(levels[-1]) is not None or levels[-1] in _SYSTEM
    return len(levels) > 2 and levels[-2] == "status" and known


def _split(levels: list[str]) -> tuple[str, list[str]]:
    """The device (a topic prefix may have several levels) and what follows it."""
    if _is_gen2(levels):
        return identity("/".join(levels[:-2]), "topic"), levels[-2:]
    if len(levels) > 1:
        return identity("/".join(levels[:-1]), "topic"), levels[-1:]
    return (identity(levels[0], "topic") if levels[0] else ""), []


def _later(device: str, rest: list[str], payload: bytes, received_at: datetime) -> Decoded:
    """Generation 2, and status objects that came without a topic that tells more."""
    if not payload.strip():
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "cleared"})
    if device == GEN1_ROOT:
        return Decoded(NAME, MessageClass.OTHER, link={"event": "/".join(rest)[:64]})
    if rest == ["online"]:
        return _availability(device, payload, received_at)
    if rest[:1] == ["status"] and len(rest) == 2:
        body = {rest[1]: parse_object(payload)}
        return _components(device, body, received_at, None, rest[1])
    if rest in ([], ["rpc"], ["events", "rpc"], ["status"], ["info"]):
        return _frame(device, parse_object(payload), received_at)
    return Decoded(NAME, MessageClass.OTHER, device, link={"event": "/".join(rest)[:64]})


def _availability(device: str, payload: bytes, received_at: datetime) -> Decoded:
    word = plain_text(payload)
    if word not in _TRUTHS:
        detail = f"online: must be true or false (got {shown(word)})"
        raise Refused(REASON_FIELD, detail, device)
    report = StatusReport(
        device, _TRUTHS[word], received_at, TimeSource.RECEIVED, {"availability": word}
    )
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,))


def _stamp(seconds: Any, received_at: datetime) -> Stamp:
    """Epoch seconds of the device's clock; null and 0 before it was ever set."""
    ts = time_or_none(as_finite(seconds))
    if ts is not None and ts >= CLOCK_SET_SINCE:
        return Stamp(ts, TimeSource.DEVICE)
    quality = Quality.GOOD if seconds is None else Quality.CLOCK_REPLACED
    return Stamp(received_at, TimeSource.RECEIVED, quality)


# ---- generation 1 -------------------------------------------------------------------------


def _gen1(levels: list[str], payload: bytes, received_at: datetime) -> Decoded:
    device, rest = identity(levels[0], "topic"), levels[1:]
    stamp = Stamp(received_at, TimeSource.RECEIVED)
    try:
        if not _GEN1_OTHER.isdisjoint(rest) or not payload.strip():
            word = "/".join(rest)[:64] if payload.strip() else "cleared"
            return Decoded(NAME, MessageClass.OTHER, device, link={"event": word})
        if rest == ["online"]:
            return _availability(device, payload, received_at)
        if rest in (["info"], ["status"]):
            return _gen1_status(device, parse_object(payload), received_at)
        if payload.lstrip().startswith(b"{"):
            return _gen1_component(device, rest, parse_object(payload), stamp)
        return _gen1_value(device, rest, plain_text(payload), stamp)
    except Refused as refusal:
        refusal.device = device
        raise


def _gen1_value(device: str, rest: list[str], text: str, stamp: Stamp) -> Decoded:
    """The body is the value; `sensor/x` is called x, the others by their whole path."""
    name = rest[-1] if rest[0] == "sensor" else ".".join(rest)
    name = _GEN1_NAMES.get(name, name)[:IDENTITY_LIMIT]
    if text in _words_for_unknown(rest):
        return Decoded(NAME, MessageClass.TELEMETRY, device, link={"unknown": name})
    if text == "test":
        stamp = replace(stamp, quality=Quality.SUSPECT)
    return _gen1_telemetry(device, {name: text}, stamp, {})


def _words_for_unknown(rest: list[str]) -> tuple[str, ...]:
    """A meter may well measure -1, and so may a thermometer."""
    if not _GEN1_PROBES.isdisjoint(rest):
        return _GEN1_NO_PROBE
    return _GEN1_UNKNOWN if rest[0] == "sensor" else ()


def _gen1_component(device: str, rest: list[str], body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    """`light/0/status`: the first channel's names stand alone, those of others tell which."""
    path = [level for level in rest if level != "status"]
    said: Mapping[str, Any] = body
    if len(path) > 1 and path[-1] != "0":
        said = {".".join(path): body}
    elif len(path) == 1:
        said = {path[0]: body}
    return _gen1_telemetry(device, said, stamp, {})


def _gen1_status(device: str, body: Mapping[str, Any], received_at: datetime) -> Decoded:
    """The whole status of a device; `unixtime` is UTC, `time` the wall clock."""
    link: dict[str, Any] = {}
    mac = as_text(body.get("mac"))
    if mac and not device:
        # The gas sensor is the one device whose model, and so its id, the body gives away.
        device = identity(f"shellygas-{mac}" if "gas_sensor" in body else mac, "mac")
    elif mac:
        link["mac"] = mac
    stamp = _stamp(body.get("unixtime"), received_at)
    said = dict(body)
    rssi = as_finite(as_dict(body.get("wifi_sta")).get("rssi"))
    said.pop("wifi_sta", None)
    if rssi:  # 0 is no level
        link["wifi_rssi"] = rssi
        said["wifi_sta"] = {"rssi": rssi}
    state = as_dict(body.get("gas_sensor")).get("sensor_state")
    if state is not None and state != _GAS_TRUSTED:
        stamp = replace(stamp, quality=Quality.SUSPECT)
        link["sensor_state"] = as_text(state, 32)
    return _gen1_telemetry(device, said, stamp, link)


def _gen1_telemetry(
    device: str, said: Mapping[str, Any], stamp: Stamp, link: dict[str, Any]
) -> Decoded:
    flat = flatten(_gen1_readings(said), stamp)
    set_to = {"tmp.value": "°F" if as_dict(said.get("tmp")).get("units") == "F" else "°C"}
    values = tuple(
        replace(v, unit=v.unit or set_to.get(v.name) or _gen1_unit(v)) for v in flat.values
    )
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, values=values, rejects=flat.rejects, link=link
    )


def _gen1_readings(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without housekeeping, and without what the device itself calls invalid or unknown."""
    kept: dict[str, Any] = {}
    for name, item in said.items():
        if name in _GEN1_HOUSEKEEPING:
            continue
        if isinstance(item, dict):
            item = _valid(item)
        elif isinstance(item, list):
            item = [_valid(part) if isinstance(part, dict) else part for part in item]
        kept[name] = item
    return kept


def _valid(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("is_valid") is False:
        return {"is_valid": False}
    return {
        name: item
        for name, item in part.items()
        if name not in _GEN1_HOUSEKEEPING and not (name in _GEN1_NEVER_NEGATIVE and item == -1)
    }


def _gen1_unit(value: RawValue) -> str:
    if type(value.value) is not float:
        return ""
    if value.name in _GEN1_UNITS:
        return _GEN1_UNITS[value.name]
    path = re.sub(r"\[\d+\]|\.\d+$", "", value.name)
    if path.startswith("meters.") and path.endswith(".total"):
        return "Wmin"  # the sum of a plain meter; that of an energy meter is in Wh
    return _GEN1_UNITS.get(path.rpartition(".")[2], "")


# ---- generation 2 and later ---------------------------------------------------------------


def _frame(device: str, body: Mapping[str, Any], received_at: datetime) -> Decoded:
    """An RPC frame: a notification, or an answer, which may be a whole status."""
    method = body.get("method")
    source = body.get("src")
    if isinstance(source, str) and source and (method is not None or "result" in body):
        device = identity(source, "src")
    if method in ("NotifyStatus", "NotifyFullStatus"):
        params = body.get("params")
        if not isinstance(params, dict):
            raise Refused(REASON_FIELD, f"params: must be an object (got {shown(params)})", device)
        return _components(device, params, received_at, params.get("ts") or 0, str(method))
    if method == "NotifyEvent":
        return Decoded(NAME, MessageClass.OTHER, device, link=_events(as_dict(body.get("params"))))
    if isinstance(method, str):
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": f"call {method[:64]}"})
    status = as_dict(body["result"]) if "result" in body else body
    if _is_status(status):
        system = as_dict(status.get("sys"))
        clock = system.get("unixtime") or 0 if system else None
        return _components(
            device or as_text(system.get("mac")), status, received_at, clock, "status"
        )
    if "result" in body or "error" in body:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "answer"})
    if _is_gen1_status(body):
        return _gen1_status(device, body, received_at)
    if "ison" in body:
        stamp = Stamp(received_at, TimeSource.RECEIVED)
        return _gen1_telemetry(device, body, stamp, {})
    raise Refused(REASON_TOPIC, "neither a notification nor a status of a Shelly device", device)


def _events(params: Mapping[str, Any]) -> dict[str, Any]:
    """What happened (a button, a detected motion): counted, because it is no state."""
    events = [as_dict(event) for event in as_list(params.get("events"))[:LIST_LIMIT]]
    return {
        "event": ", ".join(as_text(event.get("event"), 32) for event in events) or "NotifyEvent",
        "components": [as_text(event.get("component"), 32) for event in events],
    }


def _components(
    device: str, body: Mapping[str, Any], received_at: datetime, clock: Any, event: str
) -> Decoded:
    """The values of every component that the message tells of, each as `switch:0.apower`."""
    stamp = _stamp(clock, received_at)
    link: dict[str, Any] = {"event": event}
    values: list[RawValue] = []
    rejects: list[Reject] = []
    errors: list[str] = []
    for name, part in islice(_said(body), COMPONENT_LIMIT):
        own = [as_text(error, 64) for error in as_list(part.get("errors"))[:LIST_LIMIT]]
        errors += [f"{name}: {error}" for error in own]
        suspect = any(error.startswith(_ERRORS_OF_VALUES) for error in own)
        when = replace(stamp, quality=max(stamp.quality, Quality.SUSPECT)) if suspect else stamp
        flat = flatten({name: _without_housekeeping(part)}, when)
        values += [replace(v, unit=v.unit or _gen2_unit(v)) for v in flat.values]
        rejects += flat.rejects
    if errors:
        link["errors"] = errors[:LIST_LIMIT]
    if not values and not rejects:
        return Decoded(NAME, MessageClass.OTHER, device, link=link)
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, values=tuple(values), rejects=tuple(rejects),
        link=link,
    )  # fmt: skip


def _said(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Components that measure something, and the Wi-Fi level."""
    for name, part in body.items():
        if not isinstance(part, dict):
            continue
        if _COMPONENT.fullmatch(name) and not name.startswith("script:"):
            yield name, part
        elif name == "wifi" and part.get("rssi"):  # 0 is no level: the device is on Ethernet
            yield name, {"rssi": part["rssi"]}


def _without_housekeeping(part: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    return {
        name: _without_housekeeping(item, depth + 1)
        if isinstance(item, dict) and depth < 4
        else item
        for name, item in part.items()
        if name not in _GEN2_HOUSEKEEPING
    }


def _gen2_unit(value: RawValue) -> str:
    if type(value.value) is not float:
        return ""
    path, _, leaf = value.name.rpartition(".")
    if leaf == "total" and not path.endswith("aenergy"):
        return ""  # the pulses of an input
    return _GEN2_UNITS.get(leaf) or _GEN2_UNITS.get(_PHASE.sub("", leaf, count=1), "")


def _is_status(body: Mapping[str, Any]) -> bool:
    return any(map(_COMPONENT.fullmatch, body)) or "unixtime" in as_dict(body.get("sys"))


def _is_gen1_status(body: Mapping[str, Any]) -> bool:
    return "mac" in body and ("wifi_sta" in body or "unixtime" in body)


def _matches(topic: str) -> bool:
    levels = topic.split("/")
    if levels[0] in (GEN1_ROOT, SOURCE):
        return len(levels) > 1
    if topic.startswith("shelly") and len(levels) > 1:
        return True
    if levels[-1] == "online":
        return len(levels) == 2
    return len(levels) > 2 and _is_gen2(levels)


def _fits(body: Mapping[str, Any]) -> bool:
    method = body.get("method")
    if isinstance(method, str) and method.startswith("Notify") and "src" in body:
        return True
    return _is_status(body) or _is_gen1_status(body) or "ison" in body


# ---- commands -----------------------------------------------------------------------------

# The new state is published as soon as the output has changed.
ANSWERS_S = 15.0
_GEN2_NAME = re.compile(r"shelly(plus|pro|wall|[a-z0-9]*g[34]-)", re.IGNORECASE)
_GEN1_NAME = re.compile(r"shelly[a-z0-9]+-[0-9A-Fa-f]{6,12}")


def _generation(lamp: Lamp, name: str) -> int:
    said = lamp.attributes.get("generation")
    if said is None and _GEN2_NAME.match(name):
        return 2
    if said is None and _GEN1_NAME.fullmatch(name):
        return 1
    if said not in (1, 2):
        raise CannotCommand(
            f"lamp {lamp.code}: its name does not tell the generation of the Shelly;"
            f" attribute generation must be 1 or 2: {said!r}",
            "attribute", "generation",
        )  # fmt: skip
    return int(said)


def _encode(command: LampCommand) -> Downlink:
    """Generation 1: `light/N/set`, or `relay/N/command` of a switch. Generation 2: `Light.Set` or
    `Switch.Set` to `PREFIX/rpc`."""
    lamp, on = command.lamp, command.level > 0
    name, channel, dimmable = identity_of(lamp), channel_of(lamp), is_dimmable(command)
    if _generation(lamp, name) == 1:
        device = below_feed(lamp, f"{GEN1_ROOT}/{name}")
        if not dimmable:
            return Downlink(f"{device}/relay/{channel}/command", b"on" if on else b"off")
        body: dict[str, Any] = {"turn": "on" if on else "off"}
        return Downlink(
            f"{device}/light/{channel}/set",
            as_json(body | ({"brightness": command.level} if on else {})),
        )
    params: dict[str, Any] = {"id": channel, "on": on}
    if dimmable and on:
        params["brightness"] = command.level
    # Its answer says its maker's name, not the prefix of its topics: that stands in the topic.
    source = SOURCE if _HARDWARE.fullmatch(name) else f"{SOURCE}/{name}"
    call = {
        "id": command.token, "src": source, "method": "Light.Set" if dimmable else "Switch.Set",
        "params": params,
    }  # fmt: skip
    return Downlink(below_feed(lamp, f"{name}/rpc"), as_json(call))


SHELLY = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse),
    any_prefix=True, is_local=lambda identity: not _HARDWARE.fullmatch(identity),
    commanding=Commanding(_encode, ANSWERS_S, acknowledges=True),
)  # fmt: skip
