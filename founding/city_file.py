"""`city.toml` and `grid.toml`: what a district is called, and how its unit grid is made. Pure."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from city.act_time import DEFAULT_PHONE_HOURS
from city.clock import DEFAULT_WINDOWS
from city.datum import Datum, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat
from founding.datums import Datums
from founding.parts import DEFAULT_LEVELS, DISTRICT, District, Fault, Raster, Window

CITY_FILE, GRID_FILE = "city.toml", "grid.toml"
CITY_FIELDS = (
    "code", "name_zh", "name_en", "timezone", "calendar", "windows", "languages", "datum",
    "datums", "enclaves", "levels", "four_eyes", "phone_hours",
)  # fmt: skip
RASTER_FIELDS = ("west", "south", "cell_lon", "cell_lat")
LANGUAGES = ("zh", "en")
# An answer to what a phone has sent is kept for two weeks.
PHONE_HOURS = range(1, 169)
# The name of a level.
LEVEL = re.compile(r"\w{1,32}")
CALENDAR_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
# A cell of 10 m to 1 km.
CELL_SIZE_DEG = (0.0001, 0.01)


@dataclass(slots=True)
class Table:
    """The fields of a TOML file; what is wrong with one goes to the list of faults."""

    file: str
    values: Mapping[str, Any]
    faults: list[Fault] = field(repr=False)

    def fault(self, name: str, problem: str) -> None:
        value = self.values.get(name, "")
        self.faults.append(Fault(self.file, None, name, str(value), problem))

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if isinstance(value, str) and value.strip() and value.isprintable():
            return value.strip()
        self.fault(name, "is missing" if value is None else "must be text")
        return ""

    def only(self, known: Sequence[str]) -> None:
        for name in self.values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}" if near else ""
                self.fault(name, f"is no field of this file{hint}")


def read_table(file: str, content: bytes, faults: list[Fault]) -> Table | None:
    try:
        return Table(file, tomllib.loads(content.decode("utf-8-sig")), faults)
    except UnicodeDecodeError:
        faults.append(Fault(file, None, "", "", "must be saved as UTF-8"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(file, None, "", "", f"is not TOML: {error}"))
    return None


@dataclass(frozen=True, slots=True)
class CityFile:
    """`district` lacks its outline, and is None where a field is wrong; `enclaves`: its boundary
    may have holes."""

    district: District | None = None
    windows: tuple[Window, ...] = DEFAULT_WINDOWS
    datums: Datums = field(default_factory=Datums)
    enclaves: bool = False


def read_city_file(content: bytes, faults: list[Fault]) -> CityFile:
    """What the file says by itself."""
    table = read_table(CITY_FILE, content, faults)
    if table is None:
        return CityFile()
    before = len(faults)
    table.only(CITY_FIELDS)
    code = table.text("code")
    if code and not re.fullmatch(r"[0-9]{6}", code):
        table.fault("code", "must be six digits, in quotes")
    district = District(
        code=code,
        name_zh=table.text("name_zh"),
        name_en=table.text("name_en"),
        timezone=_timezone(table),
        languages=_languages(table),
        calendar=table.text("calendar", "CN"),
        outline={},
        levels=_levels(table),
        four_eyes=_flag(table, "four_eyes"),
        phone_hours=_phone_hours(table),
    )
    if district.calendar and not CALENDAR_CODE.fullmatch(district.calendar):
        table.fault("calendar", "must be letters, digits, - and _")
    enclaves = _flag(table, "enclaves")
    datums, windows = _datums(table), _windows(table)
    found = district if len(faults) == before else None
    return CityFile(found, windows, datums, enclaves)


def _datums(table: Table) -> Datums:
    default = _datum(table, "datum", table.values.get("datum", Datum.WGS84.value))
    stated = table.values.get("datums", {})
    if not isinstance(stated, dict):
        table.fault("datums", "must be a table of files and what they are in")
        stated = {}
    return Datums(
        default, {file: _datum(table, f"datums.{file}", text) for file, text in stated.items()}
    )


def _datum(table: Table, name: str, text: Any) -> Datum:
    try:
        return parse_datum(name, text if isinstance(text, str) else str(text))
    except InvalidInput as error:
        table.faults.append(Fault(table.file, None, name, str(text), error.problem))
        return Datum.WGS84


def _flag(table: Table, name: str) -> bool:
    value = table.values.get(name, False)
    if not isinstance(value, bool):
        table.fault(name, "must be true or false, without quotes")
    return value is True


def _phone_hours(table: Table) -> int:
    value = table.values.get("phone_hours", DEFAULT_PHONE_HOURS)
    if not isinstance(value, int) or isinstance(value, bool) or value not in PHONE_HOURS:
        problem = f"must be a whole number of hours, {PHONE_HOURS[0]} to {PHONE_HOURS[-1]}"
        table.fault("phone_hours", problem)
        return DEFAULT_PHONE_HOURS
    return value


def _timezone(table: Table) -> str:
    name = table.text("timezone", "Asia/Shanghai")
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.fault("timezone", "is no time zone, e.g. Asia/Shanghai")
    return name


def _languages(table: Table) -> tuple[str, ...]:
    value = table.values.get("languages", list(LANGUAGES))
    if not isinstance(value, list) or not value or any(item not in LANGUAGES for item in value):
        table.fault("languages", f"must be a list of {', '.join(LANGUAGES)}")
        return ()
    return tuple(dict.fromkeys(value))


def _levels(table: Table) -> tuple[str, ...]:
    """Of divisions, from the top."""
    value = table.values.get("levels", list(DEFAULT_LEVELS))
    names = value if isinstance(value, list) else []
    known = [name for name in names if name in DEFAULT_LEVELS]
    if (
        not all(isinstance(name, str) and LEVEL.fullmatch(name) for name in names)
        or names[:1] != [DISTRICT]
        or known != list(DEFAULT_LEVELS)
        or len(set(names)) != len(names)
    ):
        official = ", ".join(DEFAULT_LEVELS)
        table.fault("levels", f"must be a list of words that has {official} in this order, first")
        return DEFAULT_LEVELS
    return tuple(names)


def _windows(table: Table) -> tuple[Window, ...]:
    """Working hours of a day, in ascending order."""
    value = table.values.get("windows")
    if value is None:
        return DEFAULT_WINDOWS
    try:
        windows = tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in value)
    except (TypeError, ValueError):
        windows = ()
    edges = [edge for window in windows for edge in window]
    if not windows or edges != sorted(set(edges)):
        table.fault("windows", 'must be pairs like ["08:00", "12:00"] that ascend')
        return DEFAULT_WINDOWS
    return windows


@dataclass(frozen=True, slots=True)
class GridOrder:
    """`file` names the city's own cells; without it they are made, by `raster` if it is given."""

    raster: Raster | None = None
    file: str = ""


def read_grid_file(content: bytes, datum: Datum, faults: list[Fault]) -> GridOrder:
    table = read_table(GRID_FILE, content, faults)
    if table is None:
        return GridOrder()
    table.only((*RASTER_FIELDS, "file"))
    if "file" in table.values:
        return GridOrder(file=table.text("file"))
    given = [name for name in RASTER_FIELDS if name in table.values]
    if not given:
        return GridOrder()
    numbers = {}
    for name in RASTER_FIELDS:
        value = table.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            table.fault(name, "must be degrees; the four of them go together")
        elif name.startswith("cell") and not CELL_SIZE_DEG[0] <= value <= CELL_SIZE_DEG[1]:
            table.fault(name, f"must be {CELL_SIZE_DEG[0]:g} to {CELL_SIZE_DEG[1]:g} degrees")
        else:
            numbers[name] = float(value)
    if len(numbers) < len(RASTER_FIELDS):
        return GridOrder()
    corner = to_wgs84(LonLat(numbers["west"], numbers["south"]), datum)
    return GridOrder(Raster(**{**numbers, "west": corner.lon, "south": corner.lat}))
