"""Registers: the lists a city keeps of its merchants, sites, vehicles and facilities, and what an
inspection of one of their entries is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from city.incident import Role

# Who may see personal fields as they are: whoever inspects, and the centre. Everybody else sees
# them masked.
INSPECTORS = (
    Role.ADMIN, Role.DISPATCHER, Role.SQUAD_LEADER, Role.CHECKER, Role.GAS_ENGINEER,
)  # fmt: skip
READERS = (*INSPECTORS, Role.LEADER)
# Who puts entries in, changes them and takes them out, and says for others that they are related.
KEEPERS = (Role.ADMIN, Role.DISPATCHER)


class FieldType(StrEnum):
    """`identity` is the number of a licence or of a person, by which a party is known; `relation`
    the code of an entry of another register."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    PHONE = "phone"
    PERSON = "person"
    IDENTITY = "identity"
    RELATION = "relation"


class PlaceKind(StrEnum):
    POINT = "point"
    LINE = "line"
    AREA = "area"
    NONE = "none"


class Answer(StrEnum):
    """Of an inspection to one item of its checklist."""

    OK = "ok"
    FAIL = "fail"
    NOT_APPLICABLE = "na"


@dataclass(frozen=True, slots=True)
class Named:
    """A word of a definition with its names."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class RegisterField:
    """A column of a register. `register` is the one that a relation leads to."""

    code: str
    name_zh: str
    name_en: str
    type: FieldType
    required: bool = False
    personal: bool = False
    choices: tuple[Named, ...] = ()
    register: str = ""


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """`score` points; where a `critical` one fails the whole inspection does."""

    code: str
    name_zh: str
    name_en: str
    score: int
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Register:
    """A definition. `title`, `party`, `credit`, `due`, `hours` name fields or are empty:
    what an entry is called, by which number its party is known, which choice weighs in a draw
    (`weights`), when it is first due, where and when a vehicle may go.

    A finding becomes an incident of `category`. An inspection passes from `pass_mark` per cent on;
    the next is due after `every_days`, or after `recheck_days` where it failed. Entries in one of
    `inspected_states` count in the coverage.
    """

    code: str
    name_zh: str
    name_en: str
    place: PlaceKind
    fields: tuple[RegisterField, ...]
    states: tuple[Named, ...]
    inspected_states: tuple[str, ...]
    category: str
    title: str = ""
    party: str = ""
    credit: str = ""
    due: str = ""
    hours: str = ""
    corridor_m: int = 0
    every_days: int = 0
    recheck_days: int = 7
    pass_mark: int = 100
    items: tuple[ChecklistItem, ...] = ()
    promises: tuple[Named, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)

    def field_of(self, code: str) -> RegisterField | None:
        return next((f for f in self.fields if f.code == code), None)


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One row of a register. `personal` holds the fields that are personal data, `fields` the
    others; `geometry` is GeoJSON, `lon` and `lat` a point of it (degrees, WGS 84)."""

    code: str
    state: str
    fields: Mapping[str, str]
    personal: Mapping[str, str]
    geometry: Mapping[str, Any] | None
    lon: float | None
    lat: float | None

    def value(self, name: str) -> str:
        return self.fields.get(name) or self.personal.get(name, "")


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the database has it; `short` stands in its QR code."""

    id: int
    register: str
    code: str
    short: str
    state: str
    fields: dict[str, str]
    personal: dict[str, str]
    geometry: dict[str, Any] | None
    lon: float | None
    lat: float | None
    due_on: date | None
    inspected_on: date | None
    passed: bool | None
    retired_at: datetime | None
    version: int

    def value(self, name: str) -> str:
        return self.fields.get(name) or self.personal.get(name, "")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of a register on a day: of `entries` that are inspected at all, `inspected` were so
    within the interval, `failed` stand at a failed inspection, `due` are due and of these
    `overdue` were due before this day."""

    entries: int
    inspected: int
    failed: int
    due: int
    overdue: int


@dataclass(frozen=True, slots=True)
class StoredInspection:
    """What was found. `score` is per cent of what could be reached; `incident_state` is that of
    the case it became now."""

    id: int
    entry_id: int
    at: datetime
    actor: str
    answers: dict[str, str]
    score: float
    pass_mark: int
    passed: bool
    note: str
    incident_id: int | None
    incident: str | None
    incident_state: str | None


@dataclass(frozen=True, slots=True)
class Offence:
    """An earlier failed inspection of the same party whose case was not turned down."""

    inspection_id: int
    register: str
    entry: str
    at: datetime
    incident_id: int | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """An entry that was drawn and who inspects it."""

    entry: str
    inspectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredDraw:
    """A random draw with everything it was made from, so that it can be made again."""

    id: int
    register: str
    at: datetime
    actor: str
    why: str
    seed: str
    algorithm: str
    wanted: int
    each: int
    population: list[Any]  # [code of an entry, weight]
    inspectors: list[str]
    result: list[Any]  # [code of an entry, [name of an inspector]]
    recused: list[Any]  # the same, of those who were not drawn for it


@dataclass(frozen=True, slots=True)
class Recusal:
    """Somebody who does not inspect an entry because they are related to it, and who said so."""

    person: str
    why: str
    declared_by: str
    declared_at: datetime
