"""Who may hold the inbox: one process at a time, another as soon as that one is gone."""

from __future__ import annotations

from db import inbox_lease
from db.pool import Connection, connect


def silent_for(db: Connection, seconds: float) -> None:
    db.execute(
        "UPDATE inbox_lease SET seen_at = clock_timestamp() - make_interval(secs => %s)", (seconds,)
    )


def test_one_holds_it_and_keeps_it(db: Connection) -> None:
    assert inbox_lease.hold(db, "s", "a/1", "a")
    assert not inbox_lease.hold(db, "s", "b/1", "b")
    since = inbox_lease.list_leases(db)[0].held_since
    assert inbox_lease.hold(db, "s", "a/1", "a")
    (lease,) = inbox_lease.list_leases(db)
    assert (lease.process, lease.held_since, lease.is_held) == ("a", since, True)


def test_sessions_are_held_apart(db: Connection) -> None:
    assert inbox_lease.hold(db, "s", "a/1", "a")
    assert inbox_lease.hold(db, "t", "b/1", "b")


def test_who_leaves_in_order_is_followed_at_once(db: Connection) -> None:
    inbox_lease.hold(db, "s", "a/1", "a")
    inbox_lease.release(db, "s", "b/1")  # not theirs to give
    assert not inbox_lease.hold(db, "s", "b/1", "b")
    inbox_lease.release(db, "s", "a/1")
    assert not inbox_lease.list_leases(db)[0].is_held
    assert inbox_lease.hold(db, "s", "b/1", "b")


def test_who_falls_silent_is_followed_when_the_lease_expires(db: Connection) -> None:
    inbox_lease.hold(db, "s", "a/1", "a")
    silent_for(db, 2.5)
    assert not inbox_lease.hold(db, "s", "b/1", "b")
    silent_for(db, 3.5)
    assert inbox_lease.hold(db, "s", "b/1", "b")
    assert not inbox_lease.hold(db, "s", "a/1", "a")


def test_who_dies_is_followed_at_once(db: Connection, database_url: str) -> None:
    """Its connection is gone."""
    with connect(database_url, autocommit=True) as dead:
        assert inbox_lease.hold(dead, "s", "a/1", "a")
    for _ in range(100):  # the server notices in its own time
        taken = inbox_lease.hold(db, "s", "b/1", "b")
        db.commit()
        if taken:
            break
    assert taken


def test_filters_that_nobody_wants_any_more_are_found(db: Connection) -> None:
    inbox_lease.hold(db, "s", "a/1", "a")
    assert inbox_lease.exchange_filters(db, "s", ["old/#", "kept/#"]) == []
    assert inbox_lease.exchange_filters(db, "s", ["kept/#", "new/#"]) == ["old/#", "kept/#"]
    assert inbox_lease.exchange_filters(db, "t", ["x"]) == []
