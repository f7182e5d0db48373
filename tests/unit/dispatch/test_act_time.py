"""When something was done, as a phone says that had no signal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.act_time import Doubt, SaidTime
from dispatch.act_time import judge_time

NOW = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
SENT = NOW - timedelta(hours=5)  # the squad was sent
LONGEST = timedelta(hours=72)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("off", "why"),
    [
        (timedelta(0), "a clock that is right"),
        (2 * DAY, "two days behind"),
        (-2 * DAY, "two days ahead"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_counts_is_how_long_ago_it_was(off: timedelta, why: str, known: bool) -> None:
    phone = NOW - off
    said = SaidTime(phone - HOUR, phone, off if known else None)
    judged = judge_time(said, NOW, SENT, LONGEST)
    assert judged.at == NOW - HOUR, why
    assert judged.doubt is None
    assert judged.clock_off == off


@pytest.mark.parametrize(
    ("said", "doubt"),
    [
        (SaidTime(NOW + HOUR, NOW), Doubt.FUTURE),
        (SaidTime(NOW - 6 * HOUR, NOW), Doubt.BEFORE_LAST_STEP),
        # Set right by the network when the signal came back, after an act two days behind.
        (SaidTime(NOW - 2 * DAY, NOW, 2 * DAY), Doubt.CLOCK_CHANGED),
    ],
)
def test_what_cannot_be_counts_from_its_receipt(said: SaidTime, doubt: Doubt) -> None:
    judged = judge_time(said, NOW, SENT, LONGEST)
    assert (judged.at, judged.doubt) == (NOW, doubt)


def test_what_is_too_long_ago_counts_from_its_receipt() -> None:
    said = SaidTime(NOW - 4 * HOUR, NOW)
    assert judge_time(said, NOW, SENT, 4 * HOUR).doubt is None
    judged = judge_time(said, NOW, SENT, 4 * HOUR - SECOND)
    assert (judged.at, judged.doubt) == (NOW, Doubt.TOO_OLD)


def test_a_minute_of_disagreement_is_none() -> None:
    assert judge_time(SaidTime(NOW + 60 * SECOND, NOW), NOW, SENT, LONGEST).at == NOW
    early = judge_time(SaidTime(SENT - 60 * SECOND, NOW), NOW, SENT, LONGEST)
    assert (early.at, early.doubt) == (SENT, None)
    assert judge_time(SaidTime(NOW - HOUR, NOW - SECOND), NOW, SENT, LONGEST).clock_off == 0 * DAY


def test_a_request_that_does_not_say_when_it_was_sent_was_sent_now() -> None:
    assert judge_time(SaidTime(NOW - HOUR), NOW, SENT, LONGEST).at == NOW - HOUR
