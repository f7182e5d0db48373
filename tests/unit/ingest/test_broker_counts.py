"""What two looks at a broker's counters mean for each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from db.broker_counts import BrokerCount, CountRow, next_row

NOON = datetime(2026, 11, 24, 12, 0, 10, tzinfo=UTC)


def look(at_s: float, uptime_s: int, received: int, dropped: int) -> BrokerCount:
    return BrokerCount(NOON + timedelta(seconds=at_s), "mosquitto", uptime_s, received, dropped)


def rows(*looks: BrokerCount) -> CountRow:
    row: CountRow | None = None
    for one in looks:
        row = next_row(row, one)
    assert row is not None
    return row


def test_a_broker_met_for_the_first_time_has_dropped_nothing_new() -> None:
    assert rows(look(0, 10**6, 10**9, 5000)).dropped_new == 0


def test_what_is_dropped_between_two_looks_is_new() -> None:
    row = rows(look(0, 100, 10, 5), look(120, 220, 20, 8))
    assert (row.dropped_new, row.since_at, row.is_restart) == (3, NOON, False)


def test_looks_of_one_minute_add_up() -> None:
    row = rows(look(0, 100, 10, 5), look(5, 105, 11, 8), look(45, 145, 12, 9))
    assert (row.dropped_new, row.since_at) == (4, NOON)


def test_a_life_keeps_its_beginning_though_it_is_told_late() -> None:
    first = look(0, 100, 10, 0)
    assert rows(first, look(65, 156, 20, 0)).started_at == first.started_at


def test_a_broker_that_started_again_has_dropped_all_it_tells() -> None:
    row = rows(look(0, 100, 10, 5), look(120, 30, 4, 2))
    assert (row.dropped_new, row.is_restart, row.since_at) == (2, True, NOON)


def test_a_new_life_is_known_though_it_has_outgrown_the_old_one() -> None:
    assert rows(look(0, 5, 10, 0), look(3600, 3000, 10**6, 1)).is_restart


def test_a_restart_is_remembered_for_the_rest_of_its_minute() -> None:
    row = rows(look(0, 100, 10, 5), look(20, 5, 4, 0), look(30, 15, 8, 1))
    assert (row.is_restart, row.dropped_new) == (True, 1)


def test_a_clock_that_is_set_back_or_forth_a_little_makes_no_restart() -> None:
    assert not rows(look(0, 100, 10, 5), look(40, 110, 20, 5)).is_restart
    assert not rows(look(0, 100, 10, 5), look(1, 400, 20, 5)).is_restart


def test_a_broker_that_begins_to_tell_begins_with_nothing_dropped() -> None:
    silent = BrokerCount(NOON, "", 0, 0, 0)
    assert rows(silent, look(60, 10**5, 10**6, 77)).dropped_new == 0
