"""What a real broker counts, and what is made of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from db import broker_counts
from db.broker_counts import BrokerCount
from db.pool import Connection
from ingest.mqtt import BrokerCounters
from tests.integration.ingest.own_broker import OwnBroker
from tests.integration.ingest.workers import wait_until

QUEUE = 20
TOLD_S = 5.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    broker = OwnBroker(tmp_path, f"max_queued_messages {QUEUE}").start()
    yield broker
    broker.kill()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def counters(broker: OwnBroker, said: list[str]) -> Iterator[BrokerCounters]:
    counters = BrokerCounters(broker.url, said.append)
    counters.start()
    yield counters
    counters.close()


def client(broker: OwnBroker, *, keep: bool = False) -> paho.Client:
    port = int(broker.url.rsplit(":", 1)[1])
    name = f"away-{uuid.uuid4().hex[:8]}"
    opened = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600 * keep
    opened.connect("127.0.0.1", port, properties=properties)
    opened.loop_start()
    wait_until(opened.is_connected, TOLD_S, 0.02)
    return opened


def leave(opened: paho.Client) -> None:
    opened.disconnect()
    opened.loop_stop()


def keep_a_queue(broker: OwnBroker, topic: str) -> None:
    """Somebody who is away, and is owed what is published meanwhile."""
    owed = client(broker, keep=True)
    done: list[int] = []
    owed.on_subscribe = lambda *_: done.append(1)
    owed.subscribe(topic, 1)
    wait_until(lambda: bool(done), TOLD_S, 0.02)
    leave(owed)


def publish(broker: OwnBroker, topic: str, count: int, qos: int = 1) -> None:
    sender = client(broker)
    sent = [sender.publish(topic, b"1", qos) for _ in range(count)]
    for message in sent:
        message.wait_for_publish(TOLD_S)
    leave(sender)


def told(
    counters: BrokerCounters, done: Callable[[BrokerCount], bool] = lambda _: True
) -> BrokerCount:
    found: list[BrokerCount] = []

    def look() -> bool:
        latest = counters.latest()
        if latest is not None and done(latest):
            found.append(latest)
        return bool(found)

    wait_until(look, 20, 0.05)
    return found[0]


def test_publishes_of_everybody_are_counted_whatever_their_topic(
    broker: OwnBroker, counters: BrokerCounters
) -> None:
    first = told(counters)
    assert "mosquitto" in first.version
    assert (first.received, first.dropped) == (0, 0)
    publish(broker, "city/v1/x", 10)
    publish(broker, "nobody/listens", 5, qos=2)
    publish(broker, "nobody/listens", 3, qos=0)
    look = told(counters, lambda look: look.received >= 18)
    assert (look.received, look.dropped) == (18, 0)
    assert abs(look.started_at - first.started_at) < timedelta(seconds=3)


def test_what_a_full_queue_drops_is_told_with_time_and_number(
    broker: OwnBroker, counters: BrokerCounters, db: Connection
) -> None:
    broker_counts.record(db, told(counters))
    began = datetime.now(UTC)
    keep_a_queue(broker, "a/#")
    publish(broker, "a/x", QUEUE + 30)
    look = told(counters, lambda look: look.dropped > 0)
    broker_counts.record(db, look)
    assert look.dropped == 30
    rows = broker_counts.list_counts(db, began - timedelta(minutes=2), datetime.now(UTC))
    assert sum(row.dropped_new for row in rows) == 30
    assert all(row.since_at <= began for row in rows)


def test_drops_while_nobody_looked_are_found_at_the_next_look(
    broker: OwnBroker, counters: BrokerCounters, db: Connection, said: list[str]
) -> None:
    broker_counts.record(db, told(counters))
    counters.close()
    keep_a_queue(broker, "a/#")
    publish(broker, "a/x", QUEUE + 7)
    time.sleep(1.5)
    again = BrokerCounters(broker.url, said.append)
    again.start()
    try:
        broker_counts.record(db, told(again, lambda look: look.dropped > 0))
    finally:
        again.close()
    row = broker_counts.latest(db)
    assert row is not None
    assert (row.dropped_new, row.is_restart) == (7, False)


def test_a_killed_broker_counts_from_zero_and_is_known_to_have_started_again(
    broker: OwnBroker, counters: BrokerCounters, db: Connection
) -> None:
    publish(broker, "a/x", 40)
    broker_counts.record(db, told(counters, lambda look: look.received == 40))
    broker.kill()
    wait_until(lambda: counters.latest() is None, TOLD_S)
    broker.start()
    publish(broker, "a/x", 3)
    look = told(counters, lambda look: 0 < look.received < 40)
    broker_counts.record(db, look)
    row = broker_counts.latest(db)
    assert row is not None
    assert (row.received, row.dropped_new, row.is_restart) == (3, 0, True)


def test_a_look_that_is_older_than_the_known_one_changes_nothing(db: Connection) -> None:
    now = datetime.now(UTC)
    broker_counts.record(db, BrokerCount(now, "m", 100, 50, 5))
    broker_counts.record(db, BrokerCount(now - timedelta(seconds=1), "m", 99, 40, 4))
    row = broker_counts.latest(db)
    assert row is not None
    assert (row.received, row.is_restart) == (50, False)


def test_who_cannot_be_reached_is_left_within_moments(said: list[str]) -> None:
    counters = BrokerCounters("mqtt://127.0.0.1:1", said.append)
    counters.start()
    time.sleep(1.5)
    assert counters.latest() is None
    began = time.monotonic()
    counters.close()
    assert time.monotonic() - began < 3
