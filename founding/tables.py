"""The files of a city folder that are tables, one by one: columns, key, rows and back. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from city.clock import ClockKind
from city.datum import Datum
from city.errors import InvalidInput, NotFound
from city.settings import Column, SheetRow
from founding.area_file import (
    AREA_COLUMNS,
    AREAS,
    KINDS,
    VIDEO,
    VIDEO_COLUMNS,
    area_rows,
    as_area_file,
    video_limit,
    with_areas,
)
from founding.export import csv_text
from founding.feeds_file import (
    FEED_COLUMNS,
    FEEDS,
    NO,
    YES,
    as_file,
    entry_rows,
    with_entries,
)
from founding.folder import (
    CALENDAR,
    CATEGORIES,
    CATEGORY_COLUMNS,
    CATEGORY_OPTIONAL,
    CLOCKS,
    DAY_COLUMNS,
    DIVISION_COLUMNS,
    DIVISIONS,
    LIMIT_COLUMNS,
    LIMITS,
    PEOPLE,
    PEOPLE_COLUMNS,
    ROLES,
    ROSTER,
    ROSTER_COLUMNS,
    SQUAD_COLUMNS,
    SQUADS,
    Columns,
)
from founding.parts import DEFAULT_LEVELS
from founding.rosters import entry_name
from founding.sheets import Line, read_lines
from wire import FORMATS

CALENDAR_PREFIX = "calendar-"


@dataclass(frozen=True, slots=True)
class Form:
    """How a file whose rows are entries, not lines, is read and written as a table."""

    rows: Callable[[bytes], list[Line]]
    written: Callable[[Sequence[str], Sequence[Sequence[str]]], bytes]
    as_file: Callable[[bytes], bytes]


FORMS: Mapping[str, Form] = {
    FEEDS: Form(entry_rows, with_entries, as_file),
    AREAS: Form(area_rows, with_areas, as_area_file),
}


@dataclass(frozen=True, slots=True)
class Table:
    """`removable`: what is not in the file any more is taken out of force. `writes` is what of a
    city its file can change, in the words of `founding.compare`."""

    name: str
    file: str
    key: str
    needed: Sequence[str]
    optional: Sequence[str]
    removable: bool
    choices: Mapping[str, Sequence[str]]
    writes: frozenset[str]

    @property
    def form(self) -> Form | None:
        """Of a file whose rows are entries, not lines."""
        return FORMS.get(self.file)

    def columns(self, content: bytes) -> list[Column]:
        """Those of the file as it is written out, in its order."""
        if self.form is not None:
            names = (*self.needed, *self.optional)
            return [Column(n, n in self.needed, self.choices.get(n, ())) for n in names]
        header = content.decode("utf-8-sig").partition("\n")[0].split(",")
        return [Column(n, n in self.needed, self.choices.get(n, ())) for n in header]

    def rows(self, content: bytes) -> list[SheetRow]:
        """Every row that can be told apart, right or wrong."""
        if self.form is not None:
            names = (*self.needed, *self.optional)
            return [
                SheetRow(line.row, {name: line.values.get(name, "") for name in names})
                for line in self.form.rows(content)
            ]
        lines = read_lines(self.file, content, self.needed, self.optional, [])
        return [SheetRow(line.row, self._named(line.values)) for line in lines]

    def _named(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """A duty is named by its squad, day and hour where nobody has named it, a limit of video
        events by its class and camera."""
        if self.file == VIDEO:
            return {**values, self.key: video_limit(Line(VIDEO, 0, values, [])).entry}
        if self.file != ROSTER or values.get(self.key):
            return values
        squad, day, start = (values.get(name, "") for name in ("squad", "day", "from"))
        return {**values, self.key: entry_name(squad, day, start)}

    def empty(self) -> bytes:
        """The file without a row: a calendar in which every day is as the week has it."""
        if self.form is not None:
            return self.form.written((), ())
        names = self.needed if CALENDAR.fullmatch(self.file) else (*self.needed, *self.optional)
        return csv_text(names, ()).encode()

    def written(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
        """The file with these rows."""
        if self.form is not None:
            return self.form.written(names, rows)
        return csv_text(names, rows).encode()

    def as_file(self, content: bytes) -> bytes:
        """What somebody uploads, a table whatever the file is, as the file."""
        return content if self.form is None else self.form.as_file(content)


# By the name of a part: its file, the column that names a row, its columns, whether a row can be
# removed, and the words that a column takes.
_TABLES: Mapping[str, tuple[str, str, Columns, bool, Mapping[str, Sequence[str]]]] = {
    "people": (PEOPLE, "name", PEOPLE_COLUMNS, False, {"role": ROLES}),
    "squads": (SQUADS, "code", SQUAD_COLUMNS, True, {}),
    "categories": (
        CATEGORIES, "code", (CATEGORY_COLUMNS, CATEGORY_OPTIONAL), True,
        {"class": ("component", "event"), "severity": ("1", "2", "3", "4")},
    ),
    # The limit of handling stands with its category.
    "limits": (
        LIMITS, "clock", LIMIT_COLUMNS, False,
        {"clock": [clock for clock in CLOCKS if clock != ClockKind.HANDLE]},
    ),
    "divisions": (DIVISIONS, "code", DIVISION_COLUMNS, True, {"level": DEFAULT_LEVELS}),
    "feeds": (
        FEEDS, "name", FEED_COLUMNS, True,
        {"enabled": (YES[0], NO[0]), "datum": tuple(Datum), "format": tuple(sorted(FORMATS))},
    ),
    "areas": (AREAS, "code", AREA_COLUMNS, True, {"kind": KINDS}),
    "video": (VIDEO, "entry", VIDEO_COLUMNS, True, {}),
    "rosters": (ROSTER, "entry", ROSTER_COLUMNS, True, {}),
}  # fmt: skip
NAMES = tuple(_TABLES)
_WRITES: Mapping[str, frozenset[str]] = {
    "people": frozenset({"person"}),
    "squads": frozenset({"squad"}),
    "categories": frozenset({"category"}),
    "limits": frozenset({"stage_limit", "category"}),  # uploaded, with those of handling
    "divisions": frozenset({"division", "duty_grid"}),
    "feeds": frozenset({"feed"}),
    "areas": frozenset({"area"}),
    "video": frozenset({"video_limit"}),
    "rosters": frozenset({"roster"}),
}
CALENDAR_WRITES = frozenset({"calendar"})


def table_of(name: str) -> Table:
    """The table of a part; a calendar is a part for each year, as `calendar-2027`."""
    if name in _TABLES:
        file, key, (needed, optional), removable, choices = _TABLES[name]
        return Table(name, file, key, needed, optional, removable, choices, _WRITES[name])
    file = f"{name}.csv"
    if not CALENDAR.fullmatch(file):
        raise NotFound("part of the settings", name)
    needed, optional = DAY_COLUMNS
    choices = {"working": ("true", "false")}
    return Table(name, file, "date", needed, optional, True, choices, CALENDAR_WRITES)


def beside(table: Table, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of these files that can change what the file of a table can."""
    names = {t.file for t in map(table_of, NAMES) if t.writes & table.writes}
    return {
        name: content
        for name, content in files.items()
        if name in names or (table.writes is CALENDAR_WRITES and CALENDAR.fullmatch(name))
    }


def calendar_name(year: int) -> str:
    return f"{CALENDAR_PREFIX}{year}"


def year_of(name: str) -> int | None:
    """Of a part that is a calendar."""
    match = CALENDAR.fullmatch(f"{name}.csv")
    return int(match[1]) if match else None


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_row(table: Table, content: bytes, key: str, values: Mapping[str, str]) -> bytes:
    """The file with a row put in the place of the one with this key; at the end where `key` is
    empty. A row of that key that is not there is an error."""
    names = [column.name for column in table.columns(content)]
    for name in values:
        if name not in names:
            raise InvalidInput(f"put.{name}", values[name], "is no column of this part")
    rows = [_cells(names, row.values) for row in table.rows(content)]
    new = _cells(names, values)
    if not key:
        rows.append(new)
    else:
        rows[_place(table, content, key)] = new
    return table.written(names, rows)


def without_row(table: Table, content: bytes, key: str) -> bytes:
    """The file without the row of this key."""
    if not table.removable:
        raise InvalidInput("remove", key, f"stays: nobody takes rows out of {table.name}")
    names = [column.name for column in table.columns(content)]
    rows = [_cells(names, row.values) for row in table.rows(content)]
    del rows[_place(table, content, key)]
    return table.written(names, rows)


def _cells(names: Sequence[str], values: Mapping[str, str]) -> list[str]:
    return [values.get(name, "") for name in names]


def _place(table: Table, content: bytes, key: str) -> int:
    for number, row in enumerate(table.rows(content)):
        if row.values.get(table.key) == key:
            return number
    raise InvalidInput("key", key, f"is no {table.key} of this part")
