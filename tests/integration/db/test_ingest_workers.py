"""Who is alive among the ingest workers, and who stands in for whom."""

from __future__ import annotations

from datetime import timedelta

from db import ingest_workers
from db.pool import Connection

SILENT, ABANDONED = timedelta(seconds=30), timedelta(seconds=60)


def fall_silent(db: Connection, name: str, seconds: int = 31) -> None:
    db.execute(
        "UPDATE ingest_worker SET seen_at = clock_timestamp() - %s WHERE name = %s",
        (timedelta(seconds=seconds), name),
    )


def claim(db: Connection, claimant: str) -> str | None:
    orphan = ingest_workers.claim_orphan(db, claimant, SILENT, ABANDONED)
    return orphan.name if orphan else None


def test_a_restarted_worker_learns_which_filters_it_has_no_use_for(db: Connection) -> None:
    assert ingest_workers.register(db, "a", ["old/#", "kept/#"]) == []
    assert ingest_workers.register(db, "a", ["kept/#", "new/#"]) == ["old/#"]
    assert ingest_workers.register(db, "a", ["kept/#", "new/#"]) == []


def test_only_a_silent_worker_is_claimed_and_by_one_other_only(db: Connection) -> None:
    for name in "abc":
        ingest_workers.register(db, name, [f"{name}/#"])
    assert claim(db, "a") is None
    fall_silent(db, "b")
    orphan = ingest_workers.claim_orphan(db, "a", SILENT, ABANDONED)
    assert orphan == ingest_workers.Orphan("b", ["b/#"])
    assert claim(db, "c") is None
    assert ingest_workers.keep_orphan(db, "a", "b")


def test_a_worker_does_not_claim_itself(db: Connection) -> None:
    ingest_workers.register(db, "a", [])
    fall_silent(db, "a")
    assert claim(db, "a") is None


def test_who_falls_silent_while_standing_in_is_replaced(db: Connection) -> None:
    for name in "abc":
        ingest_workers.register(db, name, [])
    fall_silent(db, "b")
    assert claim(db, "a") == "b"
    db.execute(
        "UPDATE ingest_worker SET adopted_at = clock_timestamp() - %s", (timedelta(seconds=61),)
    )
    assert claim(db, "c") == "b"
    assert not ingest_workers.keep_orphan(db, "a", "b")


def test_a_sign_of_life_ends_the_standing_in(db: Connection) -> None:
    for name in "ab":
        ingest_workers.register(db, name, [])
    fall_silent(db, "b")
    assert claim(db, "a") == "b"
    assert ingest_workers.beat(db, "b")
    assert not ingest_workers.keep_orphan(db, "a", "b")
    assert claim(db, "a") is None


def test_a_worker_that_was_ended_notices(db: Connection) -> None:
    ingest_workers.register(db, "a", [])
    ingest_workers.forget(db, "a")
    assert not ingest_workers.beat(db, "a")
    assert ingest_workers.list_workers(db) == []
