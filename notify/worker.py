"""The loop that follows the log, and a lane for each channel: one that hangs delays no other."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from city.delivery import Channel, ChannelKind
from db import message_settings
from db.events import last_seq
from db.live import Redis, open_redis, publish_event_seq
from db.pool import Pool, first_line, is_away, open_pool, transaction
from notify import sending, steps
from notify.channels.outcome import Resolve, Way

log = logging.getLogger(__name__)

POLL_S = 0.5
ERROR_PAUSE_S = 1.0
# How long a channel may take for a message.
TIMEOUT_S = 10.0
# After so long whoever took a message and did not say what became of it has died. SMTP and the
# gateways have several answers to wait for, each with its own time.
LEASE = timedelta(seconds=6 * TIMEOUT_S)
# Browsers are at services of several vendors: one that hangs holds up some of them.
WIDTH = {ChannelKind.PUSH: 4}
TIDY_EVERY, FORGET_EVERY = timedelta(seconds=10), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """`base_url` is where people open cases; `resolve` knows the secrets."""

    database_url: str
    redis_url: str
    base_url: str
    secret_key: str
    resolve: Resolve
    timeout_s: float = TIMEOUT_S
    lease: timedelta = LEASE


def run(settings: NotifySettings, stop: threading.Event) -> None:
    """Tell people until told to stop; what a crash leaves undone is done by whoever comes next."""
    pool = open_pool(settings.database_url, max_size=6, application="notify")
    redis = open_redis(settings.redis_url)
    lanes = Lanes(settings, pool, redis, stop)
    tidy_at = forget_at = datetime.now(UTC)
    try:
        while not stop.is_set():
            try:
                now = datetime.now(UTC)
                more = follow(pool, redis)
                lanes.keep()
                if now >= tidy_at:
                    tidy_at = now + TIDY_EVERY
                    with transaction(pool) as conn:
                        steps.tidy(conn, now)
                if now >= forget_at:
                    forget_at = now + FORGET_EVERY
                    with transaction(pool) as conn:
                        steps.forget(conn, now)
            except Exception as error:
                log.log(
                    logging.WARNING if is_away(error) else logging.ERROR,
                    "following the log stopped short: %s", first_line(error),
                    exc_info=not is_away(error),
                )  # fmt: skip
                stop.wait(ERROR_PAUSE_S)
                continue
            if not more:
                stop.wait(POLL_S)
    finally:
        stop.set()
        lanes.join(settings.timeout_s)
        redis.close()
        pool.close()


def follow(pool: Pool, redis: Redis) -> bool:
    with transaction(pool) as conn:
        before = last_seq(conn)
        more = steps.follow(conn, datetime.now(UTC))
        after = last_seq(conn)
    if after != before:
        publish_event_seq(redis, after)
    return more


class Lanes:
    """Threads by district, channel and number; each sends one message after the other."""

    def __init__(
        self, settings: NotifySettings, pool: Pool, redis: Redis, stop: threading.Event
    ) -> None:
        self._settings, self._pool, self._redis, self._stop = settings, pool, redis, stop
        self._channels: dict[tuple[str, str], Channel] = {}
        self._threads: dict[tuple[str, str, int], threading.Thread] = {}

    def keep(self) -> None:
        """A lane for every channel as it is set now."""
        with transaction(self._pool) as conn:
            found = message_settings.list_lanes(conn)
        self._channels = {(district, channel.name): channel for district, channel in found}
        for district, channel in found:
            for number in range(WIDTH.get(channel.kind, 1)):
                key = (district, channel.name, number)
                thread = self._threads.get(key)
                if thread is None or not thread.is_alive():
                    name = f"{channel.name}-{number}"
                    thread = threading.Thread(
                        target=self._run, args=(district, channel.name), name=name, daemon=True
                    )
                    self._threads[key] = thread
                    thread.start()

    def join(self, timeout_s: float) -> None:
        for thread in self._threads.values():
            thread.join(timeout_s)

    def _run(self, district: str, name: str) -> None:
        """Until the channel is taken out or switched off."""
        while not self._stop.is_set():
            channel = self._channels.get((district, name))
            if channel is None:
                return
            try:
                more = self._send_one(district, channel)
            except Exception as error:
                log.log(
                    logging.WARNING if is_away(error) else logging.ERROR,
                    "channel %s stopped short: %s", name, first_line(error),
                    exc_info=not is_away(error),
                )  # fmt: skip
                self._stop.wait(ERROR_PAUSE_S)
                continue
            if not more:
                self._stop.wait(POLL_S)

    def _send_one(self, district: str, channel: Channel) -> bool:
        settings = self._settings
        with transaction(self._pool) as conn:
            claimed = sending.claim(
                conn, district, channel, settings.base_url, datetime.now(UTC), settings.lease
            )
        if isinstance(claimed, bool):
            return claimed
        way = Way(channel, settings.resolve, settings.timeout_s, settings.secret_key)
        answer = sending.send(way, claimed.message)
        with transaction(self._pool) as conn:
            sending.settle(conn, claimed, answer, datetime.now(UTC))
            seq = last_seq(conn)
        publish_event_seq(self._redis, seq)
        return True
