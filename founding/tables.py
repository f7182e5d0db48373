"""The files of a city folder that are tables, one by one: columns, key, rows and back. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from city.clock import ClockKind
from city.datum import Datum
from city.errors import InvalidInput, NotFound
from city.register import Register
from city.settings import Column, SheetRow
from founding.area_file import (
    AREA_COLUMNS,
    AREAS,
    KINDS,
    VIDEO,
    VIDEO_COLUMNS,
)
from founding.city_file import CITY_FILE
from founding.compare import ENTRY
from founding.export import csv_text
from founding.feeds_file import FEED_COLUMNS, FEEDS, NO, YES
from founding.folder import (
    BOUNDARY,
    CALENDAR,
    CATEGORIES,
    CATEGORY_COLUMNS,
    CATEGORY_OPTIONAL,
    CLOCKS,
    DAY_COLUMNS,
    DIVISION_COLUMNS,
    DIVISIONS,
    DUTY_GRID_COLUMNS,
    DUTY_GRIDS,
    LIMIT_COLUMNS,
    LIMITS,
    OUTLINES,
    PEOPLE,
    PEOPLE_COLUMNS,
    ROLES,
    ROSTER,
    ROSTER_COLUMNS,
    SQUAD_COLUMNS,
    SQUADS,
    Columns,
)
from founding.forms import (
    BOUNDARY_COLUMNS,
    CITY_COLUMNS,
    CSV,
    FORMS,
    GRID,
    GRID_COLUMNS,
    MODEL_COLUMNS,
    MODELS,
    OUTLINE_COLUMNS,
    Form,
)
from founding.message_files import (
    CHANNEL_COLUMNS,
    CHANNELS,
    ESCALATION,
    ESCALATION_COLUMNS,
    MODES,
    STEPS,
)
from founding.message_files import KINDS as KINDS_OF_CHANNEL
from founding.parts import DEFAULT_LEVELS
from founding.pipes import PIPE_COLUMNS, PIPES, PRESSURES
from founding.registers import data_file
from registers.entries import columns_of
from wire import FORMATS

# Their content is GeoJSON.
GEOJSON_FILES = (BOUNDARY, AREAS, OUTLINES, PIPES)
CALENDAR_PREFIX, REGISTER_PREFIX = "calendar-", "register-"


@dataclass(frozen=True, slots=True)
class Table:
    """`removable`: what is not in the table any more is taken out of force; `addable`: rows can be
    added; `by_file`: it is only ever sent as a whole. `writes` is what of a city it can change, in
    the words of `founding.compare`. `cells`: whether that concerns the cells of the unit grid."""

    name: str
    file: str
    key: str
    needed: Sequence[str]
    optional: Sequence[str]
    removable: bool
    choices: Mapping[str, Sequence[str]]
    writes: frozenset[str]
    addable: bool = True
    by_file: bool = False

    @property
    def form(self) -> Form:
        return FORMS.get(self.file, CSV)

    @property
    def is_csv(self) -> bool:
        """Whether the content is a table as it stands."""
        return self.file not in (FEEDS, CITY_FILE, CHANNELS, *GEOJSON_FILES)

    @property
    def cells(self) -> bool:
        return bool(self.writes & {"division", "duty_grid", "unit_grid"})

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.needed, *self.optional)

    def columns(self, content: bytes) -> list[Column]:
        """Those of the file as it is written out, in its order."""
        header = self.form.header(content, self.names)
        return [Column(n, n in self.needed, self.choices.get(n, ())) for n in header]

    def rows(self, content: bytes) -> list[SheetRow]:
        """Every row that can be told apart, right or wrong."""
        return self.form.rows(self.file, content, self.names)

    def empty(self) -> bytes:
        """The file without a row: a calendar in which every day is as the week has it."""
        names = self.needed if CALENDAR.fullmatch(self.file) else self.names
        return csv_text(names, ()).encode()

    def written(self, before: bytes, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
        """The content with these rows."""
        return self.form.written(before, names, rows)

    def taken(self, before: bytes, upload: bytes) -> bytes:
        """What somebody uploads, a table whatever the file is, as the content."""
        return self.form.taken(before, upload, self.names)

    def gather(self, files: Mapping[str, bytes]) -> bytes:
        """The content out of the files of a folder."""
        found = self.form.gather(self.file, files)
        return self.empty() if found is None else found

    def put_into(self, files: Mapping[str, bytes], content: bytes) -> dict[str, bytes]:
        """The files of the folder with this content in the place of what they had of it."""
        return self.form.put_into(self.file, files, content)


# By the name of a part: its file, the column that names a row, its columns, whether a row can be
# removed, and the words that a column takes.
_TABLES: Mapping[str, tuple[str, str, Columns, bool, Mapping[str, Sequence[str]]]] = {
    "city": (CITY_FILE, "code", CITY_COLUMNS, False, {"four_eyes": ("true", "false")}),
    "boundary": (BOUNDARY, "file", BOUNDARY_COLUMNS, False, {}),
    "divisions": (DIVISIONS, "code", DIVISION_COLUMNS, True, {"level": DEFAULT_LEVELS}),
    "division-outlines": (OUTLINES, "code", OUTLINE_COLUMNS, True, {}),
    "duty-grids": (DUTY_GRIDS, "code", DUTY_GRID_COLUMNS, True, {}),
    "unit-grid": (GRID, "code", GRID_COLUMNS, False, {}),
    "squads": (SQUADS, "code", SQUAD_COLUMNS, True, {}),
    "rosters": (ROSTER, "entry", ROSTER_COLUMNS, True, {}),
    "people": (PEOPLE, "name", PEOPLE_COLUMNS, False, {"role": ROLES}),
    "categories": (
        CATEGORIES, "code", (CATEGORY_COLUMNS, CATEGORY_OPTIONAL), True,
        {"class": ("component", "event"), "severity": ("1", "2", "3", "4")},
    ),
    # The limit of handling stands with its category.
    "limits": (
        LIMITS, "clock", LIMIT_COLUMNS, False,
        {"clock": [clock for clock in CLOCKS if clock != ClockKind.HANDLE]},
    ),
    "feeds": (
        FEEDS, "name", FEED_COLUMNS, True,
        {"enabled": (YES[0], NO[0]), "datum": tuple(Datum), "format": tuple(sorted(FORMATS))},
    ),
    "models": (MODELS, "name", MODEL_COLUMNS, True, {}),
    "pipes": (PIPES, "code", PIPE_COLUMNS, True, {"pressure": tuple(PRESSURES)}),
    "areas": (AREAS, "code", AREA_COLUMNS, True, {"kind": KINDS}),
    "video": (VIDEO, "entry", VIDEO_COLUMNS, True, {}),
    "channels": (
        CHANNELS, "name", CHANNEL_COLUMNS, True, {"kind": KINDS_OF_CHANNEL, "mode": MODES},
    ),
    "escalation": (ESCALATION, "step", ESCALATION_COLUMNS, False, {"step": STEPS}),
}  # fmt: skip
NAMES = tuple(_TABLES)
_WRITES: Mapping[str, frozenset[str]] = {
    "people": frozenset({"person"}),
    "squads": frozenset({"squad"}),
    "categories": frozenset({"category"}),
    "limits": frozenset({"stage_limit", "category"}),  # uploaded, with those of handling
    "divisions": frozenset({"division", "duty_grid"}),
    # A squad that answers for communities answers for the duty grids that come in their place.
    "duty-grids": frozenset({"duty_grid", "squad"}),
    "city": frozenset({"district", "calendar"}),
    "boundary": frozenset({"district"}),
    "unit-grid": frozenset({"unit_grid"}),
    "division-outlines": frozenset({"division_outline"}),
    "pipes": frozenset({"pipe"}),
    "models": frozenset({"model"}),
    "feeds": frozenset({"feed"}),
    "areas": frozenset({"area"}),
    "video": frozenset({"video_limit"}),
    "channels": frozenset({"channel"}),
    "escalation": frozenset({"escalation"}),
    "rosters": frozenset({"roster"}),
}
CALENDAR_WRITES = frozenset({"calendar"})
# Their rows are there always.
_FIXED = ("city", "boundary", "escalation")
# Tens of thousands of cells.
_BY_FILE = ("unit-grid",)


def table_of(name: str) -> Table:
    """The table of a part; a calendar is a part for each year, as `calendar-2027`."""
    if name in _TABLES:
        file, key, (needed, optional), removable, choices = _TABLES[name]
        by_file = name in _BY_FILE
        addable = name not in _FIXED and not by_file
        return Table(
            name, file, key, needed, optional, removable, choices, _WRITES[name], addable, by_file
        )
    file = f"{name}.csv"
    if not CALENDAR.fullmatch(file):
        raise NotFound("part of the settings", name)
    needed, optional = DAY_COLUMNS
    choices = {"working": ("true", "false")}
    return Table(name, file, "date", needed, optional, True, choices, CALENDAR_WRITES)


def register_of(name: str) -> str | None:
    """The register whose entries a part is."""
    return name.removeprefix(REGISTER_PREFIX) if name.startswith(REGISTER_PREFIX) else None


def register_table(register: Register) -> Table:
    """The entries of a register, sent as a whole: one by one they are kept on their own page."""
    needed, optional = columns_of(register)
    choices = {f.code: [c.code for c in f.choices] for f in register.fields if f.choices}
    states = {"state": [state.code for state in register.states]}
    return Table(
        f"{REGISTER_PREFIX}{register.code}", data_file(register.code), "code", needed, optional,
        True, {**choices, **states}, frozenset({ENTRY}), addable=False, by_file=True,
    )  # fmt: skip


def beside(table: Table, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of these files that can change what the file of a table can."""
    others = [t for t in map(table_of, NAMES) if t.writes & table.writes]
    days = "calendar" in table.writes
    return {
        name: content
        for name, content in files.items()
        if any(t.form.owns(t.file, name) for t in others) or (days and CALENDAR.fullmatch(name))
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
    return table.written(content, names, rows)


def without_row(table: Table, content: bytes, key: str) -> bytes:
    """The file without the row of this key."""
    if not table.removable:
        raise InvalidInput("remove", key, f"stays: nobody takes rows out of {table.name}")
    names = [column.name for column in table.columns(content)]
    rows = [_cells(names, row.values) for row in table.rows(content)]
    del rows[_place(table, content, key)]
    return table.written(content, names, rows)


def _cells(names: Sequence[str], values: Mapping[str, str]) -> list[str]:
    return [values.get(name, "") for name in names]


def _place(table: Table, content: bytes, key: str) -> int:
    for number, row in enumerate(table.rows(content)):
        if row.values.get(table.key) == key:
            return number
    raise InvalidInput("key", key, f"is no {table.key} of this part")
