"""The latest value of every metric, as batches move it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from city.moment import as_microseconds
from columns.readings import BATCH_DTYPE, Rows, sort_rows
from db.pool import Connection, connect
from db.readings import list_latest_values, upsert_latest

AT_US = as_microseconds(datetime(2026, 3, 4, 12, 0, tzinfo=UTC))
SECOND_US = 1_000_000


def batch(*samples: tuple[int, int, int, float]) -> Rows:
    """Sorted rows of (device, metric, seconds, value)."""
    rows = np.array(
        [(d, m, 0, AT_US + s * SECOND_US, AT_US, v) for d, m, s, v in samples], BATCH_DTYPE
    )
    return rows[sort_rows(rows)]


def received(*samples: tuple[int, int, float]) -> Rows:
    """Sorted rows of one device and metric: (seconds measured, seconds received, value)."""
    rows = np.array(
        [(1, 1, 0, AT_US + s * SECOND_US, AT_US + r * SECOND_US, v) for s, r, v in samples],
        BATCH_DTYPE,
    )
    return rows[sort_rows(rows)]


def values(conn: Connection, devices: Sequence[int]) -> dict[tuple[int, int], float]:
    return {key: value for key, (_, value) in list_latest_values(conn, devices).items()}


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as conn:
        yield conn


def test_known_unknown_and_late_values_of_one_batch(conn: Connection) -> None:
    upsert_latest(conn, batch((1, 1, 0, 1.0), (1, 2, 10, 2.0)))
    upsert_latest(conn, batch((1, 1, 5, 1.5), (1, 2, 9, 9.0), (2, 1, 0, 3.0)))
    assert values(conn, [1, 2]) == {(1, 1): 1.5, (1, 2): 2.0, (2, 1): 3.0}


def test_the_newest_of_a_batch_counts(conn: Connection) -> None:
    upsert_latest(conn, batch((1, 1, 0, 1.0)))
    upsert_latest(conn, batch((1, 1, 2, 2.0), (1, 1, 3, 3.0), (1, 1, 1, 4.0)))
    assert values(conn, [1]) == {(1, 1): 3.0}


AHEAD = 540


def test_a_true_value_wins_over_one_from_the_future(conn: Connection) -> None:
    upsert_latest(conn, received((0, 0, 1.0)))
    upsert_latest(conn, received((10 + AHEAD, 10, 62.5)))
    assert values(conn, [1]) == {(1, 1): 62.5}
    upsert_latest(conn, received((20, 20, 2.0)))
    assert values(conn, [1]) == {(1, 1): 2.0}
    upsert_latest(conn, received((10 + AHEAD, 10, 62.5)))  # delivered again
    assert values(conn, [1]) == {(1, 1): 2.0}


def test_what_was_measured_before_the_future_was_told_does_not_win(conn: Connection) -> None:
    upsert_latest(conn, received((10 + AHEAD, 10, 62.5)))
    upsert_latest(conn, received((5, 30, 1.0)))
    assert values(conn, [1]) == {(1, 1): 62.5}


def test_a_clock_that_is_always_ahead_keeps_its_order(conn: Connection) -> None:
    for second in (0, 10, 20):
        upsert_latest(conn, received((second + AHEAD, second, float(second))))
    assert values(conn, [1]) == {(1, 1): 20.0}


def test_in_one_batch_the_newest_by_receipt_is_the_latest(conn: Connection) -> None:
    upsert_latest(conn, received((10 + AHEAD, 10, 62.5), (20, 20, 2.0)))
    assert values(conn, [1]) == {(1, 1): 2.0}
    upsert_latest(conn, received((30 + AHEAD, 30, 3.0), (31 + AHEAD, 30, 4.0)))
    assert values(conn, [1]) == {(1, 1): 4.0}  # what came together is in its own order


def test_nothing_changes_how_later_statements_are_planned(conn: Connection) -> None:
    with conn.transaction():
        upsert_latest(conn, batch((1, 1, 0, 1.0)))
        assert conn.execute("SHOW enable_hashjoin").fetchone() == ("on",)
        assert conn.execute("SHOW enable_mergejoin").fetchone() == ("on",)


def test_two_writers_of_the_same_devices_never_deadlock(database_url: str) -> None:
    """Rows are locked in the order of their keys, however they lie in the table."""
    devices = np.random.default_rng(1).permutation(np.arange(1, 801)).tolist()
    with connect(database_url, autocommit=True) as conn:
        for device in devices:
            upsert_latest(conn, batch((device, 1, 0, 0.0)))
        conn.execute("ANALYZE device_latest")
    failures: list[psycopg.Error] = []

    def write(first: int) -> None:
        with connect(database_url, autocommit=True) as own:
            for second in range(first, 60, 2):
                try:
                    upsert_latest(own, batch(*((d, 1, second, float(second)) for d in devices)))
                except psycopg.Error as error:
                    failures.append(error)

    writers = [threading.Thread(target=write, args=(first,)) for first in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    with connect(database_url, autocommit=True) as conn:
        assert set(values(conn, devices).values()) == {59.0}
