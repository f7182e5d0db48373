"""Redis that answers, that is away, that accepts and never answers, and that is frozen."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import worker
from alerts.steps import apply_rules, default_rules
from db import live
from db.live import Wakeups, answers, follow, open_redis, publish_event_seq, wake
from db.pool import connect
from stack import Services
from tests.integration.alerts.engine_city import Engine

# Nobody waits for so long: what comes back sooner has not waited.
FOR_EVER_S = 3600.0


class SilentServer:
    """Accepts connections and never answers; with `hang_up` it ends each after its first command
    that is no greeting."""

    def __init__(self, *, hang_up: bool = False) -> None:
        self._hang_up = hang_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.connections = 0
        self.received = b""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        while chunk := _received(connection):
            self.received += chunk
            if self._hang_up and b"PUBLISH" in chunk:
                connection.close()
                return
            if self._hang_up:
                connection.sendall(b"+OK\r\n" * chunk.count(b"SETINFO"))
                connection.sendall(b"+PONG\r\n" * chunk.count(b"PING"))

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except OSError:
        return b""


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wait for an answer lasts for ever."""
    monkeypatch.setattr(live.open_redis, "__defaults__", (FOR_EVER_S,))


def wait_for(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("nothing came in time")


def test_telling_waits_for_no_answer(silent: SilentServer, patient: None) -> None:
    client = open_redis(silent.url)
    assert wake(client, "evaluate")
    wait_for(lambda: silent.connections == 1)  # which waits for its first answer from now on
    for number in range(10 * live.UNSENT_MAX):
        assert publish_event_seq(client, number)
        assert wake(client, "evaluate")
    assert len(client._unsent) == live.UNSENT_MAX


def test_a_wake_up_that_never_comes_is_a_sleep_of_the_same_length(
    silent: SilentServer, patient: None
) -> None:
    wakeups = Wakeups(open_redis(silent.url), "evaluate")
    assert not wakeups.wait(0.05)
    wait_for(lambda: silent.connections == 1)
    assert not wakeups.wait(0.05)
    wakeups.close()


def test_a_redis_that_does_not_answer_is_left_alone_for_a_while(
    silent: SilentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAUSE_S", FOR_EVER_S)
    client = open_redis(silent.url, 0.1)
    assert wake(client, "evaluate")
    wait_for(lambda: not wake(client, "evaluate"))
    tried = silent.connections
    for _ in range(1000):
        assert not wake(client, "evaluate")
    assert (silent.connections, len(client._unsent)) == (tried, 0)


def test_a_command_whose_answer_was_lost_is_not_repeated() -> None:
    server = SilentServer(hang_up=True)
    client = open_redis(server.url)
    assert wake(client, "evaluate")
    wait_for(lambda: not client._answers)
    assert server.received.count(b"PUBLISH") == 1
    assert answers(client)  # it does greet
    client.close()
    server.close()


@contextmanager
def working(database_url: str, redis_url: str) -> Iterator[None]:
    """The evaluation loop."""
    stop = threading.Event()
    settings = worker.EngineSettings(database_url, redis_url)
    thread = threading.Thread(target=worker.run, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def raise_one_by_one(database_url: str, count: int) -> None:
    """Each alarm only after the one before: the loop must come round for every one of them."""
    now = datetime.now(UTC)
    with connect(database_url) as conn:
        engine = Engine(conn, now)
        apply_rules(conn, "system", default_rules(), now)
        conn.commit()
        for number in range(count):
            code = f"G-{number}-{now.timestamp()}"
            engine.device(code, "gas")
            engine.now = datetime.now(UTC) - timedelta(seconds=1)
            engine.store([(code, "ch4_pct_lel", 42.0)])
            conn.commit()
            wait_for(lambda code=code: _alarm_of(conn, code))


def _alarm_of(conn: Any, code: str) -> bool:
    conn.rollback()
    row = conn.execute(
        "SELECT count(*) FROM alarm JOIN device ON device.id = device_id WHERE code = %s", (code,)
    ).fetchone()
    return bool(row[0])


def test_evaluation_goes_on_beside_a_redis_that_accepts_and_never_answers(
    database_url: str, silent: SilentServer, patient: None
) -> None:
    """Were one answer waited for on the way, the first alarm would be the last."""
    with working(database_url, silent.url):
        raise_one_by_one(database_url, 3)
    assert silent.connections >= 2  # it was told, and asked for wake-ups


def test_evaluation_goes_on_beside_a_frozen_redis_and_is_woken_when_that_goes_on(
    database_url: str, redis_url: str, stack: Services, patient: None
) -> None:
    heard: list[str] = []
    stop = threading.Event()

    def listen() -> None:
        for kind, _ in follow(open_redis(redis_url), stop):
            heard.append(kind)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        with working(database_url, redis_url):
            raise_one_by_one(database_url, 1)
            wait_for(lambda: "event" in heard)
            os.kill(stack.pid("redis"), signal.SIGSTOP)
            try:
                raise_one_by_one(database_url, 3)
            finally:
                os.kill(stack.pid("redis"), signal.SIGCONT)
            heard.clear()
            raise_one_by_one(database_url, 1)
            wait_for(lambda: "event" in heard and "device" in heard)
    finally:
        stop.set()
        listener.join(10)


def test_a_wake_up_comes_before_the_time_is_over(redis_url: str) -> None:
    client = open_redis(redis_url)
    wakeups = Wakeups(client, "test-live")
    wakeups.wait(0.5)
    wake(client, "test-live")
    assert wakeups.wait(FOR_EVER_S)
    assert not wakeups.wait(0.05)
    wakeups.close()
    client.close()


def test_what_was_told_goes_out_before_the_client_is_closed(redis_url: str) -> None:
    heard: list[Any] = []
    stop = threading.Event()

    def listen() -> None:
        for signal_ in follow(open_redis(redis_url), stop):
            heard.append(signal_)

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.5)
    client = open_redis(redis_url)
    for number in range(50):
        publish_event_seq(client, number)
    client.close()
    wait_for(lambda: ("event", 49) in heard)
    stop.set()
    listener.join(10)
