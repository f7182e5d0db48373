"""The door of the web server: threads are for whole requests, and no address gets all of them.

gunicorn's threaded worker gives a connection a thread at once and lets it read there without a
limit, so a few hundred half-sent requests stop everybody. Here the one loop of the worker
collects a request; a thread sees it when it is whole.
"""

from __future__ import annotations

import re
import selectors
import socket
import struct
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from dashboard.shell.proxies import Networks, is_trusted

# A request must have arrived within this time of its first moment; browsers and sensors send
# theirs in one go, a phone at the edge of the network within a few seconds.
WHOLE_REQUEST_S = 10.0
# Bodies up to this size are collected before a thread is asked; photos are larger.
COLLECTED_BODY_BYTES = 64 * 1024
# A head without an end within this size goes to gunicorn, which refuses it in words.
LONGEST_HEAD_BYTES = 64 * 1024
# Half-sent requests of one address; what is more drives out its own oldest.
HALF_SENT_PER_ADDRESS = 64
# Requests of one address that are being answered; what is more waits in line. Streams and
# uploads of people who are signed in do not count: those have limits of their own.
ANSWERED_PER_ADDRESS = 16
# How long a request waits in line, and how long one may take from a thread to its last byte.
LINE_S = 20.0
ANSWER_S = 120.0
# An upload of 25 MB at 50 kB/s, the slowest network a photo is sent over.
UPLOAD_S = 600.0
# Whoever neither sends nor takes a byte for so long is gone, whatever the network says.
STALLED_S = 20
# How long what an answer left unread is waited for before the connection ends instead, and how
# long a peer may still send once we have said the last word: closed sooner, TCP would throw the
# end of the answer away.
LEFTOVER_S = 0.05
FAREWELL_S = 1.0

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"

_own = threading.local()


def bytes_needed(head: bytes | bytearray) -> int:
    """How many bytes a request with this whole head needs before a thread looks at it.

    A body that is large or comes in chunks is read by the thread: the head is enough then.
    """
    end = head.index(_END_OF_HEAD)
    length = _LENGTH.search(head, 0, end + 2)
    body = int(length[1]) if length else 0
    return end + len(_END_OF_HEAD) + (body if body <= COLLECTED_BODY_BYTES else 0)


def leave_line(limit_s: float | None = None) -> None:
    """The request of this thread goes on for long, and on somebody's own account: its address
    gets its turn back. `limit_s` is how long it may go on; None: for ever."""
    leave = getattr(_own, "leave", None)
    if leave is not None:
        leave(limit_s)


@dataclass(slots=True)
class _Coming:
    """What has come of a request, how much it needs, and when it is given up."""

    held: bytearray
    until: float
    needed: int | None = None

    def take(self, piece: bytes) -> bool:
        """True when the request is whole; False when more must come."""
        seen = len(self.held)
        self.held += piece
        if self.needed is None and self.held.find(_END_OF_HEAD, max(0, seen - 3)) >= 0:
            self.needed = bytes_needed(self.held)
        elif self.needed is None and len(self.held) > LONGEST_HEAD_BYTES:
            return True  # gunicorn refuses it in words
        return self.needed is not None and len(self.held) >= self.needed


class Doorway(ThreadWorker):  # type: ignore[misc]
    """All the book-keeping is done in the worker's one loop; threads only ask for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trusted: Networks = getattr(self.app, "trusted_proxies", ())
        self._coming: dict[TConn, _Coming] = {}  # oldest first
        self._half_sent: Counter[str] = Counter()
        self._inside: dict[TConn, float | None] = {}  # being answered -> when it is cut off
        self._counted: dict[TConn, str] = {}  # of these, those that count for their address
        self._answered: Counter[str] = Counter()
        self._lines: dict[str, deque[tuple[TConn, float]]] = {}
        self._leaving: dict[TConn, float] = {}  # answered -> when it is closed

    # Collecting

    def accept(self, listener: socket.socket) -> None:
        if self.nr_conns >= self.worker_connections - 1:
            self._make_room()
        super().accept(listener)

    def enqueue_req(self, conn: TConn) -> None:
        """Where gunicorn would ask for a thread: for new, kept and pipelined requests."""
        if conn.parser is None:
            _limit_stalling(conn.sock)
            conn.parser, conn.initialized = http.get_parser(self.cfg, conn.sock, conn.client), True
        conn.sock.setblocking(False)
        address = _address(conn)
        coming = _Coming(bytearray(), time.monotonic() + WHOLE_REQUEST_S)
        self._coming[conn] = coming
        self._half_sent[address] += 1
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read_on, conn))
        if coming.take(conn.parser.unreader.take_buffered()):
            self._let_in(conn)
        else:
            self._read_on(conn)
        if self._half_sent[address] > HALF_SENT_PER_ADDRESS and not self._is_exempt(address):
            self._turn_away(next(c for c in self._coming if _address(c) == address))

    def _read_on(self, conn: TConn, _socket: object = None) -> None:
        coming = self._coming[conn]
        try:
            piece = conn.sock.recv(COLLECTED_BODY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            self._forget_coming(conn)
            self._drop(conn)
            return
        headless = coming.needed is None
        if coming.take(piece):
            self._let_in(conn)
        elif headless and coming.needed and _EXPECT.search(coming.held):
            _say(conn.sock, _GO_ON)

    def _forget_coming(self, conn: TConn) -> _Coming:
        self.poller.unregister(conn.sock)
        _count_down(self._half_sent, _address(conn))
        return self._coming.pop(conn)

    def _turn_away(self, conn: TConn) -> None:
        if self._forget_coming(conn).held:  # else it was opened in advance: nobody waits
            _say(conn.sock, _TOO_LATE)
        self._drop(conn)

    def _make_room(self) -> None:
        """Somebody new comes before whoever has been idle or half heard the longest."""
        if self._leaving:
            self._part(next(iter(self._leaving)))
        elif self._coming:
            self._turn_away(next(iter(self._coming)))
        elif self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._drop(conn)

    def _drop(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()

    # Answering

    def _let_in(self, conn: TConn) -> None:
        conn.parser.unreader.unread(bytes(self._forget_coming(conn).held))
        address = _address(conn)
        if self._answered[address] < ANSWERED_PER_ADDRESS or self._is_exempt(address):
            self._begin(conn, address)
        else:
            line = self._lines.setdefault(address, deque())
            line.append((conn, time.monotonic() + LINE_S))

    def _begin(self, conn: TConn, address: str) -> None:
        self._answered[address] += 1
        self._counted[conn] = address
        self._inside[conn] = time.monotonic() + ANSWER_S
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """In a thread of its own: one request."""
        _own.leave = partial(self.method_queue.defer, self._leave_line, conn)
        try:
            return super().handle(conn)
        finally:
            _own.leave = None

    def _leave_line(self, conn: TConn, limit_s: float | None) -> None:
        if conn in self._inside:
            self._inside[conn] = None if limit_s is None else time.monotonic() + limit_s
            self._free_turn(conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """In the thread: a body that nobody read is not waited for."""
        leftover = time.monotonic() + LEFTOVER_S
        return bool(keepalive) and bool(conn.parser.finish_body(deadline=leftover))

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        self._inside.pop(conn, None)
        self._free_turn(conn)
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
        else:
            self._see_off(conn)

    def _see_off(self, conn: TConn) -> None:
        """What gunicorn does in its one loop, waiting up to 2 s for each peer."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        self._leaving[conn] = time.monotonic() + FAREWELL_S
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._hear_out, conn))

    def _hear_out(self, conn: TConn, _socket: object = None) -> None:
        try:
            more = conn.sock.recv(COLLECTED_BODY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            more = b""
        if not more:
            self._part(conn)

    def _part(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        del self._leaving[conn]
        self._drop(conn)

    def _free_turn(self, conn: TConn) -> None:
        address = self._counted.pop(conn, None)
        if address is None:
            return
        _count_down(self._answered, address)
        line = self._lines.get(address)
        if line:
            self._begin(line.popleft()[0], address)
        if not line:
            self._lines.pop(address, None)

    # Time

    def murder_pending(self) -> None:
        """gunicorn's sweep, at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        # A stopping worker does not wait for what has not come within a second.
        late = now if self.alive else now + WHOLE_REQUEST_S - 1.0
        while self._coming:
            conn, coming = next(iter(self._coming.items()))
            if coming.until > late:
                break
            self._turn_away(conn)
        while self._leaving and (first := next(iter(self._leaving.items())))[1] < now:
            self._part(first[0])
        for address, line in list(self._lines.items()):
            while line and line[0][1] < now:
                conn, _ = line.popleft()
                _say(conn.sock, _TOO_LATE)
                self._drop(conn)
            if not line:
                del self._lines[address]
        for conn, end in self._inside.items():
            if end is not None and end < now:
                self._inside[conn] = None
                with suppress(OSError):  # its thread finds the line dead and comes back
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def _is_exempt(self, address: str) -> bool:
        """A trusted proxy speaks for many; it collects requests itself."""
        return bool(self._trusted) and is_trusted(address, self._trusted)


def _address(conn: TConn) -> str:
    return conn.client[0] if isinstance(conn.client, tuple) else ""


def _count_down(counts: Counter[str], address: str) -> None:
    counts[address] -= 1
    if counts[address] <= 0:
        del counts[address]


def _say(sock: socket.socket, words: bytes) -> None:
    with suppress(OSError):
        sock.send(words, socket.MSG_DONTWAIT)


def _limit_stalling(sock: socket.socket) -> None:
    """The kernel gives up on a silent peer, so that a thread that waits for it comes back."""
    limit = struct.pack("ll", STALLED_S, 0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, limit)
