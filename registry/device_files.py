"""Rows of a device file, CSV or GeoJSON, before anybody judges them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from city.datum import name_of_crs
from city.errors import InvalidInput
from city.text_files import UTF8, decode, encodings_of

COLUMNS_NEEDED = ("code", "kind", "name", "lon", "lat")
COLUMNS_OPTIONAL = (
    "district", "model", "format", "external_id", "gas", "report_interval_s", "attributes",
    "datum",
)  # fmt: skip

# What can be wrong with a file as a whole: English here, other languages in the screens'
# catalogue under `fault.` and the same code.
FILE_PROBLEMS = {
    "file_ending": "must end in .csv or .geojson",
    "file_encoding": "is text in none of {encodings}",
    "file_csv": "is no CSV: {detail}",
    "file_json": "is not JSON: {detail}",
    "file_geojson": "must be a GeoJSON FeatureCollection",
    "file_crs": "must name a coordinate system",
    "header_missing": "has no column {columns}",
    "header_unknown": "has columns that no device file has: {columns}",
    "header_twice": "has the column {columns} twice",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One device as the file has it; every value is text except in GeoJSON.

    `surplus` counts the cells beyond the header, `geometry` names one that is no point.
    """

    number: int
    values: Mapping[str, Any]
    surplus: int = 0
    geometry: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """The rows, the encoding they were read in, and what a GeoJSON's `crs` calls its datum."""

    rows: Sequence[Row]
    encoding: str = UTF8
    crs: str = ""


def read_rows(name: str, content: bytes) -> list[Row]:
    """Rows of a .csv or .geojson file; a file that is neither is refused as a whole."""
    return list(read_file(name, content).rows)


def read_file(name: str, content: bytes) -> DeviceFile:
    """The same with what was found out about the file."""
    if name.lower().endswith((".geojson", ".json")):
        body = _geojson(content)
        rows = [_feature_row(number, item) for number, item in enumerate(body["features"], start=1)]
        return DeviceFile(rows, crs=_crs_name(body.get("crs")))
    if name.lower().endswith((".csv", ".txt")):
        text, encoding = _as_text(content)
        return DeviceFile(_csv_rows(text), encoding)
    raise _refused("file", name, "file_ending")


def _refused(field: str, value: object, code: str, **facts: str) -> InvalidInput:
    return InvalidInput(field, value, FILE_PROBLEMS[code].format(**facts), code=code, facts=facts)


def _as_text(content: bytes) -> tuple[str, str]:
    """Text without byte order mark, and what it was written in."""
    found = decode(content)
    if found is None:
        tried = ", ".join(encodings_of(content))
        raise _refused("file", content[:20], "file_encoding", encodings=tried)
    return found


def _csv_rows(text: str) -> list[Row]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    # Without its own idea of line ends the reader finds "\r\n", "\r" and those inside quotes.
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(lines, [])]
        _check_header(names, head)
        return [
            _csv_row(number, names, [cell.strip() for cell in line])
            for number, line in enumerate(lines, start=2)
            if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        raise _refused("file", head.strip()[:200], "file_csv", detail=str(error)) from error


def _check_header(names: Sequence[str], head: str) -> None:
    missing = [name for name in COLUMNS_NEEDED if name not in names]
    if missing:
        shown = head.strip()[:200]
        raise _refused("header", shown, "header_missing", columns=", ".join(missing))
    unknown = [n for n in names if n and n not in COLUMNS_NEEDED + COLUMNS_OPTIONAL]
    if unknown:
        listed = ", ".join(unknown)[:200]
        raise _refused("header", listed, "header_unknown", columns=listed)
    twice = sorted({n for n in names if n and names.count(n) > 1})
    if twice:
        listed = ", ".join(twice)
        raise _refused("header", listed, "header_twice", columns=listed)


def _csv_row(number: int, names: Sequence[str], cells: Sequence[str]) -> Row:
    beyond = [cell for cell in cells[len(names) :] if cell]
    return Row(number, dict(zip(names, cells, strict=False)), surplus=len(beyond))


def _geojson(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _refused("file", content[:40], "file_json", detail=str(error)[:200]) from error
    if not isinstance(body, dict) or not isinstance(body.get("features"), list):
        raise _refused("file", type(body).__name__, "file_geojson")
    return body


def _crs_name(crs: Any) -> str:
    """Empty where there is no `crs`; one without a name is refused."""
    if crs is None:
        return ""
    if name := name_of_crs(crs):
        return name
    raise _refused("crs", str(crs)[:80], "file_crs")


def _feature_row(number: int, feature: Any) -> Row:
    item = feature if isinstance(feature, dict) else {}
    properties, geometry = item.get("properties"), item.get("geometry")
    values = dict(properties) if isinstance(properties, dict) else {}
    if not isinstance(geometry, dict):
        return Row(number, values)
    point = geometry.get("coordinates")
    if geometry.get("type") == "Point" and isinstance(point, list) and len(point) >= 2:
        values["lon"], values["lat"] = point[0], point[1]
        return Row(number, values)
    return Row(number, values, geometry=str(geometry.get("type"))[:40])
