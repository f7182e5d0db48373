"""Messages of added feeds: read as their format's own, and of the device that the feed means."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from city.datum import Datum
from city.device import RegisteredDevice
from city.feed import Feed
from city.reading import Decoded
from ingest.batch import decode_messages
from ingest.feeds import Feeds
from ingest.gateways import heard
from ingest.message import Message
from ingest.reporters import Reporters
from wire.filters import matches

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
FEEDS = Feeds(
    [
        Feed("north", "zigbee2mqtt", "zigbee2mqtt_north"),
        Feed("street", "shelly", "street"),
        Feed("cameras", "frigate", "frigate_north/events"),
        Feed("bikes", "native", "bikes", datum=Datum.GCJ02),
        Feed("gone", "zigbee2mqtt", "gone", enabled=False),
    ],
    7,
)
EVENT = {
    "id": "1732796000.1-abc",
    "camera": "gate",
    "label": "person",
    "top_score": 0.9,
    "frame_time": 1,
    "start_time": 1,
    "false_positive": False,
    "end_time": None,
    "score": 0.9,
}
STATUS = {
    "src": "shellypro4pm-84cca8aa0010",
    "method": "NotifyStatus",
    "params": {"ts": 1764000000, "switch:0": {"id": 0, "output": True, "apower": 61.5}},
}
BODIES: dict[str, dict[str, Any]] = {
    "lamp": {"power": 5, "linkquality": 80},
    "status": STATUS,
    "part": STATUS["params"]["switch:0"],  # type: ignore[index]
    "event": {"type": "new", "before": EVENT, "after": EVENT},
}


def device(number: int, format_name: str, external_id: str) -> RegisteredDevice:
    return RegisteredDevice(
        number, f"D-{number}", "light", "460107", "", None, format_name, external_id, {}, "UTC"
    )


def read(topic: str, body: Any, *registered: RegisteredDevice, bound: Any = None) -> Decoded:
    message = Message(topic, json.dumps(body).encode(), False, NOW)
    handed = [FEEDS.hand(message)]
    (found,) = FEEDS.adopt(handed, decode_messages(handed), Reporters(registered), bound or {})
    return found


Z, S, F = "zigbee2mqtt", "shelly", "frigate"


@pytest.mark.parametrize(
    ("topic", "body", "registered", "identity"),
    [
        ("zigbee2mqtt_north/lamp1", "lamp", "", "zigbee2mqtt_north/lamp1"),  # a stranger
        ("zigbee2mqtt_north/lamp1", "lamp", "lamp1", "lamp1"),
        ("zigbee2mqtt_north/lamp1", "lamp", "zigbee2mqtt_north/lamp1", "zigbee2mqtt_north/lamp1"),
        ("zigbee2mqtt_north/hall/lamp1", "lamp", "hall/lamp1", "hall/lamp1"),
        ("zigbee2mqtt/lamp1", "lamp", "", "lamp1"),
        ("gone/lamp1", "lamp", "lamp1", "lamp1"),  # queued before it was disabled
        ("zigbee2mqtt_north/0x00158d0001ab23cd", "lamp", "", "0x00158d0001ab23cd"),
        ("street/lamp7/events/rpc", "status", "", "shellypro4pm-84cca8aa0010"),
        ("street/lamp7/status/switch:0", "part", "", "street/lamp7"),
        ("street/lamp7/status/switch:0", "part", "lamp7", "lamp7"),
        ("frigate_north/events", "event", "gate", "gate"),
        ("frigate_north/events", "event", "", "frigate_north/gate"),
    ],
)
def test_a_device_of_a_feed_is_known_by_its_name_or_by_its_topic(
    topic: str, body: str, registered: str, identity: str
) -> None:
    format_name = {"z": Z, "g": Z, "s": S, "f": F}[topic[0]]
    known = [device(1, format_name, registered)] if registered else []
    found = read(topic, BODIES[body], *known)
    assert (found.format, found.device) == (format_name, identity)
    assert not found.rejects


def test_a_name_of_two_bridges_is_of_the_one_that_was_heard_first() -> None:
    lamp = device(1, Z, "lamp1")
    message = Message("zigbee2mqtt_north/lamp1", b'{"power": 5}', False, NOW)
    handed = [FEEDS.hand(message)]
    claims = FEEDS.claims(handed, decode_messages(handed), Reporters([lamp]), {})
    assert claims == {1: "zigbee2mqtt_north"}
    north = read("zigbee2mqtt_north/lamp1", BODIES["lamp"], lamp, bound=claims)
    south = read("zigbee2mqtt/lamp1", BODIES["lamp"], lamp, bound=claims)
    assert (north.device, south.device) == ("lamp1", "zigbee2mqtt/lamp1")
    other = read("zigbee2mqtt_north/lamp1", BODIES["lamp"], lamp, bound={1: "zigbee2mqtt"})
    assert other.device == "zigbee2mqtt_north/lamp1"


def test_who_has_the_full_name_leaves_the_short_one_to_the_other_bridge() -> None:
    both = device(1, Z, "lamp1"), device(2, Z, "zigbee2mqtt_north/lamp1")
    assert read("zigbee2mqtt_north/lamp1", BODIES["lamp"], *both).device == both[1].external_id
    assert read("zigbee2mqtt/lamp1", BODIES["lamp"], *both).device == "lamp1"


def test_a_second_bridge_is_a_gateway_of_its_own() -> None:
    state = read("zigbee2mqtt_north/bridge/state", {"state": "offline"})
    (sign,) = heard(state, None, NOW)
    assert (sign.identity, sign.online) == ("zigbee2mqtt_north", False)
    (sign,) = heard(read("zigbee2mqtt/bridge/state", {"state": "online"}), None, NOW)
    assert (sign.identity, sign.online) == ("zigbee2mqtt", True)


def test_places_of_a_feed_in_gcj_02_are_converted() -> None:
    body = {"ts": 1764000000000, "lon": 110.3290, "lat": 20.0310}
    (place,) = read("bikes/city/v1/460107/squad/S-1/position", body).positions
    assert 110.3235 < place.lon < 110.3250
    assert 20.0315 < place.lat < 20.0340
    said = {**body, "datum": "wgs84"}  # the message knows better than the feed
    for topic, sent in (("bikes/city", said), ("city", body)):
        (place,) = read(f"{topic}/v1/460107/squad/S-1/position", sent).positions
        assert place.lon == 110.3290


def test_feeds_that_are_disabled_are_not_subscribed_to_and_gas_keeps_its_lane() -> None:
    wanted = FEEDS.subscription()
    assert wanted.revision == 7
    assert wanted.gas == ("city/v1/+/gas/#", "bikes/city/v1/+/gas/#")
    assert {"city/#", "zigbee2mqtt/#", "zigbee2mqtt_north/#", "bikes/city/#"} <= {*wanted.others}
    assert not [topic for topic in wanted.others if topic.startswith("gone")]
    off = Feeds([Feed("native", "native", enabled=False, shipped=True)]).subscription()
    assert (off.gas, "city/#" in off.others) == ((), False)


@pytest.mark.parametrize(
    ("topic", "gas"),
    [
        ("city/v1/460107/gas/G-1/telemetry", True),
        ("city/v1/460107/light/L-1/telemetry", False),
        ("bikes/city/v1/460107/gas/G-1/telemetry", True),
        ("bikes/city/v1/460107/light/L-1/telemetry", False),
        ("street/city/v1/460107/gas/G-1/telemetry", False),  # another format's
    ],
)
def test_what_is_passed_over_is_what_the_lane_of_gas_listens_to(topic: str, gas: bool) -> None:
    assert FEEDS.is_gas(topic) is gas
    assert any(matches(f, topic) for f in FEEDS.subscription().gas) is gas
    off = Feeds(
        [
            Feed("native", "native", enabled=False, shipped=True),
            Feed("bikes", "native", "bikes", enabled=False),
        ]
    )
    assert not off.is_gas(topic)


def test_a_message_that_no_added_feed_takes_is_untouched() -> None:
    message = Message("zigbee2mqtt/lamp1", b"{}", False, NOW)
    assert FEEDS.hand(message) is message
