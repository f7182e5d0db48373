"""The metrics of a Sparkplug B message: names, datatypes, times, quality, units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, REASON_NAN, Quality, RawValue, Reject, TimeSource
from wire.body import TEXT_LIMIT
from wire.times import from_epoch
from wire.values import Stamp

# Metrics taken from one message; a birth of the largest accepted size hardly holds more.
METRIC_LIMIT = 8000
# Characters of a metric's name; the deepest tag trees seen have 150.
NAME_LIMIT = 256
# Properties looked at for each metric; real ones have at most a dozen.
PROPERTY_LIMIT = 64
# Names of one kind that are listed in the link record or in a rejection.
NAMES_SHOWN = 32
# Milliseconds. A clock that says less (before September 2001) was never set.
CLOCK_SET_MS = 10**12
BD_SEQ = "bdSeq"
# Metrics that command the edge node or describe it; never measurements.
CONTROLS = ("Node Control/", "Device Control/")
DESCRIPTIONS = ("Properties/", "Node Info/", "Device Info/")

DATATYPES = dict(enumerate((
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float",
    "Double", "Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File",
    "Template", "PropertySet", "PropertySetList", "Int8Array", "Int16Array", "Int32Array",
    "Int64Array", "UInt8Array", "UInt16Array", "UInt32Array", "UInt64Array", "FloatArray",
    "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
)))  # fmt: skip
UNKNOWN, BOOLEAN, DATE_TIME = 0, 11, 13
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED_BITS = {5: 8, 6: 16, 7: 32, 8: 64}
INTEGER = ("int_value", "long_value")  # some senders put 32 bits into the long field
_FRACTION = ("float_value", "double_value")
_BYTES = ("bytes_value",)
# The alternatives of `value` in which each datatype may come.
_FIELDS: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((*_SIGNED_BITS, *_UNSIGNED_BITS, DATE_TIME), INTEGER),
    9: _FRACTION, 10: _FRACTION, BOOLEAN: ("boolean_value",),
    **dict.fromkeys((12, 14, 15), ("string_value",)),
    16: ("dataset_value",), 19: ("template_value",),
    **dict.fromkeys((17, 18, *range(22, 35)), _BYTES),
}  # fmt: skip
_OBJECTS = frozenset({"dataset_value", "template_value", "bytes_value", "extension_value"})

# Properties of a metric, in lower case without spaces.
_UNIT_KEYS = frozenset({"engunit", "engineeringunit", "engineeringunits", "unit", "units"})
# Spellings of units in industrial software that are not the symbols themselves.
_UNITS = {
    "degc": "°C", "deg c": "°C", "celsius": "°C", "degf": "°F", "deg f": "°F",
    "fahrenheit": "°F", "percent": "%", "pct": "%", "volt": "V", "volts": "V", "amp": "A",
    "amps": "A", "watt": "W", "watts": "W", "degree": "°", "degrees": "°",
}  # fmt: skip
_BAD_BELOW, _GOOD, _GOOD_BELOW = 64, 192, 256  # OPC quality; Sparkplug writes 0, 192 and 500


@dataclass(frozen=True, slots=True)
class MetricName:
    """What a birth says of a metric: data may then carry the alias, or the name, alone."""

    name: str
    alias: int | None
    datatype: int
    unit: str


# By alias (a number) and by name (a text).
Names = Mapping[int | str, MetricName]


def metric_names(content: Any) -> list[MetricName]:
    """The metrics that a birth announces, each name and each alias once."""
    names: dict[str, MetricName] = {}
    aliases: set[int] = set()
    for metric in content.metrics[:METRIC_LIMIT]:
        name = metric_name(metric)
        if not name:
            continue
        alias = metric.alias if metric.HasField("alias") else None
        if alias in aliases:
            alias = None  # a second metric of this alias can only be told by its name
        elif alias is not None:
            aliases.add(alias)
        # A datatype that the specification does not know is refused value by value.
        datatype = metric.datatype if metric.datatype in DATATYPES else UNKNOWN
        names[name] = MetricName(name, alias, datatype, _properties(metric).unit)
    return list(names.values())


def references(content: Any) -> list[int | str]:
    """The aliases, or names where there are names, by which data refers to metrics."""
    found: list[int | str] = []
    for metric in content.metrics[:METRIC_LIMIT]:
        name = metric_name(metric)
        if name:
            found.append(name)
        elif name is not None and metric.HasField("alias"):
            found.append(metric.alias)
    return found


def metric_name(metric: Any) -> str | None:
    """The metric's name; empty if it has none, None if it cannot be read."""
    try:
        name: str = metric.name.decode()
    except UnicodeDecodeError:
        return None
    return name if len(name) <= NAME_LIMIT and name.isprintable() else None


def by_name_and_alias(names: list[MetricName]) -> dict[int | str, MetricName]:
    """Names as data may refer to them."""
    known: dict[int | str, MetricName] = {name.name: name for name in names}
    known.update({name.alias: name for name in names if name.alias is not None})
    return known


class Clock:
    """The times of one message; many metrics share one."""

    def __init__(self, content: Any, received_at: datetime) -> None:
        self._sent_ms = content.timestamp if content.HasField("timestamp") else None
        self._received_at = received_at
        self._known: dict[int | None, Stamp] = {}

    def stamp(self, measured_ms: int | None) -> Stamp:
        """The metric's time, else that of sending, else of receipt."""
        if measured_ms not in self._known:
            self._known[measured_ms] = self._find(measured_ms)
        return self._known[measured_ms]

    def _find(self, measured_ms: int | None) -> Stamp:
        times = ((measured_ms, TimeSource.DEVICE), (self._sent_ms, TimeSource.GATEWAY))
        for milliseconds, ts_from in times:
            if milliseconds is not None and milliseconds >= CLOCK_SET_MS:
                moment = from_epoch(milliseconds / 1000)
                if moment is not None:
                    return Stamp(moment, ts_from)
        said_something = measured_ms is not None or self._sent_ms is not None
        quality = Quality.CLOCK_REPLACED if said_something else Quality.GOOD
        return Stamp(self._received_at, TimeSource.RECEIVED, quality)


@dataclass(frozen=True, slots=True)
class _Properties:
    unit: str = ""
    quality: int | None = None


def _properties(metric: Any) -> _Properties:
    """Unit and quality code, the two properties of a metric that mean something to us."""
    if not metric.HasField("properties"):
        return _Properties()
    unit, quality = "", None
    keys = metric.properties.keys[:PROPERTY_LIMIT]
    for key, value in zip(keys, metric.properties.values[:PROPERTY_LIMIT], strict=False):
        name = key.decode("utf-8", "replace").replace(" ", "").lower()
        which = value.WhichOneof("value")
        if name in _UNIT_KEYS and which == "string_value" and not value.is_null:
            unit = unit or _unit(value.string_value)
        elif name == "quality" and which in INTEGER:
            quality = _signed(getattr(value, which), 32)
    return _Properties(unit, quality)


def _unit(text: bytes) -> str:
    """A unit as text; units in Latin-1 ("\\xb0C") are common where gateways speak C."""
    try:
        unit = text.decode()
    except UnicodeDecodeError:
        unit = text.decode("latin-1")
    unit = "".join(filter(str.isprintable, unit[:TEXT_LIMIT])).strip()
    return _UNITS.get(unit.lower(), unit)


@dataclass(slots=True)
class Values:
    """Collects what the metrics of one message bring. `names` are those of the births of its
    sender; without any births to ask (None) a metric is called after its alias."""

    content: Any  # the protobuf message
    received_at: datetime
    names: Names | None
    values: list[RawValue] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)  # aliases
    descriptions: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def take_all(self) -> None:
        """Read every metric, up to the limit."""
        metrics = self.content.metrics
        clock = Clock(self.content, self.received_at)
        for metric in metrics[:METRIC_LIMIT]:
            self._take(metric, clock)
        if len(metrics) > METRIC_LIMIT:
            problem = f"metrics: more than {METRIC_LIMIT}, the rest was left out"
            self.rejects.append(Reject(REASON_FIELD, problem))

    def _take(self, metric: Any, clock: Clock) -> None:
        name = metric_name(metric)
        if name is None:
            problem = f"name: must be at most {NAME_LIMIT} printable characters of UTF-8"
            self.rejects.append(Reject(REASON_FIELD, problem))
            return
        known = None
        if name:
            known = self.names.get(name) if self.names is not None else None
        elif not metric.HasField("alias"):
            self.rejects.append(Reject(REASON_FIELD, "metric: has neither name nor alias"))
            return
        elif self.names is None:
            name = f"alias:{metric.alias}"
        else:
            known = self.names.get(metric.alias)
            if known is None:
                self.unknown.append(metric.alias)
                return
            name = known.name
        if name != BD_SEQ and not name.startswith(CONTROLS):
            self._read(name, metric, known, clock)

    def _read(self, name: str, metric: Any, known: MetricName | None, clock: Clock) -> None:
        if metric.is_null:
            self._leave_out("null", name)
            return
        value = _value(name, metric, known)
        if isinstance(value, Reject):
            self.rejects.append(value)
        elif value is None:
            self._leave_out("no_numbers", name)
        elif name.startswith(DESCRIPTIONS):
            if len(self.descriptions) < NAMES_SHOWN:
                self.descriptions[name] = value
        else:
            self._add(name, value, metric, known, clock)

    def _add(
        self, name: str, value: int | float | str, metric: Any, known: MetricName | None,
        clock: Clock,
    ) -> None:  # fmt: skip
        properties = _properties(metric)
        quality = _quality(properties.quality)
        if quality is None:
            self._leave_out("bad_quality", name)
            return
        stamp = clock.stamp(metric.timestamp if metric.HasField("timestamp") else None)
        quality = Quality.LATE if metric.is_historical else max(quality, stamp.quality)
        unit = properties.unit or (known.unit if known else "")
        sent = None
        if type(value) is int:
            value, sent = float(value), value
        self.values.append(RawValue(name, value, stamp.ts, stamp.ts_from, unit, sent, quality))

    def _leave_out(self, why: str, name: str) -> None:
        names = self.left_out.setdefault(why, [])
        if len(names) < NAMES_SHOWN:
            names.append(name)


def _quality(code: int | None) -> Quality | None:
    """By the metric's quality code; None if the sender says that the value is no good."""
    if code is None or _GOOD <= code < _GOOD_BELOW:
        return Quality.GOOD
    return None if code < _BAD_BELOW else Quality.SUSPECT


def _value(name: str, metric: Any, known: MetricName | None) -> int | float | str | Reject | None:
    """The metric's value; None for what is understood but is neither number nor text."""
    which = metric.WhichOneof("value")
    datatype = metric.datatype or (known.datatype if known else UNKNOWN)
    if which is None:
        return Reject(REASON_FIELD, f"{name}: has no value and does not say that it is null")
    if which not in _FIELDS.get(datatype, (which,) if datatype == UNKNOWN else ()):
        described = DATATYPES.get(datatype, f"datatype {datatype}")
        return Reject(REASON_FIELD, f"{name}: {described} cannot come as {which}")
    if which in _OBJECTS:
        return None
    raw = getattr(metric, which)
    if which == "string_value":
        return _text(raw)
    if which in _FRACTION and not math.isfinite(raw):
        return Reject(REASON_NAN, f"{name}: must be a finite number (got {raw})")
    if which in INTEGER:
        return _integer(name, raw, datatype)
    value: int | float = raw
    return value


def _text(raw: bytes) -> str:
    text = raw[: 4 * TEXT_LIMIT].decode("utf-8", "replace")[:TEXT_LIMIT]
    return text.replace("\0", "")


def _integer(name: str, raw: int, datatype: int) -> int | str | Reject:
    """A whole number by its datatype; signed ones travel as two's complement."""
    if datatype == DATE_TIME:
        moment = from_epoch(raw / 1000)
        described: str | None = None if moment is None else moment.isoformat()
        return described or Reject(REASON_FIELD, f"{name}: is no time the calendar knows ({raw})")
    number: int | None = raw
    if datatype in _SIGNED_BITS:
        number = _signed(raw, _SIGNED_BITS[datatype])
    elif raw >> _UNSIGNED_BITS.get(datatype, 64):
        number = None
    if number is None:
        return Reject(REASON_FIELD, f"{name}: {raw} does not fit {DATATYPES[datatype]}")
    return number


def _signed(raw: int, bits: int) -> int | None:
    """Two's complement of `bits`, which senders extend to 32 or 64 bits or do not."""
    for width in (bits, 32, 64):
        if width < bits or raw >> width:
            continue
        number = raw - (1 << width) if raw >> (width - 1) else raw
        if -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            return number
    return None
