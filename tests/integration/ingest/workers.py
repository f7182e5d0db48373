"""Ingest workers and a publisher for tests that need a broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho

from db import ledger
from db.pool import connect
from ingest.inbox import IngestSettings, run
from ingest.message import GAS_LANE
from ingest.mqtt import end_session

START = """
import json, logging, sys, threading
from ingest.inbox import IngestSettings, run
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
run(IngestSettings(**json.loads(sys.argv[1])), threading.Event())
"""
READY_S = 60.0
# Messages on their way to the broker; a client has 65,535 numbers for them.
WINDOW = 20_000
SEND_S = 60.0
# How long a probe may take from the broker into the quarantine.
PROBE_S = 2.5
# An hour ago: times of all messages of a run are distinct milliseconds after it.
FIRST_MS = int(time.time() * 1000) - 3_600_000


@dataclass(frozen=True)
class Site:
    """Where everything is, and the devices that may report."""

    settings: IngestSettings
    codes: tuple[str, ...]
    district: str = "460107"

    def topic(self, number: int) -> str:
        code = self.codes[number % len(self.codes)]
        return f"city/v1/{self.district}/gas/{code}/telemetry"

    def row(self, query: str, *parameters: Any) -> tuple[Any, ...]:
        with connect(self.settings.database_url) as conn:
            row = conn.execute(query, parameters).fetchone()
        assert row is not None
        return tuple(row)

    def stored(self) -> int:
        return int(self.row("SELECT coalesce(sum(stored), 0) FROM ingest_batch")[0])

    def readings(self) -> int:
        return int(self.row("SELECT count(*) FROM reading")[0])

    def imbalances(self) -> list[ledger.Imbalance]:
        now = datetime.now(UTC)
        with connect(self.settings.database_url) as conn:
            return ledger.verify(conn, now - timedelta(hours=1), now)


def new_site(mqtt_url: str, database_url: str, redis_url: str) -> Site:
    """A session of its own at the broker, which all tests share."""
    with connect(database_url) as conn:
        rows = conn.execute(
            "SELECT code FROM device WHERE kind = 'gas' AND format = 'native' ORDER BY code"
        ).fetchall()
    name = f"test-{uuid.uuid4().hex[:8]}"
    settings = IngestSettings(mqtt_url, database_url, redis_url, name, session=name)
    return Site(settings, tuple(row[0] for row in rows))


def leave(site: Site) -> None:
    """An abandoned session would keep every later test's messages."""
    for lane in ("", GAS_LANE):
        end_session(site.settings.mqtt_url, site.settings.client_id + lane)


def payload(number: int, value: float = 1) -> bytes:
    """One reading that no other number of the same run shares."""
    body = {"ts": FIRST_MS + number, "readings": {"ch4_pct_lel": value}}
    return json.dumps(body).encode()


@contextmanager
def working(site: Site, **changes: Any) -> Iterator[threading.Event]:
    """An inbox in a thread of this process, subscribed, its workers ready."""
    stop = threading.Event()
    settings = replace(site.settings, **changes)
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        wait_until(lambda: is_subscribed(site), READY_S)
        yield stop
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def start_process(site: Site, **changes: Any) -> subprocess.Popen[bytes]:
    """An inbox in a process of its own, to be killed; its workers are its children."""
    settings = json.dumps(asdict(replace(site.settings, **changes)))
    return subprocess.Popen([sys.executable, "-c", START, settings])


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


class Publisher:
    """A client that loses nothing: what is not acknowledged is sent again after a reconnect."""

    def __init__(self, mqtt_url: str) -> None:
        address = urlsplit(mqtt_url)
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=uuid.uuid4().hex, clean_session=False
        )
        self._sent = 0
        self.client.reconnect_delay_set(1, 1)
        self.client.max_inflight_messages_set(500)
        self.client.connect(address.hostname or "", address.port or 1883)
        self.client.loop_start()

    def send(self, topic: str, body: bytes, retain: bool = False) -> paho.MQTTMessageInfo:
        sent = self.client.publish(topic, body, qos=1, retain=retain)
        self._sent += 1
        if self._sent % WINDOW == 0:
            sent.wait_for_publish(SEND_S)
        return sent

    def send_and_wait(self, topic: str, body: bytes, retain: bool = False) -> None:
        self.send(topic, body, retain).wait_for_publish(20)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def is_subscribed(site: Site) -> bool:
    """A probe comes through: an unknown device is a reject."""
    publisher = Publisher(site.settings.mqtt_url)
    name = uuid.uuid4().hex
    try:
        publisher.send_and_wait(f"city/v1/{site.district}/gas/{name}/telemetry", b"{}")
        until = time.monotonic() + PROBE_S
        query = "SELECT count(*) FROM reject WHERE topic LIKE %s"
        while not (found := site.row(query, f"%{name}%")[0]) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        publisher.close()
    return bool(found)


def wait_until(done: Callable[[], bool], timeout_s: float, pause_s: float = 0.1) -> None:
    """Fails when it does not come true in time."""
    until = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until, f"nothing within {timeout_s:g} s"
        time.sleep(pause_s)
