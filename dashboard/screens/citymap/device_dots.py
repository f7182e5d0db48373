"""The dots on the map: state and newest shown value of every device of a district."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from statistics import median
from typing import Any, NamedTuple

import msgspec

from city.reading import SHOWN_METRICS

# A device that has been quiet for this many of its own report intervals is shown as silent;
# radio loses a message now and then, three in a row it does not.
SILENT_INTERVALS = 3
# Delays kept for the latency shown on the wall.
DELAYS_KEPT = 1_000

RANK = {name: rank for rank, name in enumerate(SHOWN_METRICS)}
NO_RANK = len(SHOWN_METRICS)


class WallDevice(NamedTuple):
    """A device with the newest value of the metric its dot shows, and when it was last heard, in
    epoch milliseconds."""

    id: int
    kind: str
    report_interval_s: int
    out_of_service: bool
    metric: str | None
    value: float | None
    ts: int | None
    heard: int | None


class DeviceState(IntEnum):
    """Colour code of a dot, shared with the browser."""

    UNKNOWN = 0
    OK = 1
    SILENT = 2
    YELLOW = 3  # and blue
    ORANGE = 4
    RED = 5
    OUT_OF_SERVICE = 6


_BY_SEVERITY = {
    1: DeviceState.RED, 2: DeviceState.ORANGE, 3: DeviceState.YELLOW, 4: DeviceState.YELLOW,
}  # fmt: skip


def device_state(
    *,
    out_of_service: bool,
    severity: int | None,
    heard_ms: int | None,
    interval_s: int,
    now_ms: int,
) -> DeviceState:
    """Out of service hides alarms; an alarm hides silence; a device never heard is unknown."""
    if out_of_service:
        return DeviceState.OUT_OF_SERVICE
    if severity is not None:
        return _BY_SEVERITY[severity]
    if heard_ms is None:
        return DeviceState.UNKNOWN
    if now_ms - heard_ms > SILENT_INTERVALS * interval_s * 1000:
        return DeviceState.SILENT
    return DeviceState.OK


@dataclass(slots=True)
class Dot:
    """One device as the wall knows it; times are epoch ms."""

    kind: str
    interval_s: int
    out_of_service: bool
    metric: str
    value: float | None
    ts: int | None
    heard: int | None
    severity: int | None = None
    shown: DeviceState = DeviceState.UNKNOWN  # as last told to the screens

    def state(self, now_ms: int) -> DeviceState:
        return device_state(
            out_of_service=self.out_of_service,
            severity=self.severity,
            heard_ms=self.heard,
            interval_s=self.interval_s,
            now_ms=now_ms,
        )

    def row(self, device_id: int, received: int | None, committed: int | None) -> list[Any]:
        """[device_id, state, value, metric, ts, received, committed] of a device frame."""
        return [device_id, int(self.shown), self.value, self.metric, self.ts, received, committed]


class DeviceBoard:
    """All dots of a district. Told what happened and what time it is; does no I/O."""

    def __init__(self) -> None:
        self._dots: dict[int, Dot] = {}
        self._severities: dict[int, int] = {}
        self._delays: deque[int] = deque(maxlen=DELAYS_KEPT)
        self._base: bytes | None = None  # what the snapshot says of all dots
        self._young: set[int] = set()  # those that look different since

    def load(self, rows: Iterable[WallDevice], now_ms: int) -> list[list[Any]]:
        """Take over what the database says; returns the frame rows of dots that look different."""
        dots, changed = {}, []
        for row in rows:
            known = self._dots.get(row.id)
            dot = _dot(row, known)
            dot.severity = self._severities.get(row.id)
            dot.shown = dot.state(now_ms)
            dots[row.id] = dot
            if self._dots and (known is None or _looks(known) != _looks(dot)):
                changed.append(dot.row(row.id, dot.heard, None))
        if dots.keys() != self._dots.keys():
            self._base = None
        self._young.update(row[0] for row in changed)
        self._dots = dots
        return changed

    def apply(self, frame: Mapping[str, Any], now_ms: int) -> list[list[Any]]:
        """Take over new values ({"committed", "d": [[id, state, value, metric, ts, received]]})."""
        rows = []
        committed = frame["committed"]
        for device_id, state, value, metric, ts, received in frame["d"]:
            dot = self._dots.get(device_id)
            if dot is None:
                continue
            dot.heard = max(received, dot.heard or 0)
            if ts is not None:
                self._delays.append(committed - ts)
            if not _replaces(dot, metric, ts):
                continue
            dot.metric, dot.value, dot.ts = metric, value, ts
            dot.shown = DeviceState(state) if state is not None else dot.state(now_ms)
            self._young.add(device_id)
            rows.append(dot.row(device_id, received, committed))
        return rows

    def set_severities(self, worst: Mapping[int, int], now_ms: int) -> list[list[Any]]:
        """Worst live alarm by device; returns the frame rows of dots that change colour."""
        affected = set(worst) | set(self._severities)
        self._severities = dict(worst)
        for device_id in affected & set(self._dots):
            self._dots[device_id].severity = worst.get(device_id)
        return self._recoloured(affected, now_ms)

    def sweep(self, now_ms: int) -> list[list[Any]]:
        """Frame rows of dots whose state changed with time alone: they went silent."""
        return self._recoloured(self._dots, now_ms)

    def _recoloured(self, device_ids: Iterable[int], now_ms: int) -> list[list[Any]]:
        changed = []
        for device_id in device_ids:
            dot = self._dots.get(device_id)
            if dot is not None and dot.shown != (state := dot.state(now_ms)):
                dot.shown = state
                self._young.add(device_id)
                changed.append(dot.row(device_id, dot.heard, None))
        return changed

    def rows(self) -> list[list[Any]]:
        """[id, state, value, metric, ts] of every dot with something to say."""
        return [
            [device_id, int(dot.shown), dot.value, dot.metric, dot.ts]
            for device_id, dot in self._dots.items()
            if dot.shown is not DeviceState.UNKNOWN
        ]

    def json_parts(self) -> tuple[bytes, bytes]:
        """`rows` as JSON without its brackets, in two parts: the first stays the same object for
        as long as few dots change; the second has those that look different since, in the form
        they have now. Of two rows of one device the later one counts."""
        if self._base is None:
            self.settle()
        assert self._base is not None
        young = [
            [device_id, int(dot.shown), dot.value, dot.metric, dot.ts]
            for device_id in self._young
            if (dot := self._dots.get(device_id)) is not None
        ]
        return self._base, msgspec.json.encode(young)[1:-1]

    def settle(self) -> None:
        """Make the first part anew."""
        self._base = msgspec.json.encode(self.rows())[1:-1]
        self._young = set()

    @property
    def young(self) -> int:
        """How many dots look different from the first part."""
        return len(self._young)

    def reporting(self, now_ms: int) -> tuple[int, int]:
        """(devices heard from within their own limit, all devices in service)."""
        in_service = [dot for dot in self._dots.values() if not dot.out_of_service]
        return sum(_is_heard(dot, now_ms) for dot in in_service), len(in_service)

    def lit(self, now_ms: int) -> tuple[int, int]:
        """(lamps that are on, lamps that say whether they are); silent ones are unknown."""
        said = [
            dot
            for dot in self._dots.values()
            if dot.metric == "lamp_on" and not dot.out_of_service and _is_heard(dot, now_ms)
        ]
        return sum(bool(dot.value) for dot in said), len(said)

    def delay_ms(self) -> float | None:
        """Median time from the sensor's clock to the commit, over the newest readings."""
        return float(median(self._delays)) if self._delays else None


def _dot(row: WallDevice, known: Dot | None) -> Dot:
    dot = Dot(
        row.kind, row.report_interval_s, row.out_of_service, row.metric or "", row.value, row.ts,
        row.heard,
    )  # fmt: skip
    # A frame may have told us something newer than the row that was read meanwhile.
    if known is not None and known.ts is not None and known.ts > (row.ts or 0):
        dot.metric, dot.value, dot.ts = known.metric, known.value, known.ts
    if known is not None and known.heard is not None:
        dot.heard = max(known.heard, row.heard or 0)
    return dot


def _looks(dot: Dot) -> tuple[Any, ...]:
    return dot.shown, dot.metric, dot.value, dot.ts


def _replaces(dot: Dot, metric: str, ts: int | None) -> bool:
    """Newer, and not a lesser metric than the one the dot shows."""
    if dot.ts is not None and ts is not None and ts < dot.ts and metric == dot.metric:
        return False
    return not dot.metric or RANK.get(metric, NO_RANK) <= RANK.get(dot.metric, NO_RANK)


def _is_heard(dot: Dot, now_ms: int) -> bool:
    return dot.heard is not None and now_ms - dot.heard <= SILENT_INTERVALS * dot.interval_s * 1000
