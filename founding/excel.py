"""Tables as Excel workbooks: one sheet, every cell a text. Pure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from city.errors import InvalidInput
from founding.export import csv_text

# A workbook is a ZIP archive: what comes out of it can be a thousand times as large.
UNPACKED_MAX_BYTES = 100_000_000
ROWS_MAX = 100_000
TEXT = "@"


def is_workbook(content: bytes) -> bool:
    return content.startswith(b"PK\x03\x04")


def write_workbook(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Codes stay codes: no cell is a number, a date or a formula."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None, "a new workbook has a sheet"
    sheet.title = title
    sheet.freeze_panes = "A2"
    for number, row in enumerate([columns, *rows], start=1):
        for place, text in enumerate(row, start=1):
            cell = sheet.cell(number, place, text)
            cell.data_type = "s"
            cell.number_format = TEXT
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def workbook_as_csv(content: bytes) -> bytes:
    """The first sheet as a CSV file; raises `InvalidInput` where it is no workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > UNPACKED_MAX_BYTES:
            raise InvalidInput("file", unpacked, f"holds more than {UNPACKED_MAX_BYTES} bytes")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = [[_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    except (
        zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, SyntaxError,
        OSError,
    ) as error:  # fmt: skip
        raise InvalidInput("file", None, f"is no Excel workbook: {error}") from error
    if len(rows) > ROWS_MAX:
        raise InvalidInput("file", len(rows), f"has more than {ROWS_MAX} rows")
    return csv_text(rows[0], rows[1:]).encode() if rows else b""


def _text(value: Any) -> str:
    """A cell as a person would have typed it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
