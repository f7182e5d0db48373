"""Findings without a type of their own; conditions that come and go without a number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from city.reading import EventPhase, VideoEvent
from city.video import ReportedEvent
from db.pool import Connection, connect
from db.video_events import upsert_video_events

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


def report(db: Connection, type_: str, phase: EventPhase, later_s: int) -> None:
    row = db.execute("SELECT id, district FROM device WHERE kind = 'camera' LIMIT 1").fetchone()
    assert row is not None
    at = NOW + timedelta(seconds=later_s)
    event = VideoEvent("cam", "e1", type_, phase, NOW, attributes={f"at_{later_s}": True})
    upsert_video_events(db, [ReportedEvent(row[0], "cam", row[1], event, at)])


def test_a_later_finding_without_a_type_keeps_the_type(db: Connection) -> None:
    report(db, "car", EventPhase.NEW, 0)
    report(db, "", EventPhase.UPDATE, 30)
    assert db.execute("SELECT type FROM video_event").fetchall() == [("car",)]


def test_a_finding_that_comes_first_gets_its_type_from_the_event(db: Connection) -> None:
    report(db, "", EventPhase.UPDATE, 0)
    report(db, "car", EventPhase.NEW, 5)
    rows = db.execute("SELECT type, attributes ? 'at_0' FROM video_event").fetchall()
    assert rows == [("car", True)]


LINE, ANY = "Analytics/Scenario1", "Analytics/ScenarioANY"


def say(db: Connection, condition: str, phase: EventPhase, at_s: float, also: str = "") -> bool:
    """A report of a condition; whether it changed anything."""
    row = db.execute("SELECT id, district FROM device WHERE kind = 'camera' LIMIT 1").fetchone()
    assert row is not None
    at = NOW + timedelta(seconds=at_s)
    event = VideoEvent(
        "cam",
        condition,
        condition.lower(),
        phase,
        at,
        at if phase is EventPhase.END else None,
        attributes={"object": "car"},
        recurring=True,
        repeated_as=also,
    )
    return upsert_video_events(db, [ReportedEvent(row[0], "cam", row[1], event, at)])[0].changed


def occurrences(db: Connection) -> list[tuple[str, float, float | None]]:
    """(type, start, end) of every event, in seconds from NOW."""
    rows = db.execute("SELECT type, start_at, end_at FROM video_event ORDER BY start_at").fetchall()
    return [
        (type_, (start - NOW).total_seconds(), end and (end - NOW).total_seconds())
        for type_, start, end in rows
    ]


def test_a_stop_ends_the_open_occurrence_of_its_condition(db: Connection) -> None:
    say(db, LINE, EventPhase.NEW, 0)
    assert say(db, LINE, EventPhase.END, 30)
    assert occurrences(db) == [(LINE.lower(), 0, 30)]


def test_each_time_a_condition_holds_is_an_event_of_its_own(db: Connection) -> None:
    for start in (0, 60, 120):
        say(db, LINE, EventPhase.NEW, start)
        say(db, LINE, EventPhase.END, start + 10)
    assert [start for _, start, _ in occurrences(db)] == [0, 60, 120]


def test_what_is_said_again_while_it_lasts_is_the_same_event(db: Connection) -> None:
    say(db, LINE, EventPhase.NEW, 0)
    for later in (5, 100, 800):
        say(db, LINE, EventPhase.NEW, later)
    say(db, LINE, EventPhase.UPDATE, 1600)  # each report moves the time limit
    assert occurrences(db) == [(LINE.lower(), 0, None)]


def test_start_and_stop_delivered_twice_change_nothing(db: Connection) -> None:
    say(db, LINE, EventPhase.NEW, 0)
    assert not say(db, LINE, EventPhase.NEW, 0)
    say(db, LINE, EventPhase.END, 30)
    assert not say(db, LINE, EventPhase.END, 30)
    assert not say(db, LINE, EventPhase.NEW, 0)
    assert occurrences(db) == [(LINE.lower(), 0, 30)]


def test_a_stop_of_what_never_began_is_no_event(db: Connection) -> None:
    assert not say(db, LINE, EventPhase.END, 0)
    assert occurrences(db) == []


def test_conditions_of_one_camera_are_kept_apart(db: Connection) -> None:
    say(db, LINE, EventPhase.NEW, 0)
    say(db, "Analytics/Scenario2", EventPhase.NEW, 1)
    say(db, LINE, EventPhase.END, 30)
    assert occurrences(db) == [(LINE.lower(), 0, 30), ("analytics/scenario2", 1, None)]


def test_a_condition_reported_under_a_general_name_too_is_one_event(db: Connection) -> None:
    for first, second in ((LINE, ANY), (ANY, LINE)):
        db.execute("DELETE FROM video_event")
        say(db, first, EventPhase.NEW, 0, ANY if first == LINE else "")
        say(db, second, EventPhase.NEW, 0.01, ANY if second == LINE else "")
        say(db, first, EventPhase.END, 30, ANY if first == LINE else "")
        say(db, second, EventPhase.END, 30.01, ANY if second == LINE else "")
        assert [(type_, round(end or 0)) for type_, _, end in occurrences(db)] == [
            (LINE.lower(), 30)
        ]


def test_a_start_and_a_stop_that_two_workers_store_at_once_are_one_event(
    database_url: str,
) -> None:
    with connect(database_url) as first, connect(database_url) as second, ThreadPoolExecutor() as t:
        say(first, LINE, EventPhase.NEW, 0)
        again = t.submit(say, second, LINE, EventPhase.NEW, 1)
        with pytest.raises(TimeoutError):  # it waits for the first to be stored
            again.result(0.5)
        first.commit()
        again.result(10)
        end = t.submit(say, first, LINE, EventPhase.END, 30)
        with pytest.raises(TimeoutError):
            end.result(0.5)
        second.commit()
        assert end.result(10)
        assert occurrences(first) == [(LINE.lower(), 0, 30)]


def test_a_general_name_alone_is_an_event_like_any_other(db: Connection) -> None:
    say(db, ANY, EventPhase.NEW, 0)
    say(db, ANY, EventPhase.END, 20)
    assert occurrences(db) == [(ANY.lower(), 0, 20)]


def test_an_older_general_occurrence_is_not_taken_for_a_special_one(db: Connection) -> None:
    say(db, ANY, EventPhase.NEW, 0)
    say(db, LINE, EventPhase.NEW, 60, ANY)
    assert len(occurrences(db)) == 2
