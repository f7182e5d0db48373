"""The loop of the alarm engine: evaluate while batches wait, tell the screens, sleep."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from alerts.evaluate import Evaluation, evaluate_waiting, frame
from alerts.known import Known
from alerts.screen import Columns
from city.stage import Stage
from db import beats
from db.live import (
    POLL_S,
    Redis,
    Wakeups,
    open_redis,
    publish_device_frame,
    publish_event_seq,
    wake,
)
from db.pool import Connection, connect_when_ready, first_line, is_away

log = logging.getLogger(__name__)

# Screens get at most five frames a second, each with the newest value of each device.
FRAME_EVERY_S = 0.2
# Pause after an unexpected error, so that a fault that stays does not fill the log.
ERROR_PAUSE_S = 1.0
BEAT_NAME = "engine"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where the engine finds its servers."""

    database_url: str
    redis_url: str


@dataclass(slots=True)
class Screens:
    """Collects the newest values of devices and sends them in a few large frames."""

    send: Callable[[dict[str, Any]], object]
    sent_at: float = float("-inf")
    waiting: list[Columns] = field(default_factory=list)

    def add(self, shown: Iterable[Columns]) -> None:
        self.waiting += shown

    def flush(self, now_s: float, committed_ms: int) -> float | None:
        """Send if it is time; answers the seconds until it will be, None when nothing waits."""
        if not self.waiting:
            return None
        rest = self.sent_at + FRAME_EVERY_S - now_s
        if rest > 0:
            return rest
        self.send({"committed": committed_ms, "d": frame(self.waiting)})
        self.waiting.clear()
        self.sent_at = now_s
        return None


def run(settings: EngineSettings, stop: threading.Event) -> None:
    """Evaluate until told to stop; a lost database or Redis costs one line and a retry."""
    redis = open_redis(settings.redis_url)
    wakeups = Wakeups(redis, "evaluate")
    screens = Screens(lambda frame: publish_device_frame(redis, frame))
    while not stop.is_set():
        try:
            with connect_when_ready(
                settings.database_url, log.warning, application="engine", stopped=stop.wait
            ) as conn:
                _evaluate_until_stopped(conn, redis, wakeups, screens, stop)
        except Exception as error:
            if stop.is_set():
                break
            if is_away(error):
                log.warning("database lost (%s); connecting again", first_line(error))
            else:
                log.exception("evaluation failed; starting over")
                stop.wait(ERROR_PAUSE_S)
    wakeups.close()
    redis.close()


def _evaluate_until_stopped(
    conn: Connection, redis: Redis, wakeups: Wakeups, screens: Screens, stop: threading.Event
) -> None:
    known = Known()
    rhythm = beats.Rhythm()
    while not stop.is_set():
        done = evaluate_waiting(conn, datetime.now(UTC), known)
        if rhythm.is_due(time.monotonic()):
            beats.beat(conn, Stage.JUDGED, BEAT_NAME)
        conn.commit()
        if done is not None:
            _tell(redis, screens, done)
        rest = screens.flush(time.monotonic(), int(time.time() * 1000))
        if done is None:
            wakeups.wait(POLL_S if rest is None else rest)


def _tell(redis: Redis, screens: Screens, done: Evaluation) -> None:
    screens.add(done.shown)
    if done.last_seq is not None:
        publish_event_seq(redis, done.last_seq)
    if done.changes:
        wake(redis, "dispatch")
