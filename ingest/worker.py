"""A storing worker: takes parcels from the inbox, stores them, says so. A process of its own."""

from __future__ import annotations

import gc
import itertools
import logging
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from city.errors import Unavailable
from city.reading import Decoded
from city.stage import Stage
from db import beats, feeds, ingest_workers, live
from db.pool import Connection, connect_when_ready, first_line, is_away
from ingest.batch import Batch, build_batch, decode_messages, identities, refuse_message
from ingest.feeds import Feeds
from ingest.feeds_reader import follow_models, read_feeds
from ingest.hand_over import (
    FRAME,
    READY,
    StoreSettings,
    pack_answer,
    read_greeting,
    read_parcel,
)
from ingest.message import Message
from ingest.packets import read_publishes
from ingest.peculiar import fast_lane, learn
from ingest.reporters_reader import ReportersReader
from ingest.store_batch import NewestKnown, Stored, store_batch

log = logging.getLogger(__name__)

# A database that answers but refuses work (starting, full, read-only) is asked again after this.
RETRY_S = 1.0
# How often a worker says that it is alive.
BEAT_S = beats.BEAT_S
RECEIVE_BYTES = 1 << 20
# How often the inbox hears from us.
PULSE_S = 1.0
# The database could not store this one message, whatever else came with it.
REASON_STORE = "store_failed"
# Workers ended while they had this one message in hand.
REASON_DEADLY = "worker_ended"


class InboxGoneError(Exception):
    """Nobody is there to store for."""


class Line:
    """The worker's end of what connects it to the inbox."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""
        self._sending = threading.Lock()

    def receive(self, wait_s: float) -> bytes | None:
        """The next frame; None if it does not begin within so long."""
        if not self._held and not self._is_readable(wait_s):
            return None
        (size,) = FRAME.unpack(self._take(FRAME.size))
        return self._take(size)

    def _take(self, size: int) -> bytes:
        parts, missing = [self._held], size - len(self._held)
        while missing > 0:
            part = self._sock.recv(max(missing, RECEIVE_BYTES))
            if not part:
                raise InboxGoneError
            parts.append(part)
            missing -= len(part)
        found = b"".join(parts)
        self._held = found[size:]
        return found[:size]

    def _is_readable(self, wait_s: float) -> bool:
        return bool(select.select([self._sock], [], [], wait_s)[0])

    def is_gone(self, wait_s: float) -> bool:
        """Whether the inbox has ended, looked at for so long; frames may still lie unread."""
        poll = select.poll()
        poll.register(self._sock, select.POLLRDHUP)
        return bool(poll.poll(1000 * wait_s))

    def send(self, content: bytes) -> None:
        try:
            with self._sending:
                self._sock.sendall(content)
        except OSError as error:
            raise InboxGoneError from error

    def pulse(self, ended: threading.Event) -> None:
        """Say every second that this process is not frozen, whatever its work waits for."""
        while not ended.wait(PULSE_S):
            with suppress(InboxGoneError):
                self.send(pack_answer(READY, []))


def main() -> None:
    """Store for whoever is at the other end of the socket that is open as file number ARGV[1]."""
    # Few of the many small objects are ever part of a circle: circles are looked for less often.
    gc.set_threshold(50_000, 20, 50)
    # Whoever wants us to stop closes the line; a Ctrl-C at the terminal is meant for the inbox.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        line = Line(sock)
        try:
            work(line)
        except (InboxGoneError, ConnectionError):
            log.info("the inbox is gone")


def work(line: Line) -> None:
    """Store parcel after parcel until the inbox is gone."""
    greeting = line.receive(60.0)
    if greeting is None:
        raise InboxGoneError
    worker = _Worker(read_greeting(greeting), line.is_gone)
    ended = threading.Event()
    pulse = threading.Thread(target=line.pulse, args=(ended,), name="pulse", daemon=True)
    try:
        worker.prepare()
        line.send(pack_answer(READY, []))
        pulse.start()
        while True:
            body = line.receive(BEAT_S)
            if body is not None:
                number, owed = worker.store_parcel(body)
                line.send(pack_answer(number, owed))
            worker.show_life()
    except Unavailable:
        log.warning("stopped while the database was away; unstored messages stay with the broker")
    finally:
        ended.set()
        worker.close()


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Messages to store together; with a refusal, the one message to quarantine for it."""

    messages: Sequence[Message]
    refusal: str = ""
    unread: bool = False

    def apart(self, error: Exception) -> list[_Parcel]:
        """Something in here cannot be stored: halve until it is alone. The first half is last,
        because the last is stored next."""
        middle = len(self.messages) // 2
        if middle:
            return [_Parcel(self.messages[middle:]), _Parcel(self.messages[:middle])]
        return [_Parcel(self.messages, f"{type(error).__name__}: {first_line(error)}")]


class _Worker:
    """Connections of one worker, and the stubbornness to store what it was given."""

    def __init__(self, settings: StoreSettings, is_gone: Callable[[float], bool]) -> None:
        self._settings = settings
        self._is_gone = is_gone
        self._conn: Connection | None = None
        self._redis = live.open_redis(settings.redis_url)
        self._redis_answers = True
        self._lane = fast_lane()
        self._feeds = Feeds()
        self._revision = 0  # of the feeds by which the newest parcel was taken
        self._heard: dict[str, tuple[datetime, int]] = {}  # by feed, since the last beat
        self._beat_at = 0.0
        self._newest_at: datetime | None = None  # receipt of the newest message stored

    def prepare(self) -> None:
        """Connect and be known as alive."""
        name, process = self._settings.name, self._settings.process
        self._insist(lambda conn: ingest_workers.beat(conn, name, process, started=True))

    def store_parcel(self, body: bytes) -> tuple[int, list[bytes]]:
        """Return when all are committed: the parcel's number, and what is owed to the broker for
        each of its pieces. Raises `Unavailable` only when the inbox is gone."""
        number, pieces, self._revision = read_parcel(body)
        messages: list[Message] = []
        deadly: list[Message] = []
        owed = []
        for piece in pieces:
            found, acknowledgements = read_publishes(
                piece.packets, piece.received_at, piece.again, piece.session
            )
            if piece.pass_over_gas:  # it comes in the lane of gas, too
                found = [message for message in found if not self._feeds.is_gas(message.topic)]
            (deadly if piece.deadly else messages).extend(found)
            owed.append(acknowledgements)
        self.store(messages)
        for message in deadly:
            self._store_stubbornly([_Parcel([message], "workers ended over it", unread=True)])
        return number, owed

    def store(self, messages: Sequence[Message]) -> None:
        """Return when all are committed."""
        self._store_stubbornly([_Parcel(messages)] if messages else [])

    def _store_stubbornly(self, waiting: list[_Parcel]) -> None:
        while waiting:
            parcel = waiting.pop()
            try:
                conn = self._connection()
                self._tell(self._store(parcel, conn))
                self._newest_at = parcel.messages[-1].received_at
            except Exception as error:  # noqa: BLE001 - what it is decides what happens to it
                if self._conn is None or is_away(error) or parcel.refusal:
                    self._lose_connection(error)
                    waiting.append(parcel if parcel.unread else _Parcel(parcel.messages))
                else:
                    waiting += parcel.apart(error)

    def show_life(self) -> None:
        """Every now and then: say that this worker is alive."""
        at = time.monotonic()
        if at - self._beat_at < BEAT_S:
            return
        self._beat_at = at
        self._insist(self._beat)

    def _beat(self, conn: Connection) -> None:
        name = self._settings.name
        ingest_workers.beat(conn, name, self._settings.process)
        beats.beat(conn, Stage.COMMITTED, name, newest_at=self._newest_at)
        feeds.note_heard(conn, self._heard)
        self._heard = {}

    def _insist(self, work: Callable[[Connection], None]) -> None:
        """Do it, however often the database has to be waited for."""
        while True:
            try:
                work(self._connection())
            except Exception as error:
                if not is_away(error) or self._is_gone(0):
                    raise
                self._lose_connection(error)
            else:
                return

    def close(self) -> None:
        """Give the connections back."""
        if self._conn is not None:
            self._conn.close()
        self._redis.close()

    def _store(self, parcel: _Parcel, conn: Connection) -> Stored:
        name = self._settings.name
        if parcel.refusal:
            log.error("quarantined a message of %s: %s", parcel.messages[0].topic, parcel.refusal)
            message = parcel.messages[0].apart()
            reason = REASON_DEADLY if parcel.unread else REASON_STORE
            batch = refuse_message(message, reason, parcel.refusal, unread=parcel.unread)
            return store_batch(conn, batch, datetime.now(UTC), worker=name)
        at = time.monotonic()
        self._follow_feeds(conn)
        registry = self._registry.current(conn, at)
        plain = self._lane.take(parcel.messages, registry)
        # Plain messages say when they were measured; others may be told apart by their receipt.
        messages = list(parcel.messages)
        rest = []
        for number in plain.rest:
            handed = self._feeds.hand(messages[number].apart())
            messages[number] = handed._replace(topic=messages[number].topic)
            rest.append(handed)
        decoded = decode_messages(rest)
        self._meet(conn, rest, decoded, at)
        now = datetime.now(UTC)
        with conn.transaction():  # what is learned goes with the readings
            decoded = learn(conn, rest, decoded, now)
            decoded = self._feeds.adopt(rest, decoded, registry, self._registry.bound)
            batch = build_batch(messages, decoded, registry, plain)
            self._note_heard(rest, batch)
            return store_batch(
                conn, batch, now,
                worker=name, newest=self._newest, districts=registry.districts,
            )  # fmt: skip

    def _follow_feeds(self, conn: Connection) -> None:
        """No message is read by feeds that are older than those by which it was received."""
        if self._feeds.revision < self._revision:
            self._feeds = read_feeds(conn)
            follow_models(conn)

    def _meet(
        self, conn: Connection, rest: Sequence[Message], decoded: Sequence[Decoded], at: float
    ) -> None:
        """Look for whoever is unknown yet, and settle whose names are meant."""
        known = self._registry
        names = itertools.chain(identities(decoded), self._feeds.identities(rest, decoded))
        known.meet(conn, names, at)
        claims = self._feeds.claims(rest, decoded, known.registry, known.bound)
        known.bind(conn, claims)

    def _note_heard(self, rest: Sequence[Message], batch: Batch) -> None:
        """Count messages by feed. Shipped feeds have the names of their formats."""
        counts = Counter(batch.feeds)
        for message in rest:
            if message.feed is not None:
                counts[message.feed.name] += 1
                counts[message.format] -= 1
        newest = batch.messages[-1].received_at
        for name, count in counts.items():
            if count > 0:
                self._heard[name] = newest, count + self._heard.get(name, (newest, 0))[1]

    def _connection(self) -> Connection:
        if self._conn is None:
            conn = connect_when_ready(
                self._settings.database_url, log.warning,
                application="ingest", stopped=self._is_gone,
            )  # fmt: skip
            conn.autocommit = True  # transactions are the steps' own
            self._registry = ReportersReader(conn, time.monotonic())
            self._newest = NewestKnown(conn)
            self._conn = conn
        return self._conn

    def _lose_connection(self, error: Exception) -> None:
        log.warning("database: %s; storing again in %g s", first_line(error), RETRY_S)
        if self._conn is not None:
            self._conn.close()
            self._conn = None
        if self._is_gone(RETRY_S):
            raise Unavailable("stopped") from error

    def _tell(self, stored: Stored) -> None:
        answered = not stored.readings or live.wake(self._redis, "evaluate")
        if stored.event_seq is not None:
            answered &= live.publish_event_seq(self._redis, stored.event_seq)
        if answered != self._redis_answers:
            self._redis_answers = answered
            if answered:
                log.info("redis answers again")
            else:
                log.warning("redis is away: evaluation finds batches by itself, a second later")


if __name__ == "__main__":
    main()
