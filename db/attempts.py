"""Counting attempts: before they are made, so that many at once are as many as one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import redis

from db.live import Redis

KEY = "gw:attempt:"
# Names and addresses counted in this process at once; the oldest windows are dropped first.
COUNTED = 20_000


class Attempts:
    """Counters with a fixed window: in Redis for all processes, and here, which is enough to be
    safe while Redis is away."""

    def __init__(self, client: Redis, window_s: int) -> None:
        self._client = client
        self._window_s = window_s
        self._lock = threading.Lock()
        self._here: dict[str, tuple[float, int]] = {}  # name -> end of its window, attempts

    def begin(self, limits: Mapping[str, int]) -> bool:
        """Count one attempt under every name; False if that is one too many for any of them."""
        counts = self._count_here(list(limits))
        if any(count > limit for count, limit in zip(counts, limits.values(), strict=True)):
            return False
        counts = self._count_together(list(limits))
        return all(count <= limit for count, limit in zip(counts, limits.values(), strict=False))

    def take_back(self, names: list[str]) -> None:
        """An attempt that succeeded counts against nobody."""
        with self._lock:
            for name in names:
                end, count = self._here.get(name, (0.0, 0))
                if count:
                    self._here[name] = (end, count - 1)
        try:
            with self._client.pipeline(transaction=True) as pipe:
                for name in names:
                    pipe.decr(KEY + name)
                    # A counter whose window has just ended must not stand below 0 for ever.
                    pipe.expire(KEY + name, self._window_s, nx=True)
                pipe.execute()
        except (redis.RedisError, OSError):
            return

    def _count_here(self, names: list[str]) -> list[int]:
        now = time.monotonic()
        counts = []
        with self._lock:
            for name in names:
                end, count = self._here.pop(name, (0.0, 0))
                if end <= now:
                    end, count = now + self._window_s, 0
                self._here[name] = (end, count + 1)
                counts.append(count + 1)
            while len(self._here) > COUNTED:
                self._here.pop(next(iter(self._here)))
        return counts

    def _count_together(self, names: list[str]) -> list[int]:
        """Counts over all processes; empty while Redis is away."""
        try:
            with self._client.pipeline(transaction=True) as pipe:
                for name in names:
                    pipe.set(KEY + name, 0, ex=self._window_s, nx=True)
                    pipe.incr(KEY + name)
                return list(pipe.execute()[1::2])
        except (redis.RedisError, OSError):
            return []
