"""What a Zigbee2MQTT bridge says of its devices: `bridge/devices` and `bridge/info`.

`bridge/devices` is the whole list, retained, published at every start and whenever a device joins,
leaves or is renamed. `definition.exposes` names each value: its property in the state, its type,
its unit, the words it uses ("Exposes" in Zigbee2MQTT's documentation). Units and words differ
between definitions of one name, so nothing but this says what a value means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from city.reading import REASON_FIELD, REASON_TOO_LARGE
from wire.body import as_dict, as_finite, as_list, as_text, kind_of, parse_json, parse_object
from wire.format import Refused

# Bytes of `bridge/devices`. A device takes 3 to 12 thousand, a network has at most some hundreds.
LIST_LIMIT = 8 * 1024 * 1024
# More than any network can hold, and than any definition exposes (the richest has 276).
DEVICES_LIMIT = 2_000
VALUES_LIMIT = 600
TEXT_LIMIT = 128
NESTING_LIMIT = 6
# Bit of `access`: the value can be set.
SETTABLE = 2
# Types that only gather what one thing has; their features stand in the state beside all others.
_GATHERING = frozenset({"light", "switch", "fan", "cover", "lock", "climate"})


@dataclass(frozen=True, slots=True)
class Exposed:
    """One value as a definition describes it. `on` and `off` are the texts of a binary's values,
    `of` is the thing that it is a feature of (a light, a lock)."""

    name: str  # without the endpoint that the property may end in
    type: str = ""  # numeric, binary, enum, text, list or composite
    unit: str = ""
    on: str = ""
    off: str = ""
    is_settable: bool = False
    of: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """One device as its bridge knows it; without values if the bridge has no definition of it."""

    ieee: str
    name: str  # the friendly name
    model_id: str = ""
    vendor: str = ""
    model: str = ""
    version: str = ""
    power_source: str = ""
    exposed: Mapping[str, Exposed] | None = None  # by the dotted name that the state has it under


@dataclass(frozen=True, slots=True)
class BridgeInfo:
    """Versions of the program and of its definitions."""

    version: str
    converters: str


def parse_info(payload: bytes) -> BridgeInfo:
    """`bridge/info`. Old versions do not say which definitions they have."""
    _check_size(payload)
    body = parse_object(payload)
    converters = as_dict(body.get("zigbee_herdsman_converters"))
    return BridgeInfo(_text(body.get("version")), _text(converters.get("version")))


def parse_devices(payload: bytes) -> list[Definition]:
    """`bridge/devices`, without the coordinator. What of a device cannot be read is left out: a
    list that is refused as a whole would leave all its devices without a definition."""
    _check_size(payload)
    body = parse_json(payload)
    if not isinstance(body, list):
        raise Refused(REASON_FIELD, f"body: must be a JSON array (got {kind_of(body)})")
    if len(body) > DEVICES_LIMIT:
        raise Refused(REASON_TOO_LARGE, f"{len(body)} devices, at most {DEVICES_LIMIT} are read")
    devices = (_device(as_dict(entry)) for entry in body)
    return list({device.ieee: device for device in devices if device is not None}.values())


def _check_size(payload: bytes) -> None:
    if len(payload) > LIST_LIMIT:
        detail = f"{len(payload)} bytes, at most {LIST_LIMIT} are accepted"
        raise Refused(REASON_TOO_LARGE, detail)


def _device(entry: Mapping[str, Any]) -> Definition | None:
    ieee, name = _text(entry.get("ieee_address")).lower(), _text(entry.get("friendly_name"))
    if not ieee or entry.get("type") == "Coordinator":
        return None
    about = as_dict(entry.get("definition"))
    return Definition(
        ieee,
        name or ieee,
        _text(entry.get("model_id")),
        _text(about.get("vendor")),
        _text(about.get("model")),
        _text(about.get("version")),
        _text(entry.get("power_source")),
        _exposed(about.get("exposes")) if about else None,
    )


def _exposed(exposes: Any) -> dict[str, Exposed]:
    found: dict[str, Exposed] = {}
    for name, exposed in _walk(exposes, "", "", 0):
        if len(found) >= VALUES_LIMIT:
            break
        found.setdefault(name, exposed)
    return found


def _walk(exposes: Any, path: str, of: str, depth: int) -> Iterator[tuple[str, Exposed]]:
    if depth > NESTING_LIMIT:
        return
    for entry in map(as_dict, as_list(exposes)):
        type_, property_ = _text(entry.get("type")), _text(entry.get("property"))
        if type_ in _GATHERING:
            yield from _walk(entry.get("features"), path, type_, depth + 1)
            continue
        name = f"{path}{property_}"[:TEXT_LIMIT]
        if not property_:
            continue
        access = entry.get("access")
        yield (
            name,
            Exposed(
                _text(entry.get("name")) or property_,
                type_,
                _text(entry.get("unit")),
                _word(entry.get("value_on")),
                _word(entry.get("value_off")),
                isinstance(access, int) and bool(access & SETTABLE),
                of,
            ),
        )
        if type_ == "composite":
            yield from _walk(entry.get("features"), f"{name}.", of, depth + 1)


def _text(value: Any) -> str:
    return "".join(c for c in as_text(value, TEXT_LIMIT) if c.isprintable()).strip()


def _word(value: Any) -> str:
    """A value as states are compared with it: truth values are JSON's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    number = as_finite(value)
    return _text(value) if number is None else f"{number:g}"


# --- kept in the database ----------------------------------------------------------------------


_FIELDS = frozenset(field.name for field in fields(Exposed))


def exposed_as_json(exposed: Mapping[str, Exposed]) -> dict[str, dict[str, Any]]:
    """Without what is empty; `exposed_from_json` reads it."""
    return {
        name: {key: value for key in _FIELDS if (value := getattr(item, key))}
        for name, item in exposed.items()
    }


def exposed_from_json(kept: Mapping[str, Mapping[str, Any]]) -> dict[str, Exposed]:
    """What `exposed_as_json` made, also by an earlier version of ours."""
    return {
        name: Exposed(**{key: value for key, value in item.items() if key in _FIELDS})
        for name, item in kept.items()
    }
