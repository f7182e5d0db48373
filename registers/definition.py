"""A definition of a register: the text of its TOML file to a `Register`, or every fault. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from city.errors import InvalidInput
from city.register import ChecklistItem, FieldType, Named, PlaceKind, Register, RegisterField

CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
# Columns that every data file may have.
OWN_COLUMNS = ("code", "state", "lon", "lat", "geometry", "datum")
KNOWN = (
    "code", "name_zh", "name_en", "place", "fields", "states", "inspected_states", "category",
    "title", "party", "credit", "due", "hours", "corridor_m", "every_days", "recheck_days",
    "pass_mark", "items", "promises", "weights",
)  # fmt: skip
NAMES = ("code", "name_zh", "name_en")
FIELD_NAMES = (*NAMES, "type", "required", "personal", "choices", "register")
ITEM_NAMES = (*NAMES, "score", "critical")
# Of which type the fields are that a definition names for a purpose.
PURPOSES: dict[str, tuple[FieldType, ...]] = {
    "title": (FieldType.TEXT, FieldType.PERSON, FieldType.IDENTITY),
    "party": (FieldType.IDENTITY,),
    "credit": (FieldType.CHOICE,),
    "due": (FieldType.DATE,),
    "hours": (FieldType.TEXT,),
}
# Personal whatever the definition says.
PERSONAL = (FieldType.PERSON, FieldType.PHONE)
TEN_YEARS_DAYS = 3_650

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field of a definition."""

    field: str
    value: str
    problem: str


@dataclass(slots=True)
class _Reader:
    """The values of one table of the file; `at` says which, in problems."""

    values: Mapping[str, Any]
    problems: list[Problem] = field(repr=False)
    at: str = ""

    def fault(self, name: str, problem: str) -> None:
        value = self.values.get(name, "")
        self.problems.append(Problem(f"{self.at}{name}", str(value), problem))

    def only(self, known: Sequence[str]) -> None:
        for name in self.values:
            if name not in known:
                self.fault(name, "is no field of a register")

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if isinstance(value, str) and value.isprintable() and (value.strip() or default == ""):
            return value.strip()
        self.fault(name, "is missing" if value is None else "must be text")
        return ""

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        value = self.values.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(name, f"must be a whole number from {low} to {high}")
        return default

    def yes(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            self.fault(name, "must be true or false")
        return value is True

    def tables(self, name: str) -> list[_Reader]:
        """The tables of a list, each with its place in problems."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.fault(name, "must be a list of tables")
            return []
        return [
            _Reader(one, self.problems, f"{self.at}{name}[{n}].") for n, one in enumerate(value, 1)
        ]

    def words(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.fault(name, "must be a list of words")
            return ()
        return tuple(value)

    def code(self, pattern: re.Pattern[str] = CODE) -> str:
        code = self.text("code")
        if code and not pattern.fullmatch(code):
            self.fault("code", "must be letters, digits and _, at most 32")
        return code


def parse_definition(text: str) -> Register:
    """The register of a file that is known to be right; raises `InvalidInput` where it is not."""
    register, problems = read_definition(text)
    if register is None:
        first = problems[0]
        raise InvalidInput(first.field or "register", first.value, first.problem)
    return register


def read_definition(text: str) -> tuple[Register | None, list[Problem]]:
    """The register, or None and everything that is wrong with it."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [Problem("", "", f"is not TOML: {error}")]
    problems: list[Problem] = []
    top = _Reader(values, problems)
    top.only(KNOWN)
    register = _register(top)
    _check(top, register)
    return (None if problems else register), problems


def _register(top: _Reader) -> Register:
    states = _unique(top, "states", [_named(one) for one in top.tables("states")])
    place = top.text("place", "point")
    if place not in set(PlaceKind):
        top.fault("place", f"must be one of {', '.join(PlaceKind)}")
    return Register(
        code=top.code(),
        name_zh=top.text("name_zh"),
        name_en=top.text("name_en"),
        place=PlaceKind(place) if place in set(PlaceKind) else PlaceKind.NONE,
        fields=_unique(top, "fields", [_field(one) for one in top.tables("fields")]),
        states=states,
        inspected_states=top.words("inspected_states") or tuple(s.code for s in states[:1]),
        category=top.text("category"),
        title=top.text("title", ""),
        party=top.text("party", ""),
        credit=top.text("credit", ""),
        due=top.text("due", ""),
        hours=top.text("hours", ""),
        corridor_m=top.whole("corridor_m", 0, 10_000, 0),
        every_days=top.whole("every_days", 0, TEN_YEARS_DAYS, 0),
        recheck_days=top.whole("recheck_days", 0, TEN_YEARS_DAYS, 7),
        pass_mark=top.whole("pass_mark", 1, 100, 100),
        items=_unique(top, "items", [_item(one) for one in top.tables("items")]),
        promises=_unique(top, "promises", [_named(one) for one in top.tables("promises")]),
        weights=_weights(top),
    )


def _named(one: _Reader) -> Named:
    one.only(NAMES)
    return Named(one.code(WORD), one.text("name_zh"), one.text("name_en"))


def _field(one: _Reader) -> RegisterField:
    one.only(FIELD_NAMES)
    word = one.text("type", "text")
    if word not in set(FieldType):
        one.fault("type", f"must be one of {', '.join(FieldType)}")
        word = FieldType.TEXT
    kind = FieldType(word)
    choices = _unique(one, "choices", [_named(c) for c in one.tables("choices")])
    if (kind is FieldType.CHOICE) != bool(choices):
        one.fault("choices", "go with the type choice, and only with it")
    code, target = one.code(), one.text("register", "")
    if (kind is FieldType.RELATION) != bool(target):
        one.fault("register", "goes with the type relation, and only with it")
    if code in OWN_COLUMNS:
        one.fault("code", "is a column that every register has")
    return RegisterField(
        code=code,
        name_zh=one.text("name_zh"),
        name_en=one.text("name_en"),
        type=kind,
        required=one.yes("required"),
        personal=one.yes("personal") or kind in PERSONAL,
        choices=choices,
        register=target,
    )


def _item(one: _Reader) -> ChecklistItem:
    one.only(ITEM_NAMES)
    names = (one.code(WORD), one.text("name_zh"), one.text("name_en"))
    return ChecklistItem(*names, one.whole("score", 1, 1_000, 1), one.yes("critical"))


def _weights(top: _Reader) -> dict[str, int]:
    value = top.values.get("weights", {})
    right = isinstance(value, dict) and all(
        isinstance(w, int) and not isinstance(w, bool) and 0 <= w <= 1_000 for w in value.values()
    )
    if not right:
        top.fault("weights", "must be whole numbers from 0 to 1000 by class")
        return {}
    return dict(value)


def _unique(top: _Reader, name: str, found: Sequence[T]) -> tuple[T, ...]:
    codes = [getattr(one, "code", "") for one in found]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        top.problems.append(Problem(f"{top.at}{name}", code, "is there twice"))
    return tuple(found)


def _check(top: _Reader, register: Register) -> None:
    """What is wrong between the parts of a definition."""
    for purpose, kinds in PURPOSES.items():
        name = getattr(register, purpose)
        found = register.field_of(name)
        if name and found is None:
            top.fault(purpose, "is no field of this register")
        elif found is not None and found.type not in kinds:
            top.fault(purpose, f"must be a field of type {' or '.join(kinds)}")
    if not register.states:
        top.fault("states", "is missing")
    known = {state.code for state in register.states}
    for word in register.inspected_states:
        if word not in known:
            top.fault("inspected_states", f"{word} is no state of this register")
    credit = register.field_of(register.credit)
    classes = {choice.code for choice in credit.choices} if credit else set()
    for word in register.weights:
        if word not in classes:
            top.fault("weights", f"{word} is no choice of the field credit names")
