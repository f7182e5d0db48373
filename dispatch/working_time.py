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
# Counting gives up here: a calendar without a window would never end (dates stop at 9999).
LAST_YEAR = 9990


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
    """Counted time from `start` on, in order; without end unless a pause is still open."""
    start = as_utc(start, "start")
    closed = sorted(
        (as_utc(p.start, "pause"), as_utc(p.end, "pause")) for p in pauses if p.end is not None
    )
    halted = min((as_utc(p.start, "pause") for p in pauses if p.end is None), default=None)
    day = start.astimezone(ZoneInfo(calendar.timezone)).date()
    while day.year < LAST_YEAR:
        for span in _spans_of_day(day, unit, calendar):
            if halted is not None and span.start >= halted:
                return
            clipped = Span(day, max(span.start, start), min(span.end, halted or span.end))
            if clipped.start < clipped.end:
                yield from _less_pauses(clipped, closed)
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


def _less_pauses(span: Span, pauses: Sequence[tuple[datetime, datetime]]) -> Iterator[Span]:
    at = span.start
    for pause_start, pause_end in pauses:
        if pause_end <= at or pause_start >= span.end:
            continue
        if pause_start > at:
            yield Span(span.day, at, pause_start)
        at = pause_end
        if at >= span.end:
            return
    yield Span(span.day, at, span.end)


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


def as_utc(moment: datetime, field: str) -> datetime:
    """The same moment in UTC; a time without a zone is refused."""
    if moment.tzinfo is None:
        raise InvalidInput(field, moment, "needs a time zone")
    return moment.astimezone(UTC)
