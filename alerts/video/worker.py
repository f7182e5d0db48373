"""The loop that takes the pictures of video events.

The network is asked outside of any transaction, a thread for each of a few hosts at once: a camera
that hangs holds up nobody but itself.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.video.credentials import NO_CREDENTIALS, Credentials
from alerts.video.fetch import TIMEOUT_S, Host, NotFetched
from alerts.video.pictures import Picture
from alerts.video.snapshots import FORGOTTEN_AT_ONCE, forget_old, keep, miss, take
from db import video_snapshots
from db.events import last_seq
from db.live import Redis, open_redis, publish_event_seq
from db.pool import Pool, first_line, is_away, open_pool, transaction
from db.video_snapshots import WaitingSnapshot

log = logging.getLogger(__name__)

POLL_S = 0.5
ERROR_PAUSE_S = 1.0
AT_ONCE = 8
# Of these at most so many are hosts that did not answer the last time.
SLOW_AT_ONCE = 3
# After so long whoever took a picture and did not bring it has crashed.
LEASE = timedelta(seconds=3 * TIMEOUT_S)
FORGET_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    database_url: str
    redis_url: str
    hosts: tuple[Host, ...] = ()
    timeout_s: float = TIMEOUT_S
    credentials: Credentials = NO_CREDENTIALS


def run(settings: SnapshotSettings, stop: threading.Event) -> None:
    """Take pictures until told to stop; a crash leaves each to whoever comes next."""
    pool = open_pool(settings.database_url, max_size=4, application="gridwarden snapshots")
    redis = open_redis(settings.redis_url)
    threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="snapshot")
    taker = Taker(settings, pool, redis, threads)
    try:
        while not stop.is_set():
            try:
                taker.begin()
                taker.forget(time.monotonic())
            except Exception as error:
                log.log(
                    logging.WARNING if is_away(error) else logging.ERROR,
                    "snapshots stopped short: %s", first_line(error),
                    exc_info=not is_away(error),
                )  # fmt: skip
                stop.wait(ERROR_PAUSE_S)
                continue
            stop.wait(POLL_S)
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
        redis.close()
        pool.close()


class Taker:
    """Which hosts are being asked, and which were slow the last time."""

    def __init__(
        self, settings: SnapshotSettings, pool: Pool, redis: Redis, threads: ThreadPoolExecutor
    ) -> None:
        self._settings, self._pool, self._redis, self._threads = settings, pool, redis, threads
        self._busy: dict[str, Future[None]] = {}
        self._slow: set[str] = set()
        self._forgot_at = float("-inf")

    def begin(self) -> int:
        """Ask as many hosts as there are free threads; answers how many."""
        self._busy = {host: f for host, f in self._busy.items() if not f.done()}
        free = AT_ONCE - len(self._busy)
        if free <= 0:
            return 0
        shut = set(self._busy)
        if len(self._slow & shut) >= SLOW_AT_ONCE:
            shut |= self._slow
        now = datetime.now(UTC)
        with transaction(self._pool) as conn:
            found = video_snapshots.claim_due(conn, now, now + LEASE, shut, free)
        for number, waiting in enumerate(found):
            name = waiting.host or f"#{waiting.camera_id}/{number}/{waiting.event_id}"
            self._busy[name] = self._threads.submit(self._take, waiting)
        return len(found)

    def _take(self, waiting: WaitingSnapshot) -> None:
        try:
            began = time.monotonic()
            try:
                taken: tuple[bytes, Picture] | NotFetched = take(
                    waiting,
                    self._settings.hosts,
                    self._settings.timeout_s,
                    self._settings.credentials,
                )
            except NotFetched as error:
                taken = error
            slow = time.monotonic() - began > self._settings.timeout_s / 2
            (self._slow.add if slow else self._slow.discard)(waiting.host)
            with transaction(self._pool) as conn:
                if isinstance(taken, NotFetched):
                    miss(conn, waiting, taken, datetime.now(UTC))
                else:
                    keep(conn, waiting, *taken, datetime.now(UTC))
                seq = last_seq(conn)
            publish_event_seq(self._redis, seq)
        except Exception as error:  # the lease ends, and it is due again
            log.log(
                logging.WARNING if is_away(error) else logging.ERROR,
                "snapshot of %s: %s", waiting.camera, first_line(error),
                exc_info=not is_away(error),
            )  # fmt: skip

    def forget(self, now_s: float) -> None:
        if now_s - self._forgot_at < FORGET_EVERY_S:
            return
        self._forgot_at = now_s
        more = True
        while more:
            with transaction(self._pool) as conn:
                more = forget_old(conn, datetime.now(UTC)) == FORGOTTEN_AT_ONCE
