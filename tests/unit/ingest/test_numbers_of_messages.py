"""Where messages of each feed have their number, and whose it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.device import RegisteredDevice
from city.moment import as_microseconds
from city.sequence import FEEDS
from columns.numbers import BEGINS, UNREAD
from ingest.batch import build_batch, decode_messages
from ingest.formats.native import PlainLane
from ingest.message import Message
from ingest.numbers import named_source
from ingest.reporters import Reporters
from tests.unit.ingest import sparkplug_messages as sparkplug
from wire import FORMATS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
NOW = datetime(2026, 3, 4, 5, 6, 30, tzinfo=UTC)
NOW_US = as_microseconds(NOW)
TOPIC = "city/v1/460107/gas/gas-1/telemetry"
Row = tuple[int, str, int, int, int]


def device(number: int, code: str, wire_format: str, external_id: str | None) -> RegisteredDevice:
    return RegisteredDevice(
        number, code, "gas", "460107", "", "methane", wire_format, external_id, {}, "Asia/Shanghai"
    )


def numbers(*messages: Message, known: list[RegisteredDevice] | None = None) -> list[Row]:
    """source, feed, flags, number, time of sending"""
    registry = Reporters(known or [device(1, "gas-1", "native", None)])
    batch = build_batch(messages, decode_messages(messages), registry)
    return [
        (source, FEEDS[feed], flags, number, at_us)
        for source, feed, flags, number, at_us, _ in batch.numbers.tolist()
    ]


def native(body: Any, **changes: Any) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(TOPIC, payload, False, NOW)._replace(**changes)


GOOD: dict[str, Any] = {"ts": NOW_US // 1000 - 500, "readings": {"ch4_pct_lel": 1}}
SENT_US = NOW_US - 500_000


def test_native_messages_have_it_by_name() -> None:
    assert numbers(native(GOOD | {"seq": 7})) == [(1, "native", 0, 7, SENT_US)]
    assert numbers(native(GOOD)) == []


def test_both_ways_of_native_telemetry_give_the_same_numbers() -> None:
    messages = [
        native(GOOD | {"seq": 7}),
        native(GOOD),
        native(GOOD | {"seq": 8, "readings": {"ch4_pct_lel": 1e9}}),  # a value that is impossible
        native(GOOD | {"seq": 9, "fault": "E1"}),
        native(GOOD | {"seq": 10}),
    ]
    registry = Reporters([device(1, "gas-1", "native", None)])
    plain = PlainLane().take(messages, registry)
    assert 0 < len(plain.rest) < len(messages)
    rest = [messages[number] for number in plain.rest]
    short = build_batch(messages, decode_messages(rest), registry, plain)
    long = build_batch(messages, decode_messages(messages), registry)
    assert sorted(short.numbers.tolist()) == sorted(long.numbers.tolist())
    assert sorted(long.numbers["number"].tolist()) == [7, 8, 9, 10]


def test_a_message_without_a_time_has_that_of_its_receipt_unless_it_was_sent_before() -> None:
    body = {"seq": 7, "readings": {"ch4_pct_lel": 1}}
    assert numbers(native(body)) == [(1, "native", 0, 7, NOW_US)]
    assert numbers(native(body, again=True)) == [(1, "native", 0, 7, 0)]


def test_a_time_that_cannot_be_does_not_put_messages_in_order() -> None:
    assert numbers(native(GOOD | {"seq": 7, "ts": 0})) == [(1, "native", 0, 7, NOW_US)]


def test_what_the_broker_had_kept_says_nothing_of_the_order() -> None:
    assert numbers(native(GOOD | {"seq": 7}, retain=True)) == []


def test_a_message_that_is_refused_has_come_all_the_same() -> None:
    unread = (1, "native", UNREAD, 0, NOW_US)
    assert numbers(native(b"{broken")) == [unread]
    assert numbers(native({"seq": 7, "readings": {}})) == [unread]


def test_nobody_is_followed_who_is_not_registered() -> None:
    stranger = native(GOOD | {"seq": 7}, topic=TOPIC.replace("gas-1", "gas-2"))
    assert numbers(stranger) == []


@pytest.mark.parametrize(
    ("name", "topic", "counter"),
    [
        ("chirpstack/up-bytes.json", "application/1/device/x/event/up", 3),
        ("chirpstack/v3-up.json", "application/1/device/x/event/up", 9),
        ("ttn/up-bytes.json", "v3/app@tenant/devices/x/up", 55),
        ("thingpark/uplink-bytes.json", "feed/thingpark/x", 412),
        ("loriot/gw.json", "feed/loriot/x", 77),
        ("milesight-gateway/uplink-bytes.json", "feed/milesight-gateway/x", 128),
    ],
)
def test_frames_of_lorawan_have_their_counter(name: str, topic: str, counter: int) -> None:
    feed = name.partition("/")[0]
    message = Message(topic, (FIXTURES / name).read_bytes(), False, NOW)
    (decoded,) = decode_messages([message])
    known = [device(4, "G-4", feed, decoded.device)]
    ((*row, at_us),) = numbers(message, known=known)
    assert row == [4, feed, 0, counter]
    assert 0 < NOW_US - at_us < 60_000_000


def test_in_a_list_of_frames_each_device_has_its_own() -> None:
    payload = (FIXTURES / "netmore" / "two.json").read_bytes()
    message = Message("feed/netmore/x", payload, False, NOW)
    (decoded,) = decode_messages([message])
    known = [
        device(number, f"G-{number}", "netmore", part.device)
        for number, part in enumerate(decoded.parts, 1)
    ]
    # The second one's server did not say.
    assert [row[:4] for row in numbers(message, known=known)] == [(1, "netmore", 0, 9001)]


def test_a_frame_that_somebody_invented_for_a_test_counts_for_nothing() -> None:
    payload = (FIXTURES / "ttn" / "up-simulated.json").read_bytes()
    message = Message("v3/app@tenant/devices/x/up", payload, False, NOW)
    (decoded,) = decode_messages([message])
    assert numbers(message, known=[device(4, "G-4", "ttn", decoded.device)]) == []


def test_an_edge_node_of_sparkplug_counts_for_all_its_devices() -> None:
    node = named_source(f"{sparkplug.GROUP}/{sparkplug.EDGE}")
    data = sparkplug.payload(sparkplug.metric("t", 1.5), seq=2)
    messages = [
        Message(sparkplug.topic("NBIRTH"), sparkplug.node_birth(), False, NOW),
        Message(sparkplug.topic("DDATA", "probe"), data, False, NOW),
        Message(sparkplug.topic("NDEATH"), sparkplug.payload(), False, NOW),
    ]
    assert sorted(row[:4] for row in numbers(*messages)) == [
        (node, "sparkplug", 0, 2),
        (node, "sparkplug", BEGINS, 0),
    ]


def test_every_format_that_numbers_its_messages_has_its_place_among_the_feeds() -> None:
    assert {name for name, known in FORMATS.items() if known.numbering} == set(FEEDS)
