"""MQTT in: messages are queued as they come and acknowledged when the caller has stored them."""

from __future__ import annotations

import queue
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.errors import Unavailable
from ingest.batch import Message
from ingest.broker import Broker, parse_broker

# All ingest workers share one subscription: each message goes to one of them.
SHARE = "$share/ingest/"
# A worker that is away for a day at most finds its messages waiting; then the session ends.
SESSION_EXPIRY_S = 86_400
KEEPALIVE_S = 30
# Waiting time between attempts to reach the broker, doubled up to the larger one. Not long: a
# broker that lost its sessions lets messages pass until we subscribe again.
RETRY_FIRST_S = 0.25
RETRY_MAX_S = 2.0
# Packets read before acknowledgements and pings get their turn.
READ_BURST = 500
RECEIVE_BYTES = 256 * 1024
# How long a stop waits for the last acknowledgements to leave.
FAREWELL_S = 2.0
# How long the examination of a broker waits for an answer.
EXAMINE_S = 3.0
# Where Mosquitto tells what it loses: with full queues, and to sessions nobody comes back to.
SYSTEM_TOPICS = ("version", "publish/messages/dropped", "clients/disconnected")

Say = Callable[[str], None]


def client_id_of(worker_name: str) -> str:
    """The name under which the broker keeps a worker's session."""
    return f"gridwarden-ingest-{worker_name}"


class _Client(paho.Client):
    """paho with fewer system calls and objects a message: reads ahead, takes a PUBLISH apart
    without building what nobody reads, acknowledges many messages in one packet."""

    def __init__(self, broker: Broker, client_id: str) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if broker.user is not None:
            self.username_pw_set(broker.user, broker.password)
        if broker.tls:
            self.tls_set_context(ssl.create_default_context())
        self._ahead = b""
        self._ahead_at = 0
        self.drained = True
        self.on_publish_packet: Callable[[str, bytes, bool, int], None] | None = None

    def forget_ahead(self) -> None:
        """A new connection starts with nothing read."""
        self._ahead, self._ahead_at, self.drained = b"", 0, True

    def _sock_recv(self, bufsize: int) -> bytes:
        start = self._ahead_at
        if start >= len(self._ahead):
            try:
                self._ahead = super()._sock_recv(RECEIVE_BYTES)
            except BlockingIOError:
                self.drained = True
                raise
            start = 0
        self._ahead_at = end = start + bufsize
        return self._ahead[start:end]

    def _handle_publish(self) -> MQTTErrorCode:
        if self.on_publish_packet is None:
            return super()._handle_publish()
        packet = self._in_packet["packet"]
        flags = self._in_packet["command"]
        try:
            at = 2 + (packet[0] << 8 | packet[1])
            topic = packet[2:at].decode()
            mid = 0
            if flags & 0x06:
                mid = packet[at] << 8 | packet[at + 1]
                at += 2
            at += _properties_length(packet, at)
        except (IndexError, UnicodeDecodeError):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.on_publish_packet(topic, bytes(packet[at:]), bool(flags & 0x01), mid)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def acknowledge(self, mids: Sequence[int]) -> None:
        """PUBACK for each, in one write."""
        packets = struct.pack(">" + "HH" * len(mids), *(w for mid in mids for w in (0x4002, mid)))
        self._packet_queue(paho.PUBACK, packets, mids[-1], 1)


def _properties_length(packet: bytes | bytearray, at: int) -> int:
    """Bytes that the MQTT 5 properties take up, their length field included."""
    length = shift = 0
    start = at
    while True:
        byte = packet[at]
        length |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return at - start + length
        shift += 7


class Inbox:
    """One worker's place in the shared subscription, with a queue of messages to store.

    The broker keeps what is not acknowledged: at most `receive_maximum` messages are here. A
    message id means something only on the connection that brought it, so acknowledgements of
    an earlier connection are dropped; the broker sends those messages again.
    """

    def __init__(
        self, url: str, client_id: str, filters: Sequence[str], receive_maximum: int, say: Say
    ) -> None:
        self._broker = parse_broker(url)
        self._filters = tuple(filters)
        self._receive_maximum = receive_maximum
        self._say = say
        self._client = _Client(self._broker, client_id)
        self._client.on_publish_packet = self._enqueue
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stored: deque[tuple[int, list[int]]] = deque()
        self._connection = 0
        self._retry_s = RETRY_FIRST_S
        self._taking = True
        self._closing = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connect in the background and go on connecting until closed."""
        connect = Properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = SESSION_EXPIRY_S
        connect.ReceiveMaximum = self._receive_maximum
        self._client.connect_async(
            self._broker.host, self._broker.port, KEEPALIVE_S,
            clean_start=False, properties=connect,
        )  # fmt: skip
        self._thread.start()

    def take(self, limit: int, gather_s: float, wait_s: float) -> list[Message]:
        """Wait up to `wait_s` for a message, then `gather_s` for more; at most `limit`."""
        try:
            messages = [self._queue.get(timeout=wait_s)]
        except queue.Empty:
            return []
        until = time.monotonic() + gather_s
        while len(messages) < limit:
            try:
                messages.append(self._queue.get_nowait())
            except queue.Empty:
                rest = until - time.monotonic()
                if rest <= 0:
                    break
                time.sleep(min(rest, gather_s / 4))
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are stored; call it after the commit, in order."""
        connection = self._connection
        mids = [m.mid for m in messages if m.mid and m.connection == connection]
        if mids:
            self._stored.append((connection, mids))
            self._wake()

    def stop_taking(self) -> None:
        """What arrives from now on is left to the broker."""
        self._taking = False

    def close(self) -> None:
        """Send the last acknowledgements, say goodbye, keep the session."""
        self.stop_taking()
        self._closing.set()
        self._wake()
        self._thread.join()
        self._wake_read.close()
        self._wake_write.close()

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
            except OSError as error:
                self._say(
                    f"broker {self._broker} does not answer ({_reason(error)});"
                    f" trying again in {self._retry_s:g} s"
                )
            self._closing.wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _converse(self) -> None:
        """Read, acknowledge and ping until the connection ends."""
        client = self._client
        while (sock := client.socket()) is not None and not self._closing.is_set():
            writing = [sock] if client.want_write() else []
            patience = 1.0 if client.drained else 0.0
            readable, writable, _ = select.select([sock, self._wake_read], writing, [], patience)
            if self._wake_read in readable:
                with suppress(BlockingIOError):
                    self._wake_read.recv(4096)
            self._send_acknowledgements()
            if sock in readable or not client.drained:
                client.drained = False
                for _ in range(READ_BURST):
                    client.loop_read()
                    if client.drained or client.socket() is None:
                        break
            if writable:
                client.loop_write()
            client.loop_misc()
        if self._closing.is_set():
            self._say_goodbye()

    def _send_acknowledgements(self) -> None:
        while self._stored:
            connection, mids = self._stored.popleft()
            if connection == self._connection:
                self._client.acknowledge(mids)

    def _say_goodbye(self) -> None:
        self._send_acknowledgements()
        until = time.monotonic() + FAREWELL_S
        while self._client.want_write() and time.monotonic() < until:
            self._client.loop_write()
        self._client.disconnect()

    def _enqueue(self, topic: str, payload: bytes, retain: bool, mid: int) -> None:
        if not self._taking:
            return
        # QoS 0 has no limit of its own: a full queue makes the broker wait, by not reading on.
        while self._queue.qsize() >= 2 * self._receive_maximum and self._taking:
            time.sleep(0.005)
        self._queue.put(Message(topic, payload, retain, datetime.now(UTC), mid, self._connection))

    def _connected(
        self, client: paho.Client, _: Any, flags: paho.ConnectFlags, reason: ReasonCode, __: Any
    ) -> None:
        if reason.is_failure:
            self._say(f"broker {self._broker} refuses: {reason}")
            return
        self._connection += 1
        self._retry_s = RETRY_FIRST_S
        session = "the session was kept" if flags.session_present else "a new session"
        self._say(f"connected to broker {self._broker}, {session}")
        # The sender's retain flag is not wanted (it says nothing about age): without "retain as
        # published" the flag is set only on what the broker had kept.
        options = SubscribeOptions(qos=1, noLocal=False, retainAsPublished=False)
        client.subscribe([(SHARE + topic, options) for topic in self._filters])

    def _subscribed(
        self, _: paho.Client, __: Any, ___: int, reasons: list[ReasonCode], ____: Any
    ) -> None:
        refused = [f for f, r in zip(self._filters, reasons, strict=False) if r.is_failure]
        if refused:
            self._say(f"broker {self._broker} refuses to deliver {', '.join(refused)}")

    def _disconnected(
        self, _: paho.Client, __: Any, ___: Any, reason: ReasonCode, ____: Any
    ) -> None:
        if self._closing.is_set():
            return
        hint = "; another worker runs under this name" if reason == "Session taken over" else ""
        self._say(f"connection to broker {self._broker} lost ({reason}{hint})")


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


class _Visit:
    """A short connection to ask a broker something."""

    def __init__(self, broker: Broker, client_id: str) -> None:
        self.topics: dict[str, str] = {}
        self.offered: Properties | None = None
        self._refusal = ""
        self._client = _Client(broker, client_id)
        self._client.on_connect = self._connected
        self._client.on_publish_packet = self._heard
        try:
            self._client.connect(broker.host, broker.port, KEEPALIVE_S, clean_start=True)
        except OSError as error:
            raise Unavailable(f"broker {broker} does not answer: {_reason(error)}") from error
        if not self._until(lambda: self.offered is not None or bool(self._refusal)):
            raise Unavailable(f"broker {broker} does not answer")
        if self._refusal:
            raise Unavailable(f"broker {broker} refuses: {self._refusal}")

    def listen(self, prefix: str, names: Sequence[str]) -> None:
        """Collect retained topics, as many as come."""
        self._client.subscribe([(prefix + name, SubscribeOptions(qos=0)) for name in names])
        self._until(lambda: len(self.topics) == len(names))

    def close(self) -> None:
        self._client.disconnect()

    def _connected(
        self, _: paho.Client, __: Any, ___: Any, reason: ReasonCode, offered: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            self.offered = offered or Properties(PacketTypes.CONNACK)

    def _heard(self, topic: str, payload: bytes, retain: bool, mid: int) -> None:
        self.topics[topic] = payload.decode("utf-8", "replace")

    def _until(self, done: Callable[[], bool]) -> bool:
        until = time.monotonic() + EXAMINE_S
        while not done() and time.monotonic() < until:
            if self._client.loop(timeout=0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
            while not self._client.drained and self._client.socket() is not None:
                self._client.loop_read()
        return done()


def end_session(url: str, client_id: str) -> None:
    """End the session of a worker that is gone for good, or the broker would go on queueing its
    share of the messages for it."""
    _Visit(parse_broker(url), client_id).close()


def examine_broker(url: str) -> Iterator[tuple[bool, str]]:
    """What an engineer wants to know of a broker: (is it fine, what was found)."""
    broker = parse_broker(url)
    visit = _Visit(broker, "")
    try:
        visit.listen("$SYS/broker/", SYSTEM_TOPICS)
    finally:
        visit.close()
    told = {topic.removeprefix("$SYS/broker/"): text for topic, text in visit.topics.items()}
    yield True, f"{broker} answers, {told.get('version', 'which does not tell its version')}"
    shared = getattr(visit.offered, "SharedSubscriptionAvailable", 1) == 1
    yield shared, f"shared subscriptions {'work' if shared else 'are switched off'}"
    quality = getattr(visit.offered, "MaximumQoS", 2)
    yield quality >= 1, f"highest quality of service {quality}"
    if dropped := told.get("publish/messages/dropped"):
        yield dropped == "0", f"{dropped} messages dropped since the broker started"
    if away := told.get("clients/disconnected"):
        yield True, f"{away} sessions kept for clients that are away"
