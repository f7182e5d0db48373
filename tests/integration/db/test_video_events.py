"""Findings about a video event that carry no type of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from city.reading import EventPhase, VideoEvent
from db.pool import Connection
from db.video_events import ReportedEvent, upsert_video_events

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
