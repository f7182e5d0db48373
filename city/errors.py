"""Every error Gridwarden raises on purpose; each one is handled somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


class GridwardenError(Exception):
    """Base of all deliberate errors; the message is written for the person who reads it."""


class InvalidInput(GridwardenError):
    """A value from outside is not acceptable; names the field and the value.

    `code` and `facts` say the same as `problem`, for screens that speak other languages.
    """

    def __init__(
        self,
        field: str,
        value: object,
        problem: str,
        *,
        code: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        got = "" if value is None else f" (got {shown(value)})"
        super().__init__(f"{field}: {problem}{got}")
        self.field = field
        self.value = value
        self.problem = problem
        self.code = code
        self.facts = dict(facts or {})


def shown(value: object) -> str:
    """A value as people write it; text keeps its quotes so that spaces are seen."""
    return value.isoformat() if isinstance(value, datetime) else repr(value)


class NotFound(GridwardenError):
    """What was asked for does not exist."""

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"no {what} {key!r}")
        self.what = what
        self.key = key


class Conflict(GridwardenError):
    """The action does not fit the current state; says what is, and what is allowed."""

    def __init__(
        self, problem: str, *, current: Mapping[str, Any], allowed: Sequence[str] = ()
    ) -> None:
        super().__init__(problem)
        self.current = dict(current)
        self.allowed = list(allowed)


class Forbidden(GridwardenError):
    """The caller's role may not do this."""


class Unavailable(GridwardenError):
    """A server we depend on is away; the caller may try again."""
