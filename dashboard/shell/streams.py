"""Event streams and uploads: a place for each viewer, and some kept for those who need them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from flask import Response, g, request
from werkzeug.exceptions import TooManyRequests

from city.errors import Unavailable
from city.incident import Role
from city.person import Caller
from dashboard.shell.doorway import leave_line
from dashboard.shell.gate import SessionKey
from dashboard.shell.proxies import subscriber_of

# One account may be signed in on every wall of a hall, and have a few phones besides.
STREAMS_PER_PERSON = 24
# A control room behind one address; everybody, where a proxy is not named in the settings.
STREAMS_PER_ADDRESS = 120
# Of all places a quarter, at most so many, is kept for those who act, and as many again for
# screens before scripts.
KEPT = 48
# Uploads hold a thread while a slow phone sends: so many at once, and of one person.
UPLOADS = 16
UPLOADS_PER_PERSON = 4
# Who sends squads, goes, checks and releases: their screens come before all others.
ACTING = frozenset(
    {Role.ADMIN, Role.DISPATCHER, Role.SQUAD_LEADER, Role.CHECKER, Role.GAS_ENGINEER}
)

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Type": "text/event-stream; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who wants a place: their name, where from, and what they are here for."""

    name: str
    address: str
    acts: bool  # works on incidents
    screen: bool  # a browser with a session; else a script with a token
    desk: str = ""  # the district whose alarms a dispatcher looks at


def this_visitor() -> Visitor:
    """Whoever makes this request; only behind the guard."""
    screen = isinstance(g.key, SessionKey)
    return Visitor(
        g.caller.name,
        subscriber_of(request.remote_addr or ""),
        g.caller.role in ACTING,
        screen,
        g.caller.district if screen and is_at_desk(g.caller) else "",
    )


def is_at_desk(caller: Caller) -> bool:
    """Whether somebody looks at the alarms of a whole district."""
    return caller.role is Role.DISPATCHER and caller.within is None


class Places:
    """How many streams a process may have: each holds a thread, and others need threads too."""

    def __init__(
        self,
        limit: int,
        *,
        per_person: int = STREAMS_PER_PERSON,
        per_address: int = STREAMS_PER_ADDRESS,
        kept: int = KEPT,
    ) -> None:
        self._limit = limit
        self._per_person = per_person
        self._per_address = per_address
        self._kept = min(kept, limit // 4)
        self._lock = threading.Lock()
        self._people: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._desks: Counter[tuple[str, str]] = Counter()  # by district and name
        self.taken = 0

    def take(self, visitor: Visitor) -> None:
        """Raises `TooManyRequests` for one who has too many, `Unavailable` when all are taken."""
        kept = 0 if visitor.acts else self._kept if visitor.screen else 2 * self._kept
        with self._lock:
            if self._people[visitor.name] >= self._per_person:
                raise TooManyRequests(
                    f"{visitor.name} has {self._per_person} connections open: close some first"
                )
            if self._addresses[visitor.address] >= self._per_address and not visitor.acts:
                raise TooManyRequests(
                    f"{self._per_address} connections are open from {visitor.address}; if that "
                    "is a proxy, name it in GRIDWARDEN_TRUSTED_PROXIES"
                )
            if self.taken >= self._limit - kept:
                raise Unavailable("too many connections are open to this server")
            self.taken += 1
            self._people[visitor.name] += 1
            self._addresses[visitor.address] += 1
            if visitor.desk:
                self._desks[visitor.desk, visitor.name] += 1

    def operators(self, district: str) -> list[str]:
        """Dispatchers of a district who have a screen open in this process."""
        with self._lock:
            return sorted(
                name for (where, name), n in self._desks.items() if where == district and n
            )

    def give_back(self, visitor: Visitor) -> None:
        with self._lock:
            self.taken -= 1
            for counts, key in (
                (self._people, visitor.name),
                (self._addresses, visitor.address),
            ):
                counts[key] -= 1
                if counts[key] <= 0:
                    del counts[key]
            if visitor.desk:
                self._desks[visitor.desk, visitor.name] -= 1


class _Body:
    """The bytes of a stream; gives its place back however the stream ends."""

    def __init__(
        self, frames: Generator[bytes, None, None], places: Places, visitor: Visitor
    ) -> None:
        self._frames = frames
        self._places: Places | None = places
        self._visitor = visitor

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            self._frames.close()
            places.give_back(self._visitor)


def event_stream(frames: Generator[bytes, None, None], places: Places) -> Response:
    """A response that goes on until its viewer leaves; takes a place for it first."""
    visitor = this_visitor()
    places.take(visitor)
    leave_line()
    return Response(_Body(frames, places, visitor), headers=_HEADERS, direct_passthrough=True)
