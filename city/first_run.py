"""What a person says in the browser to found the first city, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from city.settings import SheetChange, SheetFault


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The answers of the set-up page. Files are bytes as they came, empty where one was asked
    for and did not come, None where none was; `grid` makes cells of 100 m, unless `cells` has the
    city's own. `corners` (a line each, `lon, lat`) take the place of a boundary file, `official`
    names that of a file of divisions; `levels` are those of that file, from the top, where it has
    more than district, street and community."""

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
    corners: str = ""
    official: bool = False
    cells: bytes | None = None
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is wrong, else what would be made. A fault names its file of the city folder."""

    faults: Sequence[SheetFault]
    plan: Sequence[SheetChange]
