"""Zigbee2MQTT: a device's cached state, single attributes, availability, the bridge's own topics.

Topics, bodies and `last_seen` are those of "MQTT topics and messages" and of the settings in
Zigbee2MQTT's documentation. What a value means is told by the definitions that the bridge
publishes: `parse` does without (see `zigbee2mqtt_meaning`), `parse_defined` is given one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.gateway import ZIGBEE_BRIDGE
from city.lighting import LampCommand
from city.reading import (
    REASON_FIELD,
    Decoded,
    MessageClass,
    Quality,
    Reject,
    StatusReport,
    TimeSource,
)
from wire.body import IDENTITY_LIMIT, as_dict, as_finite, as_text, identity, parse_object, shown
from wire.carriers import by_program
from wire.command import Commanding, Downlink, as_json, identity_of, is_dimmable
from wire.format import Format, Refused, fits_object, guarded
from wire.home.zigbee2mqtt_definitions import Definition
from wire.home.zigbee2mqtt_meaning import meant
from wire.times import is_local_time, time_or_none
from wire.topics import own_levels, plain_text
from wire.values import Stamp, flatten

NAME = "zigbee2mqtt"
SUBSCRIPTIONS = ("zigbee2mqtt/#",)
# The bridge's own topics that this product reads; `parse` only names them.
DEVICES, INFO = "bridge/devices", "bridge/info"
# All of them that are retained or frequent, for a bridge whose base topic is a longer one.
_OF_BRIDGE = frozenset({
    "config", "converters", "definitions", "devices", "event", "extensions", "groups", "health",
    "info", "log", "logging", "state",
})  # fmt: skip
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


def _parse(
    topic: str, payload: bytes, received_at: datetime, definition: Definition | None = None
) -> Decoded:
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
        return _attribute(levels, payload, received_at, definition)
    return _state(levels, payload, received_at, definition)


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


def _attribute(
    levels: list[str], payload: bytes, received_at: datetime, definition: Definition | None
) -> Decoded:
    """Output mode `attribute`: one topic for each name of the state, nested ones `color-x`."""
    device, name = _name(levels[:-1]), levels[-1][:IDENTITY_LIMIT]
    body = {name: plain_text(payload)}
    return _decoded(device, body, Stamp(received_at, TimeSource.RECEIVED), (), {}, definition)


def _state(
    levels: list[str], payload: bytes, received_at: datetime, definition: Definition | None
) -> Decoded:
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
    return replace(_decoded(device, body, stamp, rejects, link, definition), cached=True)


def is_address(identity: str) -> bool:
    """The hardware's own address, which no other device has."""
    return _ADDRESS.fullmatch(identity) is not None


def _address(about: Mapping[str, Any]) -> str:
    """The hardware address from a `device` object, where the bridge sends one along."""
    text = as_text(about.get("ieeeAddr") or about.get("ieee_address"))
    return text.lower() if is_address(text) else ""


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
    link: dict[str, Any], definition: Definition | None,
) -> Decoded:  # fmt: skip
    # A button's `action` is cleared by an empty text: that it ended is no reading.
    said = {name: value for name, value in body.items() if name not in _NO_READINGS and value != ""}
    flat = flatten(said, stamp)
    quality = as_finite(body.get("linkquality"))
    if quality is not None:
        link["linkquality"] = quality
    if definition is not None:
        link["defined_as"] = f"{definition.vendor} {definition.model}".strip()
    endpoint = str(link.get("endpoint", ""))
    return Decoded(
        NAME, MessageClass.TELEMETRY, device,
        values=tuple(meant(value, definition, endpoint) for value in flat.values),
        rejects=(*rejects, *flat.rejects), link=link,
    )  # fmt: skip


def _matches(topic: str) -> bool:
    return topic.startswith("zigbee2mqtt/")


def _fits(body: Mapping[str, Any]) -> bool:
    return "linkquality" in body and "cmd" not in body


def bridge_topic(topic: str) -> tuple[str, str]:
    """Whose topic of its own this is, and which: the levels before `bridge` ("" if its base topic
    is the usual one) and the rest; two empty texts for any other topic."""
    levels = _levels(topic)
    if levels[0] == "bridge" and len(levels) > 1:
        return "", "/".join(levels)
    if len(levels) > 2 and levels[-2] == "bridge" and levels[-1] in _OF_BRIDGE:
        return "/".join(levels[:-2]), "/".join(levels[-2:])
    return "", ""


_parse_guarded = guarded(NAME, _parse)


def parse_defined(
    topic: str, payload: bytes, received_at: datetime, definition: Definition
) -> Decoded:
    """A device's message by what its bridge says of it."""

    def parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
        return _parse(topic, payload, received_at, definition)

    return guarded(NAME, parse)(topic, payload, received_at)


def _parse_any_size(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    """The bridge's own lists, logs and answers are not looked into here: they can be megabytes."""
    base, what = bridge_topic(topic)
    if what and (base or what != "bridge/state"):
        return Decoded(NAME, MessageClass.OTHER, link={"event": what[:200]})
    return _parse_guarded(topic, payload, received_at)


def _lacks(decoded: Decoded) -> str:
    if "defined_as" in decoded.link:
        return ""
    return "no bridge/devices is known here, which says what these values are"


# A mesh of lamps may be slow; the bridge publishes the new state when a lamp has confirmed it.
ANSWERS_S = 30.0
# Zigbee's level of a light ("brightness") at 100 per cent.
BRIGHTNESS_MAX = 254


def _encode(command: LampCommand) -> Downlink:
    """`FRIENDLY_NAME/set` ("MQTT topics and messages" and the pages of lights)."""
    body: dict[str, Any] = {"state": "ON" if command.level else "OFF"}
    if is_dimmable(command) and command.level:
        body["brightness"] = round(command.level * BRIGHTNESS_MAX / 100)
    base = command.lamp.base or NAME
    return Downlink(f"{base}/{identity_of(command.lamp)}/set", as_json(body))


ZIGBEE2MQTT = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), _parse_any_size,
    carriers=by_program(ZIGBEE_BRIDGE), needs="definitions", lacks=_lacks, base=NAME,
    is_local=lambda identity: not is_address(identity),
    commanding=Commanding(_encode, ANSWERS_S),
)  # fmt: skip
