"""Rows as the event log carries them: the text that the database itself would print of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from json.encoder import encode_basestring as quoted
from typing import Any

from city.past import RowChange


class RowTexts:
    """Makes the texts; of a row that comes again, what has not changed is not made again."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[dict[str, Any], list[str]]] = {}

    def as_text(self, changes: Iterable[RowChange]) -> str | None:
        """What `event.rows` holds for these changes of one transaction, as jsonb prints it."""
        newest: dict[tuple[Any, ...], RowChange] = {}
        for change in changes:  # a row is told once, in the place of its first change
            newest[change.table, *[change.row[name] for name in change.key]] = change
        bodies = [self._change_text(which, change) for which, change in newest.items()]
        return f"[{', '.join(bodies)}]" if bodies else None

    def _change_text(self, which: tuple[Any, ...], change: RowChange) -> str:
        row, order = change.row, _in_order(tuple(change.row))
        known, cells = self._known.get(which, ({}, []))
        if known:
            cells = [
                cell if row[name] is known[name] else f"{label}{_cell(row[name])}"
                for (name, label), cell in zip(order, cells, strict=True)
            ]
        else:
            cells = [f"{label}{_cell(row[name])}" for name, label in order]
        self._known[which] = (row, cells)
        key = ", ".join([f'"{name}": {row[name]}' for name in change.key])
        return f'{{"key": {{{key}}}, "row": {{{", ".join(cells)}}}, "table": "{change.table}"}}'


def jsonb(value: Any) -> str:
    """JSON as jsonb prints it: keys by length, then by bytes."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        parts = [f"{label}{jsonb(value[name])}" for name, label in _in_order(tuple(value))]
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join([jsonb(part) for part in value])}]"
    return "null" if value is None else repr(value).lower()  # numbers, true and false


@cache
def _in_order(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names in the order of jsonb, each with its beginning of a line."""
    ordered = sorted(names, key=lambda name: (len(name.encode()), name.encode()))
    return tuple((name, f"{quoted(name)}: ") for name in ordered)


def _cell(value: Any) -> str:
    """A column's value as `to_jsonb` makes it: a float without a fraction is a whole number, and a
    time has no zeros at the end. What is JSON itself stays as it was written."""
    if value is None:
        return "null"
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, Enum):
        return quoted(value.value) if isinstance(value.value, str) else str(value.value)
    return jsonb(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _moment(value: datetime) -> str:
    text = (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()
    return f'"{text[:-6].rstrip("0")}{text[-6:]}"' if value.microsecond else f'"{text}"'


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: quoted,
    int: str,
    float: _number,
    bool: lambda value: "true" if value else "false",
    datetime: _moment,
    date: lambda value: f'"{value.isoformat()}"',
}
