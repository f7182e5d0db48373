"""ChirpStack's gateways: connected or not, in Protobuf and JSON, and their statistics."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from city.reading import (
    REASON_FIELD,
    REASON_JSON,
    REASON_PROTOBUF,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    TimeSource,
)
from wire import FORMATS, find_format, recognise
from wire.lorawan.chirpstack_gateway import NAME, message_classes

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
EUI = "0016c001f0000001"
CONN = f"eu868/gateway/{EUI}/state/conn"
STATS = f"eu868/gateway/{EUI}/event/stats"


def parse(topic: str, payload: bytes) -> Decoded:
    return FORMATS[NAME].parse(topic, payload, NOW)


def conn(**fields: Any) -> bytes:
    encoded: bytes = message_classes()["ConnState"](**fields).SerializeToString()
    return encoded


@pytest.mark.parametrize(
    ("payload", "online"),
    [
        (conn(gateway_id=EUI.encode(), state=1), True),
        (conn(gateway_id=EUI.encode()), False),  # 0 is not written
        (conn(gateway_id_legacy=bytes.fromhex(EUI), state=1), True),
        (b"", False),
        (json.dumps({"gatewayId": EUI, "state": "ONLINE"}).encode(), True),
        (json.dumps({"gatewayId": EUI, "state": "OFFLINE"}).encode(), False),
        (json.dumps({"gatewayId": EUI, "state": 1}).encode(), True),
        (json.dumps({"gatewayId": EUI}).encode(), False),
        (
            json.dumps(
                {"gatewayID": base64.b64encode(bytes.fromhex(EUI)).decode(), "state": "ONLINE"}
            ).encode(),
            True,
        ),
    ],
)
def test_a_gateway_says_whether_it_is_connected(payload: bytes, online: bool) -> None:
    decoded = parse(CONN, payload)
    assert (decoded.message_class, decoded.device) == (MessageClass.STATUS, EUI)
    (status,) = decoded.statuses
    assert (status.online, status.ts, status.ts_from) == (online, NOW, TimeSource.RECEIVED)
    assert decoded.link == {"event": "conn", "bridge": EUI}


def test_statistics_are_a_sign_of_life_with_counters() -> None:
    sent = message_classes()["GatewayStats"](
        gateway_id=EUI.encode(), rxPacketsReceived=12, rxPacketsReceivedOk=9
    )
    decoded = parse(STATS, sent.SerializeToString())
    (status,) = decoded.statuses
    assert status.online is True
    assert status.attributes == {
        "event": "stats",
        "rxPacketsReceived": 12,
        "rxPacketsReceivedOk": 9,
    }
    as_json = json.dumps({"gatewayId": EUI, "rxPacketsReceived": 12, "metaData": {"a": "b"}})
    assert parse(STATS, as_json.encode()).statuses[0].attributes["rxPacketsReceived"] == 12


def test_fields_that_are_not_looked_at_do_no_harm() -> None:
    # time (2), a map (10), two nested messages (3, 18) as another program writes them
    other = bytes.fromhex("1206088fb5f1cb06" + "52060a016112016292010412020801")
    sent = message_classes()["GatewayStats"](gateway_id=EUI.encode()).SerializeToString()
    assert parse(STATS, other + sent).statuses[0].online is True


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (CONN, b"\xff\xff", REASON_PROTOBUF),
        (CONN, b'{"gatewayId": ', REASON_JSON),
        (CONN, b'{"state": "MAYBE"}', REASON_FIELD),
        (CONN, b'{"state": true}', REASON_FIELD),
        (CONN, b'{"gatewayId": "0016c001f0000002", "state": "ONLINE"}', REASON_FIELD),
        ("eu868/gateway//state/conn", b"", REASON_FIELD),
        ("eu868/gateway/state/conn", b"", REASON_TOPIC),
        ("application/1/device/2/event/up", b"", REASON_TOPIC),
    ],
)
def test_what_is_no_such_message_is_refused_by_name(
    topic: str, payload: bytes, reason: str
) -> None:
    decoded = parse(topic, payload)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].reason == reason


def test_other_messages_of_a_gateway_are_counted_only() -> None:
    decoded = parse(f"gateway/{EUI}/event/up", b"\x0a\x01\x00")
    assert (decoded.message_class, decoded.link) == (MessageClass.OTHER, {"event": "event/up"})


@pytest.mark.parametrize(
    "topic",
    [
        CONN,
        STATS,
        f"gateway/{EUI.upper()}/state/conn",
        f"cn470_10/gateway/{EUI}/event/stats",
        f"feed/chirpstack-gateway/eu868/gateway/{EUI}/state/conn",
    ],
)
def test_the_topic_tells_them_with_and_without_a_region(topic: str) -> None:
    found = recognise(topic, b"")
    assert found is FORMATS[NAME]
    assert found.parse(topic, b"", NOW).device == EUI
    assert find_format("chirpstack-gateway") is found


@pytest.mark.parametrize(
    "topic", ["v1/gateway/telemetry", "v1/gateway/attributes", "a/b/state/conn"]
)
def test_topics_of_others_are_left_to_them(topic: str) -> None:
    assert recognise(topic, b"{}") is not FORMATS[NAME]
