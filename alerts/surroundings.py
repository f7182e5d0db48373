"""What a look at some devices takes: their newest readings, and the gas pipes beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np

from alerts.history import MetricColumns, build_columns
from city.device import WatchedDevice
from city.place import LonLat
from db import pipes, readings_past
from db.pool import Connection
from db.readings import MOST_AHEAD

# A device belongs to a pipe section that it stands nearer to than this.
BESIDE_M = 15.0
METRES_A_DEGREE = 111_195.0


def load_around(
    conn: Connection, spans: Mapping[int, Mapping[int, datetime]], now: datetime
) -> dict[int, MetricColumns]:
    """By metric the readings of devices, of each from a moment of its own on."""
    columns = {}
    for metric, since in spans.items():
        rows = readings_past.copy_since(conn, metric, since, now + MOST_AHEAD)
        columns[metric] = build_columns(
            rows.device_id, rows.ts_us, rows.received_us, rows.value, rows.quality
        )
    return columns


def pipes_near(
    conn: Connection, marked: Iterable[int], devices: Mapping[int, WatchedDevice]
) -> dict[int, frozenset[str]]:
    """The pipe sections beside the marked devices, with all devices beside those."""
    own = pipes_of(conn, (devices[i] for i in marked if i in devices))
    wanted = frozenset().union(*own.values())
    if not wanted:
        return {}
    every = pipes_of(conn, devices.values(), only=wanted)
    return {i: codes & wanted for i, codes in every.items() if codes & wanted}


def pipes_of(
    conn: Connection, devices: Iterable[WatchedDevice], only: frozenset[str] | None = None
) -> dict[int, frozenset[str]]:
    """The pipe sections beside each device that measures gas, by their lines and by its attribute
    `pipe`."""
    by_district: dict[str, list[WatchedDevice]] = defaultdict(list)
    for device in devices:
        if device.gas:
            by_district[device.district].append(device)
    found: dict[int, set[str]] = defaultdict(set)
    for district, mine in by_district.items():
        for row in pipes.list_pipes(conn, district):
            if only is not None and row.code not in only:
                continue
            for number in _beside(row.line, mine):
                found[mine[number].id].add(row.code)
        for device in mine:
            named = device.attributes.get("pipe")
            if isinstance(named, str) and named:
                found[device.id].add(named)
    return {device_id: frozenset(codes) for device_id, codes in found.items()}


def _beside(line: Sequence[Sequence[float]], devices: Sequence[WatchedDevice]) -> list[int]:
    """Which of the devices are within `BESIDE_M` of a line of lon/lat."""
    points = np.array([[float(lon), float(lat)] for lon, lat, *_ in line])
    place = LonLat(float(points[0, 0]), float(points[0, 1]))
    scale = np.array([np.cos(np.radians(place.lat)), 1.0]) * METRES_A_DEGREE
    corners = points * scale
    own = np.array([[d.lon, d.lat] for d in devices]) * scale
    near = np.zeros(len(devices), bool)
    for begin, end in pairwise(corners):
        along = end - begin
        length = float(along @ along)
        share = np.clip((own - begin) @ along / length, 0, 1) if length else np.zeros(len(own))
        apart = own - (begin + share[:, None] * along)
        near |= (apart**2).sum(axis=1) <= BESIDE_M**2
    return np.flatnonzero(near).tolist()
