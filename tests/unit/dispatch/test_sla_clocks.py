"""Working time: the worked cases of the trade, and what must hold for every clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from city.clock import Limit, LimitUnit, Pause, WorkCalendar, as_timedelta
from city.errors import InvalidInput
from db.calendars import build_china_calendar
from dispatch.sla import deadline, remaining, used

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINA = build_china_calendar()


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def due(start: str, amount: float, unit: LimitUnit, *pauses: Pause) -> str:
    moment = deadline(local(start), Limit(amount, unit), CHINA, pauses).due_at
    return f"{moment.astimezone(SHANGHAI):%a %Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("start", "amount", "unit", "expected"),
    [
        # filed Friday 17:30: half an hour that day, the rest on Monday morning
        ("2026-07-17 17:30", 4, LimitUnit.WORK_HOUR, "Mon 2026-07-20 11:30"),
        # urgent hours run through midnight
        ("2026-07-17 23:50", 2, LimitUnit.URGENT_HOUR, "Sat 2026-07-18 01:50"),
        # one working day is eight counted hours
        ("2026-07-15 16:00", 1, LimitUnit.WORK_DAY, "Thu 2026-07-16 16:00"),
        # nothing counts on a Saturday
        ("2026-07-18 10:00", 2, LimitUnit.WORK_HOUR, "Mon 2026-07-20 10:00"),
        # filed at lunch: counting starts at 14:00
        ("2026-07-15 12:30", 2, LimitUnit.WORK_HOUR, "Wed 2026-07-15 16:00"),
        # Saturday 2026-05-09 is a working day (调休), Sunday is off: 7 h and 1 h
        ("2026-05-09 09:00", 1, LimitUnit.WORK_DAY, "Mon 2026-05-11 09:00"),
        # runs out as the window closes: due at that end, not the next morning
        ("2026-07-15 14:00", 4, LimitUnit.WORK_HOUR, "Wed 2026-07-15 18:00"),
        ("2026-07-15 08:00", 4, LimitUnit.WORK_HOUR, "Wed 2026-07-15 12:00"),
        ("2026-07-15 08:00", 1, LimitUnit.WORK_DAY, "Wed 2026-07-15 18:00"),
        # filed as the window closes: nothing is left of that day
        ("2026-07-15 18:00", 1, LimitUnit.WORK_HOUR, "Thu 2026-07-16 09:00"),
        # the National Day week is not counted, Saturday 2026-10-10 is
        ("2026-09-30 17:00", 2, LimitUnit.WORK_DAY, "Fri 2026-10-09 17:00"),
        ("2026-10-09 17:00", 1, LimitUnit.WORK_DAY, "Sat 2026-10-10 17:00"),
        # natural days do not care
        ("2026-09-30 17:00", 2, LimitUnit.NATURAL_DAY, "Fri 2026-10-02 17:00"),
    ],
)
def test_a_limit_is_due_when_the_trade_says_so(
    start: str, amount: float, unit: LimitUnit, expected: str
) -> None:
    assert due(start, amount, unit) == expected


def test_the_count_is_shown_day_by_day() -> None:
    counted = deadline(local("2026-05-09 09:00"), Limit(1, LimitUnit.WORK_DAY), CHINA).counted
    assert [(c.date, c.minutes) for c in counted] == [
        (date(2026, 5, 9), 420.0),
        (date(2026, 5, 11), 60.0),
    ]


def test_a_pause_stops_every_kind_of_clock() -> None:
    pause = Pause(local("2026-07-15 15:00"), local("2026-07-16 15:00"))
    assert due("2026-07-15 14:00", 2, LimitUnit.URGENT_HOUR, pause) == "Thu 2026-07-16 16:00"
    assert due("2026-07-15 14:00", 2, LimitUnit.WORK_HOUR, pause) == "Thu 2026-07-16 16:00"
    assert due("2026-07-15 14:00", 1, LimitUnit.NATURAL_DAY, pause) == "Fri 2026-07-17 14:00"


def test_overlapping_pauses_are_counted_once() -> None:
    pauses = (
        Pause(local("2026-07-15 14:30"), local("2026-07-15 15:30")),
        Pause(local("2026-07-15 15:00"), local("2026-07-15 16:00")),
    )
    assert due("2026-07-15 14:00", 1, LimitUnit.WORK_HOUR, *pauses) == "Wed 2026-07-15 16:30"


def test_a_pause_still_open_has_no_due_time_but_counts_as_unused() -> None:
    pause = Pause(local("2026-07-15 15:00"), None)
    with pytest.raises(InvalidInput, match="pause"):
        due("2026-07-15 14:00", 2, LimitUnit.WORK_HOUR, pause)
    spent = used(
        local("2026-07-15 14:00"), local("2026-07-17 18:00"), LimitUnit.WORK_HOUR, CHINA, [pause]
    )
    assert spent == timedelta(hours=1)


def test_beyond_the_known_calendar_is_flagged_for_office_time_only() -> None:
    late = local("2026-12-31 17:00")
    assert deadline(late, Limit(2, LimitUnit.WORK_HOUR), CHINA).beyond_calendar
    assert not deadline(late, Limit(2, LimitUnit.URGENT_HOUR), CHINA).beyond_calendar
    assert not deadline(late, Limit(1, LimitUnit.WORK_HOUR), CHINA).beyond_calendar


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="start"):
        deadline(datetime(2026, 7, 15, 9), Limit(1, LimitUnit.WORK_HOUR), CHINA)  # noqa: DTZ001


BERLIN = WorkCalendar(
    code="DE",
    version=1,
    exceptions={},
    known_until=date(2030, 12, 31),
    timezone="Europe/Berlin",
    windows=((time(0), time(8)),),  # a night shift: the clock change falls into it
)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 7), ("2026-10-25", 9), ("2026-07-05", 8)]
)
def test_the_day_the_clocks_change_counts_its_real_length(day: str, hours: int) -> None:
    calendar = WorkCalendar(
        code="DE",
        version=1,
        exceptions={date.fromisoformat(day): True},
        known_until=date(2030, 12, 31),
        timezone="Europe/Berlin",
        windows=BERLIN.windows,
    )
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = start.replace(hour=8)
    assert used(start, end, LimitUnit.WORK_HOUR, calendar) == timedelta(hours=hours)
    answer = deadline(start, Limit(hours, LimitUnit.WORK_HOUR), calendar)
    assert answer.due_at == end


def test_a_natural_day_is_24_hours_across_the_clock_change() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    answer = deadline(start, Limit(1, LimitUnit.NATURAL_DAY), BERLIN)
    assert answer.due_at - start.astimezone(UTC) == timedelta(hours=24)


starts = st.datetimes(datetime(2025, 12, 20), datetime(2026, 11, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)
units = st.sampled_from(LimitUnit)
amounts = st.integers(1, 4000).map(lambda quarter: quarter / 400)


@given(starts, amounts, amounts, units)
@settings(max_examples=150, deadline=None)
def test_more_time_is_never_due_earlier(
    start: datetime, a: float, b: float, unit: LimitUnit
) -> None:
    less, more = sorted((a, b))
    early = deadline(start, Limit(less, unit), CHINA).due_at
    assert early <= deadline(start, Limit(more, unit), CHINA).due_at
    assert early > start


@given(starts, amounts, units)
@settings(max_examples=150, deadline=None)
def test_exactly_the_limit_is_used_when_it_is_due(
    start: datetime, amount: float, unit: LimitUnit
) -> None:
    limit = Limit(amount, unit)
    answer = deadline(start, limit, CHINA)
    assert used(start, answer.due_at, unit, CHINA) == as_timedelta(limit)
    counted = sum(day.minutes for day in answer.counted)
    assert counted == pytest.approx(as_timedelta(limit) / timedelta(minutes=1))


@given(starts, amounts, units, st.integers(0, 5000), st.integers(1, 5000))
@settings(max_examples=150, deadline=None)
def test_a_pause_adds_exactly_its_counted_time(
    start: datetime, amount: float, unit: LimitUnit, offset: int, length: int
) -> None:
    limit = Limit(amount, unit)
    before = deadline(start, limit, CHINA).due_at
    pause = Pause(start + timedelta(minutes=offset), start + timedelta(minutes=offset + length))
    assume(pause.start < before)
    after = deadline(start, limit, CHINA, [pause]).due_at
    assert used(start, after, unit, CHINA, [pause]) == as_timedelta(limit)
    counted_pause = used(pause.start, pause.end or after, unit, CHINA)
    assert used(before, after, unit, CHINA) == counted_pause


@given(starts, amounts, units, st.integers(0, 20_000))
@settings(max_examples=100, deadline=None)
def test_used_and_remaining_make_the_limit(
    start: datetime, amount: float, unit: LimitUnit, minutes: int
) -> None:
    limit = Limit(amount, unit)
    due_at = deadline(start, limit, CHINA).due_at
    now = start.astimezone(UTC) + timedelta(minutes=minutes)
    left = remaining(due_at, now, unit, CHINA)
    assert used(start, now, unit, CHINA) + left == as_timedelta(limit)
