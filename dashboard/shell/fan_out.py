"""Everybody who watches one wall: bounded queues, the ring of past frames, the event stream."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

# Frames kept for screens that were away for a moment; at 10 changes a second over 3 minutes.
RING_FRAMES = 2_000
# Frames a viewer may lag behind before it is told to start anew.
VIEWER_FRAMES = 200
# A viewer hears from us at least this often; its session is looked at again then.
KEEP_ALIVE_S = 10.0

RESYNC = b"event: resync\ndata: {}\n\n"
# Who may watch has changed for this viewer: the page asks anew who it is for.
LEAVE = b"event: leave\ndata: {}\n\n"
# Browsers reconnect after this time.
RETRY = b"retry: 2000\n\n"


@dataclass(slots=True)
class Tally:
    """What the metrics page says about the live channel of this process."""

    frames_built: int = 0
    frames_sent: int = 0
    snapshots_built: int = 0
    viewers_dropped: int = 0
    faults: int = 0


class Viewer:
    """The frames that wait for one screen; a screen that cannot keep up is dropped."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._changed = threading.Condition()
        self.dropped = False
        self.ended = False
        self._doubted = False

    def put(self, frame: bytes) -> bool:
        """False when the viewer is too far behind; it gets nothing more."""
        with self._changed:
            if len(self._frames) >= VIEWER_FRAMES:
                self.dropped = True
            else:
                self._frames.append(frame)
            self._changed.notify()
            return not self.dropped

    def end(self) -> None:
        """Let the stream finish: the process stops."""
        with self._changed:
            self.ended = True
            self._changed.notify()

    def doubt(self) -> None:
        """Somebody's access has changed: this viewer's is to be looked at."""
        with self._changed:
            self._doubted = True
            self._changed.notify()

    def was_doubted(self) -> bool:
        """Once after each doubt."""
        with self._changed:
            doubted, self._doubted = self._doubted, False
            return doubted

    def take(self, timeout_s: float) -> bytes:
        """All waiting frames in one piece, b"" if none came in time."""
        with self._changed:
            if not (self._frames or self.ended or self.dropped or self._doubted):
                self._changed.wait(timeout_s)
            taken = b"".join(self._frames)
            self._frames.clear()
            return taken


class Audience:
    """The viewers of one wall. Frames are bytes by now: encoded once, handed to each viewer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: set[Viewer] = set()
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=RING_FRAMES)
        self._rev = 0
        self._ring_from = 0  # every frame after this revision is in the ring
        self._closed = False
        self.tally = Tally()

    def __len__(self) -> int:
        return len(self._viewers)

    def begin(self, rev: int) -> None:
        """Nothing before this revision can be resumed from."""
        with self._lock:
            self._ring.clear()
            self._rev = self._ring_from = rev

    def pass_over(self, rev: int) -> None:
        """The log has grown by something these screens do not show."""
        with self._lock:
            self._rev = rev

    def send(self, frame: bytes, *, rev: int | None = None) -> None:
        """Hand a frame to every viewer; one with a revision can be asked for again."""
        with self._lock:
            self.tally.frames_built += 1
            if rev is not None:
                if len(self._ring) == self._ring.maxlen:
                    self._ring_from = self._ring[0][0]
                self._ring.append((rev, frame))
                self._rev = rev
            late = [viewer for viewer in self._viewers if not viewer.put(frame)]
            self.tally.frames_sent += len(self._viewers) - len(late)
            self.tally.viewers_dropped += len(late)
            self._viewers.difference_update(late)

    def join(self, last: int | None) -> tuple[Viewer, bytes]:
        """A viewer and what it missed since revision `last`, or the call to start anew."""
        viewer = Viewer()
        with self._lock:
            if self._closed:
                viewer.ended = True
            self._viewers.add(viewer)
            if last is None:
                return viewer, b""
            if not self._ring_from <= last <= self._rev:
                return viewer, RESYNC
            return viewer, b"".join(frame for rev, frame in self._ring if rev > last)

    def leave(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.discard(viewer)

    def doubt_all(self) -> None:
        """Let every stream ask again whether its viewer may watch."""
        with self._lock:
            for viewer in self._viewers:
                viewer.doubt()

    def close(self) -> None:
        """End every stream, also those that are just about to begin."""
        with self._lock:
            self._closed = True
            for viewer in self._viewers:
                viewer.end()

    def stream(
        self, last: int | None, still_welcome: Callable[[], bool], now_frame: Callable[[], bytes]
    ) -> Generator[bytes, None, None]:
        """The body of an event stream; ends when its viewer may not watch any more."""
        viewer, missed = self.join(last)
        viewer.doubt()  # what changed before this stream could be told
        try:
            yield RETRY + missed + now_frame()
            due = time.monotonic() + KEEP_ALIVE_S
            while not viewer.ended:
                frames = viewer.take(max(0.0, due - time.monotonic()))
                if frames:
                    yield frames
                if viewer.dropped:
                    yield RESYNC
                    return
                is_due = time.monotonic() >= due
                if (viewer.was_doubted() or is_due) and not still_welcome():
                    yield LEAVE
                    return
                if is_due:
                    yield now_frame()
                    due = time.monotonic() + KEEP_ALIVE_S
        finally:
            self.leave(viewer)
