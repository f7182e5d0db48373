"""Gateways and network servers: who carries the messages of devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

NETWORK_SERVER = "network_server"
LORAWAN_GATEWAY = "lorawan_gateway"
SPARKPLUG_NODE = "sparkplug_node"
ZIGBEE_BRIDGE = "zigbee_bridge"
NVR = "nvr"
# Kinds of gateways, in the order in which lists show them.
KINDS = (LORAWAN_GATEWAY, NETWORK_SERVER, SPARKPLUG_NODE, ZIGBEE_BRIDGE, NVR)

# How far back "usually heard through" goes.
USUAL = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A gateway or server as one message shows it: it carried the message, or, where `online` is
    set, spoke of itself.

    `format` is the one under which the gateway is known. `counts_always`: it also carried what
    comes from devices that nobody registered; else frames of strangers are not ours to judge a
    gateway by.
    """

    format: str
    identity: str
    kind: str
    online: bool | None = None
    counts_always: bool = False
    rssi_dbm: float | None = None
    snr_db: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """One sign of a gateway in one message: it carried a device's frame, or spoke of itself."""

    format: str
    identity: str
    kind: str
    at: datetime
    is_alive: bool = True  # False: a Last Will, or a word that the broker had kept
    online: bool | None = None  # its own word
    device_id: int | None = None
    district: str | None = None
    rssi_dbm: float | None = None
    snr_db: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What judging the silence of a gateway needs to know of it."""

    id: int
    format: str
    identity: str
    kind: str
    name: str
    district: str | None
    online: bool | None
    status_at: datetime | None
    heard_at: datetime | None
    back_at: datetime | None
    is_foreign: bool  # of another operator, who lets us have what it hears


@dataclass(frozen=True, slots=True)
class DevicePaths:
    """A device and the ways its messages came; `last_at` is its last reading's receipt, or when it
    was last heard if it measures nothing."""

    device_id: int
    kind: str
    format: str
    district: str
    lon: float
    lat: float
    demo: bool
    last_at: datetime
    gateway_ids: list[int]
    heard_ats: list[datetime]
