"""ThingsBoard: telemetry in three shapes, attributes, the gateway's messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, Quality, TimeSource
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "thingsboard"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
POINT = datetime(2026, 3, 4, 5, 5, tzinfo=UTC)


def parse(body: Any, topic: str = "feed/thingsboard/lamp-1") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["thingsboard"].parse(topic, payload, NOW)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("v1/devices/me/telemetry", ""),  # the connection's token names it, and no message does
        ("v2/t", ""),
        ("v1/devices/lamp-1/telemetry", "lamp-1"),
        ("feed/thingsboard/lamp-1", "lamp-1"),
        ("feed/thingsboard/lamp-1/telemetry", "lamp-1"),
    ],
)
def test_a_flat_object_is_of_now(topic: str, device: str) -> None:
    decoded = parse({"supply": 230.5, "on": True, "message_type": "sensor_data"}, topic)
    assert decoded.device == device
    assert {v.name: v.value for v in decoded.values} == {"supply": 230.5, "on": True}
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(NOW, TimeSource.RECEIVED)}
    assert decoded.link["message_type"] == "sensor_data"
    assert recognise(topic, b"{}") is FORMATS["thingsboard"]


def test_points_have_their_times_and_old_ones_are_late() -> None:
    decoded = parse(fixture("points.json"))
    assert [(v.name, v.value, v.quality) for v in decoded.values] == [
        ("temperature", 21.5, Quality.GOOD),
        ("state", "ok", Quality.GOOD),
        ("temperature", 20.5, Quality.LATE),
    ]
    assert (decoded.values[0].ts, decoded.values[0].ts_from) == (POINT, TimeSource.DEVICE)
    assert recognise("", json.dumps(fixture("points.json")).encode()) is FORMATS["thingsboard"]


def test_a_gateways_message_is_one_part_a_device() -> None:
    decoded = parse(fixture("gateway.json"), "v1/gateway/telemetry")
    assert [(part.device, part.values[0].value) for part in decoded.parts] == [
        ("Lamp A", 60),
        ("Lamp B", 40),
    ]
    assert (decoded.device, decoded.values) == ("", ())
    alone = parse({"Lamp A": {"dim": 5}}, "v1/gateway/telemetry")
    assert (alone.device, alone.values[0].value) == ("Lamp A", 5)


@pytest.mark.parametrize(("kind", "online"), [("connect", True), ("disconnect", False)])
def test_a_gateway_says_who_is_there(kind: str, online: bool) -> None:
    (status,) = parse({"device": "Lamp A", "type": "lamp"}, f"v1/gateway/{kind}").statuses
    assert (status.device, status.online) == ("Lamp A", online)


def test_attributes_are_what_a_device_tells_about_itself() -> None:
    body = {"fw": "1.2", "n": 5, "deep": {"a": 1}, "no": None}
    (status,) = parse(body, "feed/thingsboard/lamp-1/attributes").statuses
    assert (status.online, status.attributes) == (None, {"fw": "1.2", "n": 5})
    parts = parse({"A": {"fw": "1"}, "B": {"fw": "2"}}, "v1/gateway/attributes").parts
    assert [part.statuses[0].device for part in parts] == ["A", "B"]
    assert parse(body, "v1/devices/me/attributes").message_class is MessageClass.OTHER


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("v1/devices/me/attributes/request/1", {"clientKeys": "a"}),
        ("v1/devices/me/rpc/response/1", {"ok": True}),
        ("v1/devices/me/claim", {"durationMs": 1}),
        ("v1/gateway/rpc", {"device": "A", "id": 1, "data": {}}),
        ("v1/gateway/attributes", {"device": "A", "data": {"x": 1}}),
        ("v1/gateway/claim", {"A": {}}),
        ("v1/devices/me/telemetry", {}),
    ],
)
def test_what_is_no_measurement_is_counted_only(topic: str, body: Any) -> None:
    decoded = parse(body, topic)
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event"]


def test_a_converters_output_names_its_device() -> None:
    body = {"deviceName": "Lamp C", "deviceType": "lamp", "telemetry": {"dim": 7}}
    decoded = parse(body, "v1/devices/me/telemetry")
    assert (decoded.device, decoded.values[0].value) == ("Lamp C", 7)


@pytest.mark.parametrize(
    "entry",
    [
        5,
        "x",
        {"ts": "now", "values": {"a": 1}},
        {"ts": 1, "values": 5},
        {"ts": 1e300, "values": {"a": 1}},
    ],
)
def test_a_wrong_point_is_refused_beside_the_good_one(entry: Any) -> None:
    decoded = parse([entry, {"a": 1}])
    assert ([v.value for v in decoded.values], len(decoded.rejects)) == ([1], 1)
    alone = parse([entry])
    assert alone.message_class is MessageClass.INVALID


def test_one_wrong_device_leaves_the_others() -> None:
    decoded = parse({"": {"a": 1}, "A": {"a": 1}}, "v1/gateway/telemetry")
    assert [part.message_class for part in decoded.parts] == [
        MessageClass.INVALID,
        MessageClass.TELEMETRY,
    ]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("v1/gateway/telemetry", []),
        ("v1/gateway/telemetry", {}),
        ("v1/gateway/connect", {}),
        ("v1/devices/me/telemetry", 5),
        ("v1/devices/me/telemetry", b"{"),
        ("v1/devices/me/attributes", [1]),
        ("some/topic", {"a": 1}),
    ],
)
def test_another_body_is_refused(topic: str, body: Any) -> None:
    decoded = parse(body, topic)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects


def test_a_clock_never_set_is_no_time() -> None:
    value = parse({"ts": 5000, "values": {"a": 1}}).values[0]
    assert (value.ts, value.quality) == (NOW, Quality.CLOCK_REPLACED)
