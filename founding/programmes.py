"""`lighting/*.toml`: the lighting programmes of a city, one a file. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from city.errors import InvalidInput
from city.lamp_programme import parse_programme, programme_toml
from city.text_files import decode
from founding.parts import Fault

FOLDER = "lighting/"
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
