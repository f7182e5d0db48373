"""Messages of Zigbee2MQTT in a batch against the definitions that its bridges published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from city.reading import Decoded, MessageClass
from db import zigbee
from db.pool import Connection
from db.zigbee import DeviceRow
from ingest.message import Message
from wire.format import Refused, refused
from wire.home.zigbee2mqtt import (
    DEVICES,
    INFO,
    NAME,
    bridge_topic,
    is_address,
    parse_defined,
)
from wire.home.zigbee2mqtt_definitions import (
    Definition,
    exposed_as_json,
    exposed_from_json,
    parse_devices,
    parse_info,
)


def resolve_definitions(
    conn: Connection, messages: Sequence[Message], decoded: Sequence[Decoded], now: datetime
) -> list[Decoded]:
    """The same messages, those of defined devices by their definitions; what bridges say of
    themselves among them is learned first.

    Takes its own transaction, or a part of the caller's. Repeating it with the same messages is
    harmless. Without a message of Zigbee2MQTT nothing is asked of the database."""
    resolved = list(decoded)
    told = [
        (_bridge(messages[number]), number)
        for number, content in enumerate(decoded)
        if content.format == NAME and content.message_class is MessageClass.OTHER
    ]
    told = [(topic, number) for topic, number in told if topic[1] in (DEVICES, INFO)]
    if not told:
        return resolve_defined(conn, messages, resolved)
    with conn.transaction():
        for (bridge, what), number in sorted(told):
            problem = _learn(conn, bridge, what, messages[number], now)
            resolved[number] = problem or resolved[number]
        return resolve_defined(conn, messages, resolved)


def _bridge(message: Message) -> tuple[str, str]:
    """As `bridge_topic`; the bridge of an added feed is called by the levels of that."""
    bridge, what = bridge_topic(message.topic)
    return "/".join(filter(None, (message.base, bridge))) if what else "", what


def _learn(
    conn: Connection, bridge: str, what: str, message: Message, now: datetime
) -> Decoded | None:
    """Keep what a bridge published, unless something newer is kept; what is wrong with it."""
    if not message.payload.strip():
        return None  # the retained message was deleted: its devices go on
    try:
        if what == INFO:
            _learn_info(conn, bridge, message, now)
        else:
            _learn_devices(conn, bridge, message, now)
    except Refused as refusal:
        return refused(NAME, refusal.reject)
    return None


def _learn_info(conn: Connection, bridge: str, message: Message, now: datetime) -> None:
    info = parse_info(message.payload)
    known = zigbee.lock_bridge(conn, bridge, now)
    if known.info_at is None or known.info_at <= message.received_at:
        zigbee.update_info(conn, bridge, info.version, info.converters, message.received_at)


def _learn_devices(conn: Connection, bridge: str, message: Message, now: datetime) -> None:
    digest = blake2b(message.payload, digest_size=16).digest()
    # Bridges repeat the list whenever a device announces itself. It is read before the bridge is
    # locked: that takes a tenth of a second.
    is_known = zigbee.find_digest(conn, bridge) == digest
    devices = [] if is_known else parse_devices(message.payload)
    known = zigbee.lock_bridge(conn, bridge, now)
    if known.devices_at is not None and known.devices_at > message.received_at:
        return  # another worker stored a newer one
    if known.digest != digest:
        devices = devices or parse_devices(message.payload)
        zigbee.replace_devices(conn, bridge, [_as_row(bridge, device) for device in devices])
    zigbee.mark_devices(conn, bridge, digest, message.received_at)


def _as_row(bridge: str, device: Definition) -> DeviceRow:
    exposed = None if device.exposed is None else exposed_as_json(device.exposed)
    identity = f"{bridge}/{device.name}" if bridge else device.name
    return DeviceRow(
        bridge, device.ieee, identity, device.name, device.model_id, device.vendor, device.model,
        device.version, device.power_source, exposed,
    )  # fmt: skip


def resolve_defined(
    conn: Connection, messages: Sequence[Message], decoded: Sequence[Decoded]
) -> list[Decoded]:
    """By the definitions that are known by now; nothing is learned."""
    resolved = list(decoded)
    values = {
        number: _names(content, messages[number].base)
        for number, content in enumerate(decoded)
        if content.format == NAME and content.values
    }
    if not values:
        return resolved
    rows = zigbee.find_devices(conn, {name for names in values.values() for name in names})
    by_name = {row.ieee: row for row in rows} | {row.identity: row for row in rows}
    definitions: dict[str, Definition] = {}
    for number, names in values.items():
        row = next((by_name[name] for name in names if name in by_name), None)
        if row is None or row.exposed is None:
            continue
        if row.identity not in definitions:
            definitions[row.identity] = _definition(row)
        message = messages[number]
        resolved[number] = parse_defined(
            message.topic, message.payload, message.received_at, definitions[row.identity]
        )
    return resolved


def _definition(row: DeviceRow) -> Definition:
    return Definition(
        row.ieee, row.name, row.model_id, row.vendor, row.model, row.version, row.power_source,
        exposed_from_json(row.exposed or {}),
    )  # fmt: skip


def _names(content: Decoded, base: str) -> list[str]:
    """What the message calls its device, the hardware address before the friendly name, which
    may have been another's; and for an endpoint the device that it is a part of. Behind the
    `base` of an added feed names are its own."""
    names = (content.device, content.link.get("name"), content.link.get("parent"))
    said = [str(name) for name in names if name]
    return [f"{base}/{name}" if base and not is_address(name) else name for name in said]


def trim(conn: Connection) -> None:
    """Forget bridges that nobody needs, where there are too many."""
    zigbee.trim(conn)
