"""When a clock runs: the open spans of a working calendar, less the pauses. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from city.clock import LimitUnit, Pause, WorkCalendar
from city.errors import InvalidInput

# Units that run at night and on holidays too (domain.md 2.7).
ALWAYS_RUNNING = frozenset({LimitUnit.URGENT_HOUR, LimitUnit.NATURAL_DAY})
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of counted time, in UTC, inside one local day."""

    day: date
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def counted_spans(
    start: datetime, unit: LimitUnit, calendar: WorkCalendar, pauses: Sequence[Pause]
) -> Iterator[Span]:
    """Counted time from `start` on, in order and without end; empty spans are left out."""
    start = as_utc(start, "start")
    pauses = sorted(pauses, key=lambda pause: pause.start)
    day = start.astimezone(ZoneInfo(calendar.timezone)).date()
    while True:
        for span in _spans_of_day(day, unit, calendar):
            if span.end > start:
                clipped = Span(day, max(span.start, start), span.end)
                yield from _less_pauses(clipped, pauses)
        if day.year >= 9990:  # a pause that never ends: the caller would wait for ever
            return
        day += ONE_DAY


def _spans_of_day(day: date, unit: LimitUnit, calendar: WorkCalendar) -> Iterator[Span]:
    zone = ZoneInfo(calendar.timezone)
    if unit in ALWAYS_RUNNING:
        yield Span(day, _instant(day, time(0), zone), _instant(day + ONE_DAY, time(0), zone))
    elif calendar.is_working_day(day):
        for opens, closes in calendar.windows:
            # Both ends become UTC before any subtraction: a difference of local times would
            # be wrong on the day the clocks change.
            yield Span(day, _instant(day, opens, zone), _instant(day, closes, zone))


def _less_pauses(span: Span, pauses: Sequence[Pause]) -> Iterator[Span]:
    at = span.start
    for pause in pauses:
        pause_end = as_utc(pause.end, "pause") if pause.end else span.end
        pause_start = as_utc(pause.start, "pause")
        if pause_end <= at or pause_start >= span.end:
            continue
        if pause_start > at:
            yield Span(span.day, at, pause_start)
        at = pause_end
        if at >= span.end:
            return
    if at < span.end:
        yield Span(span.day, at, span.end)


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


def as_utc(moment: datetime, field: str) -> datetime:
    """The same moment in UTC; a time without a zone is refused."""
    if moment.tzinfo is None:
        raise InvalidInput(field, moment, "needs a time zone")
    return moment.astimezone(UTC)
