"""The inbox: takes messages from the broker as they come, hands them to storing workers, and
acknowledges them in order once they are committed.

The broker queues a session's messages in their order. If a backlog waits there (the database was
away, more arrives than can be stored), gas in the same queue would wait behind the lamps. So gas
of the native format has a session of its own, which always goes first; in the other lane the same
messages are passed over behind a mark, which the lane of gas has published there to prove that
it gets them: messages that were queued before may be in the other lane alone.

One process has the sessions at a time, under a lease of the database (`ingest.lease`); others
stand by with their workers ready. A session survives whoever holds it, and a restart of the
broker, because its filters are plain ones: Mosquitto forgets shared ones.
"""

from __future__ import annotations

import itertools
import logging
import select
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ingest.hand_over import StoreSettings
from ingest.lease import Lease, Received
from ingest.message import GAS_LANE
from ingest.mqtt import NEVER, BrokerCounters, Lane, Piece
from ingest.storers import STORE_COMMAND, Storer

log = logging.getLogger(__name__)

# How often the loop looks around while nothing happens.
IDLE_S = 0.25
# Reads of a lane are so far apart at least: the broker writes every message by itself, and waking
# up for each would take more than all that is done with it.
READ_EVERY_S = 0.003
# A turn that took so long says nothing about the workers: the machine slept, or we did.
STALLED_S = 1.0
# Bytes of messages that are stored together.
BATCH_BYTES = 16 * 1024 * 1024
# Parcels at one worker: one that it stores and, if there is enough for a whole one, the next.
AHEAD = 2
# So many workers ended with something in hand: it is looked at more closely.
DEATHS_SUSPECT = 2
# How long a stop waits for what the workers have in hand.
FAREWELL_S = 5.0
# The topic by which the lane of gas proves itself, and how long such a mark may be on its way.
MARKS = "gridwarden/mark/"
MARK_S = 10.0
# A left session is empty when, unsubscribed, it has brought nothing for so long.
DRAINED_S = 3.0
GAS_SHARE, OTHER_SHARE = "$share/ingest-gas/", "$share/ingest/"


@dataclass(frozen=True)
class IngestSettings:
    """One ingest process. With `shared` it takes its share of a shared subscription under its own
    name, which must stay the same over restarts; else all processes are one inbox."""

    mqtt_url: str
    database_url: str
    redis_url: str
    worker_name: str = "worker-1"
    storers: int = 2
    session: str = "inbox"
    shared: bool = False
    # Messages of a lane that are under way at once: what the workers have, and one to read.
    receive_maximum: int = 8000
    # A larger batch stores no faster and is slower to evaluate.
    batch_size: int = 2000
    # Wait for company after the first message of a batch: at most so much later is an alarm,
    # at most 40 commits a second are made.
    batch_ms: int = 25
    store_command: Sequence[str] = STORE_COMMAND

    @property
    def client_id(self) -> str:
        """The name under which the broker keeps the messages; that of gas has `GAS_LANE` added."""
        return (
            f"gridwarden-ingest-{self.worker_name}" if self.shared else f"gridwarden-{self.session}"
        )

    def of_storer(self, number: int) -> StoreSettings:
        """What the storing worker of this number has to know."""
        name = f"{self.worker_name}-{number}"
        return StoreSettings(self.database_url, self.redis_url, name, self.worker_name)


def say(text: str) -> None:
    """What the broker's connection tells: being connected is good news, all else is not."""
    log.log(logging.INFO if text.startswith("connected") else logging.WARNING, text)


def run(settings: IngestSettings, stop: threading.Event) -> None:
    """Hand messages on until told to stop; servers that go away are waited for."""
    inbox = Inbox(settings)
    try:
        while not stop.is_set():
            inbox.turn()
        inbox.finish()
    finally:
        inbox.close()


class Inbox:
    """Lanes to the broker on one side, storing workers on the other, one thread between."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self.received = Received(time.monotonic())
        self.filters: tuple[str, ...] = ()  # of both lanes
        self._revision = 0  # of the feeds that they are of
        self._gas = self._lane(settings.client_id + GAS_LANE)
        self._others = self._lane(settings.client_id, MARKS + settings.client_id)
        self._left: list[Lane] = []  # sessions of earlier versions
        self._mark = Mark(self._gas, self._others)
        self._parcels = itertools.count(1)
        self._read_at = 0.0  # monotonic: not before
        self._storers = [
            Storer(settings.store_command, settings.of_storer(number + 1))
            for number in range(settings.storers)
        ]
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._lease = Lease(
            settings.database_url, settings.client_id, settings.worker_name,
            BrokerCounters(settings.mqtt_url, say),
        )  # fmt: skip
        self._lease.start(self)

    def _lane(self, client_id: str, mark_topic: str = "") -> Lane:
        settings = self._settings
        return Lane(
            settings.mqtt_url, client_id, settings.receive_maximum, say,
            run_max=settings.batch_size, mark_topic=mark_topic,
        )  # fmt: skip

    def publish(self, topic: str, payload: bytes, qos: int) -> bool:
        """Hand a message to the broker, from any thread; False if there is no connection."""
        taken = self._others.publish(topic, payload, qos)
        with suppress(BlockingIOError):
            self._wake_write.send(b"\0")
        return taken

    def turn(self) -> None:
        """Once round: wait until something happens, then do what is due."""
        at = time.monotonic()
        if at - self.received.at > STALLED_S:  # we were away, not they
            for storer in self._storers:
                storer.excuse(at)
        self.received = self._stand(at)
        self._mind_the_workers(at)
        self._mind_the_lanes(at)
        self._exchange(self._patience_s(at))
        self._hand_out()

    def _stand(self, at: float) -> Received:
        lanes = self._lanes
        newest_at = max(lane.newest_at for lane in lanes)
        return Received(
            at,
            self._gas.subscribed and self._others.subscribed,
            newest_at if newest_at > NEVER else None,
            min((lane.oldest_at for lane in lanes if lane.oldest_at), default=None),
        )

    # -- who is there --------------------------------------------------------------------------

    def _mind_the_workers(self, at: float) -> None:
        for storer in self._storers:
            if storer.is_frozen(at):
                log.warning("storing worker %s is frozen", storer.name)
                self._take_back(storer.bury(at))
            storer.start_if_due(at)

    @staticmethod
    def _take_back(undone: Sequence[Piece]) -> None:
        """What a dead worker had in hand goes first; the broker sends again what came on an
        earlier connection."""
        for piece in reversed(undone):
            if piece.connection == piece.lane.connection:
                piece.lane.waiting.appendleft(piece)

    def _suspect(self, undone: Sequence[Piece]) -> None:
        """Whatever a worker had in hand when it ended by itself may have ended it."""
        for piece in undone:
            piece.deaths += 1
        self._take_back(undone)

    def _mind_the_lanes(self, at: float) -> None:
        if any(lane.displaced for lane in self._lanes):
            for lane in self._lanes:
                lane.displaced = False
            self._lease.doubt()
        self._mind_the_filters()
        if not self._lease.held or not self._revision:
            for lane in self._lanes:
                if lane.sock is not None:
                    lane.close()
            return
        self._empty_what_was_left()
        for lane in self._lanes:
            lane.connect_if_due(at)
            if lane.sock is not None:
                lane.keep_alive(unread=lane.is_full())
        self._mark.mind(at, self._lease.holder)

    def _mind_the_filters(self) -> None:
        """Listen to what the feeds say once somebody can store it, and no more to what they said
        before. What the broker has queued of that still comes."""
        wanted = self._lease.wanted
        gas, others = (GAS_SHARE, OTHER_SHARE) if self._settings.shared else ("", "")
        if wanted is not None and wanted.revision != self._revision and self._can_store():
            self._revision = wanted.revision
            self.filters = (*wanted.gas, *wanted.others)
            self._gas.listen([gas + topic for topic in wanted.gas])
            self._others.listen([others + topic for topic in wanted.others])
        if stale := [topic for topic in self._lease.stale if topic not in self.filters]:
            self._gas.leave([gas + topic for topic in stale])
            self._others.leave([others + topic for topic in stale])
        self._lease.stale = ()

    def _can_store(self) -> bool:
        return self._revision > 0 or any(storer.is_ready for storer in self._storers)

    @property
    def _lanes(self) -> list[Lane]:
        """Gas first."""
        return [self._gas, self._others, *self._left]

    def _empty_what_was_left(self) -> None:
        """Sessions of shared subscriptions that earlier versions made: their messages are stored
        like all others, then they end, or the broker would go on queueing a share for them."""
        left, self._lease.left = self._lease.left, ()
        known = {lane.client_id for lane in self._left}
        for session in (each for each in left if each.client_id not in known):
            lane = self._lane(session.client_id)
            lane.leave(session.filters)
            self._left.append(lane)
        for lane in [lane for lane in self._left if lane.is_empty_since(DRAINED_S)]:
            if lane.close(end_session=True):
                self._left.remove(lane)
                self._lease.emptied.append(lane.client_id)

    # -- what comes and goes -------------------------------------------------------------------

    def _exchange(self, patience_s: float) -> None:
        """Read what has come, send what waits."""
        at = time.monotonic()
        parties: list[Lane | Storer] = [*self._lanes, *self._storers]
        by_sock = {sock: each for each in parties if (sock := each.sock) is not None}
        reading = [sock for sock, each in by_sock.items() if self._may_read(each, at)]
        writing = [sock for sock, each in by_sock.items() if each.wants_write]
        readable, writable, _ = select.select([*reading, self._wake_read], writing, [], patience_s)
        if self._wake_read in readable:
            with suppress(BlockingIOError):
                self._wake_read.recv(4096)
        for sock, each in by_sock.items():
            if isinstance(each, Storer):
                if sock in writable:
                    each.write()
                if sock in readable and not each.read(at):
                    self._suspect(each.bury(at))
        for lane in self._lanes:
            lane.answer()
            if lane.sock in readable or (lane.sock and not lane.drained and not lane.is_full()):
                lane.read()
                self._read_at = at + READ_EVERY_S
            if lane.sock is not None and lane.wants_write:
                lane.write()

    def _may_read(self, each: Lane | Storer, at: float) -> bool:
        return isinstance(each, Storer) or (at >= self._read_at and not each.is_full())

    def _patience_s(self, at: float) -> float:
        """How long nothing need be done."""
        lanes = self._lanes
        if any(not lane.drained and not lane.is_full() for lane in lanes):
            return 0.0
        waits = [IDLE_S]
        if at < self._read_at:
            waits.append(self._read_at - at)
        if (oldest := self._oldest_at()) is not None and any(map(_is_idle, self._storers)):
            waits.append(max(0.0, oldest + self._settings.batch_ms / 1000 - time.time()))
        if self._lease.held and self._revision:
            waits += [lane.retry_in_s(at) for lane in lanes]
        return min(waits)

    def _oldest_at(self) -> float | None:
        """When the oldest message that waits for a worker came, in seconds since 1970."""
        firsts = [lane.waiting[0].received_at.timestamp() for lane in self._lanes if lane.waiting]
        return min(firsts, default=None)

    def _hand_out(self) -> None:
        """A worker that has nothing to do gets what has waited for company long enough; one that
        is at work gets a whole parcel ahead."""
        for depth in range(AHEAD):
            for storer in self._storers:
                if not storer.is_ready or len(storer.parcels) != depth or _has_suspect(storer):
                    continue
                oldest = self._oldest_at()
                if oldest is None:
                    return
                ripe = depth == 0 and time.time() >= oldest + self._settings.batch_ms / 1000
                if ripe or self._is_whole_parcel():
                    storer.give(next(self._parcels), self._take_parcel(), self._revision)
                    storer.write()

    def _is_whole_parcel(self) -> bool:
        pieces = [piece for lane in self._lanes for piece in lane.waiting]
        return (
            sum(piece.count for piece in pieces) >= self._settings.batch_size
            or sum(len(piece.packets) for piece in pieces) >= BATCH_BYTES
        )

    def _take_parcel(self) -> list[Piece]:
        """Gas first, then the rest: about as many messages and bytes as make a batch."""
        taken: list[Piece] = []
        room, size = self._settings.batch_size, BATCH_BYTES
        for lane in self._lanes:
            if lane.waiting and lane.waiting[0].deaths >= DEATHS_SUSPECT:
                if taken:
                    break
                return [self._suspected(lane)]
            while lane.waiting and lane.waiting[0].deaths < DEATHS_SUSPECT:
                if taken and (lane.waiting[0].count > room or size <= 0):
                    return taken
                piece = lane.waiting.popleft()
                room -= piece.count
                size -= len(piece.packets)
                taken.append(piece)
        return taken

    @staticmethod
    def _suspected(lane: Lane) -> Piece:
        """What ended workers is given alone; if it does so again, in halves, until it is one."""
        suspect = lane.waiting[0]
        if suspect.count > 1 and suspect.deaths > DEATHS_SUSPECT:
            lane.halve(suspect, DEATHS_SUSPECT)
        return lane.waiting.popleft()

    # -- the end -------------------------------------------------------------------------------

    def finish(self) -> None:
        """Take nothing more, wait for what the workers have in hand, acknowledge it."""
        until = time.monotonic() + FAREWELL_S
        while any(s.parcels for s in self._storers) and (rest := until - time.monotonic()) > 0:
            socks = [storer.sock for storer in self._storers if storer.sock is not None]
            readable, _, _ = select.select(socks, [], [], rest)
            for storer in self._storers:
                if storer.wants_write:
                    storer.write()
                if storer.sock in readable and not storer.read(time.monotonic()):
                    storer.parcels.clear()
                    storer.close()

    def close(self) -> None:
        """Keep the sessions, give the lease back."""
        for lane in self._lanes:
            lane.close()
        for storer in self._storers:
            storer.close()
        self._lease.close()
        self._wake_read.close()
        self._wake_write.close()


def _is_idle(storer: Storer) -> bool:
    return storer.is_ready and not storer.parcels


def _has_suspect(storer: Storer) -> bool:
    """What may end it is with it, alone: nothing innocent is put behind it."""
    pieces = (piece for parcel in storer.parcels for piece in parcel.pieces)
    return any(piece.deaths >= DEATHS_SUSPECT for piece in pieces)


class Mark:
    """Lets the other lane pass gas over while the lane of gas is sure to get it."""

    def __init__(self, gas: Lane, others: Lane) -> None:
        self._gas, self._others = gas, others
        self._topic = MARKS + others.client_id
        self._number = 0
        self._due_at = 0.0
        self._stands_on: tuple[int, int] | None = None

    def mind(self, at: float, holder: str) -> None:
        """Publish a mark where none stands, again when it does not come back."""
        gas, others = self._gas, self._others
        connections = gas.connection, others.connection
        if connections != self._stands_on or not gas.subscribed:
            others.expect_mark(None)
            self._stands_on, self._due_at = connections, 0.0
        if not (gas.subscribed and others.subscribed) or others.pass_over_gas:
            return
        if at < self._due_at:
            return
        if self._due_at:
            say(f"{self._topic} does not come back: all of gas is stored from both lanes")
        self._number += 1
        self._due_at = at + MARK_S
        mark = f"{holder}/{self._number}".encode()
        others.expect_mark(mark)
        gas.publish(self._topic, mark, qos=1)
