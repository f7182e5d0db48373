"""Zigbee2MQTT: states, attributes, availability, commands and the bridge's own topics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, Quality, TimeSource
from ingest.decode import decode_by_hand
from tests.tables import cases
from wire import FORMATS, PAYLOAD_LIMIT, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "zigbee2mqtt"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
SEEN = datetime(2026, 3, 4, 5, 6, 5, tzinfo=UTC)


def parse(topic: str, body: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["zigbee2mqtt"].parse(topic, payload, NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body | changes


def meaning(topic: str, body: dict[str, Any], name: str) -> tuple[str, str, object]:
    value = next(value for value in parse(topic, body).values if value.name == name)
    return value.meaning, value.unit, value.value


def named(decoded: Decoded) -> dict[str, object]:
    return {value.name: value.value for value in decoded.values}


def test_a_state_is_a_cache_and_the_hardware_address_is_the_device() -> None:
    decoded = parse("zigbee2mqtt/井盖 7/Süd", fixture("gas.json"))
    assert (decoded.message_class, decoded.cached) == (MessageClass.TELEMETRY, True)
    assert decoded.device == "0x00124b0001020304"
    assert decoded.link == {"name": "井盖 7/Süd", "linkquality": 87}
    assert named(decoded) == {
        "battery_low": False,
        "gas": True,
        "linkquality": 87,
        "tamper": False,
        "voltage": 2900,
    }
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(SEEN, TimeSource.SERVER)}


def test_a_voltage_in_millivolts_is_the_batterys_and_one_in_volts_the_mains() -> None:
    battery = meaning("zigbee2mqtt/d", fixture("gas.json"), "voltage")
    assert battery == ("battery_v", "mV", 2900)
    assert meaning("zigbee2mqtt/d", fixture("plug.json"), "voltage") == ("voltage_v", "V", 229)


def test_nulls_updates_and_a_cleared_action_are_no_readings() -> None:
    names = named(parse("zigbee2mqtt/plug", fixture("plug.json"))).keys()
    assert names == {
        "state",
        "power",
        "voltage",
        "current",
        "energy",
        "linkquality",
        "color.x",
    }


@pytest.mark.parametrize(
    ("said", "ts"),
    [
        ("2026-03-04T05:06:05.250Z", SEEN + timedelta(milliseconds=250)),
        ("2026-03-04T13:06:05+08:00", SEEN),
        (1772600765000, SEEN),
    ],
)
def test_last_seen_is_the_time_in_each_of_its_forms(said: object, ts: datetime) -> None:
    value = parse("zigbee2mqtt/plug", fixture("plug.json", last_seen=said)).values[0]
    assert (value.ts, value.ts_from) == (ts, TimeSource.SERVER)


@pytest.mark.parametrize("said", [0, None, "", "N/A", "2026-03-04T13:06:05"])
def test_an_unknown_or_local_last_seen_is_no_time(said: object) -> None:
    decoded = parse("zigbee2mqtt/plug", fixture("plug.json", last_seen=said))
    assert (decoded.values[0].ts, decoded.values[0].ts_from) == (NOW, TimeSource.RECEIVED)
    assert decoded.rejects == ()
    assert ("time_local" in decoded.link) == (said == "2026-03-04T13:06:05")


@pytest.mark.parametrize("said", ["yesterday", {}, True, -5])
def test_a_broken_last_seen_is_refused_alone(said: object) -> None:
    decoded = parse("zigbee2mqtt/plug", fixture("plug.json", last_seen=said))
    assert decoded.rejects[0].detail.startswith("last_seen: ")
    assert decoded.values[0].ts == NOW


def test_values_of_a_sensor_that_preheats_are_suspect() -> None:
    decoded = parse("zigbee2mqtt/g", {"gas": "True", "preheat": True})
    assert named(decoded)["gas"] is True
    assert {value.quality for value in decoded.values} == {Quality.SUSPECT}


def test_an_endpoint_tells_its_parent() -> None:
    decoded = parse("zigbee2mqtt/lamp/l2", {"state": "ON"})
    assert decoded.device == "lamp/l2"
    assert decoded.link == {"parent": "lamp", "endpoint": "l2"}
    assert parse("zigbee2mqtt/lamp/hall", {"state": "ON"}).link == {}


@pytest.mark.parametrize(
    ("topic", "text", "device", "values"),
    [
        ("zigbee2mqtt/lamp/temperature", b"21.5", "lamp", {"temperature": 21.5}),
        ("zigbee2mqtt/yard/lamp/state", b"ON", "yard/lamp", {"state": True}),
        ("zigbee2mqtt/lamp/color-x", b"0.31", "lamp", {"color-x": 0.31}),
        ("zigbee2mqtt/cover/contact", b"false", "cover", {"contact": True}),  # it is open
        ("zigbee2mqtt/cover/action", b"tilt", "cover", {"action": "tilt"}),
    ],
)
def test_an_attribute_has_a_topic_of_its_own(
    topic: str, text: bytes, device: str, values: dict[str, object]
) -> None:
    decoded = parse(topic, text)
    assert (decoded.device, named(decoded), decoded.cached) == (device, values, False)


@pytest.mark.parametrize("body", [b"online", b'{"state":"online"}'])
def test_availability_is_a_status_in_both_of_its_forms(body: bytes) -> None:
    decoded = parse("zigbee2mqtt/yard/lamp/availability", body)
    assert (decoded.message_class, decoded.device) == (MessageClass.STATUS, "yard/lamp")
    assert decoded.statuses[0].online is True


def test_the_state_of_the_bridge_is_no_devices() -> None:
    decoded = parse("zigbee2mqtt/bridge/state", b'{"state":"offline"}')
    assert decoded.statuses[0].online is False
    assert decoded.link == {"bridge": True}


@pytest.mark.parametrize(
    "topic", cases("what_the_bridge_says_of_itself_is_counted_whatever_its_size.csv", topic=str)
)
def test_what_the_bridge_says_of_itself_is_counted_whatever_its_size(topic: str) -> None:
    decoded = parse(f"zigbee2mqtt/bridge/{topic}", b"x" * (PAYLOAD_LIMIT + 1))
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link == {"event": f"bridge/{topic}"}


@pytest.mark.parametrize(
    ("topic", "event"),
    [("lamp/set", "set"), ("yard/lamp/get", "get"), ("lamp/set/state", "set")],
)
def test_commands_are_no_states(topic: str, event: str) -> None:
    decoded = parse(f"zigbee2mqtt/{topic}", {"state": "ON"})
    assert (decoded.message_class, decoded.link) == (MessageClass.OTHER, {"event": event})
    assert decoded.device in ("lamp", "yard/lamp")


@pytest.mark.parametrize("topic", ["zigbee2mqtt/lamp", "zigbee2mqtt/lamp/action"])
def test_an_empty_body_clears_and_is_counted(topic: str) -> None:
    assert parse(topic, b"").link == {"event": "cleared"}


@pytest.mark.parametrize("topic", ["zigbee2mqtt/", "zigbee2mqtt/ ", "feed/zigbee2mqtt/"])
def test_a_friendly_name_may_be_empty(topic: str) -> None:
    assert parse(topic, {"gas": False}).device == ""


@pytest.mark.parametrize("body", [b"[]", b"5", b"ON", b'{"a":', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    decoded = parse("zigbee2mqtt/lamp", body)
    assert (decoded.message_class, decoded.device) == (MessageClass.INVALID, "lamp")


@pytest.mark.parametrize("body", [b"up", b'{"state":5}', b"{}", b"\xff"])
def test_an_unknown_availability_is_refused(body: bytes) -> None:
    assert parse("zigbee2mqtt/lamp/availability", body).message_class is MessageClass.INVALID


def test_an_attribute_that_is_a_picture_is_refused() -> None:
    decoded = parse("zigbee2mqtt/cam/picture", b"\x89PNG\r\n" + bytes(300))
    assert decoded.rejects[0].reason == "text_invalid"


def test_common_names_become_canonical_readings() -> None:
    body = fixture("plug.json", contact=False, battery="84", water_leak=True, angle_x=-7, angle_y=3)
    payload = json.dumps(body).encode()
    result = decode_by_hand("zigbee2mqtt/plug", payload, received_at=NOW)
    stored = {r["metric"]: r["value"] for r in result["readings"] if r["stored"]}
    assert stored == {
        "lamp_on": 1,
        "power_w": 41.5,
        "voltage_v": 229,
        "energy_kwh": 12.7,
        "link_quality": 120,
        "cover_open": 1,
        "battery_pct": 84,
        "flooded": 1,
        "tilt_deg": -7,
    }
    assert result["rejects"] == []
    assert "current" in result["warnings"][1]  # in A or mA: only the bridge knows


def test_the_state_of_a_valve_or_a_lock_is_no_lamp() -> None:
    result = decode_by_hand("zigbee2mqtt/v", b'{"state":"OPEN","position":50}', received_at=NOW)
    assert result["rejects"] == []
    assert [reading["stored"] for reading in result["readings"]] == [False, False]


def test_it_is_recognised() -> None:
    known = FORMATS["zigbee2mqtt"]
    assert recognise("zigbee2mqtt/a", b"x") is known
    assert recognise("", json.dumps(fixture("plug.json")).encode()) is known
    assert recognise("feed/z2m/a", b"{}") is known


def test_of_three_phases_the_first_is_the_meters_voltage_and_the_others_are_none() -> None:
    body = {"voltage_c": 228, "voltage_phase_a": 229, "power_phase_b": 384, "linkquality": 3}
    values = parse("zigbee2mqtt/meter-7", body).values
    assert {v.name: v.meaning for v in values} == {
        "voltage_c": "",
        "voltage_phase_a": "voltage_v",
        "power_phase_b": "",
        "linkquality": "link_quality",
    }


def test_carbon_monoxide_is_a_gas_alarm_also_beside_a_quiet_gas_flag() -> None:
    body = json.dumps({"gas": False, "carbon_monoxide": True, "linkquality": 3}).encode()
    shown = decode_by_hand("zigbee2mqtt/detector-7", body, received_at=NOW)
    assert ("gas_alarm", 1.0) in {(r["metric"], r["value"]) for r in shown["readings"]}
