"""The walls of a process: one follower a scope, started when somebody first looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

from city.errors import NotFound
from city.scope import Scope
from dashboard.shell.live import Wall
from dashboard.shell.pulse import Pulse
from db.live import Redis
from db.pool import Pool, transaction
from db.walls import find_district

# A part of a district is followed for so long after somebody asked for it last.
IDLE_S = 600.0


class Walls:
    """Finds the wall of a scope."""

    def __init__(
        self,
        pool: Pool,
        redis: Redis,
        operators: Callable[[str], Collection[str]] = lambda district: (),
    ) -> None:
        self._operators = operators
        self._pool = pool
        self._redis = redis
        self.pulse = Pulse(pool)
        self._walls: dict[Scope, Wall] = {}
        self._asked: dict[Scope, float] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def of(self, scope: Scope) -> Wall:
        """The running wall of a scope; raises `NotFound` or `Unavailable`."""
        with self._lock:
            wall, now = self._walls.get(scope), time.monotonic()
            self._asked[scope] = now
            if wall is None:
                self._let_go(now)
                with transaction(self._pool) as conn:
                    found = find_district(conn, scope.district)
                if found is None or self._stopped:
                    raise NotFound("district", scope.district)
                wall = Wall(
                    self._pool, self._redis, found, self.pulse, self._operators, scope.within
                )
                wall.start()
                self._walls[scope] = wall
            return wall

    def _let_go(self, now: float) -> None:
        """Stop walls of parts at which nobody looks any more: bounds come and go."""
        for scope, wall in list(self._walls.items()):
            idle = now - self._asked[scope] > IDLE_S and not len(wall.audience)
            if scope.within is not None and idle:
                del self._walls[scope], self._asked[scope]
                wall.stop_soon()

    def all(self) -> list[Wall]:
        return list(self._walls.values())

    def doubt_all(self) -> None:
        """Somebody's access has changed: every stream asks whether its viewer may still watch."""
        for wall in self.all():
            wall.audience.doubt_all()

    def stop_soon(self) -> None:
        """End all streams without waiting."""
        self._stopped = True
        self.pulse.stop()
        for wall in self.all():
            wall.stop_soon()

    def stop(self) -> None:
        self._stopped = True
        self.pulse.stop()
        for wall in self.all():
            wall.stop()
