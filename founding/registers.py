"""Registers of a city folder: definitions and entries, judged. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely
from shapely.geometry import mapping, shape

from city.category import Category
from city.datum import Datum, parse_datum
from city.errors import InvalidInput
from city.register import FieldType, PlaceKind, Register, RegisterEntry
from founding.datums import Datums, shape_of
from founding.parts import Entry, Fault, RegisterPart
from founding.sheets import Line, read_lines
from registers.definition import read_definition
from registers.entries import columns_of, placed, read_entry, why_outside

FILE = re.compile(r"registers/([^/]+)\.(toml|csv)")


def definition_file(code: str) -> str:
    return f"registers/{code}.toml"


def data_file(code: str) -> str:
    return f"registers/{code}.csv"


@dataclass(slots=True)
class _Reading:
    """What the files come to."""

    files: Mapping[str, bytes]
    shipped: Mapping[str, Register]
    datums: Datums
    faults: list[Fault]
    own: dict[str, str] = field(default_factory=dict)  # text by code
    known: dict[str, Register] = field(default_factory=dict)


def read_registers(
    files: Mapping[str, bytes],
    shipped: Mapping[str, Register],
    categories: Mapping[str, Category],
    area: Any,
    datums: Datums,
    faults: list[Fault],
) -> dict[str, RegisterPart]:
    """Every register that the folder says something about. `area` is the district's shape, a
    little larger; what lies outside it is a fault."""
    reading = _Reading(files, shipped, datums, faults)
    for name in sorted(files):
        found = FILE.fullmatch(name)
        if found and found[2] == "toml":
            _read_definition(reading, name, found[1])
    reading.known = {**shipped, **reading.known}
    entries: dict[str, tuple[Entry[RegisterEntry], ...]] = {}
    for name in sorted(files):
        found = FILE.fullmatch(name)
        if found and found[2] == "csv":
            if found[1] in reading.known:
                entries[found[1]] = _read_entries(reading, name, reading.known[found[1]])
            else:
                problem = f"is no register: there is no {definition_file(found[1])}"
                faults.append(Fault(name, None, "", "", problem))
    for code in sorted({*reading.own, *entries}):
        if code in reading.known:
            _check_register(reading, reading.known[code], categories)
    for code, rows in entries.items():
        _check_entries(reading, reading.known[code], rows, entries, area)
    return {
        code: RegisterPart(
            reading.known[code],
            reading.own.get(code),
            {e.value.code: e.value for e in entries[code]} if code in entries else None,
        )
        for code in sorted({*reading.own, *entries})
        if code in reading.known
    }


def _read_definition(reading: _Reading, name: str, code: str) -> None:
    try:
        text = reading.files[name].decode("utf-8-sig")
    except UnicodeDecodeError:
        reading.faults.append(Fault(name, None, "", "", "must be saved as UTF-8"))
        return
    register, problems = read_definition(text)
    reading.faults += [Fault(name, None, p.field, p.value, p.problem) for p in problems]
    if register is None:
        return
    if register.code != code:
        problem = f"must be {code}, as the file is called"
        reading.faults.append(Fault(name, None, "code", register.code, problem))
        return
    reading.own[code], reading.known[code] = text, register


def _read_entries(
    reading: _Reading, name: str, register: Register
) -> tuple[Entry[RegisterEntry], ...]:
    found: list[Entry[RegisterEntry]] = []
    rows: dict[str, int] = {}
    needed, optional = columns_of(register)
    if register.place is not PlaceKind.NONE:
        optional.append("datum")
    datum = reading.datums.of(name)
    for line in read_lines(name, reading.files[name], needed, optional, reading.faults):
        before = len(reading.faults)
        entry = _where_it_is(read_entry(register, line.values, line.fault), line, datum)
        if entry.code in rows:
            line.fault("code", f"is in row {rows[entry.code]} already")
        rows.setdefault(entry.code, line.row)
        if len(reading.faults) == before:
            found.append(Entry(line.row, entry))
    return tuple(found)


def _where_it_is(entry: RegisterEntry, line: Line, datum: Datum) -> RegisterEntry:
    """The entry in WGS-84, out of what its row, its file or the city says it is in."""
    if text := line.text("datum"):
        try:
            datum = parse_datum("datum", text)
        except InvalidInput as error:
            line.fault("datum", error.problem)
    if entry.geometry is None or not datum.is_shifted:
        return entry
    moved: dict[str, Any] = json.loads(
        json.dumps(mapping(shape_of(shape(dict(entry.geometry)), datum)))
    )
    return placed(entry, moved)


def _check_register(
    reading: _Reading, register: Register, categories: Mapping[str, Category]
) -> None:
    """What a register that is used refers to."""
    own = register.code in reading.own
    name = definition_file(register.code) if own else data_file(register.code)
    if register.category not in categories:
        fault = Fault(name, None, "category", register.category, "is no category")
        reading.faults.append(fault)
    for one in register.fields:
        if one.register and one.register not in reading.known:
            problem = f"field {one.code} leads to what is no register"
            reading.faults.append(Fault(name, None, "register", one.register, problem))


def _check_entries(
    reading: _Reading,
    register: Register,
    rows: Sequence[Entry[RegisterEntry]],
    entries: Mapping[str, Sequence[Entry[RegisterEntry]]],
    area: Any,
) -> None:
    """Places and relations. A register without a data file is looked up in the database later."""
    name = data_file(register.code)
    shapely.prepare(area)
    relations = [f for f in register.fields if f.type is FieldType.RELATION]
    known = {
        f.code: {e.value.code for e in entries[f.register]}
        for f in relations
        if f.register in entries
    }
    for row in rows:
        column, problem = why_outside(register.place, row.value, area)
        if problem:
            place = f"{row.value.lon:g}, {row.value.lat:g}"
            reading.faults.append(Fault(name, row.row, column, place, problem))
        for f in relations:
            code = row.value.value(f.code)
            if code and f.code in known and code not in known[f.code]:
                problem = f"is no entry of {data_file(f.register)}"
                reading.faults.append(Fault(name, row.row, f.code, code, problem))


def open_relations(registers: Mapping[str, RegisterPart]) -> dict[str, dict[str, tuple[str, str]]]:
    """Codes of entries that must be in the database: by register, each with the register and the
    field that asks for it."""
    wanted: dict[str, dict[str, tuple[str, str]]] = {}
    for part in registers.values():
        for f in part.register.fields:
            target = registers.get(f.register)
            if not f.register or (target is not None and target.entries is not None):
                continue
            for entry in (part.entries or {}).values():
                if code := entry.value(f.code):
                    wanted.setdefault(f.register, {})[code] = (part.register.code, f.code)
    return wanted
