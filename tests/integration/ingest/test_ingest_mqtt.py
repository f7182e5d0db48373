"""The lane to the broker: what is not acknowledged comes again, and only that."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from select import select

import pytest

from city.errors import InvalidInput, Unavailable
from ingest.broker import parse_broker
from ingest.inbox import Mark
from ingest.message import Message
from ingest.mqtt import Lane, end_session, examine_broker
from ingest.mqtt.client import Client
from ingest.packets import read_publishes
from stack import Services, provision
from tests.integration.ingest.workers import Publisher, wait_until

WAIT_S = 10.0
Open = Callable[..., "Driven"]


class Driven:
    """A lane with somebody who drives it, and what it has brought."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def turn(self, *others: Lane) -> None:
        """Once round, as the inbox does it."""
        at = time.monotonic()
        for lane in (self.lane, *others):
            lane.connect_if_due(at)
            if (sock := lane.sock) is None:
                continue
            lane.keep_alive(unread=False)
            readable, _, _ = select([sock], [sock] if lane.wants_write else [], [], 0.02)
            lane.answer()
            if readable or not lane.drained:
                lane.read()
            if lane.sock is not None and lane.wants_write:
                lane.write()

    def until(self, done: Callable[[], bool], *others: Lane) -> None:
        end = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < end, f"nothing within {WAIT_S:g} s"
            self.turn(*others)

    def settle(self, seconds: float = 0.3, *others: Lane) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(*others)

    def count(self) -> int:
        return sum(piece.count for piece in self.lane.waiting)

    def take(self, count: int) -> list[Message]:
        """Exactly so many messages, and no more for a moment; they are not acknowledged."""
        self.until(lambda: self.count() >= count)
        self.settle()
        messages: list[Message] = []
        for piece in self.lane.waiting:
            found, _ = read_publishes(piece.packets, piece.received_at, False, "")
            messages += found
        assert len(messages) == count
        return messages

    def acknowledge(self, pieces: int | None = None) -> None:
        """So many of the pieces that came, or all."""
        taken = [self.lane.waiting.popleft() for _ in range(pieces or len(self.lane.waiting))]
        for piece in taken:
            _, piece.owed = read_publishes(piece.packets, piece.received_at, False, "")
        self.settle(0.1)


@pytest.fixture
def name() -> str:
    return f"lane-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_lane(mqtt_url: str, name: str, said: list[str]) -> Iterator[Open]:
    """Lanes under one client id, on a topic that nobody else uses."""
    opened: list[Lane] = []

    def open_one(receive_maximum: int = 100, run_max: int = 2000) -> Driven:
        lane = Lane(mqtt_url, name, receive_maximum, said.append, run_max=run_max)
        lane.listen([f"{name}/#"])
        opened.append(lane)
        driven = Driven(lane)
        driven.until(lambda: lane.subscribed)
        return driven

    yield open_one
    for lane in opened:
        lane.close()
    end_session(mqtt_url, name)


@pytest.fixture
def publisher(mqtt_url: str) -> Iterator[Publisher]:
    publisher = Publisher(mqtt_url)
    yield publisher
    publisher.close()


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages]


def test_what_was_not_acknowledged_is_delivered_to_the_next_start(
    open_lane: Open, publisher: Publisher, name: str
) -> None:
    first = open_lane(run_max=1)
    for body in (b"1", b"2", b"3"):
        publisher.send_and_wait(f"{name}/x", body)
    first.take(3)
    first.acknowledge(2)
    first.lane.close()

    again = open_lane()
    assert bodies(again.take(1)) == [b"3"]
    again.acknowledge()
    again.lane.close()

    open_lane().take(0)


def test_acknowledgements_leave_in_the_order_of_arrival(
    open_lane: Open, publisher: Publisher, name: str
) -> None:
    """Of two workers the second may be done first: what comes again must come in order."""
    lane = open_lane(run_max=1)
    for body in (b"1", b"2"):
        publisher.send_and_wait(f"{name}/x", body)
    lane.take(2)
    older, newer = lane.lane.waiting
    _, newer.owed = read_publishes(newer.packets, newer.received_at, False, "")
    lane.settle()
    lane.lane.give_up()
    again = open_lane()
    assert bodies(again.take(2)) == [b"1", b"2"]
    assert older.owed is None


def test_an_acknowledgement_of_an_earlier_connection_acknowledges_nothing(
    open_lane: Open, publisher: Publisher, stack: Services, name: str, said: list[str]
) -> None:
    """After a reconnect the broker may give the same message ids to other messages."""
    lane = open_lane()
    for body in (b"1", b"2"):
        publisher.send_and_wait(f"{name}/x", body)
    before = lane.take(2)
    pieces = list(lane.lane.waiting)

    stack.restart("mosquitto")
    lane.until(lambda: lane.lane.connection > 0 and lane.lane.subscribed)
    after = lane.take(2)
    assert bodies(after) == bodies(before)
    assert "the session was kept" in said[-1]
    for piece in pieces:
        _, piece.owed = read_publishes(piece.packets, piece.received_at, False, "")
    lane.settle()
    lane.lane.close()

    again = open_lane()
    assert bodies(again.take(2)) == [b"1", b"2"]
    again.acknowledge()
    again.lane.close()
    open_lane().take(0)


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_a_broker_that_dies_and_returns_delivers_what_comes_before_we_are_back(
    open_lane: Open, mqtt_url: str, stack: Services, name: str, way: str
) -> None:
    """It restores a plain filter of a saved session; a shared one it forgets."""
    lane = open_lane()
    lane.lane.close()
    time.sleep(2.5)  # its state is saved every second
    (stack.kill if way == "kill" else stack.stop)("mosquitto")
    stack.start("mosquitto")
    publisher = Publisher(mqtt_url)
    for number in range(20):
        publisher.send_and_wait(f"{name}/x", b"%d" % number)
    publisher.close()
    assert bodies(open_lane().take(20)) == [b"%d" % number for number in range(20)]


def test_the_broker_sends_no_more_than_is_wanted_at_once(
    open_lane: Open, publisher: Publisher, name: str
) -> None:
    lane = open_lane(receive_maximum=10)
    for number in range(25):
        publisher.send_and_wait(f"{name}/x", b"%d" % number)
    found = []
    for count in (10, 10, 5):
        found += lane.take(count)
        lane.acknowledge()
    assert bodies(found) == [b"%d" % number for number in range(25)]


def test_a_retained_message_comes_once_when_the_session_is_new(
    open_lane: Open, publisher: Publisher, mqtt_url: str, name: str
) -> None:
    publisher.send_and_wait(f"{name}/old", b"old", retain=True)
    lane = open_lane()
    assert [(m.payload, m.retain) for m in lane.take(1)] == [(b"old", True)]
    lane.acknowledge()

    publisher.send_and_wait(f"{name}/new", b"new", retain=True)
    assert [(m.payload, m.retain) for m in lane.take(1)] == [(b"new", False)]
    lane.acknowledge()
    lane.lane.close()

    again = open_lane()
    again.take(0)
    for topic in ("old", "new"):
        publisher.send_and_wait(f"{name}/{topic}", b"", retain=True)
    again.take(2)


def test_bodies_of_every_size_and_topics_in_every_script_arrive_whole(
    open_lane: Open, publisher: Publisher, name: str
) -> None:
    lane = open_lane()
    sent = [(f"{name}/空气/é", b""), (f"{name}/b", b"\x00" * 127), (f"{name}/c", b"x" * 700_001)]
    for topic, body in sent:
        publisher.send_and_wait(topic, body)
    assert [(message.topic, message.payload) for message in lane.take(3)] == sent


def test_an_ended_session_keeps_nothing(
    open_lane: Open, publisher: Publisher, mqtt_url: str, name: str
) -> None:
    open_lane().lane.close()
    publisher.send_and_wait(f"{name}/x", b"1")
    end_session(mqtt_url, name)
    open_lane().take(0)


def test_a_session_that_somebody_else_takes_is_known_to_be_taken(
    open_lane: Open, said: list[str]
) -> None:
    first = open_lane()
    second = open_lane()
    first.settle(0.3, second.lane)
    assert first.lane.displaced
    assert any("somebody else has taken it" in line for line in said)


def test_a_broker_that_is_away_is_said_once_and_not_at_every_try(name: str) -> None:
    said: list[str] = []
    lane = Driven(Lane(f"mqtt://127.0.0.1:{free_port()}", name, 10, said.append))
    lane.settle(1.0)
    (line,) = said
    assert "does not answer" in line
    assert "\n" not in line


class TwoLanes:
    """Gas in a lane of its own, and the other one, which gets it too."""

    def __init__(self, mqtt_url: str, name: str) -> None:
        self.gas = Lane(mqtt_url, f"{name}-gas", 10, lambda _: None)
        self.others = Lane(mqtt_url, name, 10, lambda _: None, mark_topic=f"gridwarden/mark/{name}")
        self.mark = Mark(self.gas, self.others)
        self.driven = Driven(self.others)
        self.gas.listen([f"{name}/gas"])
        self.others.listen([f"{name}/#"])

    def until_marked(self) -> None:
        def marked() -> bool:
            self.mark.mind(time.monotonic(), "test")
            return self.others.pass_over_gas

        self.driven.until(marked, self.gas)

    def close(self, mqtt_url: str) -> None:
        for lane in (self.gas, self.others):
            lane.close()
            end_session(mqtt_url, lane.client_id)


@pytest.fixture
def lanes(mqtt_url: str, name: str) -> Iterator[TwoLanes]:
    lanes = TwoLanes(mqtt_url, name)
    yield lanes
    lanes.close(mqtt_url)


def test_gas_is_passed_over_only_behind_the_mark_of_its_own_lane(
    lanes: TwoLanes, publisher: Publisher, name: str
) -> None:
    lanes.driven.until(lambda: lanes.others.subscribed)
    publisher.send_and_wait(f"{name}/gas", b"before the lane of gas is there")
    publisher.send_and_wait(f"gridwarden/mark/{name}", b"somebody else's mark")
    publisher.send_and_wait(f"{name}/gas", b"still before")
    lanes.until_marked()
    publisher.send_and_wait(f"{name}/gas", b"behind")
    lanes.driven.until(lambda: lanes.driven.count() == 3, lanes.gas)
    assert [piece.pass_over_gas for piece in lanes.others.waiting] == [False, False, True]
    assert sum(piece.count for piece in lanes.gas.waiting) == 1


def test_without_the_lane_of_gas_nothing_is_passed_over(
    lanes: TwoLanes, publisher: Publisher, name: str
) -> None:
    lanes.until_marked()
    lanes.gas.give_up()
    lanes.mark.mind(time.monotonic(), "test")
    publisher.send_and_wait(f"{name}/gas", b"x")
    lanes.driven.until(lambda: lanes.driven.count() == 1)
    assert not lanes.others.waiting[0].pass_over_gas
    lanes.until_marked()


def test_a_mark_is_acknowledged_though_nobody_is_given_it(
    lanes: TwoLanes, publisher: Publisher, name: str
) -> None:
    """Or the broker would soon send nothing more: at most ten are on their way."""
    lanes.driven.until(lambda: lanes.others.subscribed)
    for number in range(50):
        publisher.send(f"gridwarden/mark/{name}", b"%d" % number)
    publisher.send_and_wait(f"{name}/lamp", b"light")
    lanes.driven.until(lambda: lanes.driven.count() == 1)


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
    mids = []
    while not client.drained:
        for run in client.read():
            mids += [m.mid for m in read_publishes(run.packets, datetime.now(UTC), False, "")[0]]
    assert mids == [7, 8]
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
