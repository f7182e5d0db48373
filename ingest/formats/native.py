"""Native telemetry without anything unusual about it, straight from bytes to columns.

Nine of ten messages of a city say the same: a known device, whole milliseconds, known metrics,
numbers within range. Here such a message costs a few microseconds. Whatever is not exactly so is
left to the long way (`wire.native`, `normalize`), which knows how to name what is wrong; for
what is taken here both ways give the same rows, and a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
import numpy as np

from city.moment import as_microseconds
from city.reading import METRICS, METRICS_BY_ID, Quality
from columns.readings import BATCH_DTYPE
from ingest.message import Message
from ingest.numbers import numbers_of
from ingest.plain import Plain
from ingest.reporters import Reporters
from wire.native import KIND_METRICS, NAME, telemetry_address
from wire.normalize import DERIVED_FROM
from wire.quality import FUTURE_LIMIT, STALE_LIMIT
from wire.times import time_or_none

# Topics of registered devices and sets of known metrics remembered; forgotten all at once when
# there are more.
TOPICS_MAX = 262_144
SHAPES_MAX = 4096
# Metrics and bytes of one message, bytes of its topic; the long way takes more.
METRICS_MAX = 32
PAYLOAD_MAX = 8192
TOPIC_MAX = 256

_FUTURE_US = FUTURE_LIMIT.total_seconds() * 1_000_000
_STALE_US = STALE_LIMIT.total_seconds() * 1_000_000


class _Telemetry(msgspec.Struct, forbid_unknown_fields=True):
    ts: int | str
    readings: Annotated[dict[str, float], msgspec.Meta(min_length=1, max_length=METRICS_MAX)]
    seq: Annotated[int, msgspec.Meta(ge=0, lt=2**62)] | None = None


_decode = msgspec.json.Decoder(_Telemetry).decode
_NOT_PLAIN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_TABLE_SIZE = max(METRICS_BY_ID) + 1
_LOW, _HIGH = np.full(_TABLE_SIZE, np.inf), np.full(_TABLE_SIZE, -np.inf)
_SWITCH = np.zeros(_TABLE_SIZE, dtype=bool)
for _metric in METRICS.values():
    _LOW[_metric.id], _HIGH[_metric.id] = _metric.low, _metric.high
    _SWITCH[_metric.id] = _metric.unit == "0/1"


class PlainLane:
    """Takes plain messages of devices that the registry knows."""

    def __init__(self) -> None:
        self._registry: Reporters | None = None
        self._devices: dict[str, tuple[int, str]] = {}  # by topic: id and kind
        self._shapes: dict[tuple[str, ...], tuple[int, ...]] = {}

    def take(self, messages: Sequence[Message], registry: Reporters) -> Plain:
        """Sort messages into plain ones and others."""
        if registry is not self._registry or len(self._devices) > TOPICS_MAX:
            self._registry, self._devices = registry, {}
        if len(self._shapes) > SHAPES_MAX:
            self._shapes = {}
        draft = _Columns()
        rest = [
            number
            for number, message in enumerate(messages)
            if not self._take_one(number, message, draft)
        ]
        return _within_range(draft, rest)

    def _take_one(self, number: int, message: Message, draft: _Columns) -> bool:
        topic = message.topic
        if message.retain or len(message.payload) > PAYLOAD_MAX or len(topic) > TOPIC_MAX:
            return False
        device = self._devices.get(topic) or self._find(topic)
        if device is None:
            return False
        try:
            body = _decode(message.payload)
        except _NOT_PLAIN:
            return False
        ts_us = body.ts * 1000 if isinstance(body.ts, int) else _text_us(body.ts)
        if ts_us is None:
            return False
        received_us = draft.received_us(message.received_at)
        if not -_FUTURE_US <= received_us - ts_us <= _STALE_US:
            return False
        names = (device[1], *body.readings)
        metrics = self._shapes.get(names) or self._shape(names)
        if metrics is None:
            return False
        if body.seq is not None:
            draft.seqs.append((len(draft.numbers), body.seq))
        draft.add(number, device[0], ts_us, received_us, metrics, body.readings.values())
        return True

    def _find(self, topic: str) -> tuple[int, str] | None:
        """The device of a topic, if it is registered as the topic says. Strangers are not
        remembered: they may be registered a second later."""
        address = telemetry_address(topic)
        if address is None or self._registry is None:
            return None
        district, kind, identity = address
        device = self._registry.find(NAME, identity)
        if device is None or (device.district, device.kind) != (district, kind):
            return None
        self._devices[topic] = found = (device.id, kind)
        return found

    def _shape(self, names: tuple[str, ...]) -> tuple[int, ...] | None:
        """Ids of these metrics of a kind of device; None where one is unknown or has derived
        readings beside it."""
        known = KIND_METRICS.get(names[0], METRICS)
        if not all(name in known and name not in DERIVED_FROM for name in names[1:]):
            return None
        self._shapes[names] = shape = tuple(known[name].id for name in names[1:])
        return shape


class _Columns:
    """Columns of the rows so far: one entry a message, and one a reading."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.devices: list[int] = []
        self.ts_us: list[int] = []
        self.received: list[int] = []
        self.counts: list[int] = []
        self.metrics: list[int] = []
        self.values: list[float] = []
        self.seqs: list[tuple[int, int]] = []  # where a message has one: its entry, and the number
        self._at: datetime | None = None
        self._at_us = 0

    def received_us(self, at: datetime) -> int:
        """Messages of one read share their time of receipt."""
        if at is not self._at:
            self._at, self._at_us = at, as_microseconds(at)
        return self._at_us

    def add(
        self, number: int, device: int, ts_us: int, received_us: int,
        metrics: tuple[int, ...], values: object,
    ) -> None:  # fmt: skip
        self.numbers.append(number)
        self.devices.append(device)
        self.ts_us.append(ts_us)
        self.received.append(received_us)
        self.counts.append(len(metrics))
        self.metrics.extend(metrics)
        self.values.extend(values)  # type: ignore[arg-type]


def _within_range(draft: _Columns, rest: list[int]) -> Plain:
    """The rows; messages with a value that is impossible go the long way."""
    metrics, values = np.array(draft.metrics, np.int16), np.array(draft.values, np.float64)
    counts = np.array(draft.counts, np.int32)
    good = (values >= _LOW[metrics]) & (values <= _HIGH[metrics])
    good &= ~_SWITCH[metrics] | (values == 0) | (values == 1)
    owner = np.repeat(np.arange(len(counts)), counts)
    numbers = np.array(draft.numbers, np.int32)
    taken = np.ones(len(counts), bool)
    if not good.all():
        refused = np.unique(owner[~good])
        rest = sorted([*rest, *numbers[refused].tolist()])
        taken[refused] = False
        good = taken[owner]
        owner, metrics, values = owner[good], metrics[good], values[good]
    rows = np.empty(len(values), BATCH_DTYPE)
    devices, ts_us = np.array(draft.devices, np.int32), np.array(draft.ts_us, np.int64)
    received_us = np.array(draft.received, np.int64)
    rows["device_id"] = devices[owner]
    rows["metric_id"], rows["value"] = metrics, values
    rows["quality"] = Quality.GOOD
    rows["ts_us"], rows["received_us"] = ts_us[owner], received_us[owner]
    entries, seqs = np.array(draft.seqs, np.int64).reshape(-1, 2).T
    seqs, entries = seqs[taken[entries]], entries[taken[entries]]
    said = numbers_of(NAME, devices[entries], seqs, ts_us[entries], received_us[entries])
    return Plain(NAME, rows, numbers[owner], rest, said)


def _text_us(text: str) -> int | None:
    moment = time_or_none(text)
    return None if moment is None else as_microseconds(moment)
