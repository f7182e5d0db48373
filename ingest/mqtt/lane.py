"""One persistent session at the broker: what comes is taken as bytes and acknowledged in order.

A lane has no thread and no queue for others: the loop that owns it says when to connect, read and
write (`ingest.inbox`). A message id means something only on the connection that brought it, so
acknowledgements of an earlier connection are dropped; the broker sends those messages again.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from select import select
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.broker import parse_broker
from ingest.message import MICROSECOND
from ingest.mqtt.client import KEEPALIVE_S, Client, Run, reason_of
from ingest.packets import read_publishes, split_packets

# Whoever is away for a day at most finds the messages waiting; then the session ends.
SESSION_EXPIRY_S = 86_400
# Waiting time between attempts to reach the broker, doubled up to the larger one. Not long: after
# a restart everybody waits for the first message, and an attempt costs nothing.
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 0.5
# Bytes of messages that one lane holds; what is beyond stays with the broker.
HELD_BYTES = 64 * 1024 * 1024
# A clock that was set back by more than this is believed.
CLOCK_BACK = timedelta(seconds=1)
NEVER = datetime.min.replace(tzinfo=UTC)
# A larger packet the broker would throw away instead of sending it. Ours accepts messages of
# 16 MiB, so that they reach us, to be rejected by name.
PACKET_BYTES = 20 * 1024 * 1024
# How long an attempt to connect may hold the caller up.
CONNECT_S = 2.0
# A broker that does not answer is said so again after this.
SAY_AGAIN_S = 60.0
# How long a stop waits for the last acknowledgements to leave.
FAREWELL_S = 2.0
# Retained messages come once, when the session is new: afterwards they would be repeats.
RETAINED_IF_NEW = 1

Say = Callable[[str], None]


@dataclass(slots=True, eq=False)
class Piece:
    """Messages that came in one read, in their order, until they are acknowledged."""

    lane: Lane
    connection: int
    packets: bytes
    count: int
    received_at: datetime
    pass_over_gas: bool = False
    again: bool = False  # handed to a worker before, which may have stored them
    deaths: int = 0  # workers that ended while they had it
    owed: bytes | None = None  # the acknowledgements, once the messages are stored


class Lane:
    """A session with its connection, as often as that has to be made."""

    def __init__(
        self,
        url: str,
        client_id: str,
        receive_maximum: int,
        say: Say,
        *,
        run_max: int = 2000,
        mark_topic: str = "",
    ) -> None:
        """Messages that are read at once stay together, at most `run_max`. One on `mark_topic`
        is not handed on; behind the one that is expected gas is passed over."""
        self.client_id = client_id
        self._broker = parse_broker(url)
        self._filters: tuple[str, ...] = ()
        self._leave: tuple[str, ...] = ()
        self._mark_topic = mark_topic.encode()
        self._receive_maximum = receive_maximum
        self._say = say
        self._client = Client(self._broker, client_id, run_max)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_unsubscribe = self._unsubscribed
        self._client.connect_timeout = CONNECT_S
        # Or paho would write from whatever thread has something to say, into the middle of
        # packets that the loop is writing.
        self._client.on_socket_register_write = lambda *_: None
        connect = Properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = SESSION_EXPIRY_S
        connect.ReceiveMaximum = receive_maximum
        connect.MaximumPacketSize = PACKET_BYTES
        self._client.connect_async(
            self._broker.host, self._broker.port, KEEPALIVE_S,
            clean_start=False, properties=connect,
        )  # fmt: skip
        self.waiting: deque[Piece] = deque()  # read, and not yet handed on
        self._unanswered: deque[Piece] = deque()  # read, and not yet acknowledged, oldest first
        self._held_bytes = self._held_count = 0
        self.connection = 0  # counted: an acknowledgement belongs to one
        self.expect_mark(None)
        self.sessions_lost = 0  # connections to a broker that had kept nothing for us
        self.newest_at = NEVER  # receipt of the newest message
        self.subscribed = False  # the broker has confirmed it on the connection of now
        self.unsubscribed = False
        self.displaced = False  # somebody else has taken the session
        self._retry_s, self._retry_at = RETRY_FIRST_S, 0.0
        self._say_away_at = 0.0
        self.heard_at = time.monotonic()

    def listen(self, filters: Sequence[str]) -> None:
        """Subscribe to these, now and after every reconnect."""
        if tuple(filters) == self._filters:
            return
        self._filters = tuple(filters)
        self._leave = tuple(topic for topic in self._leave if topic not in self._filters)
        if self._client.is_connected():
            self.subscribed = False
            self._subscribe()

    def leave(self, filters: Sequence[str]) -> None:
        """Unsubscribe from these, now and after every reconnect."""
        self._leave = tuple(filters)
        if filters and self._client.is_connected():
            self._client.unsubscribe(list(filters))

    # -- the connection ------------------------------------------------------------------------

    @property
    def sock(self) -> socket.socket | None:
        """The socket of the connection of now."""
        return cast("socket.socket | None", self._client.socket())

    def connect_if_due(self, at: float) -> None:
        """Try again to reach the broker, if it is time (`at` is monotonic). A name that does not
        resolve or a host that does not answer holds the caller up for some seconds."""
        if self.sock is not None or at < self._retry_at:
            return
        try:
            self._client.forget_ahead()
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._say_away(error, at)
            self._try_later(at)

    def _try_later(self, at: float) -> None:
        self._retry_at = at + self._retry_s
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def retry_in_s(self, at: float) -> float:
        """Seconds until the next attempt; none to wait where there is a connection."""
        return max(0.0, self._retry_at - at) if self.sock is None else KEEPALIVE_S

    def _say_away(self, error: OSError | ValueError, at: float) -> None:
        """Once, and then every minute."""
        if at >= self._say_away_at:
            self._say_away_at = at + SAY_AGAIN_S
            self._say(f"broker {self._broker} does not answer ({reason_of(error)}); trying again")

    def is_empty_since(self, seconds: float) -> bool:
        """Nothing comes any more, and nothing is left to acknowledge: for a lane that has left
        all its filters."""
        connected = self._client.is_connected() and self.unsubscribed
        return connected and not self._unanswered and time.monotonic() - self.heard_at >= seconds

    def close(self, *, end_session: bool = False) -> bool:
        """Send the last acknowledgements, say goodbye, keep the session or end it; whether the
        goodbye could be said."""
        self.answer()
        self._write_out()
        goodbye = Properties(PacketTypes.DISCONNECT)
        if end_session:
            goodbye.SessionExpiryInterval = 0
        result = self._client.disconnect(properties=goodbye)
        self._write_out()
        self.give_up()
        return result == MQTTErrorCode.MQTT_ERR_SUCCESS

    def give_up(self) -> None:
        """Drop the connection without a word; what is here comes again to whoever connects."""
        self._client._sock_close()
        self._forget()

    def _write_out(self) -> None:
        """Send what waits, if the broker takes it soon."""
        client, until = self._client, time.monotonic() + FAREWELL_S
        while client.want_write() and time.monotonic() < until:
            if (sock := client.socket()) is None:
                break
            select([], [sock], [], 0.1)
            client.loop_write()

    @property
    def oldest_at(self) -> datetime | None:
        """Receipt of the oldest message that is not acknowledged."""
        return self._unanswered[0].received_at if self._unanswered else None

    # -- what comes ----------------------------------------------------------------------------

    @property
    def drained(self) -> bool:
        """Nothing lies in memory that `read` would find without the socket being readable."""
        return self.sock is None or self._client.drained

    def is_full(self) -> bool:
        """Reading on would take more memory than was promised: the broker has to wait. The count
        is for messages of QoS 0, which the receive maximum does not limit."""
        return self._held_bytes >= HELD_BYTES or self._held_count >= 2 * self._receive_maximum

    def read(self) -> None:
        """Take what has come into `waiting`."""
        runs = self._client.read()
        if not runs:
            return
        self.heard_at = time.monotonic()
        now = datetime.now(UTC)
        if not now <= self.newest_at < now + CLOCK_BACK:
            self.newest_at = now
        for run in runs:
            if self._mark_topic and self._mark_topic in run.packets:
                self._take_with_marks(run)
            else:
                self._take(run)

    def _take(self, run: Run) -> None:
        """No two messages have the same time: those of a read are a microsecond apart."""
        received_at = self.newest_at + MICROSECOND
        self.newest_at += run.messages * MICROSECOND
        piece = Piece(
            self, self.connection, run.packets, run.messages, received_at, self.pass_over_gas
        )
        self.waiting.append(piece)
        self._unanswered.append(piece)
        self._held_bytes += len(run.packets)
        self._held_count += run.messages

    def _take_with_marks(self, run: Run) -> None:
        """Cut the run at each mark; a mark is answered and goes no further. The bytes may also
        stand in a payload."""
        for packet in split_packets(run.packets):
            (message,), owed = read_publishes(packet, self.newest_at, False, "")
            self._take(Run(packet, 1))
            if message.topic.encode() == self._mark_topic:
                self.waiting.pop().owed = owed
                self.pass_over_gas = message.payload == self.expected_mark

    def halve(self, piece: Piece, deaths: int) -> None:
        """Put two in the place of the one that waits first, each with half of its messages and
        so many `deaths`."""
        packets = split_packets(piece.packets)
        middle = len(packets) // 2
        first = replace(piece, packets=b"".join(packets[:middle]), count=middle, deaths=deaths)
        second = replace(
            piece, packets=b"".join(packets[middle:]), count=piece.count - middle,
            received_at=piece.received_at + middle * MICROSECOND, deaths=deaths,
        )  # fmt: skip
        for row in (self.waiting, self._unanswered):
            at = row.index(piece)
            row[at] = second
            row.insert(at, first)

    def expect_mark(self, payload: bytes | None) -> None:
        """Gas is passed over behind this mark; None: it is taken until further notice."""
        self.expected_mark, self.pass_over_gas = payload, False

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

    def answer(self) -> None:
        """Acknowledge what is stored, as far as everything before it is: Mosquitto looks for each
        from the oldest on, and what comes again comes in order."""
        owed = []
        while self._unanswered and (packets := self._unanswered[0].owed) is not None:
            piece = self._unanswered.popleft()
            self._held_bytes -= len(piece.packets)
            self._held_count -= piece.count
            if piece.connection == self.connection and packets:
                owed.append(packets)
        if owed and self._client.is_connected():
            self._client.acknowledge(b"".join(owed))

    @property
    def wants_write(self) -> bool:
        return bool(self._client.want_write())

    def write(self) -> None:
        self._client.loop_write()

    def keep_alive(self, *, unread: bool) -> None:
        """Pings and timeouts; `unread`: the broker's answers lie unread behind its messages."""
        if unread:
            self._client.stay_alive()
        self._client.loop_misc()

    # -- what paho tells -----------------------------------------------------------------------

    def _connected(
        self, client: paho.Client, _: Any, flags: paho.ConnectFlags, reason: ReasonCode, __: Any
    ) -> None:
        if reason.is_failure:
            self._say(f"broker {self._broker} refuses: {reason}")
            return
        self.sessions_lost += not flags.session_present
        self._retry_s = RETRY_FIRST_S
        self._say_away_at = 0.0
        self.heard_at = time.monotonic()
        session = "the session was kept" if flags.session_present else "a new session"
        self._say(f"connected to broker {self._broker} as {self.client_id}, {session}")
        if self._leave:
            client.unsubscribe(list(self._leave))
        self._subscribe()

    def _subscribe(self) -> None:
        # The sender's retain flag is not wanted (it says nothing about age): without "retain as
        # published" the flag is set only on what the broker had kept.
        options = SubscribeOptions(
            qos=1, noLocal=False, retainAsPublished=False, retainHandling=RETAINED_IF_NEW
        )
        topics = self._topics()
        if topics:
            self._client.subscribe([(topic, options) for topic in topics])
        else:
            self.subscribed = True  # to all that there is

    def _topics(self) -> tuple[str, ...]:
        mark = (self._mark_topic.decode(),) if self._mark_topic else ()
        return (*self._filters, *mark)

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
        self._forget()
        self._try_later(time.monotonic())
        hint = ""
        if reason == "Session taken over":
            self.displaced = True
            hint = "; somebody else has taken it"
        if reason != "Normal disconnection":
            self._say(f"connection to broker {self._broker} lost ({reason}{hint})")

    def _forget(self) -> None:
        """What an ended connection brought: the broker sends again what was not acknowledged.
        What a worker has already is stored by it; its repeat is recognised."""
        self.subscribed = False
        self.connection += 1
        self.expect_mark(None)
        self.waiting.clear()
        self._unanswered.clear()
        self._held_bytes = self._held_count = 0
