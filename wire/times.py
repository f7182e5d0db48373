"""Times as messages write them: RFC 3339 text, epoch seconds, epoch milliseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from city.reading import REASON_FIELD, REASON_NAN
from wire.body import as_number, shown
from wire.format import Refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Epoch numbers above this are milliseconds: as seconds it is the year 5138, as milliseconds 1973.
SECONDS_LIMIT = 1e11


def parse_time(value: Any, field: str) -> datetime:
    """RFC 3339 text with an offset, or epoch milliseconds; refused with the field's name."""
    if isinstance(value, str):
        return _parse_text(value, field)
    number = as_number(value)
    if number is None:
        raise _refusal(field, "must be an RFC 3339 time or epoch milliseconds", value)
    if not math.isfinite(number):
        raise Refused(REASON_NAN, f"{field}: must be a finite number (got {shown(value)})")
    moment = from_epoch(number / 1000)
    if moment is None:
        raise _refusal(field, "is no time the calendar knows", value)
    return moment


def _parse_text(text: str, field: str) -> datetime:
    moment = _from_text(text)
    if moment is None:
        raise _refusal(field, "must be an RFC 3339 time or epoch milliseconds", text)
    if moment.tzinfo is None:
        raise _refusal(field, "has no offset from UTC: end it with Z or +hh:mm", text)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _refusal(field, "is no time the calendar knows", text) from None


def time_or_none(value: Any) -> datetime | None:
    """A vendor's time, seconds or milliseconds or RFC 3339; None if it is nothing of the kind."""
    if isinstance(value, str):
        try:
            return _parse_text(value, "time")
        except Refused:
            return None
    number = as_number(value)
    if number is None or not math.isfinite(number) or number <= 0:
        return None
    return from_epoch(number if number < SECONDS_LIMIT else number / 1000)


def is_local_time(value: Any) -> bool:
    """ISO text of a wall clock: date and time, but no offset from UTC. No moment can be told."""
    moment = _from_text(value) if isinstance(value, str) else None
    return moment is not None and moment.tzinfo is None


def from_epoch(seconds: float) -> datetime | None:
    """The moment this many seconds after 1970, to the microsecond; None outside the calendar."""
    try:
        return EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    except (OverflowError, ValueError):
        return None


def _from_text(text: str) -> datetime | None:
    if len(text) > 64:  # the longest RFC 3339 form with nanoseconds has 35 characters
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip().upper())  # RFC 3339 allows t and z
    except ValueError:
        return None


def _refusal(field: str, problem: str, value: Any) -> Refused:
    return Refused(REASON_FIELD, f"{field}: {problem} (got {shown(value)})")
