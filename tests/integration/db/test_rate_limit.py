"""Counting attempts in Redis and without it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from db.live import open_redis
from db.rate_limit import Attempts

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def redis(redis_url: str) -> Any:
    client = open_redis(redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.mark.parametrize("away", [False, True])
def test_attempts_at_the_same_time_count_one_by_one(redis: Any, away: bool) -> None:
    attempts = Attempts(open_redis(NOBODY) if away else redis, 60)
    with ThreadPoolExecutor(25) as pool:
        allowed = list(pool.map(lambda _: attempts.begin({"a": 5}), range(25)))
    assert allowed.count(True) == 5


def test_processes_count_together(redis: Any) -> None:
    here, there = Attempts(redis, 60), Attempts(redis, 60)
    allowed = [counter.begin({"a": 5}) for counter in (here, there) * 5]
    assert allowed.count(True) == 5


def test_what_is_taken_back_counts_against_nobody(redis: Any) -> None:
    attempts = Attempts(redis, 60)
    for _ in range(20):
        assert attempts.begin({"a": 2, "b": 3})
        attempts.take_back(["a", "b"])
    assert redis.ttl("gw:attempt:a") > 0


def test_a_window_ends(redis: Any) -> None:
    attempts = Attempts(redis, 1)
    assert [attempts.begin({"a": 1}) for _ in range(3)] == [True, False, False]
    time.sleep(1.1)
    assert attempts.begin({"a": 1})


def test_one_of_several_limits_is_enough_to_refuse(redis: Any) -> None:
    attempts = Attempts(redis, 60)
    assert attempts.begin({"address fu": 5, "address": 1})
    assert not attempts.begin({"address li": 5, "address": 1})


def test_redis_going_away_opens_no_door(redis: Any) -> None:
    """What was counted while it was there counts on without it."""
    attempts = Attempts(redis, 60)
    assert [attempts.begin({"a": 3}) for _ in range(2)] == [True, True]
    attempts._client = open_redis(NOBODY)
    assert [attempts.begin({"a": 3}) for _ in range(2)] == [True, False]
