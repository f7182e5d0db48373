"""Reads the fields of a parsed TOML table and complains by file, field and value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from city.errors import InvalidInput

CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_MISSING: Any = object()


class Fields:
    """One table of a file. Each read field is crossed off; `nothing_left` finds the unknown."""

    def __init__(self, table: Mapping[str, Any], file: str, prefix: str = "") -> None:
        self._left = dict(table)
        self._file = file
        self._prefix = prefix

    def wrong(self, name: str, value: object, problem: str) -> InvalidInput:
        return InvalidInput(f"{self._file}: {self._prefix}{name}", value, problem)

    def nothing_left(self) -> None:
        """Raise for a field that nobody asked for: most often a misspelt one."""
        for name, value in self._left.items():
            raise self.wrong(name, value, "is not a field of this kind of rule")

    def text(self, name: str, default: str = _MISSING) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or not (value.strip() or value == default):
            raise self.wrong(name, value, "must be text")
        return value

    def texts(self, name: str) -> list[str]:
        """One text or a list of texts; none is an empty list."""
        value = self._take(name, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(v, str) and v for v in found):
            raise self.wrong(name, value, "must be text or a list of texts")
        return found

    def texts_of(self, name: str, allowed: Sequence[str]) -> list[str]:
        """The same, each one of a few."""
        found = self.texts(name)
        for text in found:
            if text not in allowed:
                raise self.wrong(name, text, f"must be one of {', '.join(allowed)}")
        return found

    def code(self, name: str, default: str = _MISSING) -> str:
        value = self.text(name, default)
        if value != default and not CODE.fullmatch(value):
            raise self.wrong(name, value, "must be small letters, digits, '-', '_' or '.'")
        return value

    def one_of(self, name: str, allowed: Sequence[str], default: str = _MISSING) -> str:
        value = self._take(name, default)
        if value not in allowed:
            raise self.wrong(name, value, f"must be one of {', '.join(a for a in allowed if a)}")
        return str(value)

    def flag(self, name: str, default: bool = _MISSING) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "must be true or false")
        return value

    def number(
        self,
        name: str,
        default: float = _MISSING,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> float:
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise self.wrong(name, value, "must be a number")
        if not (low <= value <= high and math.isfinite(value)):
            raise self.wrong(name, value, f"must be between {low:g} and {high:g}")
        return float(value)

    def optional_number(
        self, name: str, low: float = -math.inf, high: float = math.inf
    ) -> float | None:
        return self.number(name, low=low, high=high) if name in self._left else None

    def seconds(self, name: str, default: float = _MISSING, high: float = math.inf) -> timedelta:
        return timedelta(seconds=self.number(name, default, low=0, high=high))

    def time(self, name: str) -> datetime:
        value = self._take(name, _MISSING)
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            found = None
        if not isinstance(found, datetime) or found.tzinfo is None:
            raise self.wrong(name, value, "must be a time with a zone, 2026-01-01T00:00:00+08:00")
        return found

    def table(self, name: str) -> Fields | None:
        """A table inside; None where there is none."""
        value = self._take(name, None)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, value, f"must be a [{name}] table")
        return self.inside(value, f"{self._prefix}{name}.")

    def tables(self, name: str) -> list[Fields]:
        value = self._take(name, _MISSING)
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            raise self.wrong(name, value, f"must be one or more [[{name}]] tables")
        return [self.inside(v, f"{self._prefix}{name}[{i}].") for i, v in enumerate(value)]

    def inside(self, table: Mapping[str, Any], prefix: str) -> Fields:
        """A table inside this one; `prefix` is how errors name its fields."""
        return Fields(table, self._file, prefix)

    def optional_tables(self, name: str) -> list[Fields]:
        return self.tables(name) if name in self._left else []

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A table of free names; none is an empty one."""
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, value, f"must be a table [{self._prefix}{name}]")
        return value

    def optional_table(self, name: str) -> Fields | None:
        """A table of known fields, if there is one."""
        if name not in self._left:
            return None
        return self.inside(self.mapping(name), f"{self._prefix}{name}.")

    def _take(self, name: str, default: Any) -> Any:
        value = self._left.pop(name, default)
        if value is _MISSING:
            raise self.wrong(name, None, "is missing")
        return value
