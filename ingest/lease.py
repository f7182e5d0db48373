"""The lease of an inbox, and what else it owes the database: signs of life, messages to send.

A thread of its own with a connection of its own, because the loop that feeds the workers must
wait for nobody. It renews the lease only while that loop goes round.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from city.stage import Stage
from db import beats, broker_counts, feeds, inbox_lease, ingest_workers, outbox
from db.beats import Rhythm
from db.inbox_lease import LeftSession
from db.pool import Connection, connect, first_line, is_away
from ingest.feeds import Subscription
from ingest.feeds_reader import read_feeds
from ingest.mqtt import BrokerCounters

log = logging.getLogger(__name__)

# How often the lease is renewed or asked for.
RENEW_S = 0.5
# The loop is taken for stuck when it has not gone round for so long.
STUCK_S = 3.0
# Requests published at once, in hundreds: the lease must not wait for a flood of them.
OUTBOX_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Received:
    """How the loop stood when it last went round."""

    at: float  # monotonic
    connected: bool = False  # the broker delivers
    newest_at: datetime | None = None  # receipt of the newest message
    waiting_since: datetime | None = None  # receipt of the oldest that is not stored


class Loop(Protocol):
    """What the thread must know of the loop whose lease it keeps."""

    received: Received  # of its last time round
    filters: tuple[str, ...]  # that its session is subscribed to

    def publish(self, topic: str, payload: bytes, qos: int) -> bool: ...


class Lease:
    """`held` says whether this process may have the session."""

    def __init__(
        self, database_url: str, session: str, process: str, counters: BrokerCounters
    ) -> None:
        self._url, self._session, self._process = database_url, session, process
        self._counters = counters
        self._counted_at: datetime | None = None
        self._rhythm = Rhythm()
        # Unlike any other process that ever was or will be.
        self.holder = f"{process}/{uuid.uuid4().hex}"
        self.held = False
        self.left: Sequence[LeftSession] = ()  # known once the lease is held
        self.stale: Sequence[str] = ()  # filters of the session that nobody wants any more
        self._filters: Sequence[str] = ()  # as the database knows them
        self.wanted: Subscription | None = None  # what the feeds of now want
        self.emptied: list[str] = []  # client ids of left sessions that may be forgotten
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._said_away = False

    def start(self, loop: Loop) -> None:
        """Begin to ask for it."""
        self._loop = loop
        self._counters.start()
        self._thread.start()

    def doubt(self) -> None:
        """Somebody else seems to have it: not held until the database says so again."""
        self.held = False

    def close(self) -> None:
        """Give the lease back."""
        self._stop.set()
        self._thread.join()
        self._counters.close()

    def _run(self) -> None:
        conn: Connection | None = None
        while not self._stop.is_set():
            try:
                if conn is None:
                    conn = connect(self._url, application="inbox", autocommit=True)
                self._turn(conn)
                self._said_away = False
            except Exception as error:
                if is_away(error):
                    self._say_away(error)
                else:
                    log.exception("the lease of %s could not be kept", self._session)
                if conn is not None:
                    conn.close()
                    conn = None
            self._stop.wait(RENEW_S)
        self._leave(conn)

    def _say_away(self, error: Exception) -> None:
        """Once: the workers say it every second."""
        if not self._said_away:
            log.warning("lease: %s; messages are still taken", first_line(error))
            self._said_away = True

    def _turn(self, conn: Connection) -> None:
        received = self._loop.received
        if time.monotonic() - received.at > STUCK_S:
            return
        held = inbox_lease.hold(conn, self._session, self.holder, self._process)
        if held and not self.held:
            self._filters = ()  # another may have noted its own meanwhile
            self.left = inbox_lease.list_left(conn)
            log.info("holding the session %s", self._session)
        elif self.held and not held:
            log.warning("another process has taken the session %s", self._session)
        self.held = held
        self._follow_feeds(conn)
        if held:
            self._beat(conn, received)
            self._note_filters(conn)
            self._publish_due(conn)
            self._keep_count(conn)
            while self.emptied:
                inbox_lease.forget_left(conn, self.emptied.pop())

    def _follow_feeds(self, conn: Connection) -> None:
        """Read the feeds again where somebody has changed them."""
        if self.wanted is None or feeds.find_revision(conn) != self.wanted.revision:
            self.wanted = read_feeds(conn).subscription()

    def _beat(self, conn: Connection, received: Received) -> None:
        if self._rhythm.is_due(received.at):
            beats.beat(
                conn, Stage.RECEIVED, self._process, connected=received.connected,
                newest_at=received.newest_at, waiting_since=received.waiting_since,
            )  # fmt: skip

    def _note_filters(self, conn: Connection) -> None:
        filters = self._loop.filters
        if filters != self._filters:
            before = inbox_lease.exchange_filters(conn, self._session, filters)
            self._filters = filters
            self.stale = sorted(set(before) - set(filters))

    def _publish_due(self, conn: Connection) -> None:
        """Requests to devices: what could not be published is tried again later."""
        now = datetime.now(UTC)
        for _ in range(OUTBOX_ROUNDS):
            with conn.transaction():
                due = outbox.claim_due(conn, now)
                sent = {m.id for m in due if self._loop.publish(m.topic, m.payload, m.qos)}
                outbox.mark_sent(conn, sorted(sent), now)
                for message in due:
                    if message.id not in sent:
                        outbox.mark_failed(conn, message, now)
            if not due:
                return

    def _keep_count(self, conn: Connection) -> None:
        """What the broker has told of itself since the last time."""
        look = self._counters.latest()
        if look is not None and look.looked_at != self._counted_at:
            with conn.transaction():
                broker_counts.record(conn, look)
            self._counted_at = look.looked_at

    def _leave(self, conn: Connection | None) -> None:
        if conn is None:
            return
        try:
            inbox_lease.release(conn, self._session, self.holder)
            ingest_workers.forget_process(conn, self._process)
        except Exception as error:
            if not is_away(error):
                raise
        conn.close()
