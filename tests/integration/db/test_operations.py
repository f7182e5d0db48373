"""How late a feed is, what folding keeps of it, and sums that only grow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from city.ledger import LedgerEntry
from db import ingest_workers, ledger, operations
from db.ledger import NewBatch
from db.pool import Connection

HOUR = timedelta(hours=1)


def entry(minute: datetime, *, feed: str = "ttn", measured: bool = True) -> LedgerEntry:
    """Ten messages, one every two seconds from the minute's start."""
    plain = LedgerEntry(feed, minute, 10, 7, 2, 1, 0, 12, 1)
    if not measured:
        return plain
    return replace(
        plain,
        oldest_at=minute,
        newest_at=minute + timedelta(seconds=18),
        received_s_sum=float(sum(range(0, 20, 2))),
        sense_n=12,
        sense_s_sum=36.0,
        sense_s_max=9.0,
    )


def book(
    conn: Connection, *entries: LedgerEntry, worker: str = "w", at: datetime | None = None
) -> None:
    first = min(e.minute for e in entries)
    batch = NewBatch(worker, first, first + timedelta(seconds=18))
    batch_id = ledger.insert_batch(conn, batch, entries, first)
    if at is not None:
        conn.execute("UPDATE ingest_batch SET committed_at = %s WHERE id = %s", (at, batch_id))


def test_how_late_messages_and_readings_were_is_booked(db: Connection, now: datetime) -> None:
    minute = ledger.floor_minute(now) - timedelta(minutes=10)
    book(db, entry(minute))
    (line,) = ledger.list_entries(db, minute, now)
    assert line.store_lag_max_s is not None
    assert line.store_lag_avg_s is not None
    assert 590 < line.store_lag_max_s < 720
    assert line.store_lag_max_s - line.store_lag_avg_s == pytest.approx(9.0, abs=0.01)
    assert (line.sense_lag_avg_s, line.sense_lag_max_s) == (3.0, 9.0)


def test_what_was_not_measured_is_unknown_and_not_nought(db: Connection, now: datetime) -> None:
    minute = ledger.floor_minute(now)
    book(db, entry(minute, measured=False))
    (line,) = ledger.list_entries(db, minute, now + timedelta(minutes=1))
    assert line.store_lag_avg_s is line.store_lag_max_s is line.sense_lag_avg_s is None
    (feed,) = operations.list_feeds(db, now)
    assert (feed.newest_at, feed.is_exact) == (minute, False)
    assert feed.store_lag_avg_s is feed.sense_lag_max_s is None


def test_how_late_a_replay_is_says_nothing_of_its_feed(db: Connection, now: datetime) -> None:
    minute = ledger.floor_minute(now) - timedelta(hours=5)
    book(db, entry(minute), worker=ledger.REPLAY_WORKER)
    (line,) = ledger.list_entries(db, minute, now)
    assert line.store_lag_max_s is line.store_lag_avg_s is line.sense_lag_avg_s is None


def test_folding_batches_keeps_how_late_they_were(db: Connection, now: datetime) -> None:
    minute = (now - 3 * HOUR).replace(minute=5, second=0, microsecond=0)
    for number in range(4):
        book(db, entry(minute, measured=number != 3), at=minute)
    before = ledger.list_entries(db, minute, now)
    assert ledger.fold_batches(db, now - HOUR) == 4
    assert ledger.list_entries(db, minute, now) == before
    row = db.execute("SELECT count(*), max(newest_at), max(store_n) FROM ingest_ledger").fetchone()
    assert row == (1, minute + timedelta(seconds=18), 30)


def test_a_feed_shows_its_last_hour_and_how_often_it_spoke_in_the_day(
    db: Connection, now: datetime
) -> None:
    for minutes in (5, 30, 120, 600):
        book(db, entry(ledger.floor_minute(now) - timedelta(minutes=minutes)))
    (feed,) = operations.list_feeds(db, now)
    assert (feed.feed, feed.received, feed.stored, feed.duplicate, feed.rejected) == (
        "ttn",
        20,
        14,
        4,
        2,
    )
    assert feed.active_minutes == 4
    assert feed.is_exact
    newest = ledger.floor_minute(now) - timedelta(minutes=5) + timedelta(seconds=18)
    assert feed.newest_at == newest
    assert feed.sense_lag_avg_s == 3.0


def test_a_feed_that_stopped_long_ago_is_still_known(db: Connection, now: datetime) -> None:
    minute = ledger.floor_minute(now) - timedelta(days=3)
    db.execute("UPDATE ingest_total_state SET until = %s", (minute,))
    book(db, entry(minute), at=minute + timedelta(minutes=1))
    operations.add_totals(db, now)
    (feed,) = operations.list_feeds(db, now)
    assert (feed.received, feed.active_minutes, feed.first_minute) == (0, 0, None)
    assert feed.newest_at == minute + timedelta(seconds=18)


def test_sums_of_a_feed_count_each_batch_once_and_only_grow(db: Connection, now: datetime) -> None:
    minute = ledger.floor_minute(now) - timedelta(hours=2)
    db.execute("UPDATE ingest_total_state SET until = %s", (minute,))
    book(db, entry(minute), entry(minute, feed="native", measured=False), at=minute)
    operations.add_totals(db, minute + timedelta(minutes=1))
    operations.add_totals(db, minute + timedelta(minutes=2))
    native, ttn = operations.list_totals(db)
    assert (ttn.received, ttn.stored, ttn.duplicate, ttn.rejected) == (10, 7, 2, 1)
    assert (ttn.store_n, ttn.sense_n, ttn.sense_s_sum) == (10, 12, 36.0)
    assert (native.feed, native.received, native.store_n, native.sense_n) == ("native", 10, 0, 0)

    book(db, entry(minute), at=minute + timedelta(minutes=2))
    replayed = LedgerEntry("ttn", minute, 0, 1, 0, -1, 0, 1, 0)
    book(db, replayed, worker=ledger.REPLAY_WORKER, at=minute + timedelta(minutes=2))
    ledger.fold_batches(db, now)
    operations.add_totals(db, minute + timedelta(minutes=10))
    ttn = operations.list_totals(db)[1]
    assert ttn.received >= 10
    assert ttn.rejected >= 1


def test_a_batch_whose_transaction_may_still_run_is_counted_later(
    db: Connection, now: datetime
) -> None:
    db.execute("UPDATE ingest_total_state SET until = %s", (now - HOUR,))
    book(db, entry(ledger.floor_minute(now)), at=now)
    operations.add_totals(db, now + timedelta(seconds=1))
    assert operations.list_totals(db) == []
    operations.add_totals(db, now + operations.SETTLE + timedelta(seconds=1))
    assert operations.list_totals(db)[0].received == 10


def test_the_database_knows_who_is_connected_and_how_large_it_is(db: Connection) -> None:
    assert operations.count_processes(db)["gridwarden"] >= 1
    size = operations.database_size(db)
    assert size.total > size.rejects > 0
    assert size.ledger > 0


def test_a_worker_that_is_expected_to_run_is_listed_with_its_last_batch(
    db: Connection, now: datetime
) -> None:
    ingest_workers.beat(db, "w", "p", started=True)
    ingest_workers.beat(db, "idle", "p", started=True)
    book(db, entry(ledger.floor_minute(now)), at=now - timedelta(minutes=2))
    book(db, entry(ledger.floor_minute(now)), worker="left", at=now)
    idle, busy = operations.list_workers(db, now)
    assert (idle.worker, idle.last_at, idle.received) == ("idle", None, 0)
    assert (busy.worker, busy.last_at, busy.received) == ("w", now - timedelta(minutes=2), 10)
    assert abs(busy.seen_at - now) < timedelta(minutes=1)
