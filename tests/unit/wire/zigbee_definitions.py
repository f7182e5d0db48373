"""Lists of devices as a Zigbee2MQTT bridge publishes them, of our own making."""

from __future__ import annotations

import itertools
import json
from typing import Any

STATE, SET, GET = 1, 2, 4
_numbers = itertools.count(1)


def numeric(name: str, unit: str = "", access: int = STATE, **other: Any) -> dict[str, Any]:
    unit_part = {"unit": unit} if unit else {}
    return {
        "type": "numeric",
        "name": name,
        "property": name,
        "access": access,
        **unit_part,
        **other,
    }


def binary(
    name: str, on: Any = True, off: Any = False, access: int = STATE, **other: Any
) -> dict[str, Any]:
    return {
        "type": "binary",
        "name": name,
        "property": name,
        "access": access,
        "value_on": on,
        "value_off": off,
        **other,
    }


def enum(name: str, *words: str, access: int = STATE, **other: Any) -> dict[str, Any]:
    return {
        "type": "enum",
        "name": name,
        "property": name,
        "access": access,
        "values": list(words),
        **other,
    }


def gathered(type_: str, *features: dict[str, Any]) -> dict[str, Any]:
    """A light, a switch, a lock: its features stand in the state beside all others."""
    return {"type": type_, "features": list(features)}


def composite(name: str, *features: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "composite",
        "name": name,
        "property": name,
        "access": STATE,
        "features": list(features),
    }


def device(
    name: str,
    *exposes: dict[str, Any],
    ieee: str = "",
    power: str = "Mains (single phase)",
    defined: bool = True,
) -> dict[str, Any]:
    """One entry of the list; not `defined`: a device that the bridge does not support."""
    definition = {
        "source": "native",
        "model": "M-1",
        "vendor": "Nobody",
        "description": "for tests",
        "exposes": list(exposes),
        "options": [],
        "version": "0.0.0",
        "supports_ota": False,
    }
    return {
        "ieee_address": ieee or f"0x{next(_numbers):016x}", "type": "EndDevice",
        "network_address": 4711, "supported": defined, "friendly_name": name, "disabled": False,
        "definition": definition if defined else None, "power_source": power,
        "model_id": "M.1", "manufacturer": "Nobody",
        "endpoints": {"1": {"bindings": [], "clusters": {"input": [], "output": []}}},
    }  # fmt: skip


COORDINATOR = {
    "ieee_address": "0x00124b00000000ff",
    "type": "Coordinator",
    "friendly_name": "Coordinator",
    "definition": None,
    "supported": True,
    "endpoints": {},
}


def bridge_devices(*devices: dict[str, Any]) -> bytes:
    return json.dumps([COORDINATOR, *devices], ensure_ascii=False).encode()
