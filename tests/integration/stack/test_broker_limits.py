"""What the broker refuses, and that nobody is cut off for it who can be spared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from bench import mqtt_load
from bench.broker_restart import Broker, broker
from stack.servers.mosquitto import CONFIGURATION, INFLIGHT_MIB, MESSAGE_MIB, Mosquitto
from stack.site import Site
from stack.tuning import MIB, tune

ROOT = Path(__file__).resolve().parents[3]
V3, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
WAIT_S = 20.0
AWAY_QUEUE = 20


class Sender:
    """A client that notes when it is cut off and what it is answered."""

    def __init__(self, port: int, version: MQTTProtocolVersion = V3) -> None:
        self.cuts: list[str] = []
        self.answers: list[str] = []
        self.payloads: list[bytes] = []
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=version, reconnect_on_failure=False
        )
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_publish = self._answered
        self._client.on_disconnect = self._cut
        self._client.on_message = lambda _c, _u, message: self.payloads.append(message.payload)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._connected.wait(WAIT_S)

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(WAIT_S)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        self._client.publish(topic, payload, qos=qos)

    def is_answered(self, count: int) -> bool:
        return wait(lambda: len(self.answers) >= count)

    def close(self) -> None:
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()

    def _answered(self, _c: object, _u: object, _m: int, reason: ReasonCode, _p: object) -> None:
        self.answers.append(str(reason))

    def _cut(self, _c: object, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
        self.cuts.append(str(reason))


@pytest.fixture(scope="module")
def served() -> Iterator[Broker]:
    with broker("autosave_interval 1", queue_messages=AWAY_QUEUE) as started:
        yield started


@pytest.fixture
def sender(served: Broker) -> Iterator[Callable[..., Sender]]:
    made: list[Sender] = []

    def make(version: MQTTProtocolVersion = V3) -> Sender:
        made.append(Sender(served.port, version))
        return made[-1]

    yield make
    for one in made:
        with suppress(RuntimeError):
            one.close()


@pytest.mark.parametrize("version", [V3, V5])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_sender_whose_message_is_refused_stays_connected(
    sender: Callable[..., Sender], version: MQTTProtocolVersion, qos: int
) -> None:
    """`max_queued_messages 0`, which reads as "no limit", cuts it off at each refusal."""
    refused, other = sender(version), sender()
    refused.publish("$SYS/broker/nobody/may", b"x", qos)
    assert refused.is_answered(1)
    refused.publish("city/allowed", b"x")
    assert refused.is_answered(2)
    assert (refused.cuts, other.cuts) == ([], [])


@pytest.mark.parametrize("version", [V3, V5])
def test_a_full_queue_of_one_client_cuts_nobody_and_starves_nobody_else(
    served: Broker, sender: Callable[..., Sender], version: MQTTProtocolVersion
) -> None:
    """But what the queue has no room for is acknowledged all the same: `$SYS` counts it."""
    away = mqtt.Client(CallbackAPIVersion.VERSION2, f"away-{version}", clean_session=False)
    away.on_connect = lambda client, *_: client.subscribe("full/#", qos=1)
    ready = threading.Event()
    away.on_subscribe = lambda *_: ready.set()
    away.connect("127.0.0.1", served.port)
    away.loop_start()
    assert ready.wait(WAIT_S)
    away.disconnect()
    away.loop_stop()
    reader, talker = sender(), sender(version)
    reader.subscribe("full/#")
    count = 10 * AWAY_QUEUE
    for number in range(count):
        talker.publish("full/x", b"%d" % number)
    assert talker.is_answered(count)
    assert set(talker.answers) == {"Success"}
    assert wait(lambda: len(reader.payloads) == count)
    assert (talker.cuts, reader.cuts) == ([], [])


@pytest.mark.parametrize("version", [V3, V5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_of_more_than_two_megabytes_arrives_and_cuts_nobody(
    sender: Callable[..., Sender], version: MQTTProtocolVersion, qos: int
) -> None:
    reader, talker = sender(), sender(version)
    reader.subscribe("large/#")
    talker.publish("large/x", bytes(2_200_000), qos)
    assert wait(lambda: len(reader.payloads) == 1)
    talker.publish("large/small", b"x")
    assert talker.is_answered(2)
    assert (talker.cuts, reader.cuts) == ([], [])


def test_a_reader_that_is_frozen_is_owed_large_messages_up_to_a_bound_in_bytes(
    served: Broker, sender: Callable[..., Sender]
) -> None:
    """Else it would be 10,000 of any size, all in the broker's memory."""
    frozen = mqtt_load.connect("127.0.0.1", served.port, "frozen", keep=True)
    mqtt_load.subscribe(frozen, "heavy/#")
    talker = sender()
    count = 2 * INFLIGHT_MIB
    for _ in range(count):
        talker.publish("heavy/x", bytes(MIB))
    assert talker.is_answered(count)
    with frozen:
        owed = sum(1 for _ in mqtt_load.drain(frozen, 2.0))
    assert INFLIGHT_MIB <= owed < INFLIGHT_MIB + 1.5 * AWAY_QUEUE  # some are on the wire


def test_beyond_the_limit_a_sender_of_mqtt_3_stays_and_the_message_reaches_nobody(
    sender: Callable[..., Sender],
) -> None:
    reader, talker = sender(), sender()
    reader.subscribe("huge/#")
    talker.publish("huge/x", bytes(MESSAGE_MIB * MIB + 1))
    talker.publish("huge/small", b"small")
    assert talker.is_answered(2)
    assert wait(lambda: reader.payloads == [b"small"])
    assert (talker.cuts, reader.cuts) == ([], [])


def test_beyond_the_limit_others_stay_while_paho_hangs_up_by_itself_in_mqtt_5(
    sender: Callable[..., Sender],
) -> None:
    """The broker answers "packet too large", which MQTT 5 does not allow in a PUBACK."""
    reader, talker, other = sender(), sender(V5), sender(V5)
    reader.subscribe("huge/#")
    talker.publish("huge/x", bytes(MESSAGE_MIB * MIB + 1))
    assert wait(lambda: bool(talker.cuts))
    other.publish("huge/small", b"small")
    assert other.is_answered(1)
    assert wait(lambda: reader.payloads == [b"small"])
    assert (other.cuts, reader.cuts) == ([], [])


def test_the_containers_broker_has_the_same_settings() -> None:
    """Addresses, folders and accounts differ, and memory is what the compose file gives it."""
    compose = settings((ROOT / "stack" / "compose" / "mosquitto.conf").read_text())
    embedded = settings(CONFIGURATION)
    for own in ("listener", "allow_anonymous", "password_file", "persistence_location"):
        compose.pop(own, None)
        embedded.pop(own, None)
    assert compose.keys() == embedded.keys()
    written = {
        "max_queued_messages",
        "max_queued_bytes",
        "max_inflight_bytes",
        "message_size_limit",
    }
    assert {k: v for k, v in compose.items() if k not in written} == {
        k: v for k, v in embedded.items() if k not in written
    }
    assert int(compose["message_size_limit"]) == MESSAGE_MIB * MIB
    assert int(compose["max_inflight_bytes"]) == INFLIGHT_MIB * MIB
    assert int(compose["max_queued_bytes"]) // int(compose["max_queued_messages"]) == 512


def test_the_queue_is_limited_by_number_and_never_by_zero(tmp_path: Path) -> None:
    """Zero is no limit in the manual and the end of a connection in the broker."""
    written: list[str] = []

    class Written(Site):
        def write(self, path: Path, text: str) -> None:
            written.append(text)

        def make_folder(self, path: Path) -> Path:
            return path

    site = Written(None, tmp_path, None, tune(2**30, 1), {})  # type: ignore[arg-type]
    for tuning in (site.tuning, tune(2**36, 64)):
        Mosquitto().prepare(replace(site, tuning=tuning), 1883, [])
    numbers = [int(settings(text)["max_queued_messages"]) for text in written]
    assert all(number >= 100_000 for number in numbers)


def settings(text: str) -> dict[str, str]:
    """The directives of a configuration; those said several times as one text."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name and not name.startswith("#"):
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def wait(done: Callable[[], bool]) -> bool:
    until = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
