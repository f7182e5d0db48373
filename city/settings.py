"""The settings of a city as tables: what is shown of them, and what a change of one would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class PartItem:
    """A part of the settings. `missing`: the calendar of a year that should be there by now."""

    name: str
    editable: bool
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `choices` are all the words it takes; empty: any text."""

    name: str
    needed: bool
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SheetRow:
    """`row` counts as in a spreadsheet: 1 is the header. Values by the name of their column."""

    row: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A part as it is now. `digest` is of its file, `seq` the newest event of the log then: a
    change that is meant for this sheet names both. `key` is the column that names a row;
    `by_file`: it is only sent as a whole, not row by row."""

    name: str
    key: str
    columns: Sequence[Column]
    rows: Sequence[SheetRow]
    digest: str
    seq: int
    editable: bool
    removable: bool
    addable: bool = True
    by_file: bool = False


@dataclass(frozen=True, slots=True)
class SheetFault:
    """What is wrong with a value; `row` as in `SheetRow`, None where it is of the whole file."""

    file: str
    row: int | None
    field: str
    value: str
    problem: str


@dataclass(frozen=True, slots=True)
class SheetChange:
    """One thing that would differ; `count` above 1 where things are told by their number."""

    what: str
    code: str
    how: str
    fields: Sequence[str] = ()
    count: int = 1


@dataclass(frozen=True, slots=True)
class LimitEffect:
    """What another limit does to open cases of all districts, or other areas and thresholds
    (`video`) to the events of the last days: `code` is their number, `get` would be held back,
    `keep` shown. `keep` have a clock that runs (or
    will run) with the limit they have; `get` have not started this clock and get the new one."""

    what: str
    code: str
    before: str
    after: str
    keep: int
    get: int


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """What a change would do; nothing is written. Where `faults` or `obstacles` has anything it
    would be refused. `content` is the file as it would be, to be sent back when it is applied."""

    name: str
    content: str
    digest: str
    seq: int
    rows: Sequence[SheetRow]
    faults: Sequence[SheetFault] = ()
    changes: Sequence[SheetChange] = ()
    obstacles: Sequence[SheetFault] = ()
    effects: Sequence[LimitEffect] = ()


@dataclass(frozen=True, slots=True)
class AppliedSheet:
    """What was put in force, the passwords of new people (known only now), and the part now."""

    changes: Sequence[SheetChange]
    passwords: Mapping[str, str] = field(repr=False)
    sheet: Sheet


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A value before and after; empty where there was or is none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One thing of a part that was changed: by whom, when, why, and what differs."""

    seq: int
    at: datetime
    actor: str
    kind: str
    code: str
    why: str
    fields: Sequence[FieldChange]


# The State Council's notice for the next year comes in November; offices ask for it before.
CALENDAR_MONTH = 10


def missing_year(known_until: date, today: date) -> int | None:
    """The year whose working days should be known by now and are not: this one, or from
    1 October on the next one."""
    if known_until < today:
        return today.year
    asked = today.year + 1 if today.month >= CALENDAR_MONTH else today.year
    return asked if known_until.year < asked else None
