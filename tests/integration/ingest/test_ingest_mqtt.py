"""The worker's place at the broker: what is not acknowledged comes again, and only that."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from city.errors import InvalidInput, Unavailable
from ingest.broker import parse_broker
from ingest.intake import DRAINED_S, Intake
from ingest.message import Message
from ingest.mqtt import Inbox, end_session, end_sessions, examine_broker
from ingest.mqtt.client import Client
from stack import Services, provision
from tests.integration.ingest.workers import Publisher, wait_until

Open = Callable[..., Inbox]
WAIT_S = 5.0


@pytest.fixture
def name() -> str:
    return f"inbox-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_inbox(mqtt_url: str, name: str, said: list[str]) -> Iterator[Open]:
    """Inboxes under one client id, on a topic that nobody else uses."""
    opened: list[Inbox] = []

    def open_one(receive_maximum: int = 100) -> Inbox:
        before = len(said)
        inbox = Inbox(mqtt_url, name, [f"{name}/#"], receive_maximum, said.append)
        inbox.start()
        opened.append(inbox)
        wait_until(lambda: any("connected" in line for line in said[before:]), WAIT_S)
        return inbox

    yield open_one
    for inbox in opened:
        if not inbox.is_closed:
            inbox.close()
    end_session(mqtt_url, name)


@pytest.fixture
def publisher(mqtt_url: str) -> Iterator[Publisher]:
    publisher = Publisher(mqtt_url)
    yield publisher
    publisher.close()


def take(inbox: Inbox, count: int) -> list[Message]:
    """Exactly so many messages, and no more for a moment."""
    messages: list[Message] = []
    while len(messages) < count and (more := inbox.take(count, 0.05, WAIT_S)):
        messages += more
    messages += inbox.take(100, 0.0, 0.3)
    assert len(messages) == count
    return messages


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages]


def test_what_was_not_acknowledged_is_delivered_to_the_next_start(
    open_inbox: Open, publisher: Publisher, name: str
) -> None:
    inbox = open_inbox()
    for body in (b"1", b"2", b"3"):
        publisher.send_and_wait(f"{name}/x", body)
    messages = take(inbox, 3)
    inbox.acknowledge(messages[:2])
    inbox.close()

    again = open_inbox()
    rest = take(again, 1)
    assert bodies(rest) == [b"3"]
    again.acknowledge(rest)
    again.close()

    take(open_inbox(), 0)


def test_an_acknowledgement_of_an_earlier_connection_acknowledges_nothing(
    open_inbox: Open, publisher: Publisher, stack: Services, name: str, said: list[str]
) -> None:
    """After a reconnect the broker may give the same message ids to other messages."""
    inbox = open_inbox()
    for body in (b"1", b"2"):
        publisher.send_and_wait(f"{name}/x", body)
    before = take(inbox, 2)

    stack.restart("mosquitto")
    after = take(inbox, 2)
    assert bodies(after) == bodies(before)
    assert "the session was kept" in said[-1]
    inbox.acknowledge(before)
    inbox.close()

    again = open_inbox()
    last = take(again, 2)
    assert bodies(last) == [b"1", b"2"]
    again.acknowledge(last)
    again.close()
    take(open_inbox(), 0)


def test_the_broker_sends_no_more_than_is_wanted_at_once(
    open_inbox: Open, publisher: Publisher, name: str
) -> None:
    inbox = open_inbox(receive_maximum=10)
    for number in range(25):
        publisher.send_and_wait(f"{name}/x", b"%d" % number)

    first = take(inbox, 10)
    inbox.acknowledge(first)
    second = take(inbox, 10)
    inbox.acknowledge(second)
    third = take(inbox, 5)

    assert bodies(first + second + third) == [b"%d" % number for number in range(25)]


def test_a_retained_message_is_new_when_sent_and_is_not_sent_again(
    open_inbox: Open, publisher: Publisher, mqtt_url: str, name: str
) -> None:
    publisher.send_and_wait(f"{name}/old", b"old", retain=True)
    inbox = open_inbox()
    take(inbox, 0)

    publisher.send_and_wait(f"{name}/new", b"new", retain=True)
    (message,) = take(inbox, 1)

    assert (message.payload, message.retain) == (b"new", False)
    inbox.acknowledge([message])
    for topic in ("old", "new"):
        publisher.send_and_wait(f"{name}/{topic}", b"", retain=True)
    take(inbox, 2)


def test_bodies_of_every_size_and_topics_in_every_script_arrive_whole(
    open_inbox: Open, publisher: Publisher, name: str
) -> None:
    inbox = open_inbox()
    sent = [(f"{name}/空气/é", b""), (f"{name}/b", b"\x00" * 127), (f"{name}/c", b"x" * 700_001)]
    for topic, body in sent:
        publisher.send_and_wait(topic, body)

    messages = take(inbox, 3)

    assert [(message.topic, message.payload) for message in messages] == sent


def test_an_ended_session_keeps_nothing(
    open_inbox: Open, publisher: Publisher, mqtt_url: str, name: str
) -> None:
    open_inbox().close()
    publisher.send_and_wait(f"{name}/x", b"1")

    end_session(mqtt_url, name)

    take(open_inbox(), 0)


def test_a_broker_that_is_away_is_said_once_and_not_at_every_try(name: str) -> None:
    said: list[str] = []
    inbox = Inbox(f"mqtt://127.0.0.1:{free_port()}", name, ["x"], 10, said.append)
    inbox.start()
    wait_until(lambda: len(said) >= 1, WAIT_S)
    time.sleep(1.0)
    inbox.close()

    (line,) = said
    assert "does not answer" in line
    assert "\n" not in line


def test_only_what_lies_behind_the_newest_fence_is_skipped(
    mqtt_url: str, publisher: Publisher, name: str
) -> None:
    inbox = Inbox(mqtt_url, name, [f"{name}/#"], 100, lambda _: None, skip=lambda t: "gas" in t)
    inbox.start()
    try:
        wait_until(lambda: inbox.subscribed, WAIT_S)
        first = inbox.next_fence()
        assert first is not None
        assert inbox.next_fence() is None, "one is on its way"
        inbox.drop_fence()
        second = inbox.next_fence()
        assert second is not None
        assert second != first
        publisher.send_and_wait(f"{name}/gas", b"1")
        publisher.send_and_wait(*first)
        publisher.send_and_wait(f"{name}/gas", b"2")
        publisher.send_and_wait(*second)
        publisher.send_and_wait(f"{name}/gas", b"3")
        publisher.send_and_wait(f"{name}/lamp", b"4")
        messages = take(inbox, 3)
        assert bodies(messages) == [b"1", b"2", b"4"]
        inbox.acknowledge(messages)
    finally:
        inbox.close()
        end_session(mqtt_url, name)


def test_what_is_passed_over_alone_is_acknowledged_too(
    mqtt_url: str, publisher: Publisher, name: str
) -> None:
    """Or the broker would soon send nothing more: at most ten are on their way."""
    inbox = Inbox(mqtt_url, name, [f"{name}/#"], 10, lambda _: None, skip=lambda t: "gas" in t)
    inbox.start()
    try:
        wait_until(lambda: inbox.subscribed, WAIT_S)
        fence = inbox.next_fence()
        assert fence is not None
        publisher.send_and_wait(*fence)
        for number in range(50):
            publisher.send(f"{name}/gas", b"%d" % number)
        publisher.send_and_wait(f"{name}/lamp", b"light")
        found: list[Message] = []
        until = time.monotonic() + WAIT_S
        while not found and time.monotonic() < until:
            found = inbox.take(100, 0.0, 0.1)
            inbox.acknowledge(found)
        assert bodies(found) == [b"light"]
    finally:
        inbox.close()
        end_session(mqtt_url, name)


def test_sessions_of_a_dead_worker_are_not_taken_for_empty_while_the_broker_is_away(
    mqtt_url: str, publisher: Publisher, stack: Services, name: str
) -> None:
    dead = Intake(mqtt_url, f"{name}-dead", [f"{name}/#"], 100, lambda _: None)
    dead.start()
    wait_until(lambda: dead.cut_off_s() == 0, WAIT_S)
    time.sleep(0.5)
    dead.close()
    intake = Intake(mqtt_url, name, [f"{name}-other/#"], 100, lambda _: None)
    intake.start()
    try:
        wait_until(lambda: intake.cut_off_s() == 0, WAIT_S)
        for number in range(20):
            publisher.send(f"{name}/x", b"%d" % number)
        publisher.send_and_wait(f"{name}/x", b"last")
        intake.adopt(f"{name}-dead", [f"$share/ingest/{name}/#"])
        stack.stop("mosquitto")
        time.sleep(DRAINED_S + 0.5)
        assert intake.emptied() == []
        stack.start("mosquitto")
        found: list[Message] = []
        until = time.monotonic() + 20
        while not intake.emptied() and time.monotonic() < until:
            found += (more := intake.take(100, 0.05, 0.5))
            intake.acknowledge(more)
        assert {message.payload for message in found} >= {b"0", b"19", b"last"}
        assert intake.release(f"{name}-dead", end=True)
    finally:
        intake.close()
        for worker in (name, f"{name}-dead"):
            end_sessions(mqtt_url, worker)


def test_a_publish_right_behind_an_answer_of_the_broker_is_ours() -> None:
    """paho would take as many packets at once as we have publishes open, messages included."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = Client(parse_broker("mqtt://nowhere"), "x")
    client._sock = ours
    for _ in range(2):
        client.publish("t", b"?", qos=1)
    puback, publish = b"\x40\x02\x00\x01", b"\x32\x07\x00\x01g\x00%c\x00!"
    theirs.sendall(puback + publish % 7 + publish % 8)
    client.drained = False
    messages = []
    while not client.drained:
        messages += client.read(0)
    assert [message.mid for message in messages] == [7, 8]
    ours.close()
    theirs.close()


def test_a_broker_is_examined(mqtt_url: str) -> None:
    findings = list(examine_broker(mqtt_url))
    of_a_cluster = list(examine_broker(mqtt_url, shared=True))

    assert "answers" in findings[0][1]
    assert not any("shared" in text for _, text in findings)
    assert (True, "shared subscriptions are offered") in of_a_cluster
    with pytest.raises(Unavailable, match="does not answer"):
        list(examine_broker(f"mqtt://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "user", "password"),
    [
        ("mqtt://broker", "broker", 1883, False, None, None),
        ("mqtt://ann:p%40ss@broker:1999", "broker", 1999, False, "ann", "p@ss"),
        ("mqtts://10.0.0.1", "10.0.0.1", 8883, True, None, None),
    ],
)
def test_a_broker_address_is_read(
    url: str, host: str, port: int, tls: bool, user: str | None, password: str | None
) -> None:
    broker = parse_broker(url)

    assert (broker.host, broker.port, broker.tls) == (host, port, tls)
    assert (broker.user, broker.password) == (user, password)


@pytest.mark.parametrize("url", ["broker:1883", "http://broker", "mqtt://"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="mqtt_url"):
        parse_broker(url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_broker_that_keeps_too_little_for_a_client_that_is_away_is_found_out(
    tmp_path: Path,
) -> None:
    """Mosquitto's own default drops what comes after the first thousand messages."""
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    program = str(provision().program("mosquitto"))
    with subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL) as broker:
        try:
            wait_until(lambda: answers(port), WAIT_S)
            findings = dict(
                reversed(finding) for finding in examine_broker(f"mqtt://127.0.0.1:{port}")
            )
        finally:
            broker.terminate()
    bad = [text for text, ok in findings.items() if not ok]
    assert len(bad) == 1
    assert "messages for a client that was away" in bad[0]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
