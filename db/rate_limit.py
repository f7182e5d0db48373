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
        """Count one attempt under every name; False, and not counted, if that is one too many
        for any of them."""
        names = list(limits)
        if not self._count_here(limits):
            return False
        counts = self._count_together(names)
        if all(count <= limits[name] for name, count in zip(names, counts, strict=False)):
            return True
        self.take_back(names)
        return False

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

    def _count_here(self, limits: Mapping[str, int]) -> bool:
        now = time.monotonic()
        with self._lock:
            known = {name: self._here.get(name, (0.0, 0)) for name in limits}
            windows = {
                name: (end, count) if end > now else (now + self._window_s, 0)
                for name, (end, count) in known.items()
            }
            if any(count >= limits[name] for name, (_, count) in windows.items()):
                return False
            for name, (end, count) in windows.items():
                self._here.pop(name, None)
                self._here[name] = (end, count + 1)
            while len(self._here) > COUNTED:
                self._here.pop(next(iter(self._here)))
        return True

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
