"""What a broker counts itself, as Mosquitto tells it below `$SYS/broker/`.

`publish/messages/received` are PUBLISH packets of all clients since the broker started, whatever
their topic and quality of service, a repetition counted again, `$SYS` itself not.
`publish/messages/dropped` are deliveries that were given up because a client's queue was full:
any client's, not only ours. Both begin at 0 when the broker starts, after a kill as after a stop.
They are told every `sys_interval` (10 s), so what a broker dropped in the last seconds before it
was killed is told to nobody.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from db.broker_counts import BrokerCount
from ingest.broker import parse_broker

ROOT = "$SYS/broker/"
VERSION, UPTIME = "version", "uptime"
RECEIVED, DROPPED = "publish/messages/received", "publish/messages/dropped"
TOPICS = (VERSION, UPTIME, RECEIVED, DROPPED)
KEEPALIVE_S = 30
# All counters of one telling come within milliseconds.
SETTLED_S = 0.5
# A broker that has told nothing for so long after it was asked tells nothing.
SILENT_S = 30.0
RETRY_MAX_S = 30

Say = Callable[[str], None]


class BrokerCounters:
    """Listens to a broker's counters over a connection of its own, in a thread of its own."""

    def __init__(self, url: str, say: Say) -> None:
        self._broker = parse_broker(url)
        self._say = say
        self._lock = threading.Lock()
        self._told: dict[str, str] = {}
        self._told_at = datetime.now(UTC)
        self._told_mono = 0.0
        self._asked_mono: float | None = None  # None: not connected
        self._refusal = ""
        # A clean session without a name: the broker keeps nothing for it.
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="", protocol=MQTTProtocolVersion.MQTTv5
        )
        if self._broker.user is not None:
            self._client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.reconnect_delay_set(1, RETRY_MAX_S)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._take

    def start(self) -> None:
        """Connect, now or when the broker is there."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()

    def latest(self) -> BrokerCount | None:
        """The newest complete look; None as long as there is none. Never waits."""
        with self._lock:
            now = time.monotonic()
            if all(topic in self._told for topic in TOPICS):
                return self._look() if now - self._told_mono >= SETTLED_S else None
            if self._asked_mono is None or now - self._asked_mono < SILENT_S:
                return None
            return BrokerCount(datetime.now(UTC), "", 0, 0, 0)

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _look(self) -> BrokerCount:
        told = self._told
        return BrokerCount(
            self._told_at, told[VERSION], _number(told[UPTIME]), _number(told[RECEIVED]),
            _number(told[DROPPED]),
        )  # fmt: skip

    def _connected(
        self, client: paho.Client, _: Any, __: paho.ConnectFlags, reason: ReasonCode, ___: Any
    ) -> None:
        refusal = str(reason) if reason.is_failure else ""
        if refusal and refusal != self._refusal:
            self._say(f"broker {self._broker} refuses to tell its counters: {refusal}")
        self._refusal = refusal
        if refusal:
            return
        with self._lock:
            self._told.clear()
            self._asked_mono = time.monotonic()
        client.subscribe([(ROOT + topic, 0) for topic in TOPICS])

    def _disconnected(self, *_: Any) -> None:
        with self._lock:
            self._told.clear()
            self._asked_mono = None

    def _take(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            topic = message.topic.removeprefix(ROOT)
            self._told[topic] = message.payload.decode("utf-8", "replace")
            self._told_at, self._told_mono = datetime.now(UTC), time.monotonic()


def _number(text: str) -> int:
    """The number that a text begins with: "22 seconds"."""
    digits = text.split(" ", 1)[0]
    return int(digits) if digits.isdecimal() else 0
