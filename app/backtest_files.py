"""What a backtest on files knows beside readings and devices: areas, work permits and lighting
programmes, out of files as a city has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from alerts.history import History
from alerts.lamp_orders import LampOrders
from app.commands import read_text
from app.permit_commands import read_rows
from city.area import Area
from city.datum import Datum
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.lamp_due import DueLamps, Followed, Key
from city.lamp_programme import Programme, parse_programme
from city.lighting import LIGHT, FollowingLamp, TargetKind
from city.permit import GRACE, Candidate, Span, devices_in, read_place
from db.calendars import build_china_calendar
from founding.area_file import read_areas
from founding.parts import Fault

# The attribute of a lamp that names its programme, where there are several.
FOLLOWS = "lamp_programme"
# Why a permit for a street is refused.
UNDRAWN = "files of devices do not say in which street these stand: draw it as an area of this code"


def areas_of(file: Path | None) -> Sequence[Area]:
    """The areas of an `areas.geojson`."""
    if file is None:
        return ()
    faults: list[Fault] = []
    found = read_areas(file.read_bytes(), Datum.WGS84, faults)
    if faults:
        where = f"{file.name}: feature {faults[0].row}: {faults[0].field}"
        raise InvalidInput(where, faults[0].value, faults[0].problem)
    return [entry.value for entry in found]


def permits_of(
    file: Path | None, devices: Iterable[WatchedDevice], areas: Iterable[Area] = ()
) -> Mapping[str, Sequence[Span]]:
    """When permits of a file count, by the code of a device. The file is one of `gridwarden permit
    import`; permits of the past need their `from`. A street is the area of its code: files of
    devices do not say in which street these stand."""
    if file is None:
        return {}
    known = [Candidate(d.id, d.code, d.lon, d.lat, None, d.kind == "manhole") for d in devices]
    drawn = {area.code: area for area in areas}
    spans: dict[str, list[Span]] = {}
    for number, row in read_rows(read_text(file)):
        try:
            place = read_place(row)
            if place.street and place.street not in drawn:
                raise InvalidInput("street", place.street, UNDRAWN)
            begin, end = _moment(row["from"], "from"), _moment(row["until"], "until")
            if end <= begin:
                raise InvalidInput("until", row["until"], f"is not after from, {row['from']}")
            mine = devices_in(place, _on_street(known, drawn.get(place.street)))
        except InvalidInput as error:
            where = f"{file.name}: row {number}: {error.field}"
            raise InvalidInput(where, error.value, error.problem) from error
        span = Span(number, row["code"] or f"row {number}", begin, end + GRACE)
        for device in mine:
            spans.setdefault(device.code, []).append(span)
    return spans


def _on_street(known: Sequence[Candidate], street: Area | None) -> Sequence[Candidate]:
    if street is None:
        return known
    return [
        replace(one, street=street.code if street.covers(one.lon, one.lat) else None)
        for one in known
    ]


def with_programmes(history: History, files: Sequence[Path]) -> History:
    """A history whose lamps follow the programmes of these files: the one that their attribute
    `lamp_programme` names, without it the only one. Working days are those of the mainland."""
    if not files:
        return history
    programmes: dict[str, Programme] = {}
    for file in files:
        try:
            programme = parse_programme(read_text(file))
        except InvalidInput as error:
            raise InvalidInput(f"{file.name}: {error.field}", error.value, error.problem) from error
        if programme.code in programmes:
            raise InvalidInput(f"{file.name}: code", programme.code, "is there twice")
        programmes[programme.code] = programme
    only = next(iter(programmes)) if len(programmes) == 1 else ""
    assigned: dict[Key, str] = {}
    lamps: dict[int, FollowingLamp] = {}
    for device in history.devices.values():
        if device.kind != LIGHT:
            continue
        code = device.attributes.get(FOLLOWS, only)
        if code and code not in programmes:
            raise InvalidInput(f"{device.code}: {FOLLOWS}", code, "is no programme that was given")
        if code:
            assigned[TargetKind.LAMP.value, device.code] = code
        lamps[device.id] = FollowingLamp(device.id, device.code, "", "", device.lon, device.lat)
    due = DueLamps(Followed(programmes, assigned, build_china_calendar()), {})
    orders = LampOrders({number: (lamp, due) for number, lamp in lamps.items()})
    return replace(history, lamp_levels=orders.levels)


def _moment(text: str | None, field: str) -> datetime:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        problem = "must be a time with a zone, 2026-01-01T00:00:00+08:00"
        raise InvalidInput(field, text, problem)
    return found
