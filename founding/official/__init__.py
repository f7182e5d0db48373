"""Official names and codes of the mainland's divisions down to the village, as the National Bureau
of Statistics published them last. Where a division lies is not known here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

# Made by `founding.official.build`; says in itself where it comes from and under which licence.
NAMES = Path(__file__).with_name("names.zip")
AS_OF = "2023-06-30"
PROVINCE_AND_CITY, DISTRICT, STREET = 4, 6, 9


def read_names(district: str) -> list[tuple[str, str]]:
    """Code and name of a district (six digits) and of all below it, in the order of their codes;
    empty for a code that nobody has."""
    with ZipFile(NAMES) as names:
        member = district[:PROVINCE_AND_CITY]
        if len(district) != DISTRICT or not district.isdigit() or member not in names.namelist():
            return []
        text = names.read(member).decode()
    return [(code, name) for code, name in _whole(text) if code.startswith(district)]


def _whole(text: str) -> Iterator[tuple[str, str]]:
    """A line that begins with a blank has only the last digits of a code: it lies in the street
    of the line before."""
    street = ""
    for line in text.splitlines():
        code, _, name = line.lstrip(" ").partition(" ")
        if line.startswith(" "):
            yield street + code, name
        else:
            street = code
            yield code, name
