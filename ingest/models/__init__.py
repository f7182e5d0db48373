"""Device models: what a vendor calls its values, and what they are here.

One TOML file a model, named as the model, and for payloads of bytes a JavaScript file of the
same name with the LoRa Alliance's `decodeUplink` (TS013). Keys of the TOML file:

    title = "Vendor and model, for people"
    kind = "gas" | "manhole" | "light" | "camera" | "any"
    interval_s = 3600               # how often a healthy device reports
    time_field = "device_time"      # optional: the value that is the device's own clock
    ignore = ["sn", "*_version"]    # known names that are no readings, with * and ?

    [[field]]
    names = ["level", "distance"]   # every spelling seen, case does not matter
    metric = "distance_mm"
    unit = "cm"                     # what the device sends, if the message does not say
    scale = 10                      # value * scale + offset is in the metric's unit; needed
    offset = 0                      #   only where the unit is not one that converts by itself
    values = { normal = 0, alarm = 1 }   # texts (and truth values as "true", "false")
    low = 0                         # plausible range of this model, in the metric's unit
    high = 5000
    sentinels = [65535]             # sent values that mean "no measurement"
    wrap_deg = 360                  # angles above half of this are negative
    combine = "largest"             # several names, one metric: "first" (default) or "largest"

    [classes]                       # cameras: the vendor's class of object -> event type
    car = "vehicle"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from city.errors import InvalidInput
from city.reading import METRICS, Metric

FOLDER = Path(__file__).parent
KINDS = frozenset({"gas", "manhole", "light", "camera", "any"})
_MODEL_KEYS = frozenset({"title", "kind", "interval_s", "time_field", "ignore", "field", "classes"})
_FIELD_KEYS = frozenset(
    {"names", "metric", "unit", "scale", "offset", "values", "low", "high", "sentinels"}
    | {"wrap_deg", "combine"}
)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one value of a device becomes a reading of one metric."""

    names: tuple[str, ...]
    metric: Metric
    unit: str = ""
    scale: float | None = None
    offset: float = 0.0
    values: Mapping[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    sentinels: tuple[float, ...] = ()
    wrap_deg: float | None = None
    largest: bool = False


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A device model as the registry names it."""

    name: str
    title: str
    kind: str
    interval_s: int
    rules: Mapping[str, FieldRule]  # by lower-case name
    time_field: str = ""
    ignore: tuple[str, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    codec: str = ""  # JavaScript text

    def rule(self, name: str) -> FieldRule | None:
        return self.rules.get(name.lower())

    def knows(self, name: str) -> bool:
        """The name is known to be no reading: settings, versions, counters of the frame."""
        lowered = name.lower()
        return lowered == self.time_field.lower() or any(
            fnmatchcase(lowered, pattern) for pattern in self.ignore
        )


@lru_cache(maxsize=256)
def load_model(name: str) -> DeviceModel | None:
    """The model of this name, or None if there is no such file."""
    if name not in model_names():
        return None
    codec = FOLDER / f"{name}.js"
    text = codec.read_text(encoding="utf-8") if codec.exists() else ""
    return parse_model(name, (FOLDER / f"{name}.toml").read_text(encoding="utf-8"), text)


@lru_cache(maxsize=1)
def model_names() -> frozenset[str]:
    """Every model there is a file for."""
    return frozenset(path.stem for path in FOLDER.glob("*.toml"))


def parse_model(name: str, text: str, codec: str = "") -> DeviceModel:
    """Read a model file; what is wrong with it is named with its place."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"model {name}", "", f"is not valid TOML: {error}") from None
    _only_known_keys(table, _MODEL_KEYS, f"model {name}")
    rules: dict[str, FieldRule] = {}
    for index, entry in enumerate(_typed(table, "field", list, f"model {name}", [])):
        where = f"model {name}, field {index + 1}"
        rule = _parse_rule(entry, where)
        for lowered in map(str.lower, rule.names):
            if lowered in rules:
                raise InvalidInput(f"{where}: names", lowered, "is given twice")
            rules[lowered] = rule
    return DeviceModel(
        name=name,
        title=_typed(table, "title", str, f"model {name}"),
        kind=_kind(table, f"model {name}"),
        interval_s=_interval(table, f"model {name}"),
        rules=rules,
        time_field=_typed(table, "time_field", str, f"model {name}", ""),
        ignore=tuple(item.lower() for item in _texts(table, "ignore", f"model {name}")),
        classes=_classes(table, f"model {name}"),
        codec=codec,
    )


def _parse_rule(entry: Any, where: str) -> FieldRule:
    if not isinstance(entry, dict):
        raise InvalidInput(where, entry, "must be a table: write [[field]]")
    _only_known_keys(entry, _FIELD_KEYS, where)
    metric = METRICS.get(_typed(entry, "metric", str, where))
    if metric is None:
        raise InvalidInput(f"{where}: metric", entry["metric"], "is no canonical metric")
    names = _texts(entry, "names", where)
    if not names:
        raise InvalidInput(f"{where}: names", entry.get("names"), "must list at least one name")
    combine = _typed(entry, "combine", str, where, "first")
    if combine not in ("first", "largest"):
        raise InvalidInput(f"{where}: combine", combine, "must be first or largest")
    return FieldRule(
        names=names,
        metric=metric,
        unit=_typed(entry, "unit", str, where, ""),
        scale=_number(entry, "scale", where),
        offset=_number(entry, "offset", where) or 0.0,
        values=_value_map(entry, metric, where),
        low=_number(entry, "low", where),
        high=_number(entry, "high", where),
        sentinels=_numbers(entry, "sentinels", where),
        wrap_deg=_number(entry, "wrap_deg", where),
        largest=combine == "largest",
    )


def _value_map(entry: Mapping[str, Any], metric: Metric, where: str) -> dict[str, float]:
    table = _typed(entry, "values", dict, where, {})
    for text in table:
        number = _number(table, text, f"{where}: values")
        if number is None or not metric.low <= number <= metric.high:
            problem = f"must be {metric.low:g} to {metric.high:g}"
            raise InvalidInput(f"{where}: values.{text}", table[text], problem)
    return {text.lower(): float(number) for text, number in table.items()}


def _only_known_keys(table: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise InvalidInput(f"{where}: {key}", table[key], f"is none of {sorted(known)}")


_REQUIRED: Any = object()


def _typed(
    table: Mapping[str, Any], key: str, wanted: type, where: str, default: Any = _REQUIRED
) -> Any:
    value = table.get(key, default)
    if value is _REQUIRED:
        raise InvalidInput(f"{where}: {key}", None, "is missing")
    if not isinstance(value, wanted):
        raise InvalidInput(f"{where}: {key}", value, f"must be {wanted.__name__}")
    return value


def _number(table: Mapping[str, Any], key: str, where: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInput(f"{where}: {key}", value, "must be a finite number")
    return float(value)


def _numbers(table: Mapping[str, Any], key: str, where: str) -> tuple[float, ...]:
    values = _typed(table, key, list, where, [])
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        raise InvalidInput(f"{where}: {key}", values, "must be a list of numbers")
    return tuple(map(float, values))


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    values = _typed(table, key, list, where, [])
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidInput(f"{where}: {key}", values, "must be a list of texts")
    return tuple(values)


def _kind(table: Mapping[str, Any], where: str) -> str:
    kind: str = _typed(table, "kind", str, where)
    if kind not in KINDS:
        raise InvalidInput(f"{where}: kind", kind, f"must be one of {sorted(KINDS)}")
    return kind


def _interval(table: Mapping[str, Any], where: str) -> int:
    interval: int = _typed(table, "interval_s", int, where)
    if isinstance(interval, bool) or not 0 < interval <= 604_800:
        raise InvalidInput(f"{where}: interval_s", interval, "must be seconds, 1 to 604800")
    return interval


def _classes(table: Mapping[str, Any], where: str) -> dict[str, str]:
    classes = _typed(table, "classes", dict, where, {})
    if not all(isinstance(value, str) and value for value in classes.values()):
        raise InvalidInput(f"{where}: classes", classes, "must map class names to event types")
    return {name.lower(): value for name, value in classes.items()}
