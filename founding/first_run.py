"""The answers of the set-up page as the files of a city folder. Pure."""

from __future__ import annotations

import csv
import io
import json

from city.first_run import FirstRun
from city.incident import Role
from founding.city_file import CITY_FILE, GRID_FILE
from founding.folder import BOUNDARY, DIVISIONS, PEOPLE


def make_folder(answers: FirstRun) -> dict[str, bytes]:
    """Contents by name, for `founding.check.judge_folder`: a page knows no other way to a city."""
    files = {CITY_FILE: _city_file(answers), PEOPLE: _people(answers.admin)}
    if answers.boundary is not None:
        files[BOUNDARY] = answers.boundary
    if answers.divisions is not None:
        files[DIVISIONS] = answers.divisions
    if answers.grid:
        files[GRID_FILE] = b""
    return files


def _city_file(answers: FirstRun) -> bytes:
    fields = {
        "code": answers.code,
        "name_zh": answers.name_zh,
        "name_en": answers.name_en,
        "timezone": answers.timezone,
        "languages": list(answers.languages),
        "datum": answers.datum,
    }
    # A string or list of strings of JSON is one of TOML, too.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(lines).encode()


def _people(admin: str) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("name", "role"), (admin, Role.ADMIN.value)])
    return text.getvalue().encode()
