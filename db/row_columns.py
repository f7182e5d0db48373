"""The columns of a row, read off the value that the row becomes: its fields are the one list.

What is spliced into a query is quoted here and comes from our own classes, never from outside.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any

from psycopg.sql import Identifier
from psycopg.types.json import Jsonb


@cache
def names_of(kind: type, *, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Fields of a dataclass in their order."""
    return tuple(field.name for field in fields(kind) if field.name not in without)


def select_list(
    kind: type, table: str, /, *, without: Collection[str] = (), **elsewhere: str
) -> str:
    """What to SELECT for a dataclass: columns of `table` (or of its alias) by their own names.

    `elsewhere` spells in SQL what is not such a column; `without` is what the query leaves out.
    """
    names = names_of(kind, without=frozenset(without))
    assert elsewhere.keys() <= set(names), elsewhere.keys() - set(names)
    return ", ".join(
        f"{elsewhere[name]} AS {_quoted(name)}" if name in elsewhere else _quoted(table, name)
        for name in names
    )


@cache
def insert_list(names: tuple[str, ...]) -> str:
    """The columns of an INSERT or COPY."""
    return ", ".join(map(_quoted, names))


@cache
def placeholders(names: tuple[str, ...]) -> str:
    """`%(name)s` of each, for values given by name."""
    return ", ".join(f"%({name})s" for name in names)


@cache
def assignments(names: tuple[str, ...]) -> str:
    """`name = %(name)s` of each, for an UPDATE with values given by name."""
    return ", ".join(f"{_quoted(name)} = %({name})s" for name in names)


def values_of(row: Any) -> dict[str, Any]:
    """Fields of a dataclass as columns take them: JSON wrapped, words of an enum as such."""
    kind: type = type(row)
    return {name: _stored(getattr(row, name)) for name in names_of(kind)}


def _stored(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return Jsonb(value) if isinstance(value, dict) else value


def _quoted(*names: str) -> str:
    return Identifier(*names).as_string()
