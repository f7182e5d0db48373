"""MQTT in: messages are queued as they come and acknowledged when the caller has stored them."""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.broker import parse_broker
from ingest.message import GAS_LANE, Message
from ingest.mqtt.client import KEEPALIVE_S, Client, reason_of

# A worker that is away for a day at most finds its messages waiting; then the session ends.
SESSION_EXPIRY_S = 86_400
# Waiting time between attempts to reach the broker, doubled up to the larger one. Not long: a
# broker that lost its sessions lets messages pass until we subscribe again.
RETRY_FIRST_S = 0.25
RETRY_MAX_S = 2.0
# Reads before acknowledgements and pings get their turn.
READ_BURST = 4
# Bytes of messages that one inbox holds; what is beyond stays with the broker. Two lanes and a
# batch under way make at most about 200 MiB a worker, however large the messages are.
QUEUE_BYTES = 64 * 1024 * 1024
# Bytes of messages that are stored together.
BATCH_BYTES = 16 * 1024 * 1024
# What a message takes up beside its payload and topic.
MESSAGE_BYTES = 250
# No broker may send a packet larger than this. Ours accepts messages of 2 MiB.
PACKET_BYTES = 4 * 1024 * 1024
# Topics by which a worker tells itself where somebody else takes over, and how long such a
# message may be on its way.
FENCES = "gridwarden/fence/"
FENCE_S = 10.0
# Instead of the topic of a message that is only to be acknowledged; MQTT knows no empty topic.
PASSED_OVER = ""
# A broker that does not answer is said so again after this.
SAY_AGAIN_S = 60.0
# How long a stop waits for the last acknowledgements to leave.
FAREWELL_S = 2.0

Say = Callable[[str], None]
Skip = Callable[[str], bool]


def client_id_of(worker_name: str) -> str:
    """The name under which the broker keeps a worker's session."""
    return f"gridwarden-ingest-{worker_name}"


def gas_client_id_of(worker_name: str) -> str:
    """The name of the session in which a worker's gas messages wait, apart from all others."""
    return client_id_of(worker_name) + GAS_LANE


# Connections of all inboxes of this process, counted: an acknowledgement finds its own.
_connections = itertools.count(1)


class Inbox:
    """One place in a shared subscription, with a queue of messages to store.

    The broker keeps what is not acknowledged: at most `receive_maximum` messages (twice as many
    of QoS 0) and about `QUEUE_BYTES` are here, whatever arrives. A message id means something
    only on the connection that brought it, so acknowledgements of an earlier connection are
    dropped; the broker sends those messages again.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        filters: Sequence[str],
        receive_maximum: int,
        say: Say,
        *,
        share: str = "ingest",
        skip: Skip | None = None,
        arrived: threading.Event | None = None,
    ) -> None:
        """Topics for which `skip` is true are somebody else's behind the fence. `arrived` is set
        when there is something to take."""
        self.client_id = client_id
        self.arrived = arrived or threading.Event()
        self._broker = parse_broker(url)
        self._filters = tuple(f"$share/{share}/{topic}" for topic in filters)
        self._leave: tuple[str, ...] = ()
        self._receive_maximum = receive_maximum
        self._say = say
        self._skip = skip
        self._client = Client(self._broker, client_id)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_unsubscribe = self._unsubscribed
        # Or paho would write from whatever thread has something to say, into the middle of
        # packets that the connection's own thread is writing.
        self._client.on_socket_register_write = lambda *_: self._wake()
        self._queue: deque[Message] = deque()  # filled by the connection's thread
        self._waiting: deque[Message] = deque()  # of the thread that takes
        self.urgent: Container[str] = frozenset()  # topics that go first when not all can
        self._bytes_in = self._bytes_out = 0  # each written by one thread only
        self._owed: list[Message] = []  # taken and not yet acknowledged
        self._stored: deque[tuple[int, list[int]]] = deque()
        self._connection = 0
        self._fence = f"{FENCES}{client_id}"
        self._fence_number = 0
        self._fence_due_at = 0.0  # when a fence that has not come is raised again
        self._skipping = False
        self._retry_s = RETRY_FIRST_S
        self._taking = True
        self._expiry_s: int | None = None
        self._closing = threading.Event()
        self.subscribed = False  # the broker has confirmed it on the connection of now
        self.unsubscribed = False
        self.sessions_lost = 0  # connections to a broker that had kept nothing for us
        self._heard_at = self._lost_at = time.monotonic()
        self._say_away_at = 0.0
        self._said_goodbye = False
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=client_id, daemon=True)

    def start(self) -> None:
        """Connect in the background and go on connecting until closed."""
        connect = Properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = SESSION_EXPIRY_S
        connect.ReceiveMaximum = self._receive_maximum
        connect.MaximumPacketSize = PACKET_BYTES
        self._client.connect_async(
            self._broker.host, self._broker.port, KEEPALIVE_S,
            clean_start=False, properties=connect,
        )  # fmt: skip
        self._thread.start()

    def leave(self, filters: Sequence[str]) -> None:
        """Unsubscribe from these, now and after every reconnect."""
        self._leave = tuple(filters)
        if filters and self._client.is_connected():
            self._client.unsubscribe(list(filters))

    def take(self, limit: int, gather_s: float, wait_s: float) -> list[Message]:
        """Wait up to `wait_s` for a message, then `gather_s` for more; at most `limit`."""
        return gather([self], limit, gather_s, wait_s)

    def take_now(self, limit: int, size: int) -> list[Message]:
        """What is here, oldest first: at most `limit` messages of `size` bytes together, but at
        least one."""
        if not self._thread.is_alive() and not self.is_closed:
            raise RuntimeError(f"the connection of {self.client_id} has died")
        waiting = self._waiting
        while self._queue:
            waiting.append(self._queue.popleft())
        if len(waiting) > limit and self.urgent:
            waiting = deque(sorted(waiting, key=lambda message: message.topic not in self.urgent))
        messages: list[Message] = []
        while waiting and len(messages) < limit and size > 0:
            message = waiting.popleft()
            if message.mid:
                self._owed.append(message)
            if message.topic != PASSED_OVER:
                messages.append(message)
                size -= _size(message)
                self._bytes_out += _size(message)
        self._waiting = waiting
        return messages

    def __len__(self) -> int:
        return len(self._queue) + len(self._waiting)

    def publish(self, topic: str, payload: bytes, qos: int) -> bool:
        """Hand a message to the broker; False if there is no connection or it cannot be sent."""
        if not self._client.is_connected():  # paho would keep it, and we would publish it again
            return False
        try:
            sent = self._client.publish(topic, payload, qos)
        except ValueError as error:
            self._say(f"cannot publish to {topic!r}: {error}")
            return False
        return sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def next_fence(self) -> tuple[str, bytes] | None:
        """What whoever takes care of the skipped topics publishes over its own connection, to
        prove that it gets them; None while nothing is to be published. The broker may hold
        messages for us that are older: only what comes behind this one is skipped."""
        at = time.monotonic()
        if not self.subscribed or self._skipping or at < self._fence_due_at:
            return None
        if self._fence_due_at:
            self._say(f"{self._fence} does not come back: all of gas is stored from both lanes")
        self._fence_number += 1
        self._fence_due_at = at + FENCE_S
        return self._fence, b"%d" % self._fence_number

    def drop_fence(self) -> None:
        """Nothing is skipped until the next fence has come."""
        self._fence_number += 1
        self._fence_due_at = 0.0
        self._skipping = False

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are stored, and that we passed others over; call it after
        the commit. The order is that of arrival: Mosquitto looks for each from the oldest on."""
        connection = self._connection
        stored = {m.mid for m in messages if m.connection == connection}
        owed, self._owed = self._owed, []
        mids = []
        for message in owed:
            if message.topic == PASSED_OVER or message.mid in stored:
                if message.connection == connection:
                    mids.append(message.mid)
            elif message.connection == connection:
                self._owed.append(message)
        if mids:
            self._stored.append((connection, mids))
        self._wake()  # also where reading had stopped because too much was waiting

    def stop_taking(self) -> None:
        """What arrives from now on is left to the broker."""
        self._taking = False

    def silent_s(self) -> float:
        """Seconds since a message arrived on a connection that stands; none without one."""
        return time.monotonic() - self._heard_at if self._client.is_connected() else 0.0

    def cut_off_s(self) -> float:
        """Seconds since the broker last delivered to us; none while it does."""
        return 0.0 if self.subscribed else time.monotonic() - self._lost_at

    def close(self, *, end_session: bool = False) -> bool:
        """Send the last acknowledgements, say goodbye, keep the session or end it; whether the
        goodbye could be said."""
        self.stop_taking()
        self._expiry_s = 0 if end_session else None
        self._closing.set()
        self._wake()
        self._thread.join()
        self._wake_read.close()
        self._wake_write.close()
        return self._said_goodbye

    @property
    def is_closed(self) -> bool:
        return self._closing.is_set()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._wake_write.send(b"\0")

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._client.forget_ahead()
                self._client.reconnect()
                self._converse()
            except (OSError, ValueError) as error:  # select: a socket that was closed meanwhile
                self._say_away(error)
            self._closing.wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _say_away(self, error: OSError | ValueError) -> None:
        """Once, and then every minute."""
        at = time.monotonic()
        if at >= self._say_away_at:
            self._say_away_at = at + SAY_AGAIN_S
            self._say(f"broker {self._broker} does not answer ({reason_of(error)}); trying again")

    def _converse(self) -> None:
        """Read, acknowledge and ping until the connection ends."""
        client = self._client
        while (sock := client.socket()) is not None and not self._closing.is_set():
            full = self._is_full()
            reading = [self._wake_read] if full else [sock, self._wake_read]
            writing = [sock] if client.want_write() else []
            patience = 1.0 if client.drained or full else 0.0
            readable, writable, _ = select.select(reading, writing, [], patience)
            if self._wake_read in readable:
                with suppress(BlockingIOError):
                    self._wake_read.recv(4096)
            self._send_acknowledgements()
            if full:
                client.stay_alive()  # its answers to our pings lie unread behind the messages
            elif sock in readable or not client.drained:
                self._read()
            if writable:
                client.loop_write()
            client.loop_misc()
        if self._closing.is_set():
            self._say_goodbye()

    def _is_full(self) -> bool:
        """Reading on would take more memory than we promised: the broker has to wait. The
        count is for messages of QoS 0, which the receive maximum does not limit."""
        too_large = self._bytes_in - self._bytes_out >= QUEUE_BYTES
        return self._taking and (too_large or len(self) >= 2 * self._receive_maximum)

    def _read(self) -> None:
        client = self._client
        client.drained = False
        for _ in range(READ_BURST):
            self._enqueue(client.read(self._connection))
            if client.drained or client.socket() is None:
                break

    def _enqueue(self, messages: list[Message]) -> None:
        if not messages or not self._taking:
            return
        self._heard_at = time.monotonic()
        messages = [self._passed_over(message) for message in messages]
        self._bytes_in += sum(_size(m) for m in messages if m.topic != PASSED_OVER)
        self._queue.extend(messages)
        self.arrived.set()

    def _passed_over(self, message: Message) -> Message:
        """The message, or its bare number if it is a fence, or lies behind ours and is somebody
        else's."""
        if message.topic == self._fence:
            self._skipping = message.payload == b"%d" % self._fence_number
        elif not message.topic.startswith(FENCES) and not (
            self._skipping and self._skip is not None and self._skip(message.topic)
        ):
            return message
        return message._replace(topic=PASSED_OVER, payload=b"")

    def _send_acknowledgements(self) -> None:
        while self._stored:
            connection, mids = self._stored.popleft()
            if connection == self._connection:
                self._client.acknowledge(mids)

    def _say_goodbye(self) -> None:
        self._send_acknowledgements()
        self._write_out()
        goodbye = Properties(PacketTypes.DISCONNECT)
        if self._expiry_s is not None:
            goodbye.SessionExpiryInterval = self._expiry_s
        result = self._client.disconnect(properties=goodbye)
        self._write_out()
        self._said_goodbye = result == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _write_out(self) -> None:
        """Send what waits, if the broker takes it soon."""
        client, until = self._client, time.monotonic() + FAREWELL_S
        while client.want_write() and time.monotonic() < until:
            if (sock := client.socket()) is None:
                break
            select.select([], [sock], [], 0.1)
            client.loop_write()

    def _connected(
        self, client: paho.Client, _: Any, flags: paho.ConnectFlags, reason: ReasonCode, __: Any
    ) -> None:
        if reason.is_failure:
            self._say(f"broker {self._broker} refuses: {reason}")
            return
        self._connection = next(_connections)
        self.drop_fence()
        self.unsubscribed = False
        self.sessions_lost += not flags.session_present
        self._retry_s = RETRY_FIRST_S
        self._say_away_at = 0.0
        self._heard_at = time.monotonic()
        session = "the session was kept" if flags.session_present else "a new session"
        self._say(f"connected to broker {self._broker} as {self.client_id}, {session}")
        if self._leave:
            client.unsubscribe(list(self._leave))
        # The sender's retain flag is not wanted (it says nothing about age): without "retain as
        # published" the flag is set only on what the broker had kept.
        options = SubscribeOptions(qos=1, noLocal=False, retainAsPublished=False)
        if topics := self._topics():
            client.subscribe([(topic, options) for topic in topics])

    def _topics(self) -> tuple[str, ...]:
        return self._filters if self._skip is None else (*self._filters, self._fence)

    def _subscribed(
        self, _: paho.Client, __: Any, ___: int, reasons: list[ReasonCode], ____: Any
    ) -> None:
        topics = self._topics()
        refused = [topic for topic, r in zip(topics, reasons, strict=False) if r.is_failure]
        if refused:
            self._say(f"broker {self._broker} refuses to deliver {', '.join(refused)}")
        self.subscribed = not refused

    def _unsubscribed(self, *_: Any) -> None:
        self.unsubscribed = True

    def _disconnected(
        self, _: paho.Client, __: Any, ___: Any, reason: ReasonCode, ____: Any
    ) -> None:
        self.subscribed = self.unsubscribed = False
        self._lost_at = time.monotonic()
        if self._closing.is_set():
            return
        hint = ""
        if reason == "Session taken over":
            hint = "; another worker runs under this name"
            if not self._filters:  # we had only stood in for it
                self._closing.set()
        self._say(f"connection to broker {self._broker} lost ({reason}{hint})")


def gather(inboxes: Sequence[Inbox], limit: int, gather_s: float, wait_s: float) -> list[Message]:
    """Wait up to `wait_s` for a message in any of the inboxes, which share one `arrived`, then
    `gather_s` for more; at most `limit` and about `BATCH_BYTES`, from the first inbox first."""
    arrived = inboxes[0].arrived
    until = time.monotonic() + wait_s
    messages: list[Message] = []
    while not messages:
        arrived.clear()
        _take_in_turn(inboxes, limit, messages)
        rest = until - time.monotonic()
        if not messages and (rest <= 0 or not arrived.wait(rest)):
            return messages
    until = time.monotonic() + gather_s
    while len(messages) < limit and (rest := until - time.monotonic()) > 0:
        time.sleep(min(rest, gather_s / 4))
        if not _take_in_turn(inboxes, limit, messages):
            break
    return messages


def _take_in_turn(inboxes: Sequence[Inbox], limit: int, messages: list[Message]) -> bool:
    """Add what is there; whether there is room for more."""
    room = BATCH_BYTES - sum(map(_size, messages))
    for inbox in inboxes:
        if len(messages) < limit and room > 0:
            taken = inbox.take_now(limit - len(messages), room)
            messages += taken
            room -= sum(map(_size, taken))
    return room > 0


def _size(message: Message) -> int:
    return len(message.payload) + len(message.topic) + MESSAGE_BYTES
