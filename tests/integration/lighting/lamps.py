"""Lamps that a real client plays at a real broker, and the ticks of the scheduler by hand."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho

from city.incident import Role
from city.lighting import Target
from city.person import Caller
from db.events import append_events
from db.pool import connect
from lighting import steps

DISTRICT = "460107"
DISPATCHER = Caller("ding", Role.DISPATCHER, DISTRICT)

Answer = Callable[[str, bytes], Sequence[tuple[str, bytes]]]


def obey(topic: str, payload: bytes) -> Sequence[tuple[str, bytes]]:
    """What a sound lamp of the native format answers."""
    said = json.loads(payload)
    body = {"id": said["id"], "ok": True, "level": said["level"]}
    return [(f"{topic}/ack", json.dumps(body).encode())]


@dataclass
class Lamps:
    """A client that stands for lamps. `heard` are the messages that each topic got."""

    mqtt_url: str
    answer: Answer = obey
    heard: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def listening(self, *filters: str) -> Iterator[Lamps]:
        address = urlsplit(self.mqtt_url)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=uuid.uuid4().hex)
        subscribed = threading.Event()

        def hear(_: Any, __: Any, message: paho.MQTTMessage) -> None:
            self.heard[message.topic].append(message.payload)
            for topic, body in self.answer(message.topic, message.payload):
                client.publish(topic, body, qos=1)

        client.on_message = hear
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect(address.hostname or "", address.port or 1883)
        client.loop_start()
        client.subscribe([(pattern, 1) for pattern in filters])
        assert subscribed.wait(10)
        try:
            yield self
        finally:
            client.disconnect()
            client.loop_stop()


@dataclass(frozen=True)
class Streets:
    """A database with lamps in it, and what people and the scheduler do to them."""

    database_url: str

    def order(self, target: Target, level: int, why: str = "a test") -> int:
        now = datetime.now(UTC)
        with connect(self.database_url) as conn:
            done, events = steps.order(conn, DISPATCHER, target, level, why, now)
            append_events(conn, events)
        return done.order_id

    def tick(self) -> None:
        """Once. No time runs out by itself, however slow the machine: `run_out` says when."""
        with connect(self.database_url) as conn:
            steps.tick_commands(conn, datetime.now(UTC))
            conn.execute(
                "UPDATE lamp_command SET due_at = now() + interval '1 hour'"
                " WHERE state = 'sent' AND due_at > now()"
            )

    def run_out(self, order_id: int) -> None:
        """The time in which an answer was waited for is over."""
        with connect(self.database_url) as conn:
            conn.execute(
                "UPDATE lamp_command SET due_at = now() WHERE order_id = %s AND state = 'sent'",
                (order_id,),
            )

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connect(self.database_url) as conn:
            return conn.execute(query, parameters).fetchall()

    def states(self, order_id: int) -> dict[str, tuple[str, str, int]]:
        """State, detail and sendings of each lamp of an order."""
        rows = self.rows(
            """
            SELECT d.code, c.state, c.detail, c.attempts
            FROM lamp_command c JOIN device d ON d.id = c.device_id WHERE order_id = %s
            """,
            order_id,
        )
        return {code: (state, detail, attempts) for code, state, detail, attempts in rows}

    def until(self, done: Callable[[], bool], timeout_s: float = 60) -> None:
        """Tick as the scheduler does until it is done."""
        end = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < end, f"nothing within {timeout_s:g} s"
            self.tick()
            time.sleep(0.1)

    def events(self, order_id: int) -> list[tuple[str, str, int]]:
        """What the log says of an order: kind, actor, number of lamps."""
        return [
            (kind, actor, lamps)
            for kind, actor, lamps in self.rows(
                "SELECT kind, actor, (payload ->> 'lamps')::int FROM event"
                " WHERE subject = %s ORDER BY seq",
                f"lamp_order:{order_id}",
            )
        ]
