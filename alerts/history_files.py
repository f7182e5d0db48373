"""Readings and devices out of CSV files as a history; whatever is wrong is named by file, row,
field and value."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from alerts.history import History, build_columns, moment
from alerts.scope import WALL_CLOCK
from city.area import Area
from city.device import WatchedDevice, normal_identity
from city.errors import InvalidInput
from city.moment import as_microseconds
from city.place import LonLat
from city.reading import METRICS
from city.text_files import decode, encodings_of

READING_COLUMNS = ("ts", "device", "metric", "value")
DEVICE_COLUMNS = ("code", "kind", "lon", "lat")
REPORT_INTERVAL_S = 300
GZIP_MARK = b"\x1f\x8b"
# Delays run out after the last reading for so long as a day's matter may take.
AFTER = timedelta(hours=1)


def read_history(
    readings: Path,
    devices: Path,
    metrics: Collection[int] | None = None,
    areas: Sequence[Area] = (),
) -> History:
    """Readings (`ts,received_at,device,metric,value`, optional `quality`; in any order, also
    gzipped) of devices (as `gridwarden device import` takes them). `metrics` are the ids of those
    that are asked about; others are checked and left out. `areas` are those that devices may stand
    in, as long as they are valid on the day of the last reading."""
    known = read_devices(devices)
    numbers = {device.code: device.id for device in known.values()}
    rows = _Rows(readings, numbers, metrics)
    columns = {
        metric: build_columns(*(np.array(column) for column in parts))
        for metric, parts in rows.by_metric.items()
    }
    end = moment(rows.newest_us)
    valid = [area for area in areas if area.is_valid_on(end.astimezone(WALL_CLOCK).date())]
    return History(_placed(known, valid), columns, end + AFTER)


def _placed(
    devices: Mapping[int, WatchedDevice], areas: Sequence[Area]
) -> Mapping[int, WatchedDevice]:
    if not areas:
        return devices
    return {
        number: replace(
            device, areas={a.code: a.kind.value for a in areas if a.covers(device.lon, device.lat)}
        )
        for number, device in devices.items()
    }


class _Rows:
    """The rows of a readings file as lists, metric by metric."""

    def __init__(
        self, file: Path, numbers: Mapping[str, int], metrics: Collection[int] | None
    ) -> None:
        self.file = file
        self.newest_us = 0
        self.by_metric: dict[int, tuple[list[int], list[int], list[int], list[float], list[int]]]
        self.by_metric = defaultdict(lambda: ([], [], [], [], []))
        found: dict[str, Any] = {}
        lines = _lines(file)
        header = next(lines, [])
        at = _positions(file, header, READING_COLUMNS)
        ts, device, metric, value = (at[name] for name in READING_COLUMNS)
        received, quality = at.get("received_at"), at.get("quality")
        for number, row in enumerate(lines, start=2):
            if not row:
                continue
            try:
                device_id, kind = numbers[row[device]], METRICS[row[metric]]
                amount = float(row[value])
                ts_us = as_microseconds(datetime.fromisoformat(row[ts]))
                heard = ts_us
                if received is not None and row[received]:
                    heard = as_microseconds(datetime.fromisoformat(row[received]))
                sure = 0 if quality is None or not row[quality] else int(row[quality])
                if not kind.low <= amount <= kind.high or not 0 <= sure <= 4:
                    raise ValueError
            except (KeyError, ValueError, IndexError, TypeError) as error:
                raise self._fault(number, header, row, numbers) from error
            self.newest_us = max(self.newest_us, ts_us)
            if metrics is None or kind.id in metrics:
                parts = found.get(row[metric])
                if parts is None:
                    parts = found[row[metric]] = self.by_metric[kind.id]
                parts[0].append(device_id)
                parts[1].append(ts_us)
                parts[2].append(heard)
                parts[3].append(amount)
                parts[4].append(sure)

    def _fault(
        self, number: int, header: Sequence[str], row: Sequence[str], known: Mapping[str, int]
    ) -> InvalidInput:
        """What is wrong with a row that could not be taken."""
        where = f"{self.file.name}: row {number}"
        if len(row) != len(header):
            return InvalidInput(where, len(row), f"must have {len(header)} fields")
        cells = dict(zip(header, row, strict=True))
        if cells["device"] not in known:
            return InvalidInput(f"{where}: device", cells["device"], "is not in the devices file")
        if cells["metric"] not in METRICS:
            return InvalidInput(f"{where}: metric", cells["metric"], "is not a known metric")
        metric = METRICS[cells["metric"]]
        for name in ("ts", "received_at"):
            if (cells.get(name) or name == "ts") and not _is_moment(cells[name]):
                problem = "must be a time with a zone, 2026-01-01T00:00:00+08:00"
                return InvalidInput(f"{where}: {name}", cells[name], problem)
        if not _is_within(cells["value"], metric.low, metric.high):
            problem = f"must be a number from {metric.low:g} to {metric.high:g} for {metric.name}"
            return InvalidInput(f"{where}: value", cells["value"], problem)
        return InvalidInput(f"{where}: quality", cells.get("quality"), "must be 0 to 4")


def read_devices(file: Path) -> dict[int, WatchedDevice]:
    """Devices of a CSV file by a number of their own; no district is asked about."""
    lines = _lines(file)
    header = next(lines, [])
    _positions(file, header, DEVICE_COLUMNS)
    devices: dict[int, WatchedDevice] = {}
    codes: set[str] = set()
    for number, row in enumerate(lines, start=2):
        if not row:
            continue
        where = f"{file.name}: row {number}"
        if len(row) != len(header):
            raise InvalidInput(where, len(row), f"must have {len(header)} fields")
        cells = dict(zip(header, row, strict=True))
        code = normal_identity(cells["code"].strip())
        if not code or code in codes:
            raise InvalidInput(f"{where}: code", code, "is there twice" if code else "is missing")
        codes.add(code)
        devices[len(devices) + 1] = _device(len(devices) + 1, code, cells, where)
    return devices


def _device(number: int, code: str, cells: Mapping[str, str], where: str) -> WatchedDevice:
    for name, low, high in (("lon", -180, 180), ("lat", -90, 90)):
        if not _is_within(cells[name], low, high):
            raise InvalidInput(f"{where}: {name}", cells[name], f"must be from {low} to {high}")
    interval = cells.get("report_interval_s") or str(REPORT_INTERVAL_S)
    if not _is_within(interval, 1, 31 * 86_400):
        raise InvalidInput(f"{where}: report_interval_s", interval, "must be seconds, at least 1")
    try:
        attributes = json.loads(cells.get("attributes") or "{}")
    except json.JSONDecodeError as error:
        problem = "must be a JSON object"
        raise InvalidInput(f"{where}: attributes", cells["attributes"], problem) from error
    if not isinstance(attributes, dict):
        raise InvalidInput(f"{where}: attributes", attributes, "must be a JSON object")
    if not cells["kind"]:
        raise InvalidInput(f"{where}: kind", "", "is missing")
    place = LonLat(float(cells["lon"]), float(cells["lat"]))
    return WatchedDevice(
        id=number, code=code, district=cells.get("district", ""), kind=cells["kind"],
        gas=cells.get("gas") or None, lon=place.lon, lat=place.lat, unit_grid=None,
        attributes=attributes, report_interval_s=int(float(interval)), demo=False,
        out_of_service_since=None, return_due_at=None, model=cells.get("model", ""),
    )  # fmt: skip


def _lines(file: Path) -> Iterator[list[str]]:
    content = file.read_bytes()
    if content.startswith(GZIP_MARK):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise InvalidInput(file.name, "", f"is not a whole gzip file: {error}") from error
    text = decode(content)
    if text is None:
        names = " or ".join(encodings_of(content))
        raise InvalidInput(file.name, "", f"is not text in {names}")
    try:
        yield from csv.reader(text[0].splitlines())
    except csv.Error as error:
        raise InvalidInput(file.name, "", f"is no CSV: {error}") from error


def _positions(file: Path, header: Sequence[str], needed: Sequence[str]) -> dict[str, int]:
    missing = [name for name in needed if name not in header]
    if missing:
        raise InvalidInput(f"{file.name}: header", ",".join(header), f"has no {missing[0]}")
    return {name: place for place, name in enumerate(header)}


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_within(text: str, low: float, high: float) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and low <= number <= high
