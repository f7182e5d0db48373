"""The book of alarms: one live alarm per condition, whatever rules and people do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest import ANNOUNCED
from alerts.book import AlarmBook, place_of
from alerts.course import judge_sample
from alerts.judge import Raise, Sample
from alerts.levels import ACTIVE
from alerts.lifecycle import Input
from alerts.reasons import value_reason
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from city.alarm import Alarm, AlarmState, Severity
from city.device import WatchedDevice
from city.errors import Conflict
from city.reading import Quality
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
DEVICE = WatchedDevice(
    id=3, code="GAS-3", district="460107", kind="gas", gas="methane", lon=110.4, lat=19.8,
    unit_grid="460107001001001", attributes={}, report_interval_s=120, demo=True,
    out_of_service_since=None, return_due_at=None,
)  # fmt: skip
LEL = parse_rule(default_texts()["gas-lel.toml"])
VOLUME = parse_rule(default_texts()["gas-methane-vol.toml"])
DETECTOR = parse_rule(default_texts()["gas-detector.toml"])
OPEN = parse_rule(default_texts()["manhole-open.toml"])


def feed(book: AlarmBook, rule: Rule, *readings: tuple[float, float]) -> None:
    for seconds, value in readings:
        ts = T0 + timedelta(seconds=seconds)
        judge_sample(book, rule, DEVICE, Sample(ts, ts, value))


def kinds(book: AlarmBook) -> list[str]:
    return [change.kind.value for page in book.pages for change in page.changes]


def stored(book: AlarmBook) -> AlarmBook:
    """The same alarms and timers, as the next transaction would find them."""
    alarms = [replace(page.alarm, id=n) for n, page in enumerate(book.pages, start=1)]
    live = [a for a in alarms if a.state is not AlarmState.NORMAL]
    return AlarmBook(book.now, live, book.started.values())


def only(book: AlarmBook) -> Alarm:
    (page,) = book.pages
    return page.alarm


def test_a_thousand_identical_readings_are_one_alarm_with_one_change() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, *[(0.001 * i, 30.0) for i in range(1000)])
    assert kinds(book) == ["raised"]
    assert only(book).version == 1
    assert only(book).condition == "gas/GAS-3"


def test_a_worse_reading_escalates_the_same_alarm_and_a_milder_one_does_not_soften_it() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 25), (10, 70), (20, 30))
    assert kinds(book) == ["raised", "escalated"]
    assert only(book).severity is Severity.RED
    assert only(book).version == 2


def test_three_gas_metrics_of_one_device_are_one_alarm() -> None:
    book = AlarmBook(T0)
    feed(book, DETECTOR, (0, 1))
    feed(book, LEL, (0, 60))
    feed(book, VOLUME, (0, 3.0))
    assert kinds(book) == ["raised", "escalated"]
    assert only(book).rule_code == "gas-lel"


def test_only_the_rule_that_holds_the_alarm_clears_it() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 60))
    feed(book, DETECTOR, (10, 0), (700, 0))
    assert only(book).state is AlarmState.UNACKNOWLEDGED
    feed(book, LEL, (800, 0), (1200, 0))
    assert only(book).state is AlarmState.RETURNED


def test_an_acknowledged_alarm_that_gets_worse_needs_a_look_again() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 25))
    book.act("gas/GAS-3", Input.ACKNOWLEDGE, "li")
    assert only(book).acknowledged_by == "li"
    feed(book, LEL, (10, 70))
    assert only(book).state is AlarmState.UNACKNOWLEDGED
    assert only(book).acknowledged_by is None


def test_a_condition_that_returns_before_anybody_looked_is_the_same_alarm() -> None:
    book = AlarmBook(T0)
    feed(book, OPEN, (0, 1), (10, 0), (80, 1))
    assert kinds(book) == ["raised", "cleared", "retripped"]
    assert only(book).state is AlarmState.UNACKNOWLEDGED
    assert only(book).cleared_at is None


def test_a_condition_that_returns_after_the_alarm_was_over_is_a_new_alarm() -> None:
    book = AlarmBook(T0)
    feed(book, OPEN, (0, 1))
    book.act("cover/GAS-3", Input.ACKNOWLEDGE, "li")
    feed(book, OPEN, (10, 0), (80, 1))
    assert [page.alarm.state for page in book.pages] == [
        AlarmState.NORMAL,
        AlarmState.UNACKNOWLEDGED,
    ]
    assert book.pages[0].alarm.ended_at == T0


def test_an_off_delay_survives_the_end_of_the_transaction() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 25), (60, 5))
    later = stored(book)
    feed(later, LEL, (361, 5))
    assert kinds(later) == ["cleared"]
    assert later.stopped == {"gas-lel/GAS-3/off"}


def test_a_timer_that_began_and_ended_in_one_transaction_leaves_no_trace() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 25), (60, 5), (70, 15))
    assert not book.started
    assert not book.stopped


def test_a_person_is_told_what_is_possible_when_an_action_does_not_fit() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 25))
    with pytest.raises(Conflict) as caught:
        book.act("gas/GAS-3", Input.RESET, "li")
    assert caught.value.allowed == ["acknowledge", "shelve"]
    assert caught.value.current["state"] == "unacknowledged"


def test_a_worse_condition_ends_shelving() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 25))
    until = T0 + timedelta(hours=4)
    book.act("gas/GAS-3", Input.SHELVE, "li", shelved_until=until, shelved_by="li")
    feed(book, LEL, (10, 30))
    assert only(book).shelved_until == until
    feed(book, LEL, (20, 70))
    assert kinds(book) == ["raised", "shelved", "escalated", "unshelved"]
    assert only(book).shelved_until is None


def test_an_alarm_carries_place_category_and_whether_it_is_invented() -> None:
    cover = replace(DEVICE, kind="manhole", attributes={"cover_code": "0102"})
    book = AlarmBook(T0)
    judge_sample(book, OPEN, cover, Sample(T0, T0, 1.0))
    alarm = only(book)
    assert (alarm.category, alarm.lon, alarm.lat) == ("0102", 110.4, 19.8)
    assert alarm.unit_grid == "460107001001001"
    assert alarm.demo
    assert place_of(replace(cover, attributes={"cover_code": 5}), OPEN).category is None


def test_a_milder_raise_of_a_returned_alarm_keeps_the_worst_severity() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 70), (10, 0), (400, 0))
    assert only(book).state is AlarmState.RETURNED
    reason = value_reason(LEL, 25, 20, T0)
    book.raise_alarm(LEL, place_of(DEVICE, LEL), Raise(Severity.ORANGE, reason, T0, T0))
    assert only(book).severity is Severity.RED
    assert only(book).state is AlarmState.UNACKNOWLEDGED


def levels(book: AlarmBook) -> Severity | None:
    return book.levels("gas/GAS-3").present


def acknowledge(book: AlarmBook) -> None:
    book.act("gas/GAS-3", Input.ACKNOWLEDGE, "li")


# What is read of LEL after an acknowledged red, and whether the last of it is told again.
AGAIN = [
    ([(60, 30), (120, 60)], True),  # to orange and up again
    ([(60, 3), (120, 60)], True),  # to nothing, within the five minutes of the off-delay
    ([(60, 30), (120, 30), (900, 51)], True),
    ([(60, 41), (120, 60)], False),  # within the deadband: it never left red
    ([(60, 49.9), (120, 50.1), (180, 49.9), (240, 50.1)], False),
    ([(60, 30), (120, 45)], False),  # up again, but not to red
    ([(60, 80), (120, 99)], False),  # higher, but it was red all the time
]


@pytest.mark.parametrize(("readings", "told"), AGAIN)
def test_a_red_that_was_acknowledged_and_left_is_told_when_it_comes_again(
    readings: list[tuple[float, float]], told: bool
) -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 60))
    acknowledge(book)
    later = stored(book)
    feed(later, LEL, *readings)
    assert kinds(later) == (["retripped"] if told else [])
    expected = AlarmState.UNACKNOWLEDGED if told else AlarmState.ACKNOWLEDGED
    assert (only(later).state, only(later).severity) == (expected, Severity.RED)
    if told:
        assert only(later).reason["value"] == readings[-1][1]
        assert only(later).acknowledged_by is None
        assert only(later).announced_at == T0


def test_a_red_that_comes_again_before_anybody_looked_is_told_as_well() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 60), (60, 30), (120, 60))
    assert kinds(book) == ["raised", "retripped"]


def test_a_suspect_reading_does_not_leave_red() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 60))
    ts = T0 + timedelta(seconds=60)
    judge_sample(book, LEL, DEVICE, Sample(ts, ts, 3.0, Quality.SUSPECT))
    feed(book, LEL, (120, 60))
    assert kinds(book) == ["raised"]


def test_a_value_that_swings_through_the_deadband_is_told_every_five_minutes_at_most() -> None:
    book = AlarmBook(T0)
    for second in range(0, 3600, 10):
        feed(book, LEL, (second, 60 if second % 20 else 30))
        alarm = book.find("gas/GAS-3")
        if alarm and alarm.state is AlarmState.UNACKNOWLEDGED:
            acknowledge(book)
    told = [kind for kind in kinds(book) if kind != "acknowledged"]
    assert told[:2] == ["raised", "escalated"]
    assert set(told[2:]) == {"retripped"}
    assert len(told[2:]) <= 12


def test_a_clear_limit_of_the_level_itself_decides_when_it_is_left() -> None:
    text = default_texts()["gas-lel.toml"].replace(
        "limit = 50.0", "limit = 50.0\nclear_limit = 25.0"
    )
    rule = parse_rule(text)
    book = AlarmBook(T0)
    feed(book, rule, (0, 60), (60, 30), (120, 60))
    assert kinds(book) == ["raised"]
    feed(book, rule, (180, 24), (240, 60))
    assert kinds(book) == ["raised", "retripped"]


def test_a_shelved_alarm_speaks_when_it_gets_worse_than_it_was_when_it_was_shelved() -> None:
    book = AlarmBook(T0)
    feed(book, LEL, (0, 60), (60, 30))
    until = T0 + timedelta(hours=4)
    book.act("gas/GAS-3", Input.SHELVE, "li", shelved_until=until, shelved_severity=Severity.ORANGE)
    feed(book, LEL, (120, 60))
    assert kinds(book) == ["raised", "shelved", "retripped", "unshelved"]


# Readings of three rules of one hazard (rule, second, value), and whether the alarm stands after.
SHARED = [
    # The first to raise it leaves, another stands.
    ([(LEL, 0, 60), (DETECTOR, 1, 1), (LEL, 10, 0), (LEL, 320, 0)], True),
    ([(DETECTOR, 0, 1), (LEL, 1, 60), (DETECTOR, 10, 0), (DETECTOR, 320, 0)], True),
    ([(VOLUME, 0, 1.2), (LEL, 1, 25), (VOLUME, 10, 0), (VOLUME, 320, 0)], True),
    # The last of them leaves.
    (
        [
            (LEL, 0, 60), (DETECTOR, 1, 1), (LEL, 10, 0), (LEL, 320, 0), (DETECTOR, 330, 0),
            (DETECTOR, 640, 0),
        ],
        False,
    ),
    ([(LEL, 0, 25), (DETECTOR, 1, 0), (LEL, 10, 0), (LEL, 320, 0)], False),
    # One leaves and comes again while another stands.
    ([(LEL, 0, 25), (DETECTOR, 1, 1), (LEL, 10, 0), (LEL, 320, 0), (LEL, 400, 25)], True),
]  # fmt: skip


@pytest.mark.parametrize(("readings", "stands"), SHARED)
def test_an_alarm_ends_when_none_of_its_rules_stands(
    readings: list[tuple[Rule, float, float]], stands: bool
) -> None:
    book = AlarmBook(T0)
    for rule, second, value in readings:
        feed(book, rule, (second, value))
    assert only(book).state is (AlarmState.UNACKNOWLEDGED if stands else AlarmState.RETURNED)
    assert "retripped" not in kinds(book)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([(LEL, 0.0), (LEL, 15.0), (LEL, 25.0), (LEL, 60.0)])
            | st.sampled_from([(VOLUME, 0.0), (VOLUME, 1.2), (VOLUME, 3.0)])
            | st.sampled_from([(DETECTOR, 0.0), (DETECTOR, 1.0)]),
            st.sampled_from((1, 40, 200, 400)),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_an_alarm_stands_as_long_and_at_the_level_that_its_rules_would_alone(
    story: list[tuple[tuple[Rule, float], int, bool]],
) -> None:
    """Each rule is also judged in a book of its own; whatever people acknowledge, red never rises
    silently, and the alarm stands exactly while one of them does."""
    together = AlarmBook(T0)
    alone = {rule.code: AlarmBook(T0) for rule in (LEL, VOLUME, DETECTOR)}
    second, before = 0.0, None
    for (rule, value), gap, seen in story:
        second += gap
        told = sum(change.kind in ANNOUNCED for page in together.pages for change in page.changes)
        feed(together, rule, (second, value))
        feed(alone[rule.code], rule, (second, value))
        standing = [s for book in alone.values() if (s := levels(book)) is not None]
        present = min(standing, default=None)
        assert levels(together) == present
        now_told = sum(c.kind in ANNOUNCED for page in together.pages for c in page.changes)
        rose = present is not None and (before is None or present < before)
        assert (now_told > told) == rose
        alarm = together.find("gas/GAS-3")
        assert (alarm is not None and alarm.state in ACTIVE) == (present is not None)
        if seen and alarm is not None and alarm.state is AlarmState.UNACKNOWLEDGED:
            acknowledge(together)
        before = present
