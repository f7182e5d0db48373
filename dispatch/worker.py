"""The loop that turns waiting alarm changes into incidents."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from city.stage import Stage
from db import beats, video_snapshots
from db.events import last_seq
from db.live import POLL_S, Wakeups, open_redis, publish_event_seq
from db.pool import Pool, is_away, open_pool, transaction
from dispatch.steps import take_alarm_change, take_late_picture

log = logging.getLogger(__name__)

# Pause after an error, so that a server that is away is not asked in a tight loop.
ERROR_PAUSE_S = 1.0
BEAT_NAME = "dispatch"


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    database_url: str
    redis_url: str


def run(settings: DispatchSettings, stop: threading.Event) -> None:
    """Take changes until `stop` is set; any crash leaves the change waiting for the next worker."""
    client = open_redis(settings.redis_url)
    wakeups = Wakeups(client, "dispatch")
    pool = open_pool(settings.database_url, max_size=1, application="gridwarden dispatch")
    rhythm = beats.Rhythm()
    try:
        while not stop.is_set():
            try:
                seq = take_one(pool)
                if rhythm.is_due(time.monotonic()):
                    say_alive(pool)
            except Exception as error:
                log.log(
                    logging.WARNING if is_away(error) else logging.ERROR,
                    "dispatch stopped short: %s", error, exc_info=not is_away(error),
                )  # fmt: skip
                stop.wait(ERROR_PAUSE_S)
                continue
            if seq is None:
                wakeups.wait(POLL_S)
            else:
                publish_event_seq(client, seq)
    finally:
        wakeups.close()
        client.close()
        pool.close()


def take_one(pool: Pool) -> int | None:
    """One change in one transaction, else one picture that came late; gives the log's newest
    number, None if nothing waited."""
    with transaction(pool) as conn:
        now = datetime.now(UTC)
        done = take_alarm_change(conn, now) or take_late_picture(conn, now)
        return last_seq(conn) if done else None


def say_alive(pool: Pool) -> None:
    """This stage goes round."""
    with transaction(pool) as conn:
        video_snapshots.forget_cases(conn)
        beats.beat(conn, Stage.DISPATCHED, BEAT_NAME)
