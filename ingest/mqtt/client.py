"""paho's client, made fast: the one thing of MQTT that is not left to it is receiving PUBLISH."""

from __future__ import annotations

import ssl
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from ingest.broker import Broker
from ingest.packets import PUBLISH, is_complete, pass_publishes

RECEIVE_BYTES = 256 * 1024
# A broker that is frozen acknowledges nothing and closes nothing: only the missing answer to a ping
# tells, and every screen waits for it.
KEEPALIVE_S = 5


class Run(NamedTuple):
    """PUBLISH packets as they came, one behind the other."""

    packets: bytes
    messages: int


class Client(paho.Client):
    """paho with fewer system calls and objects a message: reads ahead, and gives every PUBLISH of
    a read away as the bytes that it is. Whoever takes them owes the acknowledgements."""

    def __init__(self, broker: Broker, client_id: str, run_max: int = 2000) -> None:
        """`run_max` is the number of messages that stay together at most."""
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
        self._run_max = run_max
        self.forget_ahead()

    def forget_ahead(self) -> None:
        """A new connection starts with nothing read."""
        self._ahead, self._ahead_at, self.drained, self._ended = b"", 0, True, False

    def read(self) -> list[Run]:
        """The messages that have come, as far as they are complete; everything else that comes
        is paho's. `drained` says afterwards whether the socket is empty."""
        runs: list[Run] = []
        if not self._in_packet["command"]:  # else paho is in the middle of a packet
            try:
                self._fill()
                self._take_publishes(runs)
            except IndexError:  # lengths that contradict each other
                self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
                return runs
            if not self._ended and self._waits_for_more():
                return runs
        # One packet and no more, unlike `loop_read`: a PUBLISH behind it is ours.
        result = self._packet_read()
        if result > 0:
            self._loop_rc_handle(result)
        if not self._waits_for_more():
            self.drained = False
        return runs

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
        self.drained = len(more) < RECEIVE_BYTES and not isinstance(self._sock, ssl.SSLSocket)
        self._ahead, self._ahead_at = self._ahead[self._ahead_at :] + more, 0
        self.stay_alive()

    def _take_publishes(self, runs: list[Run]) -> None:
        data, start = self._ahead, self._ahead_at
        while True:
            end, count = pass_publishes(data, start, self._run_max)
            if not count:
                break
            runs.append(Run(data[start:end], count))
            start = end
        self._ahead_at = start

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

    def acknowledge(self, packets: bytes) -> None:
        """Send these PUBACK packets in one write."""
        self._packet_queue(paho.PUBACK, packets, 0, 1)


def reason_of(error: OSError | ValueError) -> str:
    """What an error of the connection says to people."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
