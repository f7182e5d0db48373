"""How the files of a part of the settings become a table, and a table these files again. Pure.

Most parts are one CSV file and the table is the file. Of the others the content that is shown,
sent and compared is a CSV or the file, as `gather` and `put_into` have it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from city.settings import SheetRow
from city.text_files import decode
from founding.area_file import AREAS, VIDEO, area_rows, as_area_file, video_limit, with_areas
from founding.boundary import outline_rows, with_outlines
from founding.city_file import CITY_FILE, GRID_FILE
from founding.export import csv_text
from founding.feeds_file import FEEDS
from founding.feeds_file import TABLE as FEED_TABLE
from founding.folder import BOUNDARY, DIVISIONS, DUTY_GRIDS, OUTLINES, ROSTER
from founding.message_files import CHANNEL_TABLE, CHANNELS
from founding.own_models import FOLDER, is_model_file
from founding.pipes import PIPES, pipe_rows, with_pipes
from founding.rosters import entry_name
from founding.sheets import Line, read_lines
from founding.toml_table import TomlTable

Rows = Sequence[Sequence[str]]
MODELS = "models.csv"
MODEL_COLUMNS = (("name", "text"), ("codec",))
CITY_COLUMNS = (
    ("code", "name_zh", "name_en"),
    ("timezone", "calendar", "windows", "languages", "levels", "four_eyes", "phone_hours"),
)
BOUNDARY_COLUMNS = (("file", "geometry"), ())
OUTLINE_COLUMNS = (("code", "geometry"), ())
# Cells as they are sent, whatever the file was called.
GRID, WEST, POINT = "grid.csv", "west", ("lon", "lat", "datum")
GRID_COLUMNS = (("code",), ("name", "cells", "lon", "lat", "datum"))
GRID_NAMES = (*GRID_COLUMNS[0], *GRID_COLUMNS[1])
LISTS = ("languages", "levels")
# Outlines and codecs are longer than a cell of a CSV may be by itself.
CELL_MAX = 50_000_000
_WINDOW = re.compile(r"\s*([0-9:]+)\s*-\s*([0-9:]+)\s*")
LIST_SEPARATORS = re.compile(r"[;；]")


class Form(Protocol):
    """`content` is the text of the part; `before` that of the present one."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        """Columns as they are shown, out of all that there can be."""

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        """Every row that can be told apart, right or wrong."""

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        """The content with these rows."""

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        """What somebody uploads, a table or the file itself, as content."""

    def gather(self, file: str, files: Mapping[str, bytes]) -> bytes | None:
        """The content out of the files of the folder; None: the folder says nothing of it."""

    def put_into(self, file: str, files: Mapping[str, bytes], content: bytes) -> dict[str, bytes]:
        """The files of the folder with this content in the place of what they had of it."""

    def owns(self, file: str, name: str) -> bool:
        """Whether a file of the folder is one of this part."""


class CsvForm:
    """The table is the file."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return content.decode("utf-8-sig").partition("\n")[0].strip("\r").split(",")

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        lines = read_lines(file, content, (), names, [])
        return [SheetRow(line.row, line.values) for line in lines]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        return csv_text(names, rows).encode()

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        return upload

    def gather(self, file: str, files: Mapping[str, bytes]) -> bytes | None:
        return files.get(file)

    def put_into(self, file: str, files: Mapping[str, bytes], content: bytes) -> dict[str, bytes]:
        rest = {n: c for n, c in files.items() if not self.owns(file, n)}
        return {**rest, **self.spread(file, content)}

    def spread(self, file: str, content: bytes) -> dict[str, bytes]:
        """The files that the content stands for."""
        return {file: content}

    def owns(self, file: str, name: str) -> bool:
        return name == file


class RosterForm(CsvForm):
    """A duty is named by its squad, day and hour where nobody has named it."""

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        return [SheetRow(r.row, _named(r.values)) for r in super().rows(file, content, names)]


def _named(values: Mapping[str, str]) -> Mapping[str, str]:
    if values.get("entry"):
        return values
    squad, day, start = (values.get(name, "") for name in ("squad", "day", "from"))
    return {**values, "entry": entry_name(squad, day, start)}


class DutyGridForm(CsvForm):
    """Without a row there is no file: then each community is a duty grid."""

    def spread(self, file: str, content: bytes) -> dict[str, bytes]:
        found = decode(content)
        lines = [line for line in found[0].splitlines() if line.strip()] if found else ["", ""]
        return {file: content} if len(lines) > 1 else {}


def header_of(content: bytes) -> list[str]:
    """Columns of a CSV; none of what is no text."""
    found = decode(content)
    return found[0].partition("\n")[0].strip("\r").split(",") if found else []


class TomlForm(CsvForm):
    """A row is an entry of a TOML file."""

    def __init__(self, table: TomlTable) -> None:
        self._table = table

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        return [
            SheetRow(line.row, {name: line.values.get(name, "") for name in names})
            for line in self._table.read(content, [])
        ]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        return self._table.with_rows(names, rows)

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        return self._table.taken(upload)


class AreasForm(CsvForm):
    """A row is a feature of a GeoJSON file."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        return [
            SheetRow(line.row, {name: line.values.get(name, "") for name in names})
            for line in area_rows(content)
        ]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        return with_areas(names, rows)

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        return as_area_file(upload)

    def gather(self, file: str, files: Mapping[str, bytes]) -> bytes | None:
        return files.get(file, with_areas((), ()))


class VideoForm(CsvForm):
    """A limit of video events is named by its class and camera."""

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        return [
            SheetRow(r.row, {**r.values, "entry": video_limit(Line(VIDEO, 0, r.values, [])).entry})
            for r in super().rows(file, content, names)
        ]


class CityForm(CsvForm):
    """The one row is `city.toml`; what no column says stays as it is in the file."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        table = _toml(content)
        return [SheetRow(2, {name: _cell(name, table.get(name, "")) for name in names})]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        values = _toml(before)
        for row in rows[:1]:
            said = {n: _value(n, cell) for n, cell in zip(names, row, strict=False)}
            values = {**values, **{n: v for n, v in said.items() if v != ""}}
            values = {n: v for n, v in values.items() if said.get(n) != ""}
        return _as_toml(values).encode()

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        rows = table_of_csv(upload, names)
        return upload if rows is None else self.written(before, names, rows)


def code_of(content: bytes) -> str:
    """The code that a `city.toml` names."""
    return str(_toml(content).get("code", ""))


def _toml(content: bytes) -> dict[str, Any]:
    found = decode(content)
    try:
        return tomllib.loads(found[0] if found else "")
    except tomllib.TOMLDecodeError:
        return {}


def _cell(name: str, value: Any) -> str:
    if name == "windows" and isinstance(value, list):
        return "; ".join("-".join(map(str, one)) for one in value if isinstance(one, list))
    if name in LISTS and isinstance(value, list):
        return ";".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(name: str, cell: str) -> Any:
    """What a cell says, so that what is wrong with it is told by the check of the file."""
    text = cell.strip()
    words = [word.strip() for word in LIST_SEPARATORS.split(text) if word.strip()]
    if name == "windows" and text:
        found = [_WINDOW.fullmatch(word) for word in words]
        return [[one[1].zfill(5), one[2].zfill(5)] if one else [text] for one in found]
    if name in LISTS and text:
        return words
    if name == "four_eyes" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if name == "phone_hours" and text.isascii() and text.isdigit():
        return int(text)
    return text


def _as_toml(values: Mapping[str, Any]) -> str:
    """Text, truth, lists of text and one level of tables are nearly the same in JSON and TOML."""
    plain = {n: v for n, v in values.items() if not isinstance(v, dict)}
    lines = [f"{n} = {json.dumps(v, ensure_ascii=False)}" for n, v in plain.items()]
    for name, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]"]
            lines += [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in table.items()]
    return "\n".join(lines) + "\n"


class BoundaryForm(CsvForm):
    """The file is GeoJSON, and is shown as the one row of a table."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        found = decode(content)
        return [SheetRow(2, {"file": BOUNDARY, "geometry": found[0].strip() if found else ""})]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        return (rows[0][list(names).index("geometry")] if rows else "").encode()

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        rows = table_of_csv(upload, names)
        return upload if rows is None else self.written(before, names, rows)


class OutlinesForm(CsvForm):
    """A row is a division and the geometry of its outline; without a row there is no file."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        found = outline_rows(content)
        return [
            SheetRow(n, dict(zip(names, row, strict=True))) for n, row in enumerate(found, start=1)
        ]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        return with_outlines([dict(zip(names, row, strict=False)) for row in rows])

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        rows = table_of_csv(upload, names)
        return upload if rows is None else self.written(before, names, rows)

    def gather(self, file: str, files: Mapping[str, bytes]) -> bytes | None:
        return files.get(file, with_outlines([]))

    def spread(self, file: str, content: bytes) -> dict[str, bytes]:
        return {} if content.split() == with_outlines([]).split() else {file: content}


class PipesForm(CsvForm):
    """A row is a section of a gas pipe, a feature of the GeoJSON file."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        return [
            SheetRow(n, {name: row.get(name, "") for name in names})
            for n, row in enumerate(pipe_rows(content), start=1)
        ]

    def written(self, before: bytes, names: Sequence[str], rows: Rows) -> bytes:
        return with_pipes(names, rows)

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        rows = table_of_csv(upload, names)
        return upload if rows is None else with_pipes(names, rows)

    def gather(self, file: str, files: Mapping[str, bytes]) -> bytes | None:
        return files.get(file, with_pipes((), ()))


class ModelsForm(CsvForm):
    """A row is a model: the text of its TOML file and its codec, line breaks and all."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        found = table_of_csv(content, names) or []
        return [
            SheetRow(n, dict(zip(names, row, strict=True))) for n, row in enumerate(found, start=2)
        ]

    def taken(self, before: bytes, upload: bytes, names: Sequence[str]) -> bytes:
        rows = table_of_csv(upload, names)
        return upload if rows is None else csv_text(names, rows).encode()

    def gather(self, file: str, files: Mapping[str, bytes]) -> bytes | None:
        texts = {n.removeprefix(FOLDER): c.decode() for n, c in files.items() if is_model_file(n)}
        names = sorted(n.removesuffix(".toml") for n in texts if n.endswith(".toml"))
        rows = [[name, texts[f"{name}.toml"], texts.get(f"{name}.js", "")] for name in names]
        return csv_text((*MODEL_COLUMNS[0], *MODEL_COLUMNS[1]), rows).encode()

    def spread(self, file: str, content: bytes) -> dict[str, bytes]:
        files = {}
        for row in self.rows(file, content, (*MODEL_COLUMNS[0], *MODEL_COLUMNS[1])):
            name = row.values["name"].strip()
            files[f"{FOLDER}{name}.toml"] = row.values["text"].encode()
            if row.values["codec"].strip():
                files[f"{FOLDER}{name}.js"] = row.values["codec"].encode()
        return files

    def owns(self, file: str, name: str) -> bool:
        return is_model_file(name)


class GridForm(CsvForm):
    """A row is a community with the number of its cells. What is sent is the city's own cells, or
    a point for each community, of which they are made."""

    def header(self, content: bytes, names: Sequence[str]) -> list[str]:
        return list(names)

    def rows(self, file: str, content: bytes, names: Sequence[str]) -> list[SheetRow]:
        if _has(content, WEST):
            return []
        return super().rows(file, content, names)

    def put_into(self, file: str, files: Mapping[str, bytes], content: bytes) -> dict[str, bytes]:
        if _has(content, WEST):
            order = f'file = "{file}"\n'.encode()
            return {**files, GRID_FILE: order, file: content}
        if not asks_for_cells(content):
            return dict(files)
        points = {
            row.values.get("code", ""): row.values for row in self.rows(file, content, GRID_NAMES)
        }
        names = ("code", "name", "level", "parent")
        placed = [
            [*line, *(points.get(line[0], {}).get(name, "") for name in POINT)]
            for line in table_of_csv(files.get(DIVISIONS, b""), names) or []
        ]
        divisions = csv_text((*names, *POINT), placed).encode()
        return {**files, GRID_FILE: b"", DIVISIONS: divisions}


def grid_content(counts: Mapping[str, tuple[str, int]]) -> bytes:
    """The part as it is now, of name and number of cells by community."""
    rows = ([code, name, str(n), "", "", ""] for code, (name, n) in sorted(counts.items()))
    return csv_text(GRID_NAMES, list(rows)).encode()


def asks_for_cells(content: bytes) -> bool:
    """Whether a content of this part has cells, or points to make cells of."""
    rows = GridForm().rows(GRID, content, GRID_NAMES)
    return _has(content, WEST) or any(row.values.get("lon") for row in rows)


def _has(content: bytes, name: str) -> bool:
    found = decode(content)
    head = found[0].partition("\n")[0] if found else ""
    return name in [cell.strip().lower() for cell in re.split("[,;\t]", head)]


def table_of_csv(content: bytes, names: Sequence[str]) -> list[list[str]] | None:
    """Rows of a CSV whose header has the first of these columns, each in the order of `names`;
    None where it is no such table."""
    found = decode(content)
    if found is None:
        return None
    try:
        csv.field_size_limit(CELL_MAX)
        lines = [line for line in csv.reader(io.StringIO(found[0], newline="")) if any(line)]
    except csv.Error:
        return None
    head = [cell.strip() for cell in lines[0]] if lines else []
    if names[0] not in head:
        return None
    return [[dict(zip(head, line, strict=False)).get(n, "") for n in names] for line in lines[1:]]


FORMS: Mapping[str, Form] = {
    ROSTER: RosterForm(),
    FEEDS: TomlForm(FEED_TABLE),
    CHANNELS: TomlForm(CHANNEL_TABLE),
    AREAS: AreasForm(),
    VIDEO: VideoForm(),
    DUTY_GRIDS: DutyGridForm(),
    CITY_FILE: CityForm(),
    BOUNDARY: BoundaryForm(),
    MODELS: ModelsForm(),
    GRID: GridForm(),
    OUTLINES: OutlinesForm(),
    PIPES: PipesForm(),
}
CSV = CsvForm()
