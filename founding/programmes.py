"""`lighting/*.toml` and `lighting.csv`: the lighting programmes of a city, one a file, and which
lamps follow which. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from city.errors import InvalidInput
from city.lamp_programme import parse_programme, programme_toml
from city.lighting import TargetKind
from city.text_files import decode
from founding.parts import Entry, Fault, LampAssignment
from founding.sheets import Line

FOLDER = "lighting/"
ASSIGNED = "lighting.csv"
ASSIGNED_COLUMNS = (("target", "code", "programme"), ())
# As the page of lighting has them, the widest first.
TARGETS = (
    TargetKind.DISTRICT.value, TargetKind.STREET.value, TargetKind.CABINET.value,
    TargetKind.LAMP.value,
)  # fmt: skip
FILE = re.compile(r"lighting/[^/]+\.toml")


def programme_file(code: str) -> str:
    return f"{FOLDER}{code}.toml"


def read_programmes(files: Mapping[str, bytes], faults: list[Fault]) -> dict[str, str]:
    """Programmes by their code, each as the database keeps it: comments and the order of keys are
    the file's alone."""
    found: dict[str, str] = {}
    named: dict[str, str] = {}
    for file in sorted(name for name in files if FILE.fullmatch(name)):
        text = decode(files[file])
        if text is None:
            faults.append(Fault(file, None, "", "", "must be saved as UTF-8"))
            continue
        try:
            programme = parse_programme(text[0])
        except InvalidInput as error:
            faults.append(Fault(file, None, error.field, str(error.value), error.problem))
            continue
        if programme.code in named:
            problem = f"is the programme of {named[programme.code]} already"
            faults.append(Fault(file, None, "code", programme.code, problem))
        found[programme.code], named[programme.code] = programme_toml(programme), file
    return found


def read_assignment(line: Line) -> LampAssignment:
    """A row of `lighting.csv`; the district has no code."""
    target = line.one_of("target", TARGETS)
    whole = target == TargetKind.DISTRICT
    code = line.text("code", needed=not whole)
    if whole and code:
        line.fault("code", "is empty where the whole district is meant")
    return LampAssignment(target, code, line.text("programme", needed=True))


def judge_assignments(
    rows: Sequence[Entry[LampAssignment]],
    programmes: Collection[str],
    streets: Collection[str],
    faults: list[Fault],
) -> dict[str, LampAssignment]:
    """By name. Cabinets and lamps come with the devices, after the city: whether there are such is
    not asked."""
    found: dict[str, LampAssignment] = {}
    seen: dict[str, int] = {}
    for row in rows:
        one = row.value
        if one.programme not in programmes:
            problem = f"is no programme of {FOLDER}"
            faults.append(Fault(ASSIGNED, row.row, "programme", one.programme, problem))
        if one.target == TargetKind.STREET and one.code not in streets:
            faults.append(Fault(ASSIGNED, row.row, "code", one.code, "is no street of the city"))
        if one.name in found:
            problem = f"{one.name} is in row {seen[one.name]} already"
            faults.append(Fault(ASSIGNED, row.row, "code", one.code, problem))
        else:
            found[one.name], seen[one.name] = one, row.row
    return found
