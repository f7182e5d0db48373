"""What a device model says, and reading it from the text of its file (see `wire.models`)."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from city.errors import InvalidInput
from city.reading import METRICS, Metric

KINDS = frozenset({"gas", "manhole", "light", "camera", "any"})
# Characters of a codec; the longest that vendors publish have about 60 thousand.
CODEC_LIMIT = 512 * 1024
EVERYTHING = "*"
_MODEL_KEYS = frozenset(
    {"title", "kind", "interval_s", "time_field", "ignore", "field", "classes", "command"}
)
_COMMAND_KEYS = frozenset({"f_port", "bytes"})
# The level of a lamp in the bytes of a command: one byte, 0 to 100.
_LEVEL = "{level}"
# Bytes of a frame that any region takes at its slowest.
_FRAME_MAX = 11
_FIELD_KEYS = frozenset(
    {"names", "metric", "unit", "scale", "offset", "values", "low", "high", "sentinels"}
    | {"wrap_deg", "combine", "invert", "unless", "suspect_if"}
)

# Names of other values of a message, and what each says, in lower case.
Conditions = Mapping[str, frozenset[str]]


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
    sentinel_texts: frozenset[str] = frozenset()
    wrap_deg: float | None = None
    largest: bool = False
    invert: bool = False
    unless: Conditions = field(default_factory=dict)
    suspect_if: Conditions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandFrame:
    """The downlink that sets a lamp's level: a port and bytes, one of which may be the level."""

    f_port: int
    parts: tuple[int | None, ...]  # None: the level

    def frame(self, level: int) -> bytes:
        return bytes(level if part is None else part for part in self.parts)


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
    conditional: bool = False  # some rule asks what another value says
    command: CommandFrame | None = None  # how a lamp of this model is commanded by radio

    def rule(self, name: str) -> FieldRule | None:
        return self.rules.get(name.lower())

    def knows(self, name: str) -> bool:
        """The name is known to be no reading: settings, versions, counters of the frame.

        A pattern that fits every name knows none: see `counts_rest`."""
        lowered = name.lower()
        return lowered == self.time_field.lower() or any(
            pattern != EVERYTHING and fnmatchcase(lowered, pattern) for pattern in self.ignore
        )

    @property
    def counts_rest(self) -> bool:
        """What the model does not know is counted, where its names are those of the format."""
        return EVERYTHING in self.ignore


def parse_model(name: str, text: str, codec: str = "") -> DeviceModel:
    """Read a model file; what is wrong with it is named with its place."""
    where = f"model {name}"
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(where, "", f"is not valid TOML: {error}") from None
    _only_known_keys(table, _MODEL_KEYS, where)
    if len(codec) > CODEC_LIMIT:
        raise InvalidInput(f"{where}: codec", "", f"is longer than {CODEC_LIMIT} characters")
    rules = _parse_rules(table, where)
    return DeviceModel(
        name=name,
        title=_typed(table, "title", str, where),
        kind=_kind(table, where),
        interval_s=_interval(table, where),
        rules=rules,
        time_field=_typed(table, "time_field", str, where, ""),
        ignore=tuple(item.lower() for item in _texts(table, "ignore", where)),
        classes=_classes(table, where),
        codec=codec,
        conditional=any(rule.unless or rule.suspect_if for rule in rules.values()),
        command=_command(table, where),
    )


def _parse_rules(table: Mapping[str, Any], model: str) -> dict[str, FieldRule]:
    rules: dict[str, FieldRule] = {}
    for index, entry in enumerate(_typed(table, "field", list, model, [])):
        where = f"{model}, field {index + 1}"
        rule = _parse_rule(entry, where)
        for lowered in map(str.lower, rule.names):
            if lowered in rules:
                raise InvalidInput(f"{where}: names", lowered, "is given twice")
            rules[lowered] = rule
    return rules


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
    numbers, texts = _sentinels(entry, where)
    return FieldRule(
        names=names,
        metric=metric,
        unit=_typed(entry, "unit", str, where, ""),
        scale=_number(entry, "scale", where),
        offset=_number(entry, "offset", where) or 0.0,
        values=_value_map(entry, metric, where),
        low=_number(entry, "low", where),
        high=_number(entry, "high", where),
        sentinels=numbers,
        sentinel_texts=texts,
        wrap_deg=_number(entry, "wrap_deg", where),
        largest=combine == "largest",
        invert=_invert(entry, metric, where),
        unless=_conditions(entry, "unless", where),
        suspect_if=_conditions(entry, "suspect_if", where),
    )


def _value_map(entry: Mapping[str, Any], metric: Metric, where: str) -> dict[str, float]:
    table = _typed(entry, "values", dict, where, {})
    for text in table:
        number = _number(table, text, f"{where}: values")
        if number is None or not metric.low <= number <= metric.high:
            problem = f"must be {metric.low:g} to {metric.high:g}"
            raise InvalidInput(f"{where}: values.{text}", table[text], problem)
    return {text.lower(): float(number) for text, number in table.items()}


def _sentinels(entry: Mapping[str, Any], where: str) -> tuple[tuple[float, ...], frozenset[str]]:
    sentinels = _typed(entry, "sentinels", list, where, [])
    if any(isinstance(item, bool) or not isinstance(item, (int, float, str)) for item in sentinels):
        raise InvalidInput(f"{where}: sentinels", sentinels, "must list numbers and texts")
    return (
        tuple(float(item) for item in sentinels if not isinstance(item, str)),
        frozenset(item.strip().lower() for item in sentinels if isinstance(item, str)),
    )


def _invert(entry: Mapping[str, Any], metric: Metric, where: str) -> bool:
    invert: bool = _typed(entry, "invert", bool, where, False)
    if invert and metric.unit != "0/1":
        raise InvalidInput(f"{where}: invert", invert, "is for metrics that are 0 or 1")
    return invert


def _conditions(entry: Mapping[str, Any], key: str, where: str) -> dict[str, frozenset[str]]:
    """{name = text} or {name = [texts]}; the names and texts in lower case."""
    conditions = {}
    for name, said in _typed(entry, key, dict, where, {}).items():
        texts = said if isinstance(said, list) else [said]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise InvalidInput(f"{where}: {key}.{name}", said, "must be a text or a list of texts")
        conditions[name.lower()] = frozenset(text.strip().lower() for text in texts)
    return conditions


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


def _command(table: Mapping[str, Any], model: str) -> CommandFrame | None:
    if "command" not in table:
        return None
    where = f"{model}: command"
    entry = _typed(table, "command", dict, model)
    _only_known_keys(entry, _COMMAND_KEYS, where)
    port = _typed(entry, "f_port", int, where)
    if isinstance(port, bool) or not 1 <= port <= 223:
        raise InvalidInput(f"{where}.f_port", port, "must be a port for applications, 1 to 223")
    text = _typed(entry, "bytes", str, where)
    parts: list[int | None] = []
    for word in text.split():
        if word == _LEVEL:
            parts.append(None)
        elif len(word) == 2 and all(sign in "0123456789abcdefABCDEF" for sign in word):
            parts.append(int(word, 16))
        else:
            raise InvalidInput(f"{where}.bytes", word, f"must be two hex digits or {_LEVEL}")
    if None not in parts or len(parts) > _FRAME_MAX:
        problem = f"must be at most {_FRAME_MAX} bytes, one of them {_LEVEL}"
        raise InvalidInput(f"{where}.bytes", text, problem)
    return CommandFrame(port, tuple(parts))
