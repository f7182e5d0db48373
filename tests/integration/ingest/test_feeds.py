"""Feeds are rows: whoever adds one is heard within seconds, and nobody else loses anything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from city.feed import Feed
from db import feeds
from db.pool import connect
from ingest.feed_steps import add_feed, switch_feed
from tests.integration.ingest.workers import (
    Publisher,
    Site,
    leave,
    new_site,
    payload,
    wait_until,
    working,
)

# Seconds within which a change of the feeds is in force.
FOLLOWED_S = 5.0


@pytest.fixture
def site(mqtt_url: str, database_url: str, redis_url: str) -> Iterator[Site]:
    site = new_site(mqtt_url, database_url, redis_url)
    yield site
    leave(site)


@pytest.fixture
def publisher(mqtt_url: str) -> Iterator[Publisher]:
    publisher = Publisher(mqtt_url)
    yield publisher
    publisher.close()


def register(site: Site, code: str, format_name: str, external_id: str, kind: str = "light") -> int:
    row = site.row(
        """
        INSERT INTO device (code, district, kind, format, external_id, name, lon, lat, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, 110.3, 20, now()) RETURNING id
        """,
        code,
        site.district,
        kind,
        format_name,
        external_id,
        code,
    )
    return int(row[0])


def add(site: Site, name: str, format_name: str, topic: str, **more: Any) -> None:
    with connect(site.settings.database_url) as conn:
        add_feed(conn, Feed(name, format_name, topic, **more), "test", datetime.now(UTC))
        conn.commit()


def switch(site: Site, name: str, enabled: bool) -> None:
    with connect(site.settings.database_url) as conn:
        switch_feed(conn, name, enabled, "test", datetime.now(UTC))
        conn.commit()


def readings_of(site: Site, device: int) -> int:
    return int(site.row("SELECT count(*) FROM reading WHERE device_id = %s", device)[0])


def heard(site: Site, publisher: Publisher, topic: str, device: int, body: dict[str, Any]) -> bool:
    """Say something new until it is stored once."""
    value = time.time() % 100
    sent = {name: value if v is ... else v for name, v in body.items()}
    publisher.send_and_wait(topic, json.dumps(sent).encode())
    return readings_of(site, device) > 0


def is_deaf(site: Site, publisher: Publisher, topic: str, device: int) -> bool:
    """Whether something new is not stored."""
    had = readings_of(site, device)
    publisher.send_and_wait(topic, json.dumps({"power": time.time() % 100}).encode())
    time.sleep(0.5)
    return readings_of(site, device) == had


def counted(site: Site, feed: str) -> int:
    with connect(site.settings.database_url) as conn:
        found = feeds.list_heard(conn).get(feed)
    return found.messages if found else 0


LAMP = {"power": ..., "linkquality": 80}


def test_a_second_bridge_is_heard_within_seconds_and_nothing_of_the_first_is_lost(
    site: Site, publisher: Publisher
) -> None:
    first = register(site, "LAMP-S", "zigbee2mqtt", "lamp1")
    second = register(site, "LAMP-N", "zigbee2mqtt", "zigbee2mqtt_north/lamp1")
    sent, stop = [0], threading.Event()

    def speak() -> None:
        while not stop.is_set():
            publisher.send(site.topic(sent[0]), payload(sent[0]))
            seen_ms = int(time.time() * 1000) + sent[0]  # no two of them are the same
            body = {"power": 1 + sent[0] % 50, "linkquality": 80, "last_seen": seen_ms}
            publisher.send("zigbee2mqtt/lamp1", json.dumps(body).encode())
            sent[0] += 1
            time.sleep(0.01)

    with working(site):
        speaking = threading.Thread(target=speak)
        speaking.start()
        try:
            publisher.send_and_wait("zigbee2mqtt_north/lamp1", b'{"power": 7, "linkquality": 1}')
            time.sleep(1.0)
            assert readings_of(site, second) == 0
            add(site, "north", "zigbee2mqtt", "zigbee2mqtt_north")
            topic = "zigbee2mqtt_north/lamp1"
            wait_until(lambda: heard(site, publisher, topic, second, LAMP), FOLLOWED_S, 0.3)
        finally:
            stop.set()
            speaking.join()
        native = "SELECT count(*) FROM reading WHERE device_id IN (SELECT id FROM device WHERE"
        native += " format = 'native')"
        wait_until(lambda: site.row(native)[0] == sent[0], 20)
        wait_until(
            lambda: (
                site.row("SELECT count(DISTINCT ts) FROM reading WHERE device_id = %s", first)[0]
                == sent[0]
            ),
            20,
        )
        assert site.imbalances() == []
        wait_until(lambda: counted(site, "zigbee2mqtt") == sent[0] and counted(site, "north"), 10)


def test_a_disabled_feed_brings_nothing_more_and_what_was_queued_is_stored(
    site: Site, publisher: Publisher
) -> None:
    lamp = register(site, "LAMP-N", "zigbee2mqtt", "zigbee2mqtt_north/lamp1")
    add(site, "north", "zigbee2mqtt", "zigbee2mqtt_north")
    topic = "zigbee2mqtt_north/lamp1"
    with working(site):
        wait_until(lambda: heard(site, publisher, topic, lamp, LAMP), FOLLOWED_S, 0.3)
    before = readings_of(site, lamp)
    for number in range(50):  # the worker is away: the broker keeps them
        publisher.send_and_wait(topic, json.dumps({"power": 100 + number}).encode())
    switch(site, "north", enabled=False)
    with working(site):
        wait_until(lambda: readings_of(site, lamp) == before + 50, 10)
        # What is said before the inbox has looked at the feeds still comes in.
        wait_until(lambda: is_deaf(site, publisher, topic, lamp), FOLLOWED_S, 0)
        assert is_deaf(site, publisher, topic, lamp)
        silent = readings_of(site, lamp)
        publisher.send_and_wait(site.topic(0), payload(0))
        switch(site, "north", enabled=True)
        add(site, "hill", "native", "hill")  # gas of it comes in both lanes, and counts once
        wait_until(
            lambda: (
                heard(site, publisher, topic, lamp, {"power": ...})
                and readings_of(site, lamp) > silent
            ),
            FOLLOWED_S,
            0.3,
        )
        for number in range(1, 101):
            publisher.send(f"hill/{site.topic(number)}", payload(number))
        publisher.send_and_wait(site.topic(101), payload(101))
        gas = "SELECT count(*) FROM reading JOIN device ON id = device_id WHERE kind = 'gas'"
        wait_until(lambda: site.row(gas)[0] == 102, 10)
        assert site.imbalances() == []
