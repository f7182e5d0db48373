"""JetLinks: reports, replies, events, children, and what the platform passes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import REASON_TOPIC, Decoded, MessageClass, TimeSource
from tests.tables import cases
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "jetlinks"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
REPORT = json.loads((FIXTURES / "report.json").read_text())


def parse(body: Any, topic: str = "/lamps/lamp-1/properties/report") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["jetlinks"].parse(topic, payload, NOW)


def test_a_report_has_values_and_the_devices_time() -> None:
    decoded = parse(REPORT)
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, "lamp-1")
    assert {v.name: v.value for v in decoded.values} == {"temp": 36.5, "on": True}
    assert {(v.ts, v.ts_from) for v in decoded.values} == {
        (datetime(2026, 3, 4, 5, 5, tzinfo=UTC), TimeSource.DEVICE)
    }


def test_the_device_is_the_bodys_or_the_topics() -> None:
    assert parse({"properties": {"a": 1}}).device == "lamp-1"
    assert parse({"deviceId": "灯-2", "properties": {"a": 1}}).device == "灯-2"
    assert parse({"properties": {"a": 1}}, "feed/jetlinks/lamp-3").device == "lamp-3"


def test_properties_may_have_times_of_their_own() -> None:
    body = REPORT | {"propertySourceTimes": {"temp": 1772600701000, "on": 5}}
    times = {v.name: v.ts.second for v in parse(body).values}
    assert times == {"temp": 1, "on": 0}


def test_a_childs_messages_are_the_childs() -> None:
    topic = "/gateways/gw-1/child/sensor-7/properties/report"
    decoded = parse({"properties": {"a": 1}}, topic)
    assert (decoded.device, decoded.values[0].value) == ("sensor-7", 1)
    deeper = parse({"properties": {"a": 1}}, "/g/gw-1/child/gw-2/child/s-9/properties/report")
    assert deeper.device == "s-9"


@pytest.mark.parametrize(
    ("topic", "online"),
    [
        ("/p/d/online", True),
        ("/p/d/offline", False),
        ("/p/g/child/d/online", True),
        ("/p/g/child/d/connected", True),
        ("/p/g/child/d/disconnected", False),
    ],
)
def test_devices_come_and_go(topic: str, online: bool) -> None:
    (status,) = parse({"timestamp": 1772600700000}, topic).statuses
    assert (status.device, status.online, status.ts.minute) == ("d", online, 5)


def test_an_event_has_its_name_before_its_values() -> None:
    decoded = parse({"data": 100}, "/p/d/event/fire")
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.EVENT, "fire")
    assert [(v.name, v.value) for v in decoded.values] == [("fire", 100)]
    decoded = parse({"data": {"level": 2}}, "/p/d/event/fire")
    assert [(v.name, v.value) for v in decoded.values] == [("fire.level", 2)]
    assert parse({}, "/p/d/event/fire").message_class is MessageClass.EVENT


@pytest.mark.parametrize("kind", ["read", "write"])
def test_replies_hold_properties_or_say_why_not(kind: str) -> None:
    topic = f"/p/d/properties/{kind}/reply"
    good = parse({"success": True, "properties": {"a": 1}}, topic)
    assert good.message_class is MessageClass.TELEMETRY
    failed = parse({"success": False, "code": "TIME_OUT", "message": "too late"}, topic)
    assert failed.message_class is MessageClass.OTHER
    assert (failed.link["success"], failed.link["code"]) == (False, "TIME_OUT")
    assert parse({"success": True}, topic).message_class is MessageClass.OTHER


@pytest.mark.parametrize("kind", cases("what_is_no_measurement_is_counted_only.csv", kind=str))
def test_what_is_no_measurement_is_counted_only(kind: str) -> None:
    decoded = parse({"messageId": "1"}, f"/p/d/{kind}")
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.OTHER, kind)


def test_bytes_passed_through_wait_for_a_codec() -> None:
    decoded = parse(b"\x01\x02", "/p/d/direct")
    assert (decoded.message_class, decoded.raw_bytes) == (MessageClass.UNDECODED, b"\1\2")


@pytest.mark.parametrize(
    ("body", "message_class"),
    [
        ({"messageType": "REPORT_PROPERTY", "properties": {"a": 1}}, MessageClass.TELEMETRY),
        ({"messageType": "EVENT", "event": "fire", "data": {"a": 1}}, MessageClass.EVENT),
        ({"messageType": "OFFLINE"}, MessageClass.STATUS),
        ({"messageType": "REGISTER"}, MessageClass.OTHER),
    ],
)
def test_the_platform_passes_messages_on(body: Any, message_class: MessageClass) -> None:
    body = body | {"deviceId": "d9", "headers": {"productId": "p"}}
    decoded = parse(body, "feed/jetlinks/platform")
    assert (decoded.message_class, decoded.device) == (message_class, "d9")
    child = {
        "messageType": "CHILD",
        "deviceId": "g",
        "childDeviceId": "d9",
        "childDeviceMessage": body,
    }
    assert parse(child, "feed/jetlinks/platform").device == "d9"
    assert recognise("", json.dumps(body).encode()) is FORMATS["jetlinks"]


@pytest.mark.parametrize(
    "body", [{}, {"properties": 5}, [1], b"{", {"deviceId": 5, "properties": {"a": 1}}]
)
def test_another_body_is_refused(body: Any) -> None:
    decoded = parse(body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects


def test_another_topic_is_refused_by_name() -> None:
    decoded = parse({"a": 1}, "/p/d/whatever")
    assert (decoded.rejects[0].reason, decoded.device) == (REASON_TOPIC, "d")


def test_a_clock_never_set_is_the_time_of_receipt() -> None:
    value = parse({"timestamp": 5000, "properties": {"a": 1}}).values[0]
    assert (value.ts, value.ts_from) == (NOW, TimeSource.RECEIVED)


def test_topics_begin_with_a_slash() -> None:
    for topic in ("/p/d/properties/report", "/p/g/child/d/online", "/p/d/event/x"):
        assert recognise(topic, b"{}") is FORMATS["jetlinks"]
    assert recognise("p/d/properties/report", b"{}") is None
