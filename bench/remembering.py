"""A publisher that remembers: every message, and when the broker took it.

It speaks MQTT 3.1.1 at QoS 1 from a process of its own. What was not acknowledged when the
connection broke is sent again on the next one, as a sensor with a memory does it. Messages without
a time are not: the same again would be news.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any

from bench import mqtt_load

PUBACK, PUBACK_BYTES = 0x40, 4
# Messages under way; beyond them nothing new is sent, as while the broker is away.
WINDOW = 4_000
RECONNECT_S = 0.02
TICK_S = 0.002
NEVER = 0.0


@dataclass(frozen=True)
class Source:
    """A device that sends: its topic, and one metric with the value it always has. Without a
    value its messages have no time, and their value is their number."""

    topic: str
    metric: str
    value: float | None


@dataclass(frozen=True)
class Sent:
    """One message: its source's number, what tells it from others of its source (epoch
    milliseconds of measurement, or its value where it has no time), and epoch seconds of sending
    and of the acknowledgement (`NEVER` if none came)."""

    source: int
    key: int
    sent_at: float
    acked_at: float


@dataclass
class _Sender:
    port: int
    rate: float
    sources: Sequence[Source]
    name: str
    sock: socket.socket | None = None
    out: bytearray = field(default_factory=bytearray)
    ahead: bytes = b""
    # The number of a message in `log`, by packet identifier, in the order of sending.
    under_way: dict[int, int] = field(default_factory=dict)
    log: list[list[Any]] = field(default_factory=list)
    last_key: dict[int, int] = field(default_factory=dict)
    credit: float = 0.0
    credited_at: float = 0.0
    mid: int = 0

    def step(self, *, producing: bool) -> None:
        """Whatever can be done now; waits a moment for the socket."""
        if self.sock is None and not self._connect():
            time.sleep(RECONNECT_S)
            return
        now = time.monotonic()
        self.credit = min(self.credit + (now - self.credited_at) * self.rate, self.rate / 4)
        self.credited_at = now
        while producing and self.credit >= 1 and len(self.under_way) < WINDOW:
            self.credit -= 1
            self._produce()
        try:
            self._exchange()
        except OSError:
            self._lose()

    def _connect(self) -> bool:
        try:
            self.sock = mqtt_load.connect("127.0.0.1", self.port, self.name, timeout_s=1.0)
        except OSError:
            return False
        self.sock.setblocking(False)
        self.out, self.ahead = bytearray(), b""
        self.credit, self.credited_at = 0.0, time.monotonic()
        unknown, self.under_way = list(self.under_way.values()), {}
        for number in unknown:
            if self._source(number).value is not None:
                self._send(number)
        return True

    def _lose(self) -> None:
        assert self.sock is not None, "only a connection can be lost"
        self.sock.close()
        self.sock = None

    def _produce(self) -> None:
        source = len(self.log) % len(self.sources)
        key = self.last_key.get(source, 0) + 1
        if self.sources[source].value is not None:
            key = max(int(time.time() * 1000), key)
        self.last_key[source] = key
        self.log.append([source, key, time.time(), NEVER])
        self._send(len(self.log) - 1)

    def _send(self, number: int) -> None:
        key, what = self.log[number][1], self._source(number)
        seq = number // len(self.sources)
        body = (
            f'{{"seq":{seq},"readings":{{"{what.metric}":{key}}}}}'
            if what.value is None
            else f'{{"ts":{key},"seq":{seq},"readings":{{"{what.metric}":{what.value}}}}}'
        )
        self.mid = self.mid % 65_535 + 1
        self.under_way[self.mid] = number
        self.out += mqtt_load.packet(what.topic, body.encode(), self.mid)

    def _source(self, number: int) -> Source:
        return self.sources[number % len(self.sources)]

    def _exchange(self) -> None:
        assert self.sock is not None, "connected"
        writing = [self.sock] if self.out else []
        readable, writable, _ = select.select([self.sock], writing, [], TICK_S)
        if writable:
            with suppress(BlockingIOError):
                del self.out[: self.sock.send(self.out)]
        if readable:
            more = self.sock.recv(65_536)
            if not more:
                raise ConnectionError("the broker closed")
            self._take(self.ahead + more)

    def _take(self, data: bytes) -> None:
        now, whole = time.time(), len(data) - len(data) % PUBACK_BYTES
        for at in range(0, whole, PUBACK_BYTES):
            kind, _, mid = struct.unpack_from(">BBH", data, at)
            if kind != PUBACK:
                raise ConnectionError(f"the broker sent {data[at : at + 8]!r}")
            number = self.under_way.pop(mid, None)
            if number is not None:
                self.log[number][3] = now
        self.ahead = data[whole:]


def _run(pipe: Pipe, port: int, rate: float, sources: Sequence[Source], name: str) -> None:
    sender, producing = _Sender(port, rate, sources, name), True
    while True:
        sender.step(producing=producing)
        while pipe.poll():
            command, argument = pipe.recv()
            if command == "end":
                return
            if command == "produce":
                producing = argument
                pipe.send(None)
            if command == "log":
                pipe.send([tuple(row) for row in sender.log[argument:]])
            if command == "under way":
                pipe.send(len(sender.under_way))


class RememberingPublisher:
    """The other end: ask what was sent and acknowledged."""

    def __init__(self, pipe: Pipe, pid: int) -> None:
        self._pipe = pipe
        self.pid = pid

    def log(self, first: int = 0) -> list[Sent]:
        """All messages from number `first` on, in the order of sending."""
        return [Sent(*row) for row in self._ask("log", first)]

    def pause(self) -> None:
        """Send nothing new; what is under way is still brought to its end."""
        self._ask("produce", False)

    def resume(self) -> None:
        self._ask("produce", True)

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing is under way."""
        until = time.monotonic() + timeout_s
        while self._ask("under way", None):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _ask(self, command: str, argument: Any) -> Any:
        self._pipe.send((command, argument))
        return self._pipe.recv()


@contextmanager
def remembering(
    port: int, rate: float, sources: Sequence[Source], name: str = "remembering"
) -> Iterator[RememberingPublisher]:
    """A publisher at so many messages a second until the block ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, port, rate, sources, name), daemon=True)
    process.start()
    try:
        assert process.pid is not None, "started"
        yield RememberingPublisher(ours, process.pid)
    finally:
        with suppress(OSError):
            ours.send(("end", None))
        process.join(5)
        if process.is_alive():
            process.kill()
