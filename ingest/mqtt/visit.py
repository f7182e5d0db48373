"""Short connections to a broker: end a session, examine what it promises."""

from __future__ import annotations

import select
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.errors import Unavailable
from ingest.broker import Broker, parse_broker
from ingest.message import Message
from ingest.mqtt.client import KEEPALIVE_S, Client, Run, reason_of
from ingest.packets import read_publishes

# How long the examination of a broker waits for an answer.
EXAMINE_S = 3.0
# Where Mosquitto tells what it loses: with full queues, and to sessions nobody comes back to.
SYSTEM_TOPICS = ("version", "publish/messages/dropped", "clients/disconnected")
# Messages that a broker must keep for a client that is away. Mosquitto's own default is 1,000 and
# the rest is dropped without a word; a worker that restarts is owed more than that.
KEPT_AT_LEAST = 2_000
# Seconds after which the broker forgets the session of such a test, should we not end it.
TEST_EXPIRY_S = 60


class Visit:
    """A short connection to ask a broker something."""

    def __init__(self, broker: Broker, client_id: str, *, keep_s: int = 0) -> None:
        """`keep_s` is how long the broker keeps the session after the visit; a session that is
        kept is also taken up again."""
        self.messages: list[Message] = []
        self.offered: Properties | None = None
        self._acknowledged = 0
        self._granted: list[ReasonCode] = []
        self._refusal = ""
        self._client = Client(broker, client_id)
        self._client.max_inflight_messages_set(KEPT_AT_LEAST)
        self._client.on_connect = self._connected
        self._client.on_publish = self._was_published
        self._client.on_subscribe = self._was_subscribed
        connect = Properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = keep_s
        try:
            self._client.connect(
                broker.host, broker.port, KEEPALIVE_S, clean_start=not keep_s, properties=connect
            )
        except OSError as error:
            reason = reason_of(error)
            raise Unavailable(f"broker {broker} does not answer: {reason}") from error
        if not self._until(lambda: self.offered is not None or bool(self._refusal)):
            raise Unavailable(f"broker {broker} does not answer")
        if self._refusal:
            raise Unavailable(f"broker {broker} refuses: {self._refusal}")

    def listen(self, topics: Sequence[str], qos: int = 0) -> None:
        """Subscribe."""
        self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic in topics])

    def listen_and_hear(self, topics: Sequence[str], qos: int = 0) -> bool:
        """Subscribe and wait for the answer; whether the broker delivers all of it."""
        self.listen(topics, qos)
        self._until(lambda: bool(self._granted))
        return bool(self._granted) and not any(reason.is_failure for reason in self._granted)

    def publish(self, topic: str, count: int, body: bytes = b"?") -> bool:
        """Publish so many small messages; True if the broker has taken all of them."""
        wanted = self._acknowledged + count
        for _ in range(count):
            self._client.publish(topic, body, qos=1)
        return self._until(lambda: self._acknowledged == wanted)

    def lasts(self, seconds: float) -> bool:
        """Whether the connection still stands after so long."""
        self._until(lambda: False, seconds)
        self._client.loop_misc()
        return self._client.socket() is not None

    def wait_for(self, count: int) -> int:
        """Take so many messages, or as many as come; how many came."""
        self._until(lambda: len(self.messages) >= count)
        return len(self.messages)

    def close(self, *, end: bool = True) -> None:
        """Say goodbye; the session ends with it, unless it is to be kept."""
        goodbye = Properties(PacketTypes.DISCONNECT)
        if end:
            goodbye.SessionExpiryInterval = 0
        self._client.disconnect(properties=goodbye)

    def _connected(
        self, _: paho.Client, __: Any, ___: Any, reason: ReasonCode, offered: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            self.offered = offered or Properties(PacketTypes.CONNACK)

    def _was_published(self, *_: Any) -> None:
        self._acknowledged += 1

    def _take(self, runs: Sequence[Run]) -> None:
        for run in runs:
            messages, owed = read_publishes(run.packets, datetime.now(UTC), False, "")
            self.messages += messages
            if owed:
                self._client.acknowledge(owed)

    def _was_subscribed(
        self, _: paho.Client, __: Any, ___: int, reasons: list[ReasonCode], ____: Any
    ) -> None:
        self._granted += reasons

    def _until(self, done: Callable[[], bool], seconds: float = EXAMINE_S) -> bool:
        client, until = self._client, time.monotonic() + seconds
        while not done() and time.monotonic() < until and (sock := client.socket()) is not None:
            writing = [sock] if client.want_write() else []
            readable, writable, _ = select.select([sock], writing, [], 0.1)
            if readable:
                client.drained = False
            if writable:
                client.loop_write()
            while not client.drained and client.socket() is not None:
                self._take(client.read())
        return done()


def end_session(url: str, client_id: str) -> None:
    """End a session; what waits in it is lost."""
    Visit(parse_broker(url), client_id).close()


def examine_broker(url: str, *, shared: bool = False) -> Iterator[tuple[bool, str]]:
    """What an engineer wants to know of a broker: (is it fine, what was found). `shared`: the
    installation reads it through shared subscriptions."""
    broker = parse_broker(url)
    visit = Visit(broker, "")
    try:
        visit.listen([f"$SYS/broker/{name}" for name in SYSTEM_TOPICS])
        visit.wait_for(len(SYSTEM_TOPICS))
    finally:
        visit.close()
    told = {
        message.topic.removeprefix("$SYS/broker/"): message.payload.decode("utf-8", "replace")
        for message in visit.messages
    }
    yield True, f"{broker} answers, {told.get('version', 'which does not tell its version')}"
    offered = getattr(visit.offered, "SharedSubscriptionAvailable", 1) == 1
    if shared:
        yield offered, f"shared subscriptions {'are offered' if offered else 'are switched off'}"
    quality = getattr(visit.offered, "MaximumQoS", 2)
    yield quality >= 1, f"highest quality of service {quality}"
    if dropped := told.get("publish/messages/dropped"):
        yield dropped == "0", f"{dropped} messages dropped since the broker started"
    if away := told.get("clients/disconnected"):
        yield True, f"{away} sessions kept for clients that are away"
    yield _examine_queue(broker)


def _examine_queue(broker: Broker) -> tuple[bool, str]:
    """Whether the broker keeps messages for a client that is away: tried, as none tells."""
    name = f"gridwarden-doctor-{uuid.uuid4().hex[:12]}"
    topic = f"gridwarden/doctor/{name}"
    first = Visit(broker, name, keep_s=TEST_EXPIRY_S)
    first.listen([topic], qos=1)
    first.close(end=False)
    sender = Visit(broker, f"{name}-sender")
    taken = sender.publish(topic, KEPT_AT_LEAST)
    sender.close()
    again = Visit(broker, name, keep_s=TEST_EXPIRY_S)
    kept = again.wait_for(KEPT_AT_LEAST)
    again.close()
    if not taken:
        return False, "does not acknowledge messages of quality of service 1"
    if kept < KEPT_AT_LEAST:
        return False, (
            f"kept {kept} of {KEPT_AT_LEAST} messages for a client that was away: raise"
            " max_queued_messages (Mosquitto) or its like, or readings are lost at every restart"
        )
    return True, f"keeps at least {kept} messages for a client that is away"
