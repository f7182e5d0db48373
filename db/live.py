"""Redis, for speed only: wake-ups and live frames. Nothing here is the only copy of anything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import redis

# Keys and channels, all in one place.
CHANNEL_WAKE = "gw:wake:"  # + stage
CHANNEL_EVENT = "gw:event"
CHANNEL_DEVICE = "gw:device"

# A worker looks for work at least this often even when no wake-up comes (Redis away).
POLL_S = 1.0

Redis = redis.Redis


def open_redis(url: str, patience_s: float = 5.0) -> Redis:
    """A client that connects on first use and gives up on a dead server quickly."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=min(1.0, patience_s),
        socket_timeout=patience_s,
        health_check_interval=15,
    )


def publish(client: Redis, channel: str, message: str | bytes) -> bool:
    """Publish if Redis is there; a lost wake-up only costs the poll interval."""
    try:
        client.publish(channel, message)
    except redis.RedisError:
        return False
    return True


def wake(client: Redis, stage: str) -> bool:
    """Tell the workers of a stage ("evaluate", "dispatch") that rows wait for them."""
    return publish(client, CHANNEL_WAKE + stage, b"1")


def publish_event_seq(client: Redis, seq: int) -> bool:
    """Tell the screens that the event log has grown to `seq`; call it after the commit."""
    return publish(client, CHANNEL_EVENT, str(seq))


def publish_device_frame(client: Redis, frame: dict[str, Any]) -> bool:
    """Send new device values to the screens (see dashboard/live.py for the shape)."""
    return publish(client, CHANNEL_DEVICE, json.dumps(frame, separators=(",", ":")))


class Wakeups:
    """Waits for a stage's wake-up; without Redis it is a sleep of the same length."""

    def __init__(self, client: Redis, stage: str) -> None:
        self._client = client
        self._channel = CHANNEL_WAKE + stage
        self._subscription: redis.client.PubSub | None = None

    def wait(self, timeout_s: float = POLL_S, stop: threading.Event | None = None) -> bool:
        """True if woken, False after `timeout_s`; several pending wake-ups count as one."""
        started = time.monotonic()
        try:
            if self._subscription is None:
                self._subscription = self._client.pubsub(ignore_subscribe_messages=True)
                self._subscription.subscribe(self._channel)
                # The server confirms the subscription first; that message is ignored.
                self._subscription.get_message(timeout=0.1)
            woken = self._subscription.get_message(timeout=timeout_s) is not None
            while woken and self._subscription.get_message(timeout=0) is not None:
                pass
            return woken
        except (redis.RedisError, OSError, ValueError):
            self.close()
            rest = max(0.0, timeout_s - (time.monotonic() - started))
            (stop or threading.Event()).wait(rest)
            return False

    def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            try:
                subscription.close()
            except (redis.RedisError, OSError):
                return


def follow(client: Redis, stop: threading.Event) -> Iterator[tuple[str, Any]]:
    """Everything a screen wants to know: ("event", seq), ("device", frame) or ("tick", None).

    A tick comes at least every POLL_S, also while Redis is away, so that the caller can look
    at the event table itself and misses nothing.
    """
    subscription: redis.client.PubSub | None = None
    while not stop.is_set():
        try:
            if subscription is None:
                subscription = client.pubsub(ignore_subscribe_messages=True)
                subscription.subscribe(CHANNEL_EVENT, CHANNEL_DEVICE)
            message = subscription.get_message(timeout=POLL_S)
        except (redis.RedisError, OSError, ValueError):
            _drop(subscription)
            subscription = message = None
            stop.wait(POLL_S)
        yield _as_signal(message)
    _drop(subscription)


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
    client = open_redis(url)
    try:
        server: Any = client.info("server")
        return f"Redis {server['redis_version']}"
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()
