"""Rows of devices, from a file or a form, judged: which are fit to be registered, and what is wrong
with the others."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from city.datum import Datum, parse_datum, to_wgs84
from city.device import normal_identity
from city.errors import InvalidInput
from city.place import LonLat
from db import device_models
from db.devices import (
    DistrictOutline,
    NewDevice,
    TakenNames,
    find_cells,
    insert_devices,
    list_districts,
)
from db.pool import Connection
from registry.datum_question import Given
from registry.device_files import Row
from wire import ALIASES, FORMATS, OWN
from wire.models import KINDS as MODEL_KINDS
from wire.models import load_model, model_names, use_own_models

KINDS = MODEL_KINDS - {"any"}
GASES = ("methane", "lpg", "propane")
# How often a device of unknown model is expected to report.
REPORT_INTERVAL_S = 300
# Outlines are drawn to about 100 m, and a device may stand on the line.
OUTLINE_TOLERANCE_DEG = 0.001
# Two devices of a kind nearer than this decimal of a degree (1 cm) were entered twice.
PLACE_DECIMALS = 7
CODE_LENGTH_MAX = 64
# Names and identities: longer ones are another column that slipped.
TEXT_LENGTH_MAX = 200
# Of converted positions: 1 mm.
CONVERTED_DECIMALS = 8
# Where a device keeps the position that its row gave in another datum.
GIVEN_ATTRIBUTE = "position_given"
# A code is one level of an MQTT topic.
CODE_FORBIDDEN = frozenset("/+#$ ")

# What can be wrong with a row: English here, other languages in the screens' catalogue under
# `fault.` and the same code.
PROBLEMS = {
    "missing": "is missing",
    "code_shape": "must be 1 to {max} characters without {forbidden}",
    "one_of": "must be one of {allowed}",
    "not_number": "must be a number",
    "not_text": "must be text or a number",
    "too_long": "is longer than {max} characters",
    "unprintable": "holds a character that cannot be printed",
    "geometry": "must be a Point, this is a {type}",
    "place_unset": "is where no device stands: the position was never set",
    "place_swapped": "are swapped",
    "place_outside": "lies outside the outline of district {district}",
    "place_nowhere": "lies outside the outline of every district",
    "datum_contradicts": "is not what the import was told: {stated}",
    "district_missing": "is missing; the place lies in {districts}",
    "model_unknown": "is unknown; the nearest are {near}",
    "model_kind": "is a {model_kind} device, the row says {kind}",
    "identity_missing": "is missing: by it {format} messages are known",
    "code_taken": "is registered already",
    "code_retired": "is that of a device that was retired; it comes back to life by that act alone",
    "fixed": "is {present}, which no file changes",
    "fixed_hardware": "is {present}; other hardware is entered by replacing it",
    "code_twice": "stands in the file twice, first in row {row}",
    "place_taken": "another {kind} device stands on this spot",
    "place_twice": "another {kind} device stands on this spot, that of row {row}",
    "identity_taken": "belongs to another device already",
    "identity_twice": "belongs to the device of row {row} already",
    "interval": "must be a whole number of seconds above 0",
    "not_object": "must be a JSON object",
    "unstorable": "holds a character that is no text",
    "surplus": "the row has {count} cells more than the header",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row. Row 1 is the header of a CSV, the first feature otherwise."""

    row: int
    field: str
    value: str
    code: str
    facts: Mapping[str, Any]

    @property
    def problem(self) -> str:
        """In English words."""
        return PROBLEMS[self.code].format(**self.facts)

    def __str__(self) -> str:
        return f"row {self.row}: {self.field} {self.value!r}: {self.problem}"

    def as_error(self) -> InvalidInput:
        """The same for one device that a person enters by hand."""
        return InvalidInput(self.field, self.value, self.problem, code=self.code, facts=self.facts)


def follow_models(conn: Connection) -> None:
    """Know the models that cities brought."""
    use_own_models(device_models.list_texts(conn))


def districts_of(conn: Connection, code: str | None) -> list[DistrictOutline]:
    """Where devices may stand: one district, or any."""
    return [d for d in list_districts(conn) if code is None or d.code == code]


def register(conn: Connection, devices: Sequence[NewDevice], now: datetime) -> None:
    """Write judged devices, each in its unit grid."""
    cells = find_cells(conn, [(device.lon, device.lat) for device in devices])
    placed = [replace(device, cell=cell) for device, cell in zip(devices, cells, strict=True)]
    insert_devices(conn, placed, now)


@dataclass(slots=True)
class Judged:
    """Devices fit for import and the faults of the others.

    `unshifted` are all positions that were taken as they stand, `datums` what the good rows have.
    """

    devices: list[NewDevice] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unshifted: list[Given] = field(default_factory=list)
    datums: set[Datum] = field(default_factory=set)


def judge_rows(
    rows: Sequence[Row],
    districts: Sequence[DistrictOutline],
    taken: TakenNames,
    assumed: Datum = Datum.WGS84,
    stated: Datum | None = None,
) -> Judged:
    """Tell good rows from faulty ones. Of two good rows that claim the same, the first wins.

    Positions are in the datum that their row names, else the `stated`, else the `assumed` one.
    """
    outlines = {d.code: shape(d.outline).buffer(OUTLINE_TOLERANCE_DEG) for d in districts}
    shapely.prepare(list(outlines.values()))
    judge = _Judge(outlines, taken, assumed, stated)
    judged = Judged()
    for row in rows:
        faults: list[Fault] = []
        device = judge.judge(row, faults)
        if device is not None and not faults:
            judged.devices.append(device)
            judged.datums.add(judge.datum)
        judged.faults += faults
    judged.unshifted = judge.unshifted
    return judged


# Where a claim was made: a row of the file, or 0 for the registry.
_REGISTRY = 0


class _Judge:
    """Judges rows one after the other and remembers what the good ones claim."""

    def __init__(
        self,
        outlines: Mapping[str, BaseGeometry],
        taken: TakenNames,
        assumed: Datum,
        stated: Datum | None,
    ) -> None:
        self.unshifted: list[Given] = []
        self.datum = assumed  # of the row judged last
        self._assumed, self._stated = assumed, stated
        self._outlines = outlines
        self._codes = dict.fromkeys(taken.codes, _REGISTRY)
        self._retired = taken.retired
        self._external_ids = dict.fromkeys(taken.external_ids, _REGISTRY)
        self._places = {
            (kind, round(lon, PLACE_DECIMALS), round(lat, PLACE_DECIMALS)): _REGISTRY
            for kind, lon, lat in taken.places
        }

    def judge(self, row: Row, faults: list[Fault]) -> NewDevice | None:
        """The device of a row; faults are added to the list."""
        cells = Cells(row, faults)
        cells.check_storable()
        code = self._code(cells)
        kind = cells.one_of("kind", sorted(KINDS))
        lon, lat, given = self._place(cells, code)
        district = self._district(cells, lon, lat)
        model = model_of(cells, kind)
        format_name, external_id = identity_of(cells)
        device = NewDevice(
            code=code,
            district=district,
            kind=kind,
            model=model,
            format=format_name,
            external_id=external_id,
            name=" ".join(cells.short_text("name").split()) or code,
            lon=lon,
            lat=lat,
            cell=None,
            gas=cells.one_of("gas", GASES) if cells.text("gas") else None,
            report_interval_s=cells.interval(model),
            attributes=cells.attributes() | given,
        )
        self._check_unclaimed(device, cells)
        if not faults:
            self._claim(device, row.number)
        return device

    def _code(self, cells: Cells) -> str:
        code = cells.text("code")
        if not code:
            cells.fault("code", "missing")
        elif len(code) > CODE_LENGTH_MAX or CODE_FORBIDDEN & set(code) or not code.isprintable():
            forbidden = "".join(sorted(CODE_FORBIDDEN - {" "}))
            cells.fault("code", "code_shape", max=CODE_LENGTH_MAX, forbidden=forbidden)
        return code

    def _place(self, cells: Cells, code: str) -> tuple[float, float, dict[str, Any]]:
        """Longitude and latitude in WGS-84, and what to keep of a position in another datum."""
        self.datum = self._datum(cells)
        if cells.row.geometry:
            cells.fault("geometry", "geometry", cells.row.geometry, type=cells.row.geometry)
            return math.nan, math.nan, {}
        lon, lat = cells.number("lon"), cells.number("lat")
        if not (abs(lon) <= 180 and abs(lat) <= 90):
            return lon, lat, {}  # nowhere: what is wrong with it is said in its own words
        if not self.datum.is_shifted:
            self.unshifted.append(Given(code, lon, lat))
        if self.datum is Datum.WGS84:
            return lon, lat, {}
        kept = {GIVEN_ATTRIBUTE: {"datum": self.datum.value, "lon": lon, "lat": lat}}
        if not self.datum.is_shifted:
            return lon, lat, kept
        place = to_wgs84(LonLat(lon, lat), self.datum)
        return round(place.lon, CONVERTED_DECIMALS), round(place.lat, CONVERTED_DECIMALS), kept

    def _datum(self, cells: Cells) -> Datum:
        """What the row names; it may not contradict what a person said of the whole file."""
        text = cells.short_text("datum")
        if not text:
            return self._stated or self._assumed
        try:
            named = parse_datum("datum", text)
        except InvalidInput as error:
            cells.fault("datum", error.code, **error.facts)
            return self._stated or self._assumed
        if self._stated not in (None, named):
            cells.fault("datum", "datum_contradicts", stated=self._stated)
        return named

    def _district(self, cells: Cells, lon: float, lat: float) -> str:
        named = cells.text("district")
        if named and named not in self._outlines:
            cells.fault("district", "one_of", allowed=", ".join(sorted(self._outlines)))
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
        self, cells: Cells, named: str, inside: Sequence[str], lon: float, lat: float
    ) -> None:
        place = f"{lon:g}, {lat:g}"
        swapped = self._districts_at(lat, lon)
        if swapped and (not named or named in swapped):
            cells.fault("lon, lat", "place_swapped", place)
        elif inside and not named:
            cells.fault("district", "district_missing", districts=", ".join(inside))
        elif lon == 0 and lat == 0:
            cells.fault("lon, lat", "place_unset", place)
        elif named or len(self._outlines) == 1:
            district = named or next(iter(self._outlines))
            cells.fault("lon, lat", "place_outside", place, district=district)
        else:
            cells.fault("lon, lat", "place_nowhere", place)

    def _check_unclaimed(self, device: NewDevice, cells: Cells) -> None:
        """What only one device may have."""
        code = self._codes.get(device.code) if device.code else None
        place = self._places.get(_place_key(device))
        identity = self._external_ids.get(_identity_key(device)) if device.external_id else None
        if code is not None:
            known = "code_retired" if device.code in self._retired else "code_taken"
            cells.fault("code", "code_twice" if code else known, row=code)
        elif place is not None:
            at = f"{device.lon:g}, {device.lat:g}"
            name = "place_twice" if place else "place_taken"
            cells.fault("lon, lat", name, at, kind=device.kind, row=place)
        if identity is not None:
            name = "identity_twice" if identity else "identity_taken"
            cells.fault("external_id", name, row=identity)

    def _claim(self, device: NewDevice, row: int) -> None:
        """A refused row claims nothing: the row that corrects it may stand further down."""
        self._codes[device.code] = row
        self._places[_place_key(device)] = row
        if device.external_id is not None:
            self._external_ids[_identity_key(device)] = row


def _place_key(device: NewDevice) -> tuple[str, float, float]:
    return device.kind, round(device.lon, PLACE_DECIMALS), round(device.lat, PLACE_DECIMALS)


def _identity_key(device: NewDevice) -> tuple[str, str]:
    return device.format, device.external_id or ""


def model_of(cells: Cells, kind: str) -> str:
    """The model that the row names, if there is one and it fits the kind."""
    name = cells.short_text("model")
    model = load_model(name) if name else None
    if name and model is None:
        known = sorted(model_names())
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.3) or known[:5]
        cells.fault("model", "model_unknown", near=", ".join(near))
    elif model is not None and kind in KINDS and model.kind not in ("any", kind):
        cells.fault("model", "model_kind", model_kind=model.kind, kind=kind)
    return name


def identity_of(cells: Cells) -> tuple[str, str | None]:
    """Wire format and identity inside it."""
    format_name = cells.text("format").lower() or OWN
    format_name = ALIASES.get(format_name, format_name)
    external_id = normal_identity(cells.short_text("external_id")) or None
    if format_name not in FORMATS:
        cells.fault("format", "one_of", allowed=", ".join(FORMATS))
    elif external_id is None and not FORMATS[format_name].by_code:
        cells.fault("external_id", "identity_missing", format=format_name)
    return format_name, external_id


class Cells:
    """Typed access to the values of one row; what is wrong goes to the list of faults."""

    def __init__(self, row: Row, faults: list[Fault]) -> None:
        self.row = row
        self._faults = faults

    def fault(self, name: str, code: str, value: str | None = None, **facts: Any) -> None:
        shown = self.text(name) if value is None else value
        self._faults.append(Fault(self.row.number, name, shown[:80], code, facts))

    def check_storable(self) -> None:
        """What PostgreSQL would refuse; and a cell too many has shifted the others."""
        if self.row.surplus:
            self.fault("row", "surplus", "", count=self.row.surplus)
        for name, value in self.row.values.items():
            if not _is_storable(value):
                self.fault(name, "unstorable", "")
            elif isinstance(value, dict | list) and name in _TEXT_COLUMNS:
                self.fault(name, "not_text")

    def text(self, name: str) -> str:
        value = self.row.values.get(name)
        return "" if value is None else str(value).strip()

    def short_text(self, name: str) -> str:
        """Text that fits into a line of a list."""
        text = self.text(name)
        if len(text) > TEXT_LENGTH_MAX:
            self.fault(name, "too_long", max=TEXT_LENGTH_MAX)
        elif name != "name" and not text.isprintable():
            self.fault(name, "unprintable")
        return text

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self.text(name).lower()
        if not value:
            self.fault(name, "missing")
        elif value not in allowed:
            self.fault(name, "one_of", allowed=", ".join(allowed))
        return value

    def number(self, name: str) -> float:
        """A finite number; NaN, with a fault, for anything else."""
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.fault(name, "not_number" if text else "missing")
            return math.nan
        return value

    def interval(self, model_name: str) -> int:
        text = self.text("report_interval_s")
        if not text:
            model = load_model(model_name) if model_name else None
            return model.interval_s if model else REPORT_INTERVAL_S
        if text.isascii() and text.isdigit() and len(text) < 11 and 0 < int(text) < 2**31:
            return int(text)
        self.fault("report_interval_s", "interval")
        return REPORT_INTERVAL_S

    def attributes(self) -> dict[str, Any]:
        value = self.row.values.get("attributes")
        if value is None or value == "":
            return {}
        try:
            body = json.loads(value) if isinstance(value, str) else value
            json.dumps(body, allow_nan=False)  # JSON as PostgreSQL knows it has no NaN
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            self.fault("attributes", "not_object")
            return {}
        return body


def _is_storable(value: Any) -> bool:
    """PostgreSQL knows neither NUL nor half a surrogate pair."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text and "\\u0000" not in text


_TEXT_COLUMNS = frozenset(
    {"code", "kind", "name", "district", "model", "format", "external_id", "gas", "datum"}
)
