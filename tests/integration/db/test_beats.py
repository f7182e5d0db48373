"""Beats of stages as rows: what the newest one says, and that nobody waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from db import beats
from db.beats import Stage
from db.pool import Connection


def test_a_beat_says_when_it_was_and_what_it_saw(db: Connection) -> None:
    newest = datetime.now(UTC) - timedelta(seconds=40)
    held = datetime.now(UTC) - timedelta(seconds=7)
    beats.beat(db, Stage.RECEIVED, "worker-1", newest_at=newest, waiting_since=held)
    (beat,) = beats.list_beats(db)
    assert (beat.stage, beat.name, beat.connected) == (Stage.RECEIVED, "worker-1", True)
    assert 0 <= beat.age_s < 5
    assert beat.connected_age_s == beat.age_s
    assert beat.newest_age_s is not None
    assert 39 < beat.newest_age_s < 45
    assert beat.waiting_s is not None
    assert 6 < beat.waiting_s < 12


def test_a_stage_without_its_source_keeps_what_it_knew(db: Connection) -> None:
    newest = datetime.now(UTC) - timedelta(seconds=40)
    beats.beat(db, Stage.RECEIVED, "worker-1", newest_at=newest)
    db.execute(
        "UPDATE stage_beat SET beat_at = beat_at - interval '20 s',"
        " connected_at = connected_at - interval '20 s'"
    )
    beats.beat(db, Stage.RECEIVED, "worker-1", connected=False)
    (beat,) = beats.list_beats(db)
    assert not beat.connected
    assert beat.age_s < 5
    assert beat.connected_age_s is not None
    assert beat.connected_age_s >= 20
    assert beat.newest_age_s is not None
    assert beat.newest_age_s >= 40
    assert beat.waiting_s is None


def test_an_older_newest_message_does_not_take_the_watermark_back(db: Connection) -> None:
    now = datetime.now(UTC)
    beats.beat(db, Stage.COMMITTED, "worker-1", newest_at=now)
    beats.beat(db, Stage.COMMITTED, "worker-1", newest_at=now - timedelta(hours=1))
    assert (beats.list_beats(db)[0].newest_age_s or 0) < 60


def test_each_process_of_a_stage_has_its_own_row(db: Connection) -> None:
    beats.beat(db, Stage.COMMITTED, "b")
    beats.beat(db, Stage.COMMITTED, "a")
    beats.beat(db, Stage.TICKED, "scheduler")
    assert [(b.stage, b.name) for b in beats.list_beats(db)] == [
        (Stage.COMMITTED, "a"), (Stage.COMMITTED, "b"), (Stage.TICKED, "scheduler"),
    ]  # fmt: skip


def test_a_beat_does_not_wait_for_a_frozen_process_that_holds_its_row(db: Connection) -> None:
    db.autocommit = True
    beats.beat(db, Stage.JUDGED, "engine")
    with psycopg.connect(db.info.dsn, password=db.info.password) as frozen:
        beats.beat(frozen, Stage.JUDGED, "engine")  # and does not commit
        db.execute("SET lock_timeout TO '2s'")
        beats.beat(db, Stage.JUDGED, "engine")
        frozen.rollback()


def test_a_loop_owes_a_beat_every_two_seconds() -> None:
    rhythm = beats.Rhythm()
    assert rhythm.is_due(100.0)
    assert not rhythm.is_due(101.9)
    assert rhythm.is_due(102.0)
