"""A deadline counted by hand: what `gridwarden sla due` prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from city.clock import Pause, WorkCalendar
from city.errors import InvalidInput
from city.limits import parse_limit
from dispatch.sla import deadline


def due_by_hand(
    start: str, limit_text: str, pauses: Sequence[str], calendar: WorkCalendar
) -> dict[str, Any]:
    """The contract's JSON; times without an offset are read in the calendar's own time zone."""
    due = deadline(
        parse_time("start", start, calendar),
        parse_limit(limit_text),
        calendar,
        [parse_pause(pause, calendar) for pause in pauses],
    )
    answer: dict[str, Any] = {
        "due": due.due_at.astimezone(ZoneInfo(calendar.timezone)).isoformat(),
        "calendar_version": due.calendar_version,
        "counted": [
            {"date": day.date.isoformat(), "minutes": plain_number(day.minutes)}
            for day in due.counted
        ],
    }
    if due.beyond_calendar:
        answer["warning"] = (
            f"counted beyond {calendar.known_until}, the last day calendar {calendar.code} knows: "
            "holidays after it are not taken out"
        )
    return answer


def parse_pause(text: str, calendar: WorkCalendar) -> Pause:
    """`FROM/TO`, both ends given."""
    start, slash, end = text.partition("/")
    if not slash:
        raise InvalidInput("pause", text, "must be FROM/TO")
    return Pause(parse_time("pause", start, calendar), parse_time("pause", end, calendar))


def parse_time(field: str, text: str, calendar: WorkCalendar) -> datetime:
    """ISO 8601; a time without an offset is local time of the calendar."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(field, text, "must be a time like 2026-07-31T17:30+08:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(calendar.timezone))


def plain_number(value: float) -> int | float:
    """Whole minutes as an int, parts of minutes to the microsecond."""
    return int(value) if value == int(value) else round(value, 8)
