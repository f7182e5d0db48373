"""Tables of cases, one file a test: one row a case, and a column that says what it is about."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

FOLDER = Path(__file__).parent
WHY = "why"  # the comment of a row; it names the case in the output


def cases(file: str, **columns: Any) -> list[Any]:
    """Rows as `pytest.param`, their columns in the order given and of the types given.

    A cell of a `.csv` is text where its column is `str`, else JSON; a line of a `.jsonl` is one
    object. A column that nobody asked for, a missing one and a wrong type are errors.
    """
    text = (FOLDER / file).read_text(encoding="utf-8")
    lines = text.rstrip("\n").split("\n")
    rows = _csv(lines, columns) if file.endswith(".csv") else map(json.loads, lines)
    return [_case(file, number, row, columns) for number, row in enumerate(rows, 1)]


def _csv(lines: list[str], columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            name: cell if columns.get(name, str) is str else json.loads(cell)
            for name, cell in row.items()
        }
        for row in csv.DictReader(lines, strict=True)
    ]


def _case(file: str, number: int, row: dict[str, Any], columns: dict[str, Any]) -> Any:
    why = str(row.pop(WHY, "") or "")
    assert row.keys() == columns.keys(), f"{file}, row {number}: {sorted(row)}"
    values = [msgspec.convert(row[name], kind) for name, kind in columns.items()]
    return pytest.param(*values, id=f"{number} {why}".strip())
