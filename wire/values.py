"""Decoded vendor objects (a codec's output) flattened to named values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from city.reading import REASON_FIELD, REASON_NAN, Quality, RawValue, Reject, TimeSource
from wire.body import IDENTITY_LIMIT, TEXT_LIMIT, shown
from wire.times import time_or_none

# Values taken from one message; the richest real decoder seen gives 60.
VALUE_LIMIT = 512
# Levels of objects and lists inside a decoded object; real ones have at most 4.
NESTING_LIMIT = 8
# Digits of a number written as text; longer ones are serial numbers.
DIGIT_LIMIT = 15
# Objects that only wrap the real one: {"payload": {...}}, {"data": {...}, "errors": []}.
WRAPPERS = ("payload", "data", "decoded", "decoded_payload", "object")
WRAPPER_COMPANIONS = frozenset({"errors", "warnings", "valid", "err", "success"})
# Lists of stored points, each with its own time.
HISTORY_NAMES = frozenset({"history", "historical_data", "historicaldata"})
POINT_TIMES = ("timestamp", "time", "ts")
# An earlier time in a record is that of a clock that was never set.
CLOCK_SET_SINCE = datetime(2001, 1, 1, tzinfo=UTC)
# Records that carry a name and a value as fields: {"type": "Air Humidity", "measurementValue": 77}.
RECORD_NUMBER = "measurementId"
RECORD_NAMES = ("type", "name", "variable", RECORD_NUMBER)
RECORD_VALUES = ("measurementValue", "value")
UNIT_KEYS = ("unit", "units", "Unit", "Units")
VALUE_KEYS = ("value", "Value", "measurementValue")
# What old SenseCAP decoders write as the type of every record; only the number tells them apart.
NO_NAME = "report_telemetry"
# A list of bytes under such a name is the frame again, not a list of readings.
BYTE_LIST_LENGTH = 5
BYTE_LIST_NAME = re.compile(r"(.*(byte|payload|frame|buffer)s?|raw.*|data|hex)?", re.IGNORECASE)

UNITS = frozenset(
    "V mV kV A mA W kW mW VA var Wh kWh MWh Hz % %RH %LEL %vol ppm ppb Pa hPa kPa bar mbar "
    "°C ℃ °F ℉ K Cel mm cm m km in ft ° deg lx lux g mg kg s ms min h d dB dBm m/s km/h l L m3 m³ "
    "uS/cm µS/cm μS/cm mS/cm uS µg/m3 ug/m3 mg/m3 mg/m³ µg/m³ W/m2 W/m² pH NTU".split()
)
# A whole number with zeros before it is a serial number or an address.
_NUMBER = re.compile(
    rf"(?!0[0-9]+$)([+-]?[0-9]{{1,{DIGIT_LIMIT}}}(?:\.[0-9]{{1,{DIGIT_LIMIT}}})?)\s*(\S{{0,6}})"
)
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Stamp:
    """When values were measured and how far that and they can be trusted."""

    ts: datetime
    ts_from: TimeSource
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class Flattened:
    values: tuple[RawValue, ...]
    rejects: tuple[Reject, ...]


class _Leaf(NamedTuple):
    """One value that was found in a decoded object, or what is wrong with a part of it."""

    name: str
    item: Any
    stamp: Stamp
    unit: str = ""


def flatten(decoded: Mapping[str, Any], stamp: Stamp) -> Flattened:
    """Every number, truth value and text of a decoded object under its dotted name.

    Null is no value, a list of bytes is no reading, points of a stored history keep their own
    times and are LATE, a text with a known unit ("3.384 V") becomes number and unit, and so does
    a number with its unit beside it ({"value": 21.5, "unit": "°C"}).
    """
    values: list[RawValue] = []
    rejects: list[Reject] = []
    for leaf in _walk(_unwrapped(decoded), "", stamp, 0):
        if len(values) + len(rejects) >= VALUE_LIMIT:
            problem = f"more than {VALUE_LIMIT} values, the rest was left out"
            rejects.append(Reject(REASON_FIELD, problem))
            break
        value = _read(leaf)
        if isinstance(value, Reject):
            rejects.append(value)
        else:
            values.append(value)
    return Flattened(tuple(values), tuple(rejects))


def _unwrapped(decoded: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object inside wrappers that add nothing."""
    for _ in range(NESTING_LIMIT):
        inner = [key for key in WRAPPERS if isinstance(decoded.get(key), dict)]
        if len(inner) != 1 or not decoded.keys() - {inner[0]} <= WRAPPER_COMPANIONS:
            return decoded
        decoded = decoded[inner[0]]
    return decoded


def _walk(node: Any, name: str, stamp: Stamp, depth: int, unit: str = "") -> Iterator[_Leaf]:
    """Leaves with their names; history points and records bring their own stamp."""
    if depth > NESTING_LIMIT or node is None:
        return
    if isinstance(node, dict):
        yield from _walk_object(node, name, stamp, depth)
    elif isinstance(node, list):
        yield from _walk_list(node, name, stamp, depth)
    elif name:
        yield _Leaf(name, node, stamp, unit)


def _walk_object(node: dict[str, Any], name: str, stamp: Stamp, depth: int) -> Iterator[_Leaf]:
    has_records = any(_holds_records(item) for item in node.values() if isinstance(item, list))
    unit, unit_key, value_key = _own_unit(node)
    for key, item in node.items():
        if key.lower() in HISTORY_NAMES and isinstance(item, list):
            yield from _walk_history(item, stamp, depth + 1)
        elif has_records and _holds_records(item):
            yield from _walk_list(item, "", stamp, depth + 1)
        elif key == unit_key or (has_records and _is_companion(key, item)):
            continue
        else:
            own = unit if key == value_key else ""
            yield from _walk(item, _joined(name, key), stamp, depth + 1, own)


def _is_companion(key: str, item: Any) -> bool:
    """What stands beside a list of records and says nothing new: flags, the frame once more."""
    return not isinstance(item, (dict, list)) and key in {*WRAPPERS, *WRAPPER_COMPANIONS}


_NO_UNIT: tuple[str, str | None, str | None] = ("", None, None)


def _own_unit(node: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Unit, its key and that of the number it belongs to: {"value": 21.5, "unit": "°C"}."""
    unit_key = next((key for key in UNIT_KEYS if key in node), None)
    value_key = next((key for key in VALUE_KEYS if key in node), None) if unit_key else None
    if unit_key is None or value_key is None or type(node[value_key]) not in (int, float):
        return _NO_UNIT
    unit = node[unit_key]
    known = isinstance(unit, str) and unit in UNITS
    return (unit, unit_key, value_key) if known else _NO_UNIT


def _joined(name: str, key: str) -> str:
    """The dotted name, cut early: a long key with many children must not be copied for each."""
    key = key[:IDENTITY_LIMIT]
    return f"{name}.{key}"[:IDENTITY_LIMIT] if name else key


def _walk_list(node: list[Any], name: str, stamp: Stamp, depth: int) -> Iterator[_Leaf]:
    if _is_byte_list(name, node):
        return
    for index, item in enumerate(node[:VALUE_LIMIT]):
        record = _as_record(item)
        if record is not None:
            when = _record_stamp(item, stamp)
            yield from _walk(record[1], record[0], when, depth + 1, _own_unit(item)[0])
        elif name:
            yield from _walk(item, f"{name}[{index}]", stamp, depth + 1)
        else:
            yield from _walk(item, "", stamp, depth + 1)


def _walk_history(points: list[Any], stamp: Stamp, depth: int) -> Iterator[_Leaf]:
    """Points a device had stored: their own time, and never an alarm. Without a time that can
    be read nobody knows of when they are."""
    for number, point in enumerate(points[:VALUE_LIMIT], 1):
        if not isinstance(point, dict):
            continue
        field = next((key for key in POINT_TIMES if key in point), None)
        ts = time_or_none(point[field]) if field else None
        if ts is None:
            said = shown(point.get(field)) if field else "none"
            problem = f"history: point {number} has no time that can be read (got {said})"
            yield _Leaf("history", Reject(REASON_FIELD, problem), stamp)
            continue
        quality = max(stamp.quality, Quality.LATE)
        when = replace(stamp, ts=ts, ts_from=TimeSource.DEVICE, quality=quality)
        rest = {key: item for key, item in point.items() if key != field}
        yield from _walk(rest, "", when, depth + 1)


def _holds_records(item: Any) -> bool:
    """A list of name-and-value records, or of lists of them."""
    if not isinstance(item, list):
        return False
    parts = item[:VALUE_LIMIT]
    inner = (part for part in parts if isinstance(part, list))
    return any(map(_as_record, parts)) or any(
        any(map(_as_record, part[:VALUE_LIMIT])) for part in inner
    )


def _as_record(item: Any) -> tuple[str, Any] | None:
    """Name and value of {"type": …, "measurementValue": …}; None for anything else."""
    if not isinstance(item, dict):
        return None
    value = next((key for key in RECORD_VALUES if key in item), None)
    names = [item[key] for key in RECORD_NAMES if isinstance(item.get(key), str)]
    if type(item.get(RECORD_NUMBER)) is int:
        names.append(str(item[RECORD_NUMBER]))
    name = next((said for said in names if said and said != NO_NAME), None)
    if value is None or name is None:
        return None
    return name[:IDENTITY_LIMIT], item[value]


def _record_stamp(record: Mapping[str, Any], stamp: Stamp) -> Stamp:
    """A record may say when it was measured."""
    said = next((record[key] for key in POINT_TIMES if key in record), None)
    ts = time_or_none(said)
    if ts is None or ts < CLOCK_SET_SINCE:
        return stamp
    return replace(stamp, ts=ts, ts_from=TimeSource.DEVICE)


def _is_byte_list(name: str, node: list[Any]) -> bool:
    named = BYTE_LIST_NAME.fullmatch(name.rpartition(".")[2])
    return len(node) >= BYTE_LIST_LENGTH and named is not None and all(
        type(item) is int and 0 <= item <= 255 for item in node
    )  # fmt: skip


def _read(leaf: _Leaf) -> RawValue | Reject:
    item, stamp = leaf.item, leaf.stamp
    if isinstance(item, Reject):
        return item
    if isinstance(item, str):
        return _read_text(leaf.name, item[:TEXT_LIMIT], stamp)
    if isinstance(item, bool):
        return RawValue(leaf.name, item, stamp.ts, stamp.ts_from, quality=stamp.quality)
    try:
        number = float(item)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return Reject(REASON_NAN, f"{leaf.name}: must be a finite number")
    return RawValue(leaf.name, number, stamp.ts, stamp.ts_from, leaf.unit, item, stamp.quality)


def _read_text(name: str, text: str, stamp: Stamp) -> RawValue:
    """Text as text, unless all of it is a truth value or a number with a known unit."""
    value: float | bool | str = text
    unit = ""
    truth = _TRUTHS.get(text.strip().lower())
    if truth is not None:
        value = truth
    else:
        match = _NUMBER.fullmatch(text.strip())
        if match and (not match[2] or match[2] in UNITS):
            value, unit = float(match[1]), match[2]
    return RawValue(name, value, stamp.ts, stamp.ts_from, unit, text, stamp.quality)
