"""The ingest loop: take messages from the broker, store them, acknowledge them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from city.errors import Unavailable
from db import ingest_workers, live, outbox
from db.pool import Connection, connect_when_ready, first_line, is_away
from ingest.batch import build_batch, decode_messages, identities, refuse_message, urgent_topics
from ingest.formats import subscriptions
from ingest.intake import Intake, shared_filters
from ingest.message import Message
from ingest.plain import PlainLane
from ingest.registry import RegistryReader
from ingest.sparkplug_steps import resolve_sessions
from ingest.steps import NewestKnown, Stored, store_batch
from ingest.zigbee_steps import resolve_definitions

log = logging.getLogger(__name__)

# How often the loop looks at `stop` while nothing arrives.
IDLE_S = 0.5
# A database that answers but refuses work (starting, full, read-only) is asked again after this.
RETRY_S = 1.0
# How often a worker says that it is alive.
BEAT_S = 2.0
# Requests published at once, in hundreds: storing must not wait for a flood of them.
OUTBOX_ROUNDS = 10
# A Redis that does not answer at once is not asked again for so long: storing comes first.
REDIS_PATIENCE_S = 0.5
REDIS_PAUSE_S = 10.0
# Somebody who took over and then fell silent too is replaced after this.
ABANDONED = timedelta(seconds=60)
# The database could not store this one message, whatever else came with it.
REASON_STORE = "store_failed"


@dataclass(frozen=True)
class IngestSettings:
    """One ingest worker. The name must stay the same over restarts and be its own: the broker
    keeps a session, with the messages that wait, under it."""

    mqtt_url: str
    database_url: str
    redis_url: str
    worker_name: str = "worker-1"
    # Messages under way at once: two batches to store and one to read meanwhile.
    receive_maximum: int = 6000
    # A larger batch stores no faster and is slower to evaluate.
    batch_size: int = 2000
    # Wait for company after the first message of a batch: at most so much later is an alarm,
    # at most 40 commits a second are made.
    batch_ms: int = 25
    # How long another worker must have been silent before its sessions are taken over.
    silent_s: float = ingest_workers.SILENT_S


def say(text: str) -> None:
    """What the broker's connection tells: being connected is good news, all else is not."""
    log.log(logging.INFO if text.startswith("connected") else logging.WARNING, text)


def run(settings: IngestSettings, stop: threading.Event) -> None:
    """Store messages until told to stop; servers that go away are waited for."""
    worker = _Worker(settings, stop)
    intake = Intake(
        settings.mqtt_url, settings.worker_name, subscriptions(), settings.receive_maximum, say
    )
    intake.start()  # first: the broker keeps what comes while we wait for the database
    try:
        intake.leave(worker.introduce(shared_filters(subscriptions())))
        while not stop.is_set():
            _store_next(worker, intake, settings, IDLE_S)
            worker.look_after(intake)
        intake.stop_taking()
        while _store_next(worker, intake, settings, 0.0):
            pass
    except Unavailable:
        log.warning("stopped while the database was away; unstored messages stay with the broker")
    finally:
        intake.close()
        worker.close()


def _store_next(worker: _Worker, intake: Intake, settings: IngestSettings, wait_s: float) -> bool:
    messages = intake.take(settings.batch_size, settings.batch_ms / 1000, wait_s)
    if messages:
        worker.store(messages)
        intake.acknowledge(messages)
        intake.remember_urgent(worker.take_urgent())
    return bool(messages)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Messages to store together; with a refusal, the one message to quarantine for it."""

    messages: Sequence[Message]
    refusal: str = ""

    def apart(self, error: Exception) -> list[_Parcel]:
        """Something in here cannot be stored: halve until it is alone. The first half is last,
        because the last is stored next."""
        middle = len(self.messages) // 2
        if middle:
            return [_Parcel(self.messages[middle:]), _Parcel(self.messages[:middle])]
        return [_Parcel(self.messages, f"{type(error).__name__}: {first_line(error)}")]


class _Worker:
    """Connections of one worker, and the stubbornness to store what it was given."""

    def __init__(self, settings: IngestSettings, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._conn: Connection | None = None
        self._redis = live.open_redis(settings.redis_url, REDIS_PATIENCE_S)
        self._redis_answers = True
        self._redis_at = 0.0  # not asked before
        self._lane = PlainLane()
        self._urgent: set[str] = set()
        self._beat_at = 0.0
        self._alive_since = 0.0  # since when heartbeats have come without a gap

    def introduce(self, filters: Sequence[str]) -> list[str]:
        """Connect and be known as alive; gives filters of an earlier life to unsubscribe from."""
        leave: list[str] = []
        name = self._settings.worker_name
        self._insist(lambda conn: leave.extend(ingest_workers.register(conn, name, filters)))
        return leave

    def store(self, messages: Sequence[Message]) -> None:
        """Return when all are committed; raises `Unavailable` only when told to stop."""
        waiting = [_Parcel(messages)]
        while waiting:
            parcel = waiting.pop()
            try:
                conn = self._connection()
                self._tell(self._store(parcel, conn))
            except Exception as error:  # noqa: BLE001 - what it is decides what happens to it
                if self._conn is None or is_away(error) or parcel.refusal:
                    self._lose_connection(error)
                    waiting.append(_Parcel(parcel.messages))
                else:
                    waiting += parcel.apart(error)

    def take_urgent(self) -> set[str]:
        """Topics of gas devices met since the last call."""
        urgent, self._urgent = self._urgent, set()
        return urgent

    def look_after(self, intake: Intake) -> None:
        """Every now and then: say that this worker is alive, publish what waits for the broker,
        and see to those workers that are not."""
        at = time.monotonic()
        if at - self._beat_at < BEAT_S:
            return
        if at - self._beat_at > 3 * BEAT_S:
            self._alive_since = at
        self._beat_at = at
        self._insist(lambda conn: self._look_after(conn, intake, at))

    def _look_after(self, conn: Connection, intake: Intake, at: float) -> None:
        name, silent_s = self._settings.worker_name, self._settings.silent_s
        if intake.cut_off_s() > silent_s:
            self._alive_since = at  # without the broker we are no better than dead
            return
        if not ingest_workers.beat(conn, name):
            ingest_workers.register(conn, name, shared_filters(subscriptions()))
        back = set(intake.displaced())
        back |= {
            dead for dead in intake.adopted() if not ingest_workers.keep_orphan(conn, name, dead)
        }
        for alive in back:
            intake.release(alive, end=False)
        for dead in intake.emptied():
            if intake.release(dead, end=True):
                ingest_workers.forget(conn, dead)
                log.warning("worker %s is gone: its sessions were emptied and ended here", dead)
        self._publish_due(conn, intake)
        # Whoever was cut off must not take the others for dead. One at a time: memory is bounded.
        if intake.adopted() or at - self._alive_since < silent_s:
            return
        orphan = ingest_workers.claim_orphan(conn, name, timedelta(seconds=silent_s), ABANDONED)
        if orphan is not None:
            log.warning("worker %s is silent for %g s: taking its messages", orphan.name, silent_s)
            intake.adopt(orphan.name, orphan.filters)

    def _publish_due(self, conn: Connection, intake: Intake) -> None:
        """Requests to devices: a worker that fails in between leaves them to the next."""
        now = datetime.now(UTC)
        for _ in range(OUTBOX_ROUNDS):
            with conn.transaction():
                due = outbox.claim_due(conn, now)
                sent = {m.id for m in due if intake.publish(m.topic, m.payload, m.qos)}
                outbox.mark_sent(conn, sorted(sent), now)
                for message in due:
                    if message.id not in sent:
                        outbox.mark_failed(conn, message, now)
            if not due:
                return

    def _insist(self, work: Callable[[Connection], None]) -> None:
        """Do it, however often the database has to be waited for."""
        while True:
            try:
                work(self._connection())
            except Exception as error:
                if not is_away(error):
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
        name = self._settings.worker_name
        if parcel.refusal:
            log.error("quarantined a message of %s: %s", parcel.messages[0].topic, parcel.refusal)
            batch = refuse_message(parcel.messages[0], REASON_STORE, parcel.refusal)
            return store_batch(conn, batch, datetime.now(UTC), worker=name)
        at = time.monotonic()
        registry = self._registry.current(conn, at)
        plain = self._lane.take(parcel.messages, registry)
        rest = [parcel.messages[number] for number in plain.rest]
        decoded = decode_messages(rest)
        self._registry.meet(conn, identities(decoded), at)
        self._urgent.update(urgent_topics(rest, decoded, registry))
        now = datetime.now(UTC)
        with conn.transaction():  # what is learned of Sparkplug sessions goes with the readings
            decoded = resolve_sessions(conn, rest, decoded, now)
            decoded = resolve_definitions(conn, rest, decoded, now)
            batch = build_batch(parcel.messages, decoded, registry, plain)
            return store_batch(conn, batch, now, worker=name, newest=self._newest)

    def _connection(self) -> Connection:
        if self._conn is None:
            conn = connect_when_ready(
                self._settings.database_url, log.warning,
                application="ingest", stopped=self._stop.wait,
            )  # fmt: skip
            conn.autocommit = True  # transactions are the steps' own
            self._registry = RegistryReader(conn, time.monotonic())
            self._newest = NewestKnown(conn)
            self._conn = conn
        return self._conn

    def _lose_connection(self, error: Exception) -> None:
        log.warning("database: %s; storing again in %g s", first_line(error), RETRY_S)
        if self._conn is not None:
            self._conn.close()
            self._conn = None
        if self._stop.wait(RETRY_S):
            raise Unavailable("stopped") from error

    def _tell(self, stored: Stored) -> None:
        if time.monotonic() < self._redis_at:
            return
        answered = not stored.readings or live.wake(self._redis, "evaluate")
        if stored.event_seq is not None:
            answered &= live.publish_event_seq(self._redis, stored.event_seq)
        if not answered:
            self._redis_at = time.monotonic() + REDIS_PAUSE_S
        if answered != self._redis_answers:
            self._redis_answers = answered
            if answered:
                log.info("redis answers again")
            else:
                log.warning("redis is away: evaluation finds batches by itself, a second later")
