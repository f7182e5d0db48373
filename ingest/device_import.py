"""Register devices from a CSV or GeoJSON file; whatever is wrong with it gets a line of report.

Rows without fault are imported, the others are named and left out: an installer with 5,000 lamps
corrects the twelve that are wrong and gives the file again. `strict` imports all rows or none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from db.devices import (
    DistrictOutline,
    NewDevice,
    TakenNames,
    find_cells,
    insert_devices,
    list_districts,
    list_taken,
)
from db.pool import Connection
from ingest.device_files import Row, read_rows
from ingest.formats import ALIASES, FORMATS
from ingest.models import KINDS as MODEL_KINDS
from ingest.models import load_model, model_names
from ingest.registry import normal_identity

KINDS = MODEL_KINDS - {"any"}
GASES = ("methane", "lpg", "propane")
NATIVE = "native"
# How often a device of unknown model is expected to report.
REPORT_INTERVAL_S = 300
# Outlines are drawn to about 100 m, and a device may stand on the line.
OUTLINE_TOLERANCE_DEG = 0.001
# Two devices of a kind nearer than this decimal of a degree (1 cm) were entered twice.
PLACE_DECIMALS = 7
CODE_LENGTH_MAX = 64
# A code is one level of an MQTT topic.
CODE_FORBIDDEN = frozenset("/+#$ ")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row. Row 1 is the header of a CSV, the first feature otherwise."""

    row: int
    field: str
    value: str
    problem: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.field} {self.value!r}: {self.problem}"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file held, what of it was imported (or would be), and every fault."""

    rows: int
    imported: int
    faults: tuple[Fault, ...]
    dry_run: bool

    def as_text(self) -> str:
        """For people: a line a fault, then the sum."""
        done = "would be imported" if self.dry_run else "imported"
        left_out = len({fault.row for fault in self.faults})
        lines = [str(fault) for fault in self.faults]
        lines.append(f"{self.imported} of {self.rows} devices {done}, {left_out} rows with faults")
        return "\n".join(lines)


def import_file(
    conn: Connection, path: Path, *, dry_run: bool, now: datetime, strict: bool = False
) -> ImportReport:
    """Import what is right, report what is wrong; a dry run only reports."""
    rows = read_rows(path.name, path.read_bytes())
    judged = judge_rows(rows, list_districts(conn), list_taken(conn))
    devices = [] if strict and judged.faults else judged.devices
    if devices and not dry_run:
        cells = find_cells(conn, [(device.lon, device.lat) for device in devices])
        placed = [replace(device, cell=cell) for device, cell in zip(devices, cells, strict=True)]
        insert_devices(conn, placed, now)
    return ImportReport(len(rows), len(devices), tuple(judged.faults), dry_run)


@dataclass(slots=True)
class Judged:
    """Devices fit for import and the faults of the others."""

    devices: list[NewDevice] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def judge_rows(
    rows: Sequence[Row], districts: Sequence[DistrictOutline], taken: TakenNames
) -> Judged:
    """Tell good rows from faulty ones. Of two good rows that claim the same, the first wins."""
    outlines = {d.code: shape(d.outline).buffer(OUTLINE_TOLERANCE_DEG) for d in districts}
    shapely.prepare(list(outlines.values()))
    judge = _Judge(outlines, taken)
    judged = Judged()
    for row in rows:
        faults: list[Fault] = []
        device = judge.judge(row, faults)
        if device is not None and not faults:
            judged.devices.append(device)
        judged.faults += faults
    return judged


class _Judge:
    """Judges rows one after the other and remembers what the good ones claim."""

    def __init__(self, outlines: Mapping[str, BaseGeometry], taken: TakenNames) -> None:
        self._outlines = outlines
        self._codes = set(taken.codes)
        self._external_ids = set(taken.external_ids)
        self._places = {
            (kind, round(lon, PLACE_DECIMALS), round(lat, PLACE_DECIMALS))
            for kind, lon, lat in taken.places
        }

    def judge(self, row: Row, faults: list[Fault]) -> NewDevice | None:
        """The device of a row; faults are added to the list."""
        cells = _Cells(row, faults)
        cells.check_storable()
        code = self._code(cells)
        kind = cells.one_of("kind", sorted(KINDS))
        lon, lat = cells.number("lon"), cells.number("lat")
        district = self._district(cells, lon, lat)
        model = self._model(cells, kind)
        format_name, external_id = self._identity(cells)
        device = NewDevice(
            code=code,
            district=district,
            kind=kind,
            model=model,
            format=format_name,
            external_id=external_id,
            name=cells.text("name") or code,
            lon=lon,
            lat=lat,
            cell=None,
            gas=cells.one_of("gas", GASES) if cells.text("gas") else None,
            report_interval_s=cells.interval(model),
            attributes=cells.attributes(),
        )
        self._check_unclaimed(device, cells)
        if not faults:
            self._claim(device)
        return device

    def _code(self, cells: _Cells) -> str:
        code = cells.text("code")
        if not code:
            cells.fault("code", "is missing")
        elif len(code) > CODE_LENGTH_MAX or CODE_FORBIDDEN & set(code) or not code.isprintable():
            forbidden = "".join(sorted(CODE_FORBIDDEN - {" "}))
            cells.fault("code", f"must be 1 to {CODE_LENGTH_MAX} characters without {forbidden}")
        return code

    def _district(self, cells: _Cells, lon: float, lat: float) -> str:
        named = cells.text("district")
        if named and named not in self._outlines:
            cells.fault("district", f"must be one of {', '.join(sorted(self._outlines))}")
            return named
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return named
        inside = self._districts_at(lon, lat)
        if named in inside or (not named and len(inside) == 1):
            return named or inside[0]
        self._explain_place(cells, named, inside, lon, lat)
        return named

    def _districts_at(self, lon: float, lat: float) -> list[str]:
        point = shapely.Point(lon, lat)
        return [code for code, outline in self._outlines.items() if outline.covers(point)]

    def _explain_place(
        self, cells: _Cells, named: str, inside: Sequence[str], lon: float, lat: float
    ) -> None:
        place = f"{lon:g}, {lat:g}"
        swapped = self._districts_at(lat, lon)
        if swapped and (not named or named in swapped):
            cells.fault("lon, lat", "are swapped", place)
        elif inside and not named:
            cells.fault("district", f"is missing; the place lies in {' and '.join(inside)}")
        else:
            where = f"district {named}" if named else "every district"
            cells.fault("lon, lat", f"lies outside the outline of {where}", place)

    def _model(self, cells: _Cells, kind: str) -> str:
        name = cells.text("model")
        model = load_model(name) if name else None
        if name and model is None:
            cells.fault("model", f"is unknown; known are {', '.join(sorted(model_names()))}")
        elif model is not None and kind in KINDS and model.kind not in ("any", kind):
            cells.fault("model", f"is a {model.kind} device, the row says {kind}")
        return name

    def _identity(self, cells: _Cells) -> tuple[str, str | None]:
        format_name = cells.text("format").lower() or NATIVE
        format_name = ALIASES.get(format_name, format_name)
        external_id = normal_identity(cells.text("external_id")) or None
        if format_name not in FORMATS:
            cells.fault("format", f"must be one of {', '.join(FORMATS)}")
        elif external_id is None and format_name != NATIVE:
            cells.fault("external_id", f"is missing: by it {format_name} messages are known")
        return format_name, external_id

    def _check_unclaimed(self, device: NewDevice, cells: _Cells) -> None:
        """What only one device may have."""
        if device.code in self._codes and device.code:
            cells.fault("code", "is registered already, or stands in the file twice")
        elif _place_key(device) in self._places:
            at = f"{device.lon:g}, {device.lat:g}"
            cells.fault("lon, lat", f"another {device.kind} device stands on this spot", at)
        if device.external_id is not None and _identity_key(device) in self._external_ids:
            cells.fault("external_id", "belongs to another device already")

    def _claim(self, device: NewDevice) -> None:
        """A refused row claims nothing: the row that corrects it may stand further down."""
        self._codes.add(device.code)
        self._places.add(_place_key(device))
        if device.external_id is not None:
            self._external_ids.add(_identity_key(device))


def _place_key(device: NewDevice) -> tuple[str, float, float]:
    return device.kind, round(device.lon, PLACE_DECIMALS), round(device.lat, PLACE_DECIMALS)


def _identity_key(device: NewDevice) -> tuple[str, str]:
    return device.format, device.external_id or ""


class _Cells:
    """Typed access to the values of one row; what is wrong goes to the list of faults."""

    def __init__(self, row: Row, faults: list[Fault]) -> None:
        self._row = row
        self._faults = faults

    def fault(self, name: str, problem: str, value: str | None = None) -> None:
        shown = self.text(name) if value is None else value
        self._faults.append(Fault(self._row.number, name, shown[:80], problem))

    def check_storable(self) -> None:
        """PostgreSQL stores every character but one."""
        for name, value in self._row.values.items():
            if "\\u0000" in json.dumps(value):
                self.fault(name, "holds a NUL character", "")

    def text(self, name: str) -> str:
        value = self._row.values.get(name)
        return "" if value is None else str(value).strip()

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self.text(name).lower()
        if value not in allowed:
            self.fault(name, f"must be one of {', '.join(allowed)}" if value else "is missing")
        return value

    def number(self, name: str) -> float:
        """A finite number; NaN, with a fault, for anything else."""
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.fault(name, "must be a number" if text else "is missing")
            return math.nan
        return value

    def interval(self, model_name: str) -> int:
        text = self.text("report_interval_s")
        if not text:
            model = load_model(model_name) if model_name else None
            return model.interval_s if model else REPORT_INTERVAL_S
        if text.isascii() and text.isdigit() and 0 < int(text) < 2**31:
            return int(text)
        self.fault("report_interval_s", "must be a whole number of seconds above 0")
        return REPORT_INTERVAL_S

    def attributes(self) -> dict[str, Any]:
        value = self._row.values.get("attributes")
        if value is None or value == "":
            return {}
        try:
            body = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self.fault("attributes", "must be a JSON object")
            return {}
        return body
