"""Redis, for speed only: wake-ups and live frames. Nothing here is the only copy of anything.

Nobody's work waits for Redis. What is told goes out from a thread of its own, wake-ups come in on
another; a Redis that is away, or accepts and never answers, costs the poll interval and no more.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

# Keys and channels, all in one place; those of `db.rate_limit` begin in the same way.
PREFIX = "gw:"
CHANNEL_WAKE = "gw:wake:"  # + stage
CHANNEL_EVENT = "gw:event"
CHANNEL_DEVICE = "gw:device"

# A worker looks for work at least this often even when no wake-up comes (Redis away).
POLL_S = 1.0

# Redis answers within a millisecond, a busy one within some tens. Longer than the poll interval
# nobody gains by waiting.
CONNECT_S = 0.25
ANSWER_S = 0.5
# Whoever examines Redis has the time.
DIAGNOSIS_S = 5.0
# A Redis that did not answer is told nothing for so long.
PAUSE_S = 2.0
# Told and not yet sent: some seconds of the busiest stage. More are old news.
UNSENT_MAX = 200
# A server whose machine vanished is noticed in half a minute.
KEEPALIVE = {
    socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 25_000,
}  # fmt: skip


class Redis(redis.Redis):
    """A client that also tells: `tell` returns at once, whatever Redis does."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        super().__init__(connection_pool=pool)
        self._unsent: deque[tuple[str, str | bytes]] = deque(maxlen=UNSENT_MAX)
        self._news = threading.Condition()
        self._teller: threading.Thread | None = None
        self._closing = False
        self._answers = True
        self._paused_until = 0.0

    def tell(self, channel: str, message: str | bytes) -> bool:
        """Publish soon, if Redis is there; False if it did not answer when it was last tried."""
        with self._news:
            if time.monotonic() >= self._paused_until and not self._closing:
                self._unsent.append((channel, message))
                self._news.notify()
                # Not before: a process that forks must do so first.
                if self._teller is None or not self._teller.is_alive():
                    self._teller = threading.Thread(
                        target=self._send_all, name="redis-teller", daemon=True
                    )
                    self._teller.start()
            return self._answers

    def close(self) -> None:
        """Send what was told, unless that takes long, and give the connections back."""
        with self._news:
            self._closing = True
            self._news.notify()
            teller = self._teller
        if teller is not None and teller is not threading.current_thread():
            teller.join(ANSWER_S)
        super().close()

    def _send_all(self) -> None:
        while (told := self._next()) is not None:
            try:
                self.publish(*told)
                self._answers = True
            except (redis.RedisError, OSError, ValueError):
                with self._news:
                    self._answers = False
                    self._paused_until = time.monotonic() + PAUSE_S
                    self._unsent.clear()

    def _next(self) -> tuple[str, str | bytes] | None:
        with self._news:
            while not self._unsent and not self._closing:
                self._news.wait()
            return self._unsent.popleft() if self._unsent else None


def open_redis(url: str, patience_s: float = ANSWER_S) -> Redis:
    """A client that connects on first use, gives up on a dead server soon and repeats nothing.

    Both are said by hand: `Redis()` repeats a command whose answer was lost, `from_url` does not,
    and neither has a time-out."""
    return Redis(
        redis.ConnectionPool.from_url(
            url,
            socket_connect_timeout=min(CONNECT_S, patience_s),
            socket_timeout=patience_s,
            socket_keepalive=True,
            socket_keepalive_options=KEEPALIVE,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            retry_on_timeout=False,
            health_check_interval=15,
        )
    )


def forget_all(client: Redis) -> int:
    """Delete every key of ours; how many there were. Nothing is lost but counts of attempts."""
    keys = list(client.scan_iter(f"{PREFIX}*"))
    if keys:
        client.delete(*keys)
    return len(keys)


def answers(client: Redis) -> bool:
    """Whether Redis answers now; waits for it as long as the client is patient."""
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def wake(client: Redis, stage: str) -> bool:
    """Tell the workers of a stage ("evaluate", "dispatch") that rows wait for them."""
    return client.tell(CHANNEL_WAKE + stage, b"1")


def publish_event_seq(client: Redis, seq: int) -> bool:
    """Tell the screens that the event log has grown to `seq`; call it after the commit."""
    return client.tell(CHANNEL_EVENT, str(seq))


def publish_device_frame(client: Redis, frame: dict[str, Any]) -> bool:
    """Send new device values to the screens (see dashboard/shell/live.py for the shape)."""
    return client.tell(CHANNEL_DEVICE, json.dumps(frame, separators=(",", ":")))


class Wakeups:
    """Waits for a stage's wake-up; without Redis it is a sleep of the same length."""

    def __init__(self, client: Redis, stage: str) -> None:
        self._client = client
        self._channel = CHANNEL_WAKE + stage
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._listener: threading.Thread | None = None

    def wait(self, timeout_s: float = POLL_S) -> bool:
        """True if woken, False after `timeout_s`; several pending wake-ups count as one."""
        if self._listener is None:
            self._listener = threading.Thread(
                target=self._listen, name="redis-wakeups", daemon=True
            )
            self._listener.start()
        woken = self._woken.wait(timeout_s)
        self._woken.clear()
        return woken

    def close(self) -> None:
        """Stop listening; does not wait for it."""
        self._stop.set()

    def _listen(self) -> None:
        for message in _messages(self._client, self._stop, self._channel):
            if message is not None:
                self._woken.set()


def _messages(
    client: Redis, stop: threading.Event, *channels: str
) -> Iterator[dict[str, Any] | None]:
    """Messages of these channels as they come, and None at least every POLL_S."""
    subscription: redis.client.PubSub | None = None
    while not stop.is_set():
        started = time.monotonic()
        try:
            if subscription is None:
                subscription = client.pubsub(ignore_subscribe_messages=True)
                subscription.subscribe(*channels)
            message = subscription.get_message(timeout=POLL_S)
        except (redis.RedisError, OSError, ValueError):
            _drop(subscription)
            subscription = message = None
            stop.wait(max(0.0, POLL_S - (time.monotonic() - started)))
        yield message
    _drop(subscription)


def follow(client: Redis, stop: threading.Event) -> Iterator[tuple[str, Any]]:
    """Everything a screen wants to know: ("event", seq), ("device", frame) or ("tick", None).

    A tick comes at least every POLL_S, also while Redis is away, so that the caller can look
    at the event table itself and misses nothing.
    """
    for message in _messages(client, stop, CHANNEL_EVENT, CHANNEL_DEVICE):
        yield _as_signal(message)


def _as_signal(message: dict[str, Any] | None) -> tuple[str, Any]:
    if message is None or message["type"] != "message":
        return "tick", None
    if message["channel"] == CHANNEL_EVENT.encode():
        return "event", int(message["data"])
    return "device", json.loads(message["data"])


def _drop(subscription: redis.client.PubSub | None) -> None:
    if subscription is not None:
        try:
            subscription.close()
        except (redis.RedisError, OSError):
            return


def server_version(url: str) -> str | None:
    """Version text of a Redis that answers, None when it does not."""
    client = open_redis(url, DIAGNOSIS_S)
    try:
        server: Any = client.info("server")
        return f"Redis {server['redis_version']}"
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()
