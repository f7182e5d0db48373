"""Rows of a device file, CSV or GeoJSON, before anybody judges them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from city.errors import InvalidInput

COLUMNS_NEEDED = ("code", "kind", "name", "lon", "lat")
COLUMNS_OPTIONAL = (
    "district", "model", "format", "external_id", "gas", "report_interval_s", "attributes",
)  # fmt: skip
# Spreadsheets in Chinese offices save CSV in one of these.
ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass(frozen=True, slots=True)
class Row:
    """One device as the file has it; every value is text except in GeoJSON."""

    number: int
    values: Mapping[str, Any]


def read_rows(name: str, content: bytes) -> list[Row]:
    """Rows of a .csv or .geojson file; a file that is neither is refused as a whole."""
    if name.lower().endswith((".geojson", ".json")):
        return _geojson_rows(content)
    if name.lower().endswith((".csv", ".txt")):
        return _csv_rows(_as_text(content))
    raise InvalidInput("file", name, "must end in .csv or .geojson")


def _as_text(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidInput("file", content[:20], f"is text in none of {', '.join(ENCODINGS)}")


def _csv_rows(text: str) -> list[Row]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    lines = csv.reader(io.StringIO(text), delimiter=delimiter)
    names = [name.strip().lower() for name in next(lines, [])]
    missing = [name for name in COLUMNS_NEEDED if name not in names]
    if missing:
        raise InvalidInput("header", head.strip()[:200], f"has no column {', '.join(missing)}")
    unknown = [n for n in names if n and n not in COLUMNS_NEEDED + COLUMNS_OPTIONAL]
    if unknown:
        raise InvalidInput("header", ", ".join(unknown), "is no column of a device file")
    return [
        Row(number, dict(zip(names, (cell.strip() for cell in line), strict=False)))
        for number, line in enumerate(lines, start=2)
        if any(cell.strip() for cell in line)
    ]


def _geojson_rows(content: bytes) -> list[Row]:
    try:
        body = json.loads(content)
    except ValueError as error:
        raise InvalidInput("file", content[:40], f"is not JSON: {error}") from error
    features = body.get("features") if isinstance(body, dict) else None
    if not isinstance(features, list):
        raise InvalidInput("file", type(body).__name__, "must be a GeoJSON FeatureCollection")
    return [Row(number, _feature_values(item)) for number, item in enumerate(features, start=1)]


def _feature_values(feature: Any) -> dict[str, Any]:
    item = feature if isinstance(feature, dict) else {}
    properties, geometry = item.get("properties"), item.get("geometry")
    values = dict(properties) if isinstance(properties, dict) else {}
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        point = geometry.get("coordinates")
        if isinstance(point, list) and len(point) >= 2:
            values["lon"], values["lat"] = point[0], point[1]
    return values
