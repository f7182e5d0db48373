"""Months, quarters and years of which key figures are published."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from city.errors import InvalidInput

MONTHS, MONTHS_OF_QUARTER = 12, 3
_WRITTEN = re.compile(r"(\d{4})(?:-(\d\d)|-Q([1-4]))?")


@dataclass(frozen=True, slots=True)
class Period:
    """`name` is 2026-07, 2026-Q3 or 2026; from local midnight `start` up to local midnight `end`,
    which is not in it."""

    name: str
    start: datetime
    end: datetime


def parse_period(name: str, zone: ZoneInfo) -> Period:
    """The period of a name."""
    found = _WRITTEN.fullmatch(name)
    if found is None or found[1] == "0000":
        raise InvalidInput("period", name, "must be like 2026-07, 2026-Q3 or 2026")
    year = int(found[1])
    if found[2]:
        first, count = int(found[2]), 1
    elif found[3]:
        first, count = (int(found[3]) - 1) * MONTHS_OF_QUARTER + 1, MONTHS_OF_QUARTER
    else:
        first, count = 1, MONTHS
    if not 1 <= first <= MONTHS:
        raise InvalidInput("period", name, "has no such month")
    return Period(name, _month(year, first, zone), _month(year, first + count, zone))


def last_ended(now: datetime, zone: ZoneInfo) -> list[Period]:
    """The month, the quarter and the year that ended last before now."""
    local = now.astimezone(zone)
    year, month = local.year, local.month
    before = (year, month - 1) if month > 1 else (year - 1, MONTHS)
    quarter = (month - 1) // MONTHS_OF_QUARTER
    of_quarter = f"{year}-Q{quarter}" if quarter else f"{year - 1}-Q4"
    names = (f"{before[0]:04}-{before[1]:02}", of_quarter, f"{year - 1:04}")
    return [parse_period(name, zone) for name in names]


def _month(year: int, month: int, zone: ZoneInfo) -> datetime:
    if month > MONTHS:
        year, month = year + 1, month - MONTHS
    return datetime(year, month, 1, tzinfo=zone)
