"""paho's client, made fast: the one thing of MQTT that is not left to it is reading PUBLISH."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Sequence
from datetime import UTC, datetime

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from ingest.broker import Broker
from ingest.message import Message
from ingest.packets import PUBLISH, is_complete, packet_end, read_publish

RECEIVE_BYTES = 256 * 1024
# A broker that is frozen acknowledges nothing and closes nothing: only the missing answer to a ping
# tells, and every screen waits for it.
KEEPALIVE_S = 5


class Client(paho.Client):
    """paho with fewer system calls and objects a message: reads ahead, takes every PUBLISH of a
    read apart in one loop without building what nobody reads, acknowledges many in one packet."""

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
        self.session = client_id
        self.forget_ahead()

    def forget_ahead(self) -> None:
        """A new connection starts with nothing read."""
        self._ahead, self._ahead_at, self.drained, self._ended = b"", 0, True, False

    def read(self, connection: int) -> list[Message]:
        """The messages that have come, as far as they are complete; everything else that comes
        is paho's. `drained` says afterwards whether the socket is empty."""
        messages: list[Message] = []
        if not self._in_packet["command"]:  # else paho is in the middle of a packet
            try:
                self._fill()
                self._take_publishes(messages, connection)
            except IndexError:  # lengths that contradict each other
                self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
                return messages
            if not self._ended and self._waits_for_more():
                return messages
        # One packet and no more, unlike `loop_read`: a PUBLISH behind it is ours.
        result = self._packet_read()
        if result > 0:
            self._loop_rc_handle(result)
        return messages

    def _waits_for_more(self) -> bool:
        """Nothing is left of what was read, or only the beginning of a PUBLISH."""
        data, at = self._ahead, self._ahead_at
        if at >= len(data):
            return True
        return data[at] & 0xF0 == PUBLISH and not is_complete(data, at)

    def _fill(self) -> None:
        if not self._waits_for_more():
            return
        try:
            more = super()._sock_recv(RECEIVE_BYTES)
        except BlockingIOError:
            self.drained = True
            return
        except OSError:
            more = b""
        if not more:
            self._ended = True  # paho reads next, meets the same and ends the connection
            return
        self._ahead, self._ahead_at = self._ahead[self._ahead_at :] + more, 0
        self.stay_alive()

    def _take_publishes(self, messages: list[Message], connection: int) -> None:
        data, at = self._ahead, self._ahead_at
        received_at = datetime.now(UTC)
        while at < len(data) and (flags := data[at]) & 0xF0 == PUBLISH:
            end = packet_end(data, at)
            if end is None or end > len(data):
                break
            body = at + 2
            while data[body - 1] & 0x80:
                body += 1
            messages.append(
                read_publish(data, body, end, flags, received_at, connection, self.session)
            )
            at = end
        self._ahead_at = at

    def stay_alive(self) -> None:
        """Bytes came, or could have come had we read them: no reason to doubt the broker."""
        with self._msgtime_mutex:
            self._last_bytes_received = paho.time_func()
        self._ping_t = 0.0

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

    def acknowledge(self, mids: Sequence[int]) -> None:
        """PUBACK for each, in one write."""
        packets = struct.pack(">" + "HH" * len(mids), *(w for mid in mids for w in (0x4002, mid)))
        self._packet_queue(paho.PUBACK, packets, mids[-1], 1)


def reason_of(error: OSError | ValueError) -> str:
    """What an error of the connection says to people."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
