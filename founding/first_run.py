"""The answers of the set-up page as the files of a city folder, judged like one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from city.first_run import FirstRun
from city.incident import Role
from founding.check import judge_folder
from founding.city_file import CITY_FILE, GRID_FILE
from founding.corners import read_corners
from founding.folder import BOUNDARY, DIVISIONS, PEOPLE
from founding.official import read_names
from founding.parts import COMMUNITY, OFFICIAL_DIGITS, STREET, City, Fault, Shipped

# The city's own cells, whatever the file was called that was sent.
CELLS = "grid.csv"

Names = Sequence[tuple[str, str]]


def judge_answers(answers: FirstRun, shipped: Shipped) -> tuple[City | None, list[Fault]]:
    """The city that the answers describe, or everything that is wrong with them."""
    own: list[Fault] = []
    city, found = judge_folder(make_folder(answers, own), shipped)
    said = {fault.file for fault in own}
    faults = own + [fault for fault in found if fault.file not in said]
    return (None if faults else city), faults


def make_folder(answers: FirstRun, faults: list[Fault]) -> dict[str, bytes]:
    """Contents by name, for `founding.check.judge_folder`: a page knows no other way to a city.
    What cannot be written down goes to the list of faults."""
    names = read_names(answers.code) if answers.official else []
    if answers.official and not names:
        problem = "has no official names here: send a file, or leave the divisions for later"
        faults.append(Fault(DIVISIONS, None, "code", answers.code, problem))
    files = {CITY_FILE: _city_file(answers, names), PEOPLE: _people(answers.admin)}
    if answers.corners.strip():
        files[BOUNDARY] = read_corners(BOUNDARY, answers.corners, faults)
    elif answers.boundary is not None:
        files[BOUNDARY] = answers.boundary
    if answers.official:
        files[DIVISIONS] = _divisions(names)
    elif answers.divisions == b"":
        faults.append(Fault(DIVISIONS, None, "", "", "is missing from the folder"))
    elif answers.divisions is not None:
        files[DIVISIONS] = answers.divisions
    if answers.cells is not None:
        files[GRID_FILE] = f'file = "{CELLS}"'.encode()
    if answers.cells:
        files[CELLS] = answers.cells
    elif answers.grid and answers.cells is None:
        files[GRID_FILE] = b""
    return files


def _city_file(answers: FirstRun, names: Names) -> bytes:
    fields = {
        "code": answers.code,
        "name_zh": answers.name_zh or dict(names).get(answers.code, ""),
        "name_en": answers.name_en,
        "timezone": answers.timezone,
        "languages": list(answers.languages),
        "datum": answers.datum,
        **({"levels": list(answers.levels)} if answers.levels else {}),
    }
    # A string or list of strings of JSON is one of TOML, too.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(lines).encode()


def _divisions(names: Names) -> bytes:
    levels: Mapping[int, str] = {OFFICIAL_DIGITS[level]: level for level in (STREET, COMMUNITY)}
    parents = {STREET: 6, COMMUNITY: OFFICIAL_DIGITS[STREET]}
    rows = [
        (code, name, levels[len(code)], code[: parents[levels[len(code)]]])
        for code, name in names
        if len(code) in levels
    ]
    return _csv([("code", "name", "level", "parent"), *rows])


def _people(admin: str) -> bytes:
    return _csv([("name", "role"), (admin, Role.ADMIN.value)])


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
