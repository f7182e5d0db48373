"""What a decoded message says about the gateways and servers that carried it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from city.gateway import NETWORK_SERVER, Heard
from city.reading import Decoded, MessageClass
from wire.body import IDENTITY_LIMIT, as_finite, as_text
from wire.cameras import frigate
from wire.home import tasmota, zigbee2mqtt
from wire.industry import sparkplug
from wire.lorawan import chirpstack, chirpstack_gateway

LORAWAN_GATEWAY = "lorawan_gateway"
SPARKPLUG_NODE = "sparkplug_node"
ZIGBEE_BRIDGE = "zigbee_bridge"
NVR = "nvr"

# Radios hear from about -150 to +20 dBm. More than this is no signal, and much more does not fit
# the column: one such figure would fail the whole batch.
SIGNAL_LIMIT_DB = 1000

# Formats in which one server speaks for all devices: network servers and IoT platforms.
SERVERS = frozenset({
    "chirpstack", "ttn", "thingpark", "loriot", "netmore", "iotda", "jetlinks", "thingsboard",
    "ngsi", "lwm2m",
})  # fmt: skip
# Programs of which there is one, and that say themselves whether they run.
_PROGRAMS = {zigbee2mqtt.NAME: ZIGBEE_BRIDGE, frigate.NAME: NVR}
# Sparkplug messages that only a living edge node sends.
_FROM_LIVING_NODES = frozenset(
    {sparkplug.Kind.NBIRTH, sparkplug.Kind.NDATA, sparkplug.Kind.DBIRTH, sparkplug.Kind.DDATA}
    | {sparkplug.Kind.DDEATH}
)


class KnownDevice(Protocol):
    """The registry's row of the device that a message is of."""

    @property
    def id(self) -> int: ...
    @property
    def district(self) -> str: ...


def heard(
    decoded: Decoded, device: KnownDevice | None, received_at: datetime, *, retained: bool = False
) -> Iterator[Heard]:
    """Signs of gateways in one message, or the part of one, that is of one device.

    What the broker had retained is a gateway's word and no sign of life. Receptions count only
    for registered devices: frames of strangers are not ours to judge a gateway by.
    """
    if decoded.message_class is MessageClass.INVALID:
        return
    if decoded.link.get("bridge"):
        yield from _own_word(decoded, received_at, retained)
        return
    if retained:
        return
    if decoded.format in SERVERS:
        yield Heard(decoded.format, decoded.format, NETWORK_SERVER, received_at)
    yield from _carriers(decoded, device, received_at)


def _own_word(decoded: Decoded, received_at: datetime, retained: bool) -> Iterator[Heard]:
    """A gateway says that it is there, or its Last Will says that it is not."""
    for status in decoded.statuses:
        who = _speaker(decoded, status.device)
        if who is not None and status.online is not None:
            alive = status.online and not retained
            yield Heard(*who, received_at, is_alive=alive, online=status.online)


def _speaker(decoded: Decoded, identity: str) -> tuple[str, str, str] | None:
    """Format, identity and kind of the gateway; None: the word is not of a gateway."""
    if decoded.format in _PROGRAMS:
        return decoded.format, decoded.format, _PROGRAMS[decoded.format]
    if decoded.format == chirpstack_gateway.NAME:
        return chirpstack.NAME, identity, LORAWAN_GATEWAY
    levels = identity.split("/")
    is_node = len(levels) == 2 and levels[0] != sparkplug.STATE
    if decoded.format == sparkplug.NAME and is_node:  # devices that went with it have three
        return decoded.format, identity, SPARKPLUG_NODE
    return None


def _carriers(
    decoded: Decoded, device: KnownDevice | None, received_at: datetime
) -> Iterator[Heard]:
    """Through whom a message came that is of a device."""
    where: dict[str, Any] = {}
    if device is not None:
        where = {"device_id": device.id, "district": device.district}
    link, name = decoded.link, decoded.format
    if name in _PROGRAMS:
        yield Heard(name, name, _PROGRAMS[name], received_at, **where)
    elif name == sparkplug.NAME and link.get("event") in _FROM_LIVING_NODES:
        node = "/".join(decoded.device.split("/")[:2])
        yield Heard(name, node, SPARKPLUG_NODE, received_at, **where)
    elif name == tasmota.NAME and device is not None and as_text(link.get("via")):
        yield Heard(name, link["via"], ZIGBEE_BRIDGE, received_at, **where)
    elif device is not None:
        for entry in link.get("gateways", ()):
            if entry["gateway"] and "repeats" not in entry:
                yield _reception(name, entry, received_at, where)


def _reception(
    name: str, entry: dict[str, Any], received_at: datetime, where: dict[str, Any]
) -> Heard:
    """One gateway that heard a frame. Its clock does not matter: silence is told by ours."""
    network = as_text(entry.get("network"))
    return Heard(
        name, entry["gateway"][:IDENTITY_LIMIT], LORAWAN_GATEWAY, received_at,
        rssi_dbm=_signal(entry.get("rssi_dbm")), snr_db=_signal(entry.get("snr_db")),
        attributes={"network": network} if network else {}, **where,
    )  # fmt: skip


def _signal(value: Any) -> float | None:
    """A strength as far as it is one, to the hundredth: figures too small do not fit either."""
    number = as_finite(value)
    return None if number is None or abs(number) > SIGNAL_LIMIT_DB else round(number, 2)
