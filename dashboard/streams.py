"""Event streams over HTTP: headers, a place for each viewer, and sockets that never hang."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Generator, Iterator

from flask import Response, request

from city.errors import Unavailable

# A client that takes no bytes for this long is gone, whatever its network says.
SEND_TIMEOUT_S = 20

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Type": "text/event-stream; charset=utf-8",
}


class Places:
    """How many streams a process may have: each holds a thread, and others need threads too."""

    def __init__(self, limit: int) -> None:
        self._free = threading.Semaphore(limit)
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> None:
        """Raises `Unavailable` when every place is taken."""
        if not self._free.acquire(blocking=False):
            raise Unavailable("too many screens are connected to this server")
        with self._lock:
            self.taken += 1

    def give_back(self) -> None:
        with self._lock:
            self.taken -= 1
        self._free.release()


class _Body:
    """The bytes of a stream; gives its place back however the stream ends."""

    def __init__(self, frames: Generator[bytes, None, None], places: Places) -> None:
        self._frames = frames
        self._places: Places | None = places

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            self._frames.close()
            places.give_back()


def event_stream(frames: Generator[bytes, None, None], places: Places) -> Response:
    """A response that goes on until its viewer leaves; takes a place for it first."""
    places.take()
    _limit_waiting()
    return Response(_Body(frames, places), headers=_HEADERS, direct_passthrough=True)


def _limit_waiting() -> None:
    """Make the kernel give up on a client that accepts nothing, so that its thread comes back."""
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT_S, 0)
        )
