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
from db import evaluation, pipes, readings_past
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


def devices_near(
    conn: Connection, ids: Iterable[int], reach_m: float, *, along_pipes: bool
) -> dict[int, WatchedDevice]:
    """These devices and those of their districts within `reach_m` of one of them, with a few that
    are further; `along_pipes` also those beside the pipe sections that these stand beside, and
    within `reach_m` of such a one."""
    found = {device.id: device for device in evaluation.list_watched_devices(conn, sorted(ids))}
    by_district: dict[str, list[WatchedDevice]] = defaultdict(list)
    for device in found.values():
        by_district[device.district].append(device)
    for district, mine in by_district.items():
        boxes = [_box([[d.lon, d.lat]], reach_m) for d in mine]
        beside = pipes_of(conn, mine) if along_pipes else {}
        codes = frozenset().union(*beside.values())
        if codes:
            lines = [row.line for row in pipes.list_pipes(conn, district) if row.code in codes]
            boxes += [_box(line, reach_m + BESIDE_M) for line in lines]
        near = evaluation.list_devices_within(conn, district, boxes, sorted(codes))
        named = [d for d in near if d.attributes.get("pipe") in codes]
        around = [_box([[d.lon, d.lat]], reach_m) for d in named]
        near += evaluation.list_devices_within(conn, district, around, ()) if around else []
        found.update((device.id, device) for device in near)
    return found


def _box(points: Sequence[Sequence[float]], reach_m: float) -> evaluation.Box:
    """What holds everything within `reach_m` of these points of lon/lat."""
    lon, lat = [float(p[0]) for p in points], [float(p[1]) for p in points]
    high = reach_m / METRES_A_DEGREE * 1.01
    wide = high / max(0.05, float(np.cos(np.radians(max(map(abs, lat))))))
    return min(lon) - wide, min(lat) - high, max(lon) + wide, max(lat) + high


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
