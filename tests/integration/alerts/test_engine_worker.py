"""The worker as it runs: woken by Redis, alone again after a lost connection, and backtests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.backtest import backtest
from alerts.rule_files import parse_rule
from alerts.steps import apply_rules, default_rules
from alerts.worker import EngineSettings, run
from city.errors import InvalidInput
from city.reading import METRICS
from db.live import follow, open_redis, wake
from db.pool import connect
from tests.integration.alerts.engine_city import Engine

NOBODY = "redis://127.0.0.1:1/0"


@contextmanager
def working(settings: EngineSettings) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def wait_for(look: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("nothing came in time")


def test_a_woken_worker_raises_the_alarm_and_tells_the_screens_within_two_seconds(
    database_url: str, redis_url: str, now: datetime
) -> None:
    redis = open_redis(redis_url)
    heard: list[tuple[str, Any]] = []
    stop = threading.Event()

    def listen() -> None:
        for signal in follow(open_redis(redis_url), stop):
            heard.append(signal)

    listener = threading.Thread(target=listen)
    listener.start()
    with connect(database_url) as conn, working(EngineSettings(database_url, redis_url)):
        engine = Engine(conn, now)
        apply_rules(conn, "system", default_rules(), now)
        engine.device("G-1", "gas")
        conn.commit()
        time.sleep(1.5)  # worker and listener are connected and idle
        started = time.monotonic()
        engine.store([("G-1", "ch4_pct_lel", 42.0)])
        conn.commit()
        wake(redis, "evaluate")
        wait_for(lambda: any(kind == "event" for kind, _ in heard))
        took = time.monotonic() - started
        frame = wait_for(lambda: next((value for kind, value in heard if kind == "device"), None))
    stop.set()
    listener.join(10)
    assert took < 2
    assert frame["d"][0][:4] == [engine.ids["G-1"], None, 42.0, "ch4_pct_lel"]
    assert frame["committed"] >= int(now.timestamp() * 1000)


def test_without_redis_and_after_a_lost_connection_the_worker_goes_on_alone(
    database_url: str, now: datetime
) -> None:
    with connect(database_url) as conn, working(EngineSettings(database_url, NOBODY)):
        engine = Engine(conn, now)
        apply_rules(conn, "system", default_rules(), now)
        engine.device("G-1", "gas")
        engine.device("G-2", "gas")
        engine.store([("G-1", "ch4_pct_lel", 42.0)])
        conn.commit()
        wait_for(lambda: seen(conn, engine, 1))
        conn.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """
        )
        engine.store([("G-2", "ch4_pct_lel", 42.0)])
        conn.commit()
        wait_for(lambda: seen(conn, engine, 2))


def seen(conn: Any, engine: Engine, count: int) -> bool:
    conn.rollback()
    return len(engine.alarms()) == count


def test_a_backtest_says_what_a_rule_would_have_raised_and_writes_nothing(engine: Engine) -> None:
    device = engine.device("G-1", "gas")
    other = engine.device("M-1", "manhole")
    start = datetime(2026, 5, 1, tzinfo=UTC)
    values = [5, 5, 30, 60, 30, 4, 4, 4, 4, 4, 4, 4, 25, 25]
    for minute, value in enumerate(values):
        store_reading(engine, device, "ch4_pct_lel", start + timedelta(minutes=minute), value)
    store_reading(engine, other, "tilt_deg", start, 80)
    rule = parse_rule(default_rules()["gas-lel.toml"])
    first, second = backtest(engine.conn, rule, start, start + timedelta(hours=1))
    assert (first.device, first.severity) == ("G-1", "red")
    assert first.sensed_at == start + timedelta(minutes=2)
    assert first.cleared_at == start + timedelta(minutes=10)
    assert (second.severity, second.cleared_at) == ("orange", None)
    assert "30 %LEL" in second.text_en or "25 %LEL" in second.text_en
    (tilt,) = backtest(
        engine.conn,
        parse_rule(default_rules()["manhole-tilt.toml"]),
        start,
        start + timedelta(hours=1),
    )
    assert tilt.device == "M-1"
    assert backtest(engine.conn, rule, start, start + timedelta(minutes=2)) == []
    assert engine.alarms() == []
    assert engine.count("rule_timer") == 0


def test_a_backtest_of_a_rule_without_readings_is_refused(engine: Engine) -> None:
    silent = parse_rule(default_rules()["gas-silent.toml"])
    with pytest.raises(InvalidInput, match="watch"):
        backtest(engine.conn, silent, engine.now - timedelta(hours=1), engine.now)
    gas = parse_rule(default_rules()["gas-lel.toml"])
    with pytest.raises(InvalidInput, match="before"):
        backtest(engine.conn, gas, engine.now, engine.now)


def store_reading(engine: Engine, device: int, metric: str, ts: datetime, value: float) -> None:
    engine.conn.execute(
        """
        INSERT INTO reading (ts, device_id, metric_id, value, received_at)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (ts, device, METRICS[metric].id, value, ts),
    )
