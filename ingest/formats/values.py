"""Decoded vendor objects (a codec's output) flattened to named values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, REASON_NAN, Quality, RawValue, Reject, TimeSource
from ingest.formats.body import IDENTITY_LIMIT, TEXT_LIMIT
from ingest.formats.times import time_or_none

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
# Records that carry a name and a value as fields: {"type": "Air Humidity", "measurementValue": 77}.
RECORD_NAMES = ("type", "name", "measurementId")
RECORD_VALUES = ("measurementValue", "value")
# A list of bytes is the frame again, not a list of readings.
BYTE_LIST_LENGTH = 5

UNITS = frozenset(
    "V mV kV A mA W kW mW VA var Wh kWh MWh Hz % %RH %LEL %vol ppm ppb Pa hPa kPa bar mbar "
    "°C ℃ °F ℉ K Cel mm cm m km in ft ° deg lx lux g mg kg s ms min h d dB dBm m/s km/h l L m3 m³ "
    "uS/cm µS/cm μS/cm mS/cm uS µg/m3 ug/m3 mg/m3 mg/m³ µg/m³ W/m2 W/m² pH NTU".split()
)
_NUMBER = re.compile(rf"([+-]?\d{{1,{DIGIT_LIMIT}}}(?:\.\d{{1,{DIGIT_LIMIT}}})?)\s*(\S{{0,6}})")
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


def flatten(decoded: Mapping[str, Any], stamp: Stamp) -> Flattened:
    """Every number, truth value and text of a decoded object under its dotted name.

    Null is no value, a list of bytes is no reading, points of a stored history keep their own
    times and are LATE, and a text with a known unit ("3.384 V") becomes number and unit.
    """
    values: list[RawValue] = []
    rejects: list[Reject] = []
    for name, item, when in _walk(_unwrapped(decoded), "", stamp, 0):
        if len(values) + len(rejects) >= VALUE_LIMIT:
            problem = f"more than {VALUE_LIMIT} values, the rest was left out"
            rejects.append(Reject(REASON_FIELD, problem))
            break
        value = _read(name, item, when)
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


def _walk(node: Any, name: str, stamp: Stamp, depth: int) -> Iterator[tuple[str, Any, Stamp]]:
    """Leaves with their names; history points bring their own stamp."""
    if depth > NESTING_LIMIT or node is None:
        return
    if isinstance(node, dict):
        yield from _walk_object(node, name, stamp, depth)
    elif isinstance(node, list):
        yield from _walk_list(node, name, stamp, depth)
    elif name:
        yield name, node, stamp


def _walk_object(
    node: dict[str, Any], name: str, stamp: Stamp, depth: int
) -> Iterator[tuple[str, Any, Stamp]]:
    records = _record_list(node)
    if records is not None:
        yield from _walk_list(records, "", stamp, depth + 1)
        return
    for key, item in node.items():
        if key.lower() in HISTORY_NAMES and isinstance(item, list):
            yield from _walk_history(item, stamp, depth + 1)
        else:
            yield from _walk(item, _joined(name, key), stamp, depth + 1)


def _joined(name: str, key: str) -> str:
    """The dotted name, cut early: a long key with many children must not be copied for each."""
    key = key[:IDENTITY_LIMIT]
    return f"{name}.{key}"[:IDENTITY_LIMIT] if name else key


def _walk_list(
    node: list[Any], name: str, stamp: Stamp, depth: int
) -> Iterator[tuple[str, Any, Stamp]]:
    if _is_byte_list(node):
        return
    for index, item in enumerate(node[:VALUE_LIMIT]):
        record = _as_record(item)
        if record is not None:
            yield record[0], record[1], stamp
        elif name:
            yield from _walk(item, f"{name}[{index}]", stamp, depth + 1)
        else:
            yield from _walk(item, "", stamp, depth + 1)


def _walk_history(points: list[Any], stamp: Stamp, depth: int) -> Iterator[tuple[str, Any, Stamp]]:
    """Points a device had stored: their own time, and never an alarm."""
    for point in points[:VALUE_LIMIT]:
        if not isinstance(point, dict):
            continue
        field = next((key for key in POINT_TIMES if key in point), None)
        ts = time_or_none(point[field]) if field else None
        if ts is None:
            continue
        quality = max(stamp.quality, Quality.LATE)
        when = replace(stamp, ts=ts, ts_from=TimeSource.DEVICE, quality=quality)
        rest = {key: item for key, item in point.items() if key != field}
        yield from _walk(rest, "", when, depth + 1)


def _record_list(node: dict[str, Any]) -> list[Any] | None:
    """The list of name-and-value records of an object that is built around one."""
    for item in node.values():
        if isinstance(item, list) and any(_as_record(part) for part in item[:VALUE_LIMIT]):
            return item
    return None


def _as_record(item: Any) -> tuple[str, Any] | None:
    """Name and value of {"type": …, "measurementValue": …}; None for anything else."""
    if not isinstance(item, dict):
        return None
    value = next((key for key in RECORD_VALUES if key in item), None)
    name = next((item[key] for key in RECORD_NAMES if isinstance(item.get(key), str)), None)
    if value is None or not name or isinstance(item[value], (dict, list)) or item[value] is None:
        return None
    return name[:IDENTITY_LIMIT], item[value]


def _is_byte_list(node: list[Any]) -> bool:
    return len(node) >= BYTE_LIST_LENGTH and all(
        type(item) is int and 0 <= item <= 255 for item in node
    )


def _read(name: str, item: Any, stamp: Stamp) -> RawValue | Reject:
    if isinstance(item, str):
        return _read_text(name, item[:TEXT_LIMIT], stamp)
    if isinstance(item, bool):
        return RawValue(name, item, stamp.ts, stamp.ts_from, quality=stamp.quality)
    try:
        number = float(item)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return Reject(REASON_NAN, f"{name}: must be a finite number")
    return RawValue(name, number, stamp.ts, stamp.ts_from, sent=item, quality=stamp.quality)


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
