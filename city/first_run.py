"""What a person says in the browser to found the first city, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The answers of the set-up page. Files are bytes as they came, None where there is none;
    `grid` makes cells of 100 m."""

    code: str
    name_zh: str
    name_en: str
    timezone: str
    languages: tuple[str, ...]
    datum: str
    boundary: bytes | None
    divisions: bytes | None
    grid: bool
    admin: str


@dataclass(frozen=True, slots=True)
class FileFault:
    """One fault: the file of the city folder that it is in, and the sentence with row, field and
    value."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is wrong, else what would be made, a line a change."""

    faults: Sequence[FileFault]
    plan: Sequence[str]
