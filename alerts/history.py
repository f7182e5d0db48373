"""Readings of the past as columns, metric by metric, for looking back on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.judge import NEVER_JUDGED, Sample
from city.device import WatchedDevice
from city.moment import EPOCH, MICROSECOND, as_microseconds
from city.place import LonLat
from columns.readings import credible_us

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

USABLE = np.array([quality not in NEVER_JUDGED for quality in range(128)])


@dataclass(frozen=True, slots=True)
class Series:
    """One value after the other of one device, by time; each time once.

    Times in microseconds since 1970. `facts` are what else is to be said of a value, by its place.
    """

    ts_us: Ints
    received_us: Ints
    value: Floats
    quality: NDArray[np.int8]
    facts: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ts_us)

    def sample(self, place: int) -> Sample:
        """One value as rules judge it."""
        return Sample(
            moment(int(self.ts_us[place])),
            moment(int(self.received_us[place])),
            float(self.value[place]),
            int(self.quality[place]),
            self.facts.get(place, {}),
        )

    def keep(self, rows: NDArray[Any]) -> Series:
        """Only these rows; facts are made last and do not survive it."""
        return Series(
            self.ts_us[rows], self.received_us[rows], self.value[rows], self.quality[rows]
        )

    def with_value(
        self, value: Floats, facts: Mapping[int, Mapping[str, Any]] | None = None
    ) -> Series:
        """The same moments with what was made of the values."""
        return Series(self.ts_us, self.received_us, value, self.quality, facts or {})


NOTHING = Series(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int8))


@dataclass(frozen=True)
class MetricColumns:
    """All readings of one metric, by device and time. Device number `n` of `device_ids` has the
    rows from `starts[n]` to `starts[n + 1]`."""

    device_ids: NDArray[np.int64]
    starts: NDArray[np.intp]
    ts_us: Ints
    received_us: Ints
    value: Floats
    quality: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.ts_us)

    @cached_property
    def place(self) -> dict[int, int]:
        """Number of a device by its id."""
        return {int(device): number for number, device in enumerate(self.device_ids)}

    @cached_property
    def owner(self) -> NDArray[np.intp]:
        """Number of the device of each row."""
        return np.repeat(np.arange(len(self.device_ids)), np.diff(self.starts))

    @cached_property
    def highest(self) -> Floats:
        """Of each device."""
        return np.maximum.reduceat(self.value, self.starts[:-1]) if len(self) else np.zeros(0)

    @cached_property
    def lowest(self) -> Floats:
        """Of each device."""
        return np.minimum.reduceat(self.value, self.starts[:-1]) if len(self) else np.zeros(0)

    def series(self, number: int) -> Series:
        """The readings of a device by its number."""
        rows = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return Series(
            self.ts_us[rows], self.received_us[rows], self.value[rows], self.quality[rows]
        )


@dataclass(frozen=True)
class History:
    """What is looked back on: devices by id, readings by metric id, and the pipes beside devices.

    `pipes` are the codes of the gas pipe sections that a device stands on. `until` is where the
    past ends: delays run out up to then.
    """

    devices: Mapping[int, WatchedDevice]
    columns: Mapping[int, MetricColumns]
    until: datetime
    pipes: Mapping[int, frozenset[str]] = field(default_factory=dict)
    # The level that lamps were to have by their programme: of a device at moments, None: it has no
    # programme.
    lamp_levels: Callable[[int, Ints], Floats | None] | None = None
    # Whether a person has a lamp switched on for a time, of a device at moments.
    lamp_held_on: Callable[[int, Ints], Flags] | None = None
    made: dict[Any, Any] = field(default_factory=dict)  # what several rules ask for, made once

    def of(self, device_id: int, metric_id: int) -> Series:
        """The readings of one metric of a device."""
        columns = self.columns.get(metric_id)
        number = None if columns is None else columns.place.get(device_id)
        return NOTHING if columns is None or number is None else columns.series(number)

    def readings(self) -> int:
        return sum(len(columns) for columns in self.columns.values())


def moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def as_us(span: timedelta) -> int:
    return span // MICROSECOND


def lonlat(device: WatchedDevice) -> LonLat:
    return LonLat(device.lon, device.lat)


def build_columns(
    device_id: NDArray[Any],
    ts_us: Ints,
    received_us: Ints,
    value: Floats,
    quality: NDArray[Any],
) -> MetricColumns:
    """Readings of one metric in any order, as columns: at credible times, each time once (the one
    received first), without what is never judged."""
    all_of = Series(
        credible_us({"ts_us": ts_us, "received_us": received_us}), received_us, value, quality
    )
    usable = USABLE[quality]
    if not usable.all():
        device_id, all_of = device_id[usable], all_of.keep(usable)
    if not _is_sorted(device_id, all_of.ts_us):
        order = np.lexsort((all_of.received_us, all_of.ts_us, device_id))
        device_id, all_of = device_id[order], all_of.keep(order)
    first = np.ones(len(device_id), bool)
    first[1:] = (all_of.ts_us[1:] != all_of.ts_us[:-1]) | (device_id[1:] != device_id[:-1])
    if not first.all():
        device_id, all_of = device_id[first], all_of.keep(first)
    begins = np.ones(len(device_id), bool)
    begins[1:] = device_id[1:] != device_id[:-1]
    starts = np.flatnonzero(begins)
    return MetricColumns(
        device_id[starts].astype(np.int64),
        np.append(starts, len(device_id)),
        all_of.ts_us,
        all_of.received_us,
        all_of.value,
        all_of.quality.astype(np.int8, copy=False),
    )


def series_of(samples: Iterable[Sample]) -> Series:
    """Samples of one metric of a device as a series."""
    columns = build_columns(
        *(
            np.array(column)
            for column in zip(
                *(
                    (0, as_microseconds(s.ts), as_microseconds(s.received_at), s.value, s.quality)
                    for s in samples
                ),
                strict=True,
            )
        )
    )
    return columns.series(0) if len(columns) else NOTHING


def _is_sorted(device_id: NDArray[Any], ts_us: Ints) -> bool:
    apart = device_id[1:] - device_id[:-1]
    return bool(((apart > 0) | ((apart == 0) & (ts_us[1:] > ts_us[:-1]))).all())


def merged(parts: Sequence[Series]) -> Ints:
    """The moments of several series, each once."""
    return np.unique(np.concatenate([part.ts_us for part in parts])) if parts else NOTHING.ts_us
