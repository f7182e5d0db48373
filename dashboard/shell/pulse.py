"""Looks at the beats of all stages once a second, for every wall and page of this process."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from city.errors import Unavailable
from dashboard.shell.stages import NOTHING_KNOWN, Fault, Look, judge
from db import beats, rejects
from db.pool import Connection, Pool, transaction

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
# What is usual changes slowly, and asking reads the latest value of every device.
USUAL_EVERY_S = 60.0
# Who asks first waits so long for the first look; a load balancer is not more patient.
FIRST_LOOK_S = 3.0


class Pulse:
    """What stands still, as of the last look; a database that does not answer holds up the look,
    never who asks."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._looked: tuple[float, Look | None] = time.monotonic(), None  # exchanged as one
        self._usual_at = float("-inf")
        self._usual = NOTHING_KNOWN
        self._first = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look; harmless where it has begun."""
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Look no more; does not wait for a database that does not answer."""
        self._stop.set()

    def faults(self, now: datetime) -> list[Fault]:
        """What stands still, worst first."""
        self.start()
        self._first.wait(FIRST_LOOK_S)
        looked_at, look = self._looked
        return judge(look, time.monotonic() - looked_at, now)

    def _run(self) -> None:
        answers = True
        while not self._stop.is_set():
            try:
                with transaction(self._pool) as conn:
                    self._take_look(conn)
                answers = True
            except Unavailable as error:
                if answers:
                    log.warning("cannot look at the beats of the stages: %s", error)
                answers = False
            except Exception:
                log.exception("cannot look at the beats of the stages")
            self._first.set()
            self._stop.wait(LOOK_EVERY_S)

    def _take_look(self, conn: Connection) -> None:
        clock_s = time.monotonic()
        if clock_s - self._usual_at >= USUAL_EVERY_S:
            self._usual, self._usual_at = beats.find_usual(conn), clock_s
        clock_s = time.monotonic()
        look = Look(
            beats.list_beats(conn),
            beats.find_waiting(conn),
            self._usual,
            rejects.find_refused_gas_age(conn),
        )
        self._looked = clock_s, look
