"""Limits as people write them: `4 work_hour`, `4工作时`, `2紧急工作时`, `15天`. Pure."""

from __future__ import annotations

import re
import unicodedata

from city.clock import Limit, LimitUnit
from city.errors import InvalidInput

# The word 紧急 alone decides continuous running; plain 小时 and 天 are office time
# (domain.md 2.7, [S71] weak source). What is not in here is refused, never guessed.
UNITS: dict[str, LimitUnit] = {
    "urgent_hour": LimitUnit.URGENT_HOUR,
    "urgent_hours": LimitUnit.URGENT_HOUR,
    "紧急工作时": LimitUnit.URGENT_HOUR,
    "work_hour": LimitUnit.WORK_HOUR,
    "work_hours": LimitUnit.WORK_HOUR,
    "工作时": LimitUnit.WORK_HOUR,
    "小时": LimitUnit.WORK_HOUR,
    "work_day": LimitUnit.WORK_DAY,
    "work_days": LimitUnit.WORK_DAY,
    "工作日": LimitUnit.WORK_DAY,
    "天": LimitUnit.WORK_DAY,
    "natural_day": LimitUnit.NATURAL_DAY,
    "natural_days": LimitUnit.NATURAL_DAY,
    "紧急工作日": LimitUnit.NATURAL_DAY,
    "自然日": LimitUnit.NATURAL_DAY,
}
WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*个?\s*(\S+)")


def parse_limit(text: str) -> Limit:
    """Read an amount and a unit; full-width digits are read like others."""
    match = WRITTEN.fullmatch(unicodedata.normalize("NFKC", text).strip().lower())
    unit = UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        known = ", ".join(u.value for u in LimitUnit)
        raise InvalidInput("limit", text, f"must be a number and one of {known}")
    return Limit(float(match[1]), unit)
