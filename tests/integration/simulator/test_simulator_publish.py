"""The simulator against a real broker and database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from city.errors import InvalidInput
from simulator.publish import SimulatorSettings, run


@contextmanager
def listening(mqtt_url: str) -> Iterator[list[MQTTMessage]]:
    """Everything that is published while the block runs."""
    heard: list[MQTTMessage] = []
    ready = threading.Event()
    parts = urlsplit(mqtt_url)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _c, _u, message: heard.append(message)
    client.connect(parts.hostname or "localhost", parts.port or 1883)
    client.loop_start()
    try:
        assert ready.wait(10)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def simulating(settings: SimulatorSettings) -> Iterator[None]:
    """The simulator in a thread; it must end within seconds of being told so."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


def wait_for(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_city_fills_the_broker_at_some_hundred_messages_a_second(
    mqtt_url: str, database_url: str
) -> None:
    settings = SimulatorSettings(mqtt_url=mqtt_url, database_url=database_url)
    with listening(mqtt_url) as heard, simulating(settings):
        wait_for(lambda: len(heard) > 800)
        live = [message for message in heard if not message.retain]
        span = live[-1].timestamp - live[0].timestamp
    assert {message.qos for message in live} == {1}
    assert 150 < len(live) / span < 2_000  # a busy machine holds some back and sends them at once
    prefixes = {message.topic.split("/")[0] for message in live}
    assert {"city", "application", "v3"} <= prefixes


def test_without_a_database_the_planned_devices_report(mqtt_url: str) -> None:
    with (
        listening(mqtt_url) as heard,
        simulating(SimulatorSettings(mqtt_url=mqtt_url, scenario="calm", seed=7)),
    ):
        wait_for(lambda: any("/gas/GAS-" in message.topic for message in heard))


def test_a_scenario_that_does_not_exist_is_refused_by_name() -> None:
    settings = SimulatorSettings(mqtt_url="mqtt://127.0.0.1:1", scenario="flood")
    with pytest.raises(InvalidInput, match="gas-leak"):
        run(settings, threading.Event())


def test_a_broker_that_is_away_does_not_keep_the_simulator_from_stopping() -> None:
    with simulating(SimulatorSettings(mqtt_url="mqtt://127.0.0.1:1")):
        time.sleep(1.5)
