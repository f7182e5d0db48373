"""Beats of stages as rows: what the newest one says, and that nobody waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from city.stage import Stage, Usual, Waiting
from db import beats
from db.evaluation import MAX_ATTEMPTS
from db.pool import Connection


def test_a_beat_says_when_it_was_and_what_it_saw(db: Connection) -> None:
    newest = datetime.now(UTC) - timedelta(seconds=40)
    held = datetime.now(UTC) - timedelta(seconds=7)
    beats.beat(db, Stage.RECEIVED, "worker-1", newest_at=newest, waiting_since=held)
    (beat,) = beats.list_beats(db)
    assert (beat.stage, beat.name, beat.connected) == (Stage.RECEIVED, "worker-1", True)
    assert 0 <= beat.age_s < 30
    assert beat.connected_age_s == beat.age_s
    assert beat.newest_age_s is not None
    assert 39 < beat.newest_age_s < 75
    assert beat.waiting_s is not None
    assert 6 < beat.waiting_s < 42


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
    assert beat.age_s < 20
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
        (Stage.COMMITTED, "a"),
        (Stage.COMMITTED, "b"),
        (Stage.TICKED, "scheduler"),
    ]


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


def store_batch(db: Connection, ago_s: float, lasted_s: float = 1, **fields: Any) -> None:
    """A batch whose first message was received `ago_s` ago."""
    row = {"evaluated": False, "attempts": 0} | fields
    db.execute(
        """
        INSERT INTO ingest_batch (worker, received_from, received_to, committed_at, received,
                                  stored, duplicate, rejected, readings_stored, evaluated_at,
                                  attempts)
        SELECT 'worker-1', first, first + %(lasted)s, first + %(lasted)s, 1, 1, 0, 0, 1,
               CASE WHEN %(evaluated)s THEN first END, %(attempts)s
        FROM (SELECT clock_timestamp() - %(ago)s AS first) AS batch
        """,
        row | {"ago": timedelta(seconds=ago_s), "lasted": timedelta(seconds=lasted_s)},
    )


def test_the_oldest_batch_that_waits_for_judging_counts(db: Connection) -> None:
    assert beats.find_waiting(db) == Waiting(None, None)
    store_batch(db, 90, evaluated=True)
    store_batch(db, 70, attempts=MAX_ATTEMPTS)  # set aside for a person
    store_batch(db, 40, attempts=1)
    store_batch(db, 10)
    waiting_s = beats.find_waiting(db).judging_s
    assert waiting_s is not None
    assert 39 <= waiting_s < 45


def report(db: Connection, code: str, interval_s: int, ago_s: float) -> None:
    """A device that reports every `interval_s` was last heard `ago_s` ago."""
    db.execute(
        """
        WITH found AS (
            UPDATE device SET report_interval_s = %s
            WHERE id = (SELECT id FROM device WHERE kind = 'gas' ORDER BY id OFFSET %s LIMIT 1)
            RETURNING id
        )
        INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)
        SELECT id, (SELECT min(id) FROM metric), now(), 1, now() - %s FROM found
        """,
        (interval_s, int(code), timedelta(seconds=ago_s)),
    )


def test_how_often_something_comes_is_told_by_the_second_fastest_that_is_heard(
    db: Connection,
) -> None:
    assert beats.find_usual(db) == Usual(None, None)
    report(db, "0", 1, 60)  # fast, and silent by now
    report(db, "1", 10, 5)
    assert beats.find_usual(db).interval_s is None
    report(db, "2", 30, 20)
    report(db, "3", 600, 0)
    assert beats.find_usual(db).interval_s == 30


def test_the_longest_pause_counts_once_an_hour_was_listened_to(db: Connection) -> None:
    for ago_s in (1200, 1190, 1180):
        store_batch(db, ago_s)
    assert beats.find_usual(db).longest_pause_s is None
    for ago_s in (3500, 3400, 3390, 3380, 1300, 1250):
        store_batch(db, ago_s, lasted_s=1)
    store_batch(db, 3379, lasted_s=2060)  # of another worker, over the pause of the first
    pause_s = beats.find_usual(db).longest_pause_s
    assert pause_s is not None
    assert abs(pause_s - 99) < 0.1
