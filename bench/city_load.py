"""A city that reports: 20,000 registered devices, and a publisher in a process of its own.

The publisher shares two cores with what it measures, so it must cost little: one round of the
city is built once as one block of bytes, in which times, values and message ids are overwritten
by columns just before a piece of it is sent. Acknowledgements are counted, not looked at.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench import mqtt_load
from db import seeds
from db.devices import NewDevice, insert_devices
from db.migrate import migrate
from db.pool import connect

DISTRICT = "990101"
OUTLINE = {"type": "Polygon", "coordinates": [[[110, 20], [111, 20], [111, 21], [110, 20]]]}
# Kinds of four neighbours, so that a quarter are gas sensors, a quarter shafts, half lamps.
KINDS = ("gas", "light", "manhole", "light")
# Four readings a message; `%s` is where the value that changes stands.
BODIES = {
    "gas": '{"ch4_pct_lel":%s,"temperature_c":21.4,"humidity_pct":55.2,"battery_pct":88}',
    "manhole": '{"water_level_cm":%s,"tilt_deg":1.2,"temperature_c":17.5,"battery_pct":93}',
    "light": '{"power_w":%s,"voltage_v":229.7,"current_a":0.31,"dim_pct":70}',
}
READINGS = 4
VALUE = "1.25"
TIME_DIGITS = 13
# Messages sent in one write, and sent but not yet acknowledged (Mosquitto takes 10,000).
CHUNK = 100
WINDOW = 3000
ACK_BYTES = 4
# Devices report in no order, the same one in every round.
SHUFFLE_SEED = 20261124
START_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class City:
    """Addresses of a prepared installation and the topics on which its devices report."""

    mqtt: str
    postgres: str
    topics: Sequence[tuple[str, str]]  # topic, kind

    @property
    def filter(self) -> str:
        """Everything that is published."""
        return f"city/v1/{DISTRICT}/+/+/telemetry"


def found(postgres: str, mqtt: str, devices: int) -> City:
    """Schema, reference rows and a registry of so many devices."""
    migrate(postgres)
    now = datetime.now(UTC)
    named = [(f"BC-{number:05}", KINDS[number % len(KINDS)]) for number in range(devices)]
    with connect(postgres) as conn:
        seeds.seed_reference(conn, now)
        conn.execute(
            "INSERT INTO district (code, name_zh, name_en, outline) VALUES (%s, '测', 'Bench', %s)",
            (DISTRICT, json.dumps(OUTLINE)),
        )
        insert_devices(conn, [_device(code, kind) for code, kind in named], now)
        conn.commit()
    topics = [(f"city/v1/{DISTRICT}/{kind}/{code}/telemetry", kind) for code, kind in named]
    random.Random(SHUFFLE_SEED).shuffle(topics)
    return City(mqtt, postgres, topics)


def _device(code: str, kind: str) -> NewDevice:
    gas = "methane" if kind == "gas" else None
    return NewDevice(
        code, DISTRICT, kind, "", "native", None, code, 110.5, 20.3, None, gas, 300, {}
    )


class Round:
    """One message of every device, as bytes that can be sent again with new times and values."""

    def __init__(self, topics: Sequence[tuple[str, str]]) -> None:
        packets, marks = [], []
        for topic, kind in topics:
            body = f'{{"ts":{"0" * TIME_DIGITS},"readings":{BODIES[kind] % VALUE}}}'
            packet = mqtt_load.packet(topic, body.encode(), 0)
            start = len(packet) - len(body)
            marks.append((start - 2, start + body.index("0"), start + body.index(VALUE)))
            packets.append(packet)
        self.ends = np.cumsum([len(packet) for packet in packets])
        starts = self.ends - [len(packet) for packet in packets]
        self._mids, self._times, self._values = (np.array(marks) + starts[:, None]).T
        self._starts = starts
        self._bytes = np.frombuffer(b"".join(packets), np.uint8).copy()

    def __len__(self) -> int:
        return len(self.ends)

    def piece(self, first: int, count: int, now_ms: int) -> memoryview:
        """The messages `first` up to `first + count` of an endless row of rounds, in one round."""
        at = first % len(self)
        of = slice(at, min(at + count, len(self)))
        numbers = first + np.arange(of.stop - at)
        mids = numbers % 65535 + 1
        self._bytes[self._mids[of]], self._bytes[self._mids[of] + 1] = mids >> 8, mids & 255
        self._bytes[self._times[of, None] + np.arange(TIME_DIGITS)] = list(b"%013d" % now_ms)
        self._bytes[self._values[of]] = ord("1") + (numbers + first // len(self)) % 8
        return memoryview(self._bytes)[self._starts[at] : self.ends[of.stop - 1]]


class Publisher:
    """A process that publishes at a rate, or as many as `allow` says."""

    def __init__(self, city: City, rate: float = 0.0) -> None:
        context = multiprocessing.get_context("spawn")
        self._allowed = context.Value("q", 0)
        self._stop = context.Event()
        self._results, results = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_publish, args=(city, rate, self._allowed, self._stop, results)
        )
        self._process.start()
        self.pid = self._process.pid or 0
        if not self._results.poll(START_TIMEOUT_S):
            raise TimeoutError("the publisher did not start")
        self._results.recv()  # its packets are built and it is connected

    def allow(self, messages: int) -> None:
        """So many messages may have been sent by now, counted from the start."""
        self._allowed.value = messages

    def finish(self) -> tuple[int, float]:
        """Stop; the number of messages sent and acknowledged, and the time of the first."""
        self._stop.set()
        sent, began = self._results.recv()
        return int(sent), float(began)

    def close(self) -> None:
        """End the process."""
        self._stop.set()
        self._process.join()


@contextmanager
def publishing(city: City, rate: float = 0.0) -> Iterator[Publisher]:
    """A publisher that is connected and waits to be allowed to begin."""
    publisher = Publisher(city, rate)
    try:
        yield publisher
    finally:
        publisher.close()


def _publish(city: City, rate: float, allowed: Any, stop: Any, results: Any) -> None:
    messages = Round(city.topics)
    address = urlsplit(city.mqtt)
    sock = mqtt_load.connect(address.hostname or "", address.port or 0, "bench-publisher")
    results.send("ready")
    while not allowed.value and not stop.is_set():
        time.sleep(0.001)
    sent = acknowledged = 0
    began = time.time()
    while acknowledged < sent or not stop.is_set():
        due = allowed.value if not rate else int((time.time() - began) * rate)
        room = 0 if stop.is_set() else min(due - sent, WINDOW - (sent - acknowledged))
        if room >= CHUNK or (rate and room > 0):
            piece = messages.piece(sent, min(room, CHUNK), int(time.time() * 1000))
            sock.sendall(piece)
            sent += min(room, CHUNK, len(messages) - sent % len(messages))
        acknowledged += _acknowledged(sock, 0.0 if room >= CHUNK else 0.002)
    results.send((sent, began))
    sock.close()


def _acknowledged(sock: socket.socket, wait_s: float) -> int:
    """Acknowledgements that have come; a part of one waits for its rest."""
    if not select.select([sock], [], [], wait_s)[0]:
        return 0
    received = sock.recv(65536)
    if not received:
        raise ConnectionError("the broker closed the connection")
    rest = -len(received) % ACK_BYTES
    while rest:
        rest -= len(sock.recv(rest))
    return -(-len(received) // ACK_BYTES)
