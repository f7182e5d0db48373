"""Alarms that latch: held when their condition is gone, until somebody who may releases them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.book import AlarmBook
from alerts.course import judge_sample
from alerts.fold import fold, track_of
from alerts.history import series_of
from alerts.judge import Sample
from alerts.levels import ACTIVE
from alerts.lifecycle import Input, is_red_gas, why_not_released
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from city.alarm import Alarm, AlarmState, Severity
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.incident import Role
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
DEVICE = WatchedDevice(
    id=3,
    code="GAS-3",
    district="460107",
    kind="gas",
    gas="methane",
    lon=110.4,
    lat=19.8,
    unit_grid=None,
    attributes={},
    report_interval_s=120,
    demo=False,
    out_of_service_since=None,
    return_due_at=None,
)
SHIPPED = default_texts()["gas-lel.toml"]
LATCH = 'latch = true\ngas_free_s = 600\nrelease_role = "gas_engineer"\n'
LATCHING = parse_rule(SHIPPED.replace("[[level]]", LATCH + "\n[[level]]", 1))
VOLUME = parse_rule(default_texts()["gas-methane-vol.toml"])


def at(book: AlarmBook, rule: Rule, seconds: float, value: float) -> None:
    book.now = T0 + timedelta(seconds=seconds)
    judge_sample(book, rule, DEVICE, Sample(book.now, book.now, value))


def only(book: AlarmBook) -> Alarm:
    (page,) = book.pages
    return page.alarm


def latched() -> AlarmBook:
    book = AlarmBook(T0)
    for seconds, value in ((0, 60.0), (10, 1.0), (310, 1.0)):
        at(book, LATCHING, seconds, value)
    return book


def test_its_alarm_does_not_end_by_itself() -> None:
    book = latched()
    alarm = only(book)
    assert (alarm.state, alarm.cleared_at) == (
        AlarmState.LATCHED_UNACKNOWLEDGED,
        T0 + timedelta(seconds=310),
    )
    assert alarm.releasable_at == T0 + timedelta(seconds=910)
    book.act(alarm.condition, Input.ACKNOWLEDGE, "li")
    assert only(book).state is AlarmState.LATCHED
    for seconds in (900, 5_000, 90_000):
        at(book, LATCHING, seconds, 0.0)
    assert only(book).state is AlarmState.LATCHED


def test_it_is_released_after_its_time_only_and_the_refusal_names_it() -> None:
    alarm = only(latched())
    due = alarm.releasable_at
    assert due is not None
    assert due.astimezone().isoformat(timespec="seconds") in why_not_released(
        alarm, due - timedelta(seconds=1)
    )
    assert why_not_released(alarm, due) == ""
    standing = AlarmBook(T0)
    at(standing, LATCHING, 0, 60.0)
    assert "gone for 10 minutes" in why_not_released(only(standing), T0 + timedelta(days=3))


def test_gas_that_returns_meanwhile_is_announced_and_its_time_begins_anew() -> None:
    book = latched()
    at(book, LATCHING, 700, 55.0)
    assert (only(book).state, only(book).releasable_at) == (AlarmState.UNACKNOWLEDGED, None)
    at(book, LATCHING, 710, 0.0)
    at(book, LATCHING, 1_020, 0.0)
    assert only(book).releasable_at == T0 + timedelta(seconds=1_620)


def test_a_rule_beside_it_that_does_not_latch_cannot_end_it() -> None:
    book = AlarmBook(T0)
    at(book, VOLUME, 0, 3.0)
    assert only(book).latch_s is None
    at(book, LATCHING, 1, 60.0)
    assert (only(book).latch_s, only(book).release_role) == (600, Role.GAS_ENGINEER)
    for rule, seconds in ((LATCHING, 10), (LATCHING, 311), (VOLUME, 312), (VOLUME, 620)):
        at(book, rule, seconds, 0.0)
    assert only(book).state is AlarmState.LATCHED_UNACKNOWLEDGED


def test_rules_that_are_withdrawn_leave_it_latched() -> None:
    book = AlarmBook(T0)
    at(book, LATCHING, 0, 60.0)
    book.withdraw(only(book).condition, {"why": "no rule"})
    assert only(book).state is AlarmState.LATCHED_UNACKNOWLEDGED


def test_the_past_is_judged_as_if_it_were_released_at_once() -> None:
    points = [(0, 60.0), (10, 1.0), (400, 1.0), (900, 60.0)]
    moments = [T0 + timedelta(seconds=s) for s, _ in points]
    series = series_of(Sample(at_, at_, v) for at_, (_, v) in zip(moments, points, strict=True))
    track = track_of(LATCHING, DEVICE, series)
    assert track is not None
    book = fold([track], DEVICE, T0 + timedelta(hours=1))
    assert len(book.pages) == 2


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ("latch = true\n", "gas_free_s"),
        ('latch = true\ngas_free_s = 60\nrelease_role = "viewer"\n', "release_role"),
        ("gas_free_s = 60\n", "gas_free_s"),
        ("latch = true\ngas_free_s = -1\n", "gas_free_s"),
    ],
)
def test_a_rule_that_latches_says_for_how_long_and_who(lines: str, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        parse_rule(SHIPPED.replace("[[level]]", lines + "\n[[level]]", 1))


def test_red_gas_is_told_by_condition_or_category_and_by_the_level_asked_about() -> None:
    red = only(latched())
    assert is_red_gas(red, None, ())
    assert not is_red_gas(red, Severity.ORANGE, ())
    assert is_red_gas(replace(red, condition="leak/X"), None, {red.category})
    assert not is_red_gas(replace(red, condition="leak/X"), None, ())


# Anything that can happen, in any order: readings of any level, acknowledgements, a release by
# somebody who may, shelving that runs out, and restarts between any two of them.
HAPPENS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.sampled_from([0.0, 5.0, 25.0, 60.0])),
        st.tuples(st.sampled_from(["ack", "release", "shelve", "restart", "withdraw"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(happens=HAPPENS, gaps=st.lists(st.integers(1, 700), min_size=25, max_size=25))
def test_no_order_of_readings_restarts_and_acknowledgements_loses_a_gas_alarm(
    happens: list[tuple[str, float]], gaps: list[int]
) -> None:
    book, seconds, gas_since_release = AlarmBook(T0), 0.0, False
    condition = f"{LATCHING.condition}/{DEVICE.code}"
    for (what, value), gap in zip(happens, gaps, strict=False):
        seconds += gap
        book.now = T0 + timedelta(seconds=seconds)
        alarm = book.find(condition)
        if what == "read":
            at(book, LATCHING, seconds, value)
            gas_since_release = gas_since_release or value >= 20.0
            if value >= 20.0:
                found = book.find(condition)
                assert found is not None
                assert found.state in ACTIVE, "gas is there, and so is its alarm"
        elif what == "restart":
            live = [replace(p.alarm, id=n) for n, p in enumerate(book.pages, 1)]
            still = [a for a in live if a.state is not AlarmState.NORMAL]
            book = AlarmBook(book.now, still, book.started.values())
        elif alarm is not None and what == "ack" and "unack" in alarm.state:
            book.act(condition, Input.ACKNOWLEDGE, "li")
        elif alarm is not None and what == "shelve":
            book.act(condition, Input.SHELVE, "li", shelved_until=book.now)
            book.run_out(condition)
        elif alarm is not None and what == "withdraw":
            book.withdraw(condition, {})
        elif alarm is not None and what == "release" and why_not_released(alarm, book.now) == "":
            book.act(condition, Input.RESET, "engineer")
            gas_since_release = False
        if gas_since_release:
            assert book.find(condition) is not None, "nobody released it, and it is gone"
