"""Tables of a city folder: bytes to rows whose cells are read by type, and every fault. Pure."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from city.datum import Datum, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat
from city.text_files import decode, encodings_of
from founding.parts import Fault

TEXT_MAX = 1_000
# A squad may answer for every community of a district.
LIST_MAX = 100_000
# What a spreadsheet makes of a long code: 1.1E+17.
SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
SHORTENED_PROBLEM = (
    "is a code that a spreadsheet has shortened and whose digits are lost; "
    "format the column as text and enter it again"
)


@dataclass(slots=True)
class Line:
    """One row of a file. What is wrong with a cell goes to the list of faults."""

    file: str
    row: int
    values: Mapping[str, str]
    faults: list[Fault] = field(repr=False)

    def fault(self, name: str, problem: str, value: str | None = None) -> None:
        shown = self.values.get(name, "") if value is None else value
        self.faults.append(Fault(self.file, self.row, name, shown, problem))

    def text(self, name: str, *, needed: bool = False, most: int = TEXT_MAX) -> str:
        value = self.values.get(name, "")
        if needed and not value:
            self.fault(name, "is missing")
        elif len(value) > most:
            self.fault(name, f"has more than {most} characters")
        elif not value.isprintable():
            self.fault(name, "holds characters that cannot be shown")
        return value

    def digits(self, name: str, length: int | None = None) -> str:
        """A code of digits alone."""
        value = self.text(name, needed=True)
        if SHORTENED.fullmatch(value):
            self.fault(name, SHORTENED_PROBLEM)
        elif value and not (value.isascii() and value.isdigit()):
            self.fault(name, "must be digits")
        elif value and length is not None and len(value) != length:
            self.fault(name, f"must have {length} digits, not {len(value)}")
        return value

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self.text(name, needed=True)
        if value and value not in allowed:
            self.fault(name, f"must be one of {', '.join(allowed)}")
        return value

    def words(self, name: str) -> list[str]:
        """The parts of a cell, separated by semicolons."""
        parts = self.text(name, most=LIST_MAX).replace("；", ";").split(";")
        return [part.strip() for part in parts if part.strip()]

    def number(self, name: str) -> float:
        """A finite number; NaN, with a fault, for anything else."""
        text = self.text(name, needed=True)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if text and not math.isfinite(value):
            self.fault(name, "must be a number")
        return value

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
            self.fault(name, f"must be a whole number from {low} to {high}")
            return default
        return int(text)

    def place(self, datum: Datum = Datum.WGS84) -> LonLat | None:
        """Of the columns `lon` and `lat`, in `datum` or in what the column of that name says; None
        where both are empty or one is no degree."""
        if not self.values.get("lon") and not self.values.get("lat"):
            return None
        lon, lat = self.number("lon"), self.number("lat")
        if math.isnan(lon) or math.isnan(lat):
            return None
        if abs(lon) > 180 or abs(lat) > 90:
            swapped = abs(lat) <= 180 and abs(lon) <= 90
            why = "lon and lat are swapped" if swapped else "are no degrees"
            self.fault("lon, lat", why, f"{lon:g}, {lat:g}")
            return None
        if text := self.text("datum"):
            try:
                datum = parse_datum("datum", text)
            except InvalidInput as error:
                self.fault("datum", error.problem)
        return to_wgs84(LonLat(lon, lat), datum)


def read_lines(
    file: str,
    content: bytes,
    needed: Sequence[str],
    optional: Sequence[str],
    faults: list[Fault],
) -> list[Line]:
    """Rows of a CSV file; one whose header is wrong has none."""
    found = decode(content)
    if found is None:
        tried = ", ".join(encodings_of(content))
        faults.append(Fault(file, None, "", "", f"is text in none of {tried}"))
        return []
    text = found[0]
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        faults.append(Fault(file, None, "", "", f"is no CSV: {error}"))
        return []
    names = [name.lower() for name in rows[0]] if rows else []
    if not _header_fits(file, names, needed, optional, faults):
        return []
    lines = []
    for number, row in enumerate(rows[1:], start=2):
        if any(row):
            line = Line(file, number, dict(zip(names, row, strict=False)), faults)
            if any(row[len(names) :]):
                line.fault("", "has more cells than the header", row[len(names)])
            lines.append(line)
    return lines


def _header_fits(
    file: str,
    names: Sequence[str],
    needed: Sequence[str],
    optional: Sequence[str],
    faults: list[Fault],
) -> bool:
    before = len(faults)
    for name in needed:
        if name not in names:
            faults.append(Fault(file, 1, name, "", "is a column that is missing"))
    for name in names:
        if name and name not in (*needed, *optional):
            known = ", ".join((*needed, *optional))
            faults.append(Fault(file, 1, name, "", f"is no column of this file; it has {known}"))
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        faults.append(Fault(file, 1, name, "", "is a column that stands there twice"))
    return len(faults) == before
