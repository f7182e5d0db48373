"""What ingest and the decode command do with a message, and what must hold whatever it is."""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from city.device import RegisteredDevice
from city.errors import InvalidInput
from city.reading import METRICS, Decoded, MessageClass
from ingest.batch import DECODER_FAULTS, account, build_batch
from ingest.decode import decode_by_hand
from ingest.message import Message
from ingest.reporters import Reporters
from wire import FORMATS, recognise
from wire.normalize import normalize
from wire.quality import is_in_future

# What may leave a parser only if it did not foresee its input.
FAULTS = (InvalidInput, AssertionError, *DECODER_FAULTS)
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
# Seconds of processor time for one message of 16 KiB, some ten times what the slowest honest one
# needs with every branch of the parser counted.
SLOW = 0.25
# Characters of a rejection's detail, values and events of one message, and bytes of what is kept
# of it beside them.
DETAIL_LIMIT = 1_000
VALUE_LIMIT = 5_000
KEPT_LIMIT = 64 * 1024
# Megabytes by which one message may raise the most memory that the process ever used.
GREEDY = 64


class Everybody(Reporters):
    """A registry in which every device and squad is found."""

    def find(self, format_name: str, identity: str) -> RegisteredDevice:
        return RegisteredDevice(
            1,
            "X",
            "gas",
            "460107",
            "",
            "methane",
            format_name,
            identity,
            {"mounting_height_cm": 200},
            "Asia/Shanghai",
        )

    def squad_district(self, squad: str) -> str:
        return "460107"


EVERYBODY = Everybody([])


class TooMuch(Exception):
    """The message took longer, or more memory, than any of its size may."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(detail)
        self.what = what


@dataclass(frozen=True)
class AnyDevice:
    """A registered device that every message fits."""

    code: str = "X"
    kind: str = "gas"
    district: str = "460107"
    model: str = ""
    gas: str | None = "methane"
    attributes: Mapping[str, Any] = field(default_factory=lambda: {"mounting_height_cm": 200})


def join(name: str, topic: str, body: bytes) -> bytes:
    """An attack as one piece of bytes."""
    return f"{name} {topic}\n".encode("utf-8", "surrogateescape") + body


def split(data: bytes) -> tuple[str, str, bytes]:
    """Format, topic and body of an attack."""
    head, _, body = data.partition(b"\n")
    name, _, topic = head.decode("utf-8", "surrogateescape").partition(" ")
    return name, topic, body


def attack(name: str, topic: str, body: bytes) -> None:
    """Everything that is done with a message; raises what must not happen."""
    topic = topic.encode("utf-8", "replace").decode().replace("\0", "?")  # MQTT has no other
    peak = _peak_mb()
    seconds = _timed(name, topic, body)
    if _peak_mb() - peak > GREEDY:
        raise TooMuch("greedy", f"{_peak_mb() - peak} MB for {len(body)} bytes")
    if seconds > SLOW:  # perhaps the machine was, not the parser
        seconds = min(_timed(name, topic, body) for _ in range(2))
    if seconds > SLOW:
        raise TooMuch("slow", f"{seconds:.2f} s for {len(body)} bytes")


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _timed(name: str, topic: str, body: bytes) -> float:
    start = time.process_time()
    decoded = take_in(name, topic, body)
    batch = build_batch([Message(topic, body, False, NOW)], [decoded], EVERYBODY)
    (entry,) = account(batch, np.ones(len(batch.rows), bool), set())
    recognise(topic, body)
    result = decode_by_hand(topic, body, format=name, received_at=NOW)
    seconds = time.process_time() - start
    assert entry.received == entry.stored + entry.duplicate + entry.rejected == 1
    json.dumps(result, allow_nan=False).encode()
    return seconds


def take_in(name: str, topic: str, body: bytes, model: str = "") -> Decoded:
    """Parse and normalise; what is said of the message must be sound."""
    decoded = FORMATS[name].parse(topic, body, NOW)
    for part in decoded.parts or (decoded,):
        _check(part, model)
    return decoded


def _check(decoded: Decoded, model: str) -> None:
    content = normalize(decoded, AnyDevice(model=model), NOW)
    for reading in content.readings:
        metric = METRICS[reading.metric]
        assert metric.low <= reading.value <= metric.high, reading
        assert not is_in_future(reading.ts, NOW), reading
        _storable([reading.raw_unit, str(reading.raw_value)])
    for reject in (*decoded.rejects, *content.rejects):
        assert reject.reason, reject
        assert reject.detail, reject
        assert len(reject.detail) <= DETAIL_LIMIT, reject
    if decoded.message_class is MessageClass.INVALID:
        assert decoded.rejects
    _storable([decoded.device, decoded.link])
    for event in content.events:
        _storable([event.event_id, event.camera, event.type, event.snapshot, event.attributes])
    for status in content.statuses:
        _storable([status.device, status.attributes])
    assert len(content.readings) + len(content.kept_out) <= VALUE_LIMIT
    assert len(content.events) <= VALUE_LIMIT


def _storable(value: Any) -> None:
    """Valid JSON of a bounded size, without the characters that PostgreSQL refuses."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    assert len(text.encode()) <= KEPT_LIMIT, f"{len(text)} characters are kept"
    assert not any("\0" in part for part in _texts(value)), "a NUL character is kept"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for part in value:
            yield from _texts(part)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))


class Findings:
    """Runs inputs and keeps one finding of each kind."""

    def __init__(self, folder: Path, only: str | None = None) -> None:
        self.folder = folder
        self.only = only
        self.kinds: dict[str, bytes] = {}

    def run(self, data: bytes) -> None:
        """One input; what is wrong with it is noted, and the search goes on."""
        name, topic, body = split(data)
        if name not in FORMATS or (self.only and name != self.only):
            return
        try:
            attack(name, topic, body)
        except (TooMuch, *FAULTS) as fault:
            self._note(name, fault, data)

    def _note(self, name: str, fault: Exception, data: bytes) -> None:
        at = traceback.extract_tb(fault.__traceback__)[-1]
        kind = f"{name}-{type(fault).__name__}-{Path(at.filename).stem}-{at.lineno}"
        if isinstance(fault, TooMuch):
            kind = f"{name}-{fault.what}"
        known = self.kinds.get(kind)
        if known is None:
            print(f"FINDING {kind}: {fault}", file=sys.stderr)
        if known is None or len(data) < len(known):
            self.kinds[kind] = data
            (self.folder / kind).write_bytes(data)
