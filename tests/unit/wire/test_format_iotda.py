"""Huawei IoTDA: properties, sub-devices, messages, events, and what the platform passes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, TimeSource
from wire import FORMATS, find_format, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "iotda"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
TOPIC = "$oc/devices/node-1/sys/"


def parse(body: Any, kind: str = "properties/report") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    topic = kind if kind.startswith(("feed/", "$oc", "x")) else TOPIC + kind
    return FORMATS["iotda"].parse(topic, payload, NOW)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def test_properties_are_named_by_their_service() -> None:
    decoded = parse(fixture("properties.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, "node-1")
    assert {v.name: v.value for v in decoded.values} == {
        "gas.ch4": 3.5,
        "gas.alarm": False,
        "power.battery": 81,
    }
    times = {v.name: (v.ts, v.ts_from) for v in decoded.values}
    assert times["gas.ch4"] == (datetime(2026, 3, 4, 5, 5, tzinfo=UTC), TimeSource.DEVICE)
    assert times["power.battery"] == (NOW, TimeSource.RECEIVED)


def test_a_gateways_report_is_one_part_a_device() -> None:
    decoded = parse(fixture("sub-devices.json"), "gateway/sub_devices/properties/report")
    assert [(part.device, part.values[0].value) for part in decoded.parts] == [
        ("node-1", 1200),
        ("node-2", 1300),
    ]
    first = decoded.parts[0].values[0]
    assert first.ts == datetime(2026, 3, 4, 5, 5, 0, 500_000, tzinfo=UTC)


def test_the_platform_passes_reports_on_with_its_own_time() -> None:
    decoded = parse(fixture("forwarded.json"), "feed/iotda/x")
    value = decoded.values[0]
    assert (decoded.device, value.name, value.value) == ("p1_node-1", "gas.ch4", 4.5)
    assert (value.ts, value.ts_from) == (
        datetime(2026, 3, 4, 5, 6, 1, 250_000, tzinfo=UTC),
        TimeSource.SERVER,
    )


def forwarded(resource: str, body: dict[str, Any]) -> dict[str, Any]:
    header = {"device_id": "d1"}
    return {
        "resource": resource,
        "event": "update",
        "event_time": "20260304T050601Z",
        "notify_data": {"header": header, "body": body},
    }


@pytest.mark.parametrize(
    ("said", "online"), [("ONLINE", True), ("OFFLINE", False), ("INACTIVE", None)]
)
def test_the_platform_says_who_is_there(said: str, online: bool | None) -> None:
    (status,) = parse(forwarded("device.status", {"status": said}), "feed/iotda/x").statuses
    assert (status.device, status.online) == ("d1", online)
    assert status.attributes == {"status": said}


def test_forwarded_messages_and_other_news() -> None:
    decoded = parse(forwarded("device.message", {"content": '{"t": 5}'}), "feed/iotda/x")
    assert [v.value for v in decoded.values] == [5]
    other = parse(forwarded("device.command.status", {}), "feed/iotda/x")
    assert (other.message_class, other.link["event"]) == (
        MessageClass.OTHER,
        "device.command.status.update",
    )


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ({"content": {"t": 1}, "id": "1", "name": "m"}, {"t": 1}),
        ({"object_device_id": "node-1", "content": '{"t": 2}'}, {"t": 2}),
        ({"t": 3}, {"t": 3}),
        ({"services": [{"service_id": "s", "properties": {"t": 4}}]}, {"s.t": 4}),
    ],
)
def test_a_message_may_hold_anything(body: Any, values: dict[str, Any]) -> None:
    decoded = parse(body, "messages/up")
    assert {v.name: v.value for v in decoded.values} == values


def test_bytes_of_a_message_wait_for_a_codec() -> None:
    for body in (b"\x01\x02", {"content": "0102zz"}):
        decoded = parse(body, "messages/up")
        assert (decoded.message_class, decoded.device) == (MessageClass.UNDECODED, "node-1")
        assert decoded.raw_bytes
        assert decoded.link["time_from"] == "received"


def event(service: str, kind: str, paras: Any) -> dict[str, Any]:
    return {
        "services": [
            {
                "service_id": service,
                "event_type": kind,
                "paras": paras,
                "event_time": "20260304T050500Z",
            }
        ]
    }


def test_an_event_of_the_product_model_has_values() -> None:
    decoded = parse(event("gas", "leak", {"level": 3}), "events/up")
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.EVENT, "leak")
    assert [(v.name, v.value) for v in decoded.values] == [("gas.level", 3)]


def test_a_gateway_reports_the_states_of_its_devices() -> None:
    states = [{"device_id": "a", "status": "ONLINE"}, {"device_id": "b", "status": "OFFLINE"}]
    body = event("$sub_device_manager", "sub_device_update_status", {"device_statuses": states})
    decoded = parse(body, "events/up")
    assert [(p.statuses[0].device, p.statuses[0].online) for p in decoded.parts] == [
        ("a", True),
        ("b", False),
    ]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("events/up", event("$log", "log_report", {"content": "x"})),
        ("events/up", event("$sdk_info", "sdk_info_report", {})),
        ("events/up", event("$time_sync", "time_sync_request", {})),
        ("commands/response/request_id=1", {"result_code": 0}),
        ("properties/set/response/request_id=1", {"result_code": 0}),
        ("shadow/get/request_id=1", {}),
        ("properties/report", {"services": []}),
        ("messages/up", {"content": "5"}),
    ],
)
def test_what_is_no_measurement_is_counted_only(kind: str, body: Any) -> None:
    decoded = parse(body, kind)
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event"]


@pytest.mark.parametrize(
    "service",
    [
        5,
        {},
        {"service_id": "s"},
        {"service_id": "s", "properties": 5},
        {"service_id": "", "properties": {}},
    ],
)
def test_a_wrong_service_is_refused_beside_the_good_one(service: Any) -> None:
    good = {"service_id": "s", "properties": {"a": 1}}
    decoded = parse({"services": [service, good]})
    assert ([v.value for v in decoded.values], len(decoded.rejects)) == ([1], 1)
    assert parse({"services": [service]}).message_class is MessageClass.INVALID


def test_a_wrong_time_is_the_time_of_receipt() -> None:
    for said in ("20261304T000000Z", "yesterday", 5, "19700101T000000Z", None):
        body = {"services": [{"service_id": "s", "properties": {"a": 1}, "event_time": said}]}
        assert parse(body).values[0].ts == NOW
    unmarked = {"service_id": "s", "properties": {"a": 1}, "event_time": "20260304T050500"}
    ts = parse({"services": [unmarked]}).values[0].ts
    assert ts == datetime(2026, 3, 4, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("properties/report", {}), ("properties/report", {"services": 5}),
        ("properties/report", [1]), ("properties/report", b"{"),
        ("gateway/sub_devices/properties/report", {"devices": []}),
        ("gateway/sub_devices/properties/report", {"devices": [{"services": []}]}),
        ("events/up", {}), ("messages/up", [1]), ("messages/up", b""), ("x", {"a": 1}),
    ],
)  # fmt: skip
def test_another_body_is_refused(kind: str, body: Any) -> None:
    decoded = parse(body, kind)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects


def test_bodies_are_told_apart_without_a_topic() -> None:
    for path in FIXTURES.glob("*.json"):
        assert recognise("", path.read_bytes()) is FORMATS["iotda"], path.name
    assert recognise(TOPIC + "messages/up", b"\x01") is FORMATS["iotda"]
    assert find_format("huawei-iotda-json") is FORMATS["iotda"]
