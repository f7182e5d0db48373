"""Tables of a city folder that are TOML, one `[[entry]]` a row: read, written, and as a part of the
settings. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from city.text_files import decode
from founding.parts import Fault
from founding.sheets import Line, read_lines

TRUTHS = ("true", "false")


@dataclass(frozen=True, slots=True)
class TomlTable:
    """`called` is an entry in a sentence. `numbers`, `truths` and `lists` are the columns whose
    values are no text; in a cell the words of a list are separated by semicolons."""

    file: str
    entry: str
    called: str
    needed: Sequence[str]
    optional: Sequence[str]
    numbers: Sequence[str] = ()
    truths: Sequence[str] = ()
    lists: Sequence[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.needed, *self.optional)

    def read(self, content: bytes, faults: list[Fault]) -> list[Line]:
        """Every entry of the file; its row is the line that its `[[entry]]` stands in."""
        found = decode(content)
        try:
            text = found[0] if found else ""
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            faults.append(Fault(self.file, None, "", "", f"is not TOML: {error}"))
            return []
        for name in table:
            if name != self.entry:
                problem = f"is no field of this file: write [[{self.entry}]]"
                faults.append(Fault(self.file, None, name, "", problem))
        entries = table.get(self.entry, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            problem = f"must be tables: write [[{self.entry}]]"
            faults.append(Fault(self.file, None, self.entry, "", problem))
            return []
        header = re.compile(rf"[ \t]*\[\[[ \t]*{self.entry}[ \t]*\]\]")
        numbered = enumerate(text.splitlines(), start=1)
        rows = [number for number, line in numbered if header.match(line)]
        if len(rows) != len(entries):  # written in line: counted
            rows = list(range(1, len(entries) + 1))
        return [self._line(row, entry, faults) for row, entry in zip(rows, entries, strict=True)]

    def _line(self, row: int, entry: Mapping[str, object], faults: list[Fault]) -> Line:
        cells = {name: self._cell(name, value) for name, value in entry.items()}
        line = Line(self.file, row, cells, faults)
        for name, value in entry.items():
            if name not in self.names:
                line.fault(name, f"is no field of {self.called}; it has {', '.join(self.names)}")
            elif isinstance(value, dict) or (isinstance(value, list) and name not in self.lists):
                line.fault(name, "must be one value")
        return line

    def _cell(self, name: str, value: object) -> str:
        if name in self.lists and isinstance(value, list):
            return ";".join(map(str, value))
        return str(value).lower() if isinstance(value, bool) else str(value)

    def write(self, rows: Sequence[Mapping[str, str]]) -> str:
        """The file with these rows, of cells by column."""
        return "\n".join("\n".join([f"[[{self.entry}]]", *self._fields(row), ""]) for row in rows)

    def _fields(self, row: Mapping[str, str]) -> Iterator[str]:
        """Empty values are left out. Text is the same in JSON and TOML."""
        for name, value in row.items():
            plain = (name in self.numbers and value.isascii() and value.isdigit()) or (
                name in self.truths and value in TRUTHS
            )
            if value and name in self.lists:
                words = [word.strip() for word in re.split("[;；]", value) if word.strip()]
                yield f"{name} = {json.dumps(words, ensure_ascii=False)}"
            elif value:
                yield f"{name} = {value if plain else json.dumps(value, ensure_ascii=False)}"

    def with_rows(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
        return self.write([dict(zip(names, row, strict=False)) for row in rows]).encode()

    def taken(self, content: bytes) -> bytes:
        """A table that somebody uploads (CSV, or a workbook that became it) as this file; what is
        neither stays as it is, to be judged."""
        head = content.lstrip(b"\xef\xbb\xbf \r\n").split(b"\n", 1)[0]
        if b"[[" in head or b"=" in head or head.startswith(b"#"):
            return content
        faults: list[Fault] = []
        lines = read_lines(self.file, content, self.needed, self.optional, faults)
        if faults:
            return content
        return self.with_rows(
            self.names, [[line.values.get(n, "") for n in self.names] for line in lines]
        )
