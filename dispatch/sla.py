"""Deadlines: when a clock that started then runs out, and how much of it is used. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from city.clock import (
    CountedDay,
    Due,
    Limit,
    LimitUnit,
    Pause,
    WorkCalendar,
    as_minutes,
    as_timedelta,
)
from city.delivery import DEFAULT_LADDER
from city.errors import InvalidInput
from dispatch.working_time import ALWAYS_RUNNING, as_utc, counted_spans

# A carried-over clock with nothing left gets this much: a limit cannot be zero.
LEAST_MINUTES = 1.0


def deadline(
    start: datetime, limit: Limit, calendar: WorkCalendar, pauses: Sequence[Pause] = ()
) -> Due:
    """Count the limit from `start`; one that runs out as a window closes is due at that moment."""
    _refuse_bad_pauses(pauses)
    left = as_timedelta(limit)
    by_day: dict[object, timedelta] = {}
    for span in counted_spans(start, limit.unit, calendar, pauses):
        counted = min(left, span.length)
        by_day[span.day] = by_day.get(span.day, timedelta()) + counted
        left -= counted
        if not left:
            beyond = limit.unit not in ALWAYS_RUNNING and span.day > calendar.known_until
            return Due(
                due_at=span.start + counted,
                calendar_code=calendar.code,
                calendar_version=calendar.version,
                counted=tuple(
                    CountedDay(day, total / timedelta(minutes=1))  # type: ignore[arg-type]
                    for day, total in by_day.items()
                ),
                beyond_calendar=beyond,
            )
    raise InvalidInput("limit", str(limit), "never runs out in this calendar")


def used(
    start: datetime,
    end: datetime,
    unit: LimitUnit,
    calendar: WorkCalendar,
    pauses: Sequence[Pause] = (),
) -> timedelta:
    """Counted time between two moments; a pause still open stands to the end."""
    end = as_utc(end, "end")
    total = timedelta()
    if as_utc(start, "start") >= end:
        return total
    for span in counted_spans(start, unit, calendar, pauses):
        if span.start >= end:
            break
        total += min(span.end, end) - span.start
    return total


def remaining(
    due_at: datetime,
    now: datetime,
    unit: LimitUnit,
    calendar: WorkCalendar,
    paused_at: datetime | None = None,
) -> timedelta:
    """Counted time left; negative when overdue. A paused clock stands where it was stopped."""
    at = paused_at or now
    if at <= due_at:
        return used(at, due_at, unit, calendar)
    return -used(due_at, at, unit, calendar)


def warn_at(
    start: datetime,
    limit: Limit,
    calendar: WorkCalendar,
    pauses: Sequence[Pause] = (),
    share: float = DEFAULT_LADDER.remind,
) -> datetime:
    """The moment at which this share of the limit is used and a reminder goes out."""
    return deadline(start, times(limit, share), calendar, pauses).due_at


def times(limit: Limit, factor: float) -> Limit:
    """The limit multiplied, in its own unit."""
    return Limit(limit.amount * factor, limit.unit)


def plus(limit: Limit, more: Limit) -> Limit:
    """Two limits added, in the unit of the first; both must run at the same times."""
    if (limit.unit in ALWAYS_RUNNING) != (more.unit in ALWAYS_RUNNING):
        raise InvalidInput("limit", str(more), f"cannot be added to {limit}")
    return from_minutes(as_minutes(limit) + as_minutes(more), limit.unit)


def from_minutes(minutes: float, unit: LimitUnit) -> Limit:
    """A limit of so many counted minutes, at least one."""
    return Limit(max(minutes, LEAST_MINUTES) / as_minutes(Limit(1, unit)), unit)


def _refuse_bad_pauses(pauses: Sequence[Pause]) -> None:
    for pause in pauses:
        if pause.end is None:
            raise InvalidInput(
                "pause", pause.start, "is still open: a paused clock has no due time"
            )
        if pause.end < pause.start:
            raise InvalidInput("pause", pause.end, "ends before it starts")
