"""Home Assistant MQTT discovery: which device has which values, under which topics and units.

Metadata only: it is counted, and its content stands in `link`. Topics, the abbreviated keys, the
base topic `~` and the device form are those of "MQTT discovery" in Home Assistant's
documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    MessageClass,
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
from wire.format import Format, Refused, fits_object, guarded
from wire.topics import own_levels, plain_text

NAME = "homeassistant"
SUBSCRIPTIONS = (
    "homeassistant/+/+/config", "homeassistant/+/+/+/config", "homeassistant/status",
)  # fmt: skip
# Entities of one device, and identifiers of it, that are kept.
ENTITY_LIMIT = 64
IDENTIFIER_LIMIT = 8
_ONLINE = {"online": True, "offline": False}
_ABBREVIATED = {
    "stat_t": "state_topic", "cmd_t": "command_topic", "dev_cla": "device_class",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template", "uniq_id": "unique_id",
    "dev": "device", "ids": "identifiers", "cns": "connections", "mf": "manufacturer",
    "mdl": "model", "cmps": "components", "p": "platform", "pl_on": "payload_on",
    "pl_off": "payload_off", "stat_cla": "state_class", "obj_id": "object_id", "o": "origin",
    "json_attr_t": "json_attributes_topic", "ent_cat": "entity_category", "t": "topic",
}  # fmt: skip
_TEXTS = (
    "device_class", "state_class", "unit_of_measurement", "state_topic", "command_topic",
    "json_attributes_topic", "value_template", "unique_id", "name", "entity_category", "topic",
)  # fmt: skip
# The value of one key: {{ value_json.battery_low }}, {{ value_json['ENERGY']['Power'] }}.
_JSON_KEY = re.compile(r"value_json((?:\.\w{1,64}|\[['\"][^'\"\]]{1,64}['\"]\]){1,8})")
_KEY_PART = re.compile(r"\.(\w+)|\[['\"]([^'\"\]]+)['\"]\]")
# A Zigbee address inside an identifier ("zigbee2mqtt_0x00124b0001020304").
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{16}")


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    levels = own_levels(topic)
    levels = levels[1:] if levels[0] == NAME and len(levels) > 1 else levels
    if levels == ["status"]:
        return _status(plain_text(payload), received_at)
    if levels[-1] == "config" and not 3 <= len(levels) <= 4:
        problem = "must be {component}/[{node}/]{object}/config"
        raise Refused(REASON_TOPIC, f"topic: {problem} (got {topic[:200]!r})")
    if levels[-1] != "config" and topic.startswith(f"{NAME}/"):
        # A state that somebody publishes beside the discovery: not ours to understand.
        return Decoded(NAME, MessageClass.OTHER, link={"event": "/".join(levels)[:200]})
    # A bridged one has no more than a device in its topic.
    return _config(levels[:-1] if levels[-1] == "config" else ["", levels[0]], payload)


def _status(word: str, received_at: datetime) -> Decoded:
    """Birth and last will of Home Assistant itself."""
    if word not in _ONLINE:
        raise Refused(REASON_FIELD, f"body: must be online or offline (got {shown(word)})", NAME)
    attributes = {"availability": word, "bridge": True}
    report = StatusReport(NAME, _ONLINE[word], received_at, TimeSource.RECEIVED, attributes)
    return Decoded(NAME, MessageClass.STATUS, NAME, statuses=(report,), link={"bridge": True})


def _config(levels: list[str], payload: bytes) -> Decoded:
    """One entity, or with the component `device` all of a device. An empty body removes it."""
    component = levels[0][:IDENTITY_LIMIT] if levels else ""
    node = levels[1][:IDENTITY_LIMIT] if len(levels) > 1 else ""
    link: dict[str, Any] = {"event": "discovery", "component": component}
    if len(levels) > 1:
        link["object_id"] = levels[-1][:IDENTITY_LIMIT]
    if not payload.strip():
        link["event"] = "discovery_removed"
        return Decoded(NAME, MessageClass.OTHER, node, link=link)
    body = _expanded(parse_object(payload))
    about = _expanded(as_dict(body.get("device")))
    link |= _about(about)
    base = as_text(body.get("~"))
    if component == "device" or "components" in body:
        link["components"] = _entities(body, base)
    else:
        link |= _entity(body, base)
    return Decoded(NAME, MessageClass.OTHER, _device(about, node), link=link)


def _expanded(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same object with its keys in full."""
    return {_ABBREVIATED.get(key, key): item for key, item in body.items()}


def _device(about: Mapping[str, Any], node: str) -> str:
    """The device: its Zigbee address, else its first identifier, else what the topic names."""
    for text in _identifiers(about):
        address = _ADDRESS.search(text)
        if address:
            return address[0].lower()
    return next(iter(_identifiers(about)), "") or (identity(node, "topic") if node else "")


def _identifiers(about: Mapping[str, Any]) -> list[str]:
    """`identifiers` is one text or several; `connections` are pairs of kind and address."""
    said = about.get("identifiers")
    found = [said] if isinstance(said, str) else as_list(said)[:IDENTIFIER_LIMIT]
    for pair in as_list(about.get("connections"))[:IDENTIFIER_LIMIT]:
        found.append(as_list(pair)[1] if len(as_list(pair)) == 2 else None)
    return [as_text(item, IDENTITY_LIMIT) for item in found if isinstance(item, str) and item]


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    texts = {f"device_{key}": as_text(about.get(key)) for key in ("name", "manufacturer", "model")}
    known = {key: text for key, text in texts.items() if text}
    identifiers = _identifiers(about)
    return known | {"identifiers": identifiers} if identifiers else known


def _entities(body: Mapping[str, Any], base: str) -> list[dict[str, Any]]:
    """The entities of a device; what stands beside them holds for all that do not say."""
    components = as_dict(body.get("components"))
    common = {key: body[key] for key in ("state_topic", "command_topic") if key in body}
    return [
        {"object_id": key[:IDENTITY_LIMIT], **_entity({**common, **_expanded(as_dict(item))}, base)}
        for key, item in list(components.items())[:ENTITY_LIMIT]
    ]


def _entity(body: Mapping[str, Any], base: str) -> dict[str, Any]:
    """What one value is called, measured in and published under."""
    link: dict[str, Any] = {}
    if isinstance(body.get("platform"), str):
        link["component"] = as_text(body["platform"], 32)
    for field in _TEXTS:
        text = as_text(body.get(field))
        if text:
            link[field] = _with_base(text, base) if field.endswith("topic") else text
    key = _json_key(link.get("value_template", ""))
    if key:
        link["json_key"] = key
    for field, name in (("payload_on", "on_value"), ("payload_off", "off_value")):
        if field in body:
            link[name] = _plain(body[field])
    return link


def _with_base(topic: str, base: str) -> str:
    """`~` at the start or the end of a topic stands for the base topic."""
    if topic.startswith("~"):
        topic = base + topic[1:]
    elif topic.endswith("~"):
        topic = topic[:-1] + base
    return topic[:256]


def _json_key(template: str) -> str:
    """The dotted name of the value, where the template does no more than pick it."""
    found = _JSON_KEY.search(template)
    if found is None:
        return ""
    return ".".join(plain or quoted for plain, quoted in _KEY_PART.findall(found[1]))


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    number = as_finite(value)
    return number if number is not None else as_text(value, 64)


def _matches(topic: str) -> bool:
    return topic.startswith("homeassistant/")


def _fits(body: Mapping[str, Any]) -> bool:
    full = _expanded(body)
    if not isinstance(full.get("device"), dict):
        return False
    named = "unique_id" in full and ("state_topic" in full or "command_topic" in full)
    return named or isinstance(full.get("components"), dict)


HOMEASSISTANT = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), base=NAME
)
