"""Shelly: one value a topic in generation 1, components and notifications since."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, Quality, TimeSource
from ingest.decode import decode_by_hand
from tests.tables import cases
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "shelly"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
THEN = datetime(2026, 3, 4, 5, 6, 5, tzinfo=UTC)
PM = "shellyplus1pm-0a1b2c3d4e5f"


def parse(topic: str, body: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["shelly"].parse(topic, payload, NOW)


def fixture(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body


def named(decoded: Decoded) -> dict[str, object]:
    return {value.name: value.value for value in decoded.values}


def stored(topic: str, body: Any) -> dict[str, float]:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    result = decode_by_hand(topic, payload, received_at=NOW)
    assert result["rejects"] == []
    return {r["metric"]: r["value"] for r in result["readings"] if r["stored"]}


@pytest.mark.parametrize(
    ("topic", "body", "name", "value", "unit"),
    [
        ("sensor/gas", b"mild", "gas", "mild", ""),
        ("sensor/concentration", b"120", "concentration_ppm", 120, "ppm"),
        ("sensor/operation", b"warmup", "operation", "warmup", ""),
        ("sensor/temperature", b"-1", "temperature", -1, "°C"),
        ("sensor/flood", b"true", "flood", True, ""),
        ("sensor/battery", b"84", "battery", 84, "%"),
        ("sensor/lux", b"999", "lux", 999, "lx"),
        ("relay/0", b"on", "relay.0", "on", ""),
        ("relay/0/power", b"41.25", "relay.0.power", 41.25, "W"),
        ("relay/0/energy", b"6000", "relay.0.energy", 6000, "Wmin"),
        ("emeter/2/total", b"1200.5", "emeter.2.total", 1200.5, "Wh"),
        ("emeter/2/returned_energy", b"5", "emeter.2.returned_energy", 5, "Wmin"),
        ("temperature", b"44.5", "temperature", 44.5, "°C"),
        ("temperature_f", b"112.1", "temperature_f", 112.1, "°F"),
        ("ext_temperature/0", b"8.5", "ext_temperature.0", 8.5, "°C"),
        ("adc/0", b"12.1", "adc.0", 12.1, "V"),
        ("roller/0/pos", b"50", "roller.0.pos", 50, "%"),
        ("emeter/0/power", b"-1.0", "emeter.0.power", -1, "W"),
        ("input/1", b"1", "input.1", 1, ""),
        ("overtemperature", b"0", "overtemperature", 0, ""),
    ],
)
def test_a_topic_of_the_first_generation_is_one_value(
    topic: str, body: bytes, name: str, value: object, unit: str
) -> None:
    decoded = parse(f"shellies/shelly-7/{topic}", body)
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, "shelly-7")
    assert [(v.name, v.value, v.unit) for v in decoded.values] == [(name, value, unit)]
    assert (decoded.values[0].ts, decoded.values[0].ts_from) == (NOW, TimeSource.RECEIVED)


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("sensor/concentration", b"-1"),
        ("sensor/gas", b"unknown"),
        ("sensor/vibration", b"-1"),
        ("sensor/temperature", b"999.0"),
        ("ext_temperature/0", b"999"),
    ],
)
def test_what_a_sensor_does_not_know_is_no_value(topic: str, body: bytes) -> None:
    decoded = parse(f"shellies/gas-7/{topic}", body)
    assert (decoded.message_class, decoded.values) == (MessageClass.TELEMETRY, ())
    assert decoded.link["unknown"]


def test_the_test_of_a_gas_sensor_is_no_alarm() -> None:
    assert parse("shellies/gas-7/sensor/gas", b"test").values[0].quality is Quality.SUSPECT
    assert stored("shellies/gas-7/sensor/gas", b"test") == {"gas_alarm": 0}
    assert stored("shellies/gas-7/sensor/gas", b"heavy") == {"gas_alarm": 1}


@pytest.mark.parametrize("topic", cases("commands_and_announcements_are_counted.csv", topic=str))
def test_commands_and_announcements_are_counted(topic: str) -> None:
    decoded = parse(topic, b'{"id":"a","mac":"0A1B2C3D4E5F"}')
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event"]


def test_a_component_of_another_channel_tells_which() -> None:
    body = {"ison": True, "source": "http", "brightness": 40, "has_timer": False}
    assert named(parse("shellies/a/light/0/status", body)) == {"ison": True, "brightness": 40}
    assert named(parse("shellies/a/light/1/status", body)) == {
        "light.1.ison": True,
        "light.1.brightness": 40,
    }


def test_a_whole_status_has_the_devices_time_and_no_housekeeping() -> None:
    decoded = parse("shellies/plug-7/info", fixture("gen1-status.json"))
    assert decoded.device == "plug-7"
    assert decoded.link == {"mac": "0A1B2C3D4E5F", "wifi_rssi": -71}
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(THEN, TimeSource.DEVICE)}
    assert named(decoded) == {
        "wifi_sta.rssi": -71, "relays[0].ison": True, "meters[0].power": 41.25,
        "meters[0].is_valid": True, "meters[0].total": 6000, "tmp.value": 31.5, "tmp.units": "C",
        "tmp.tC": 31.5, "tmp.tF": 88.7, "tmp.is_valid": True, "hum.is_valid": False,
    }  # fmt: skip
    assert next(v.unit for v in decoded.values if v.name == "meters[0].total") == "Wmin"


def test_a_thermometer_set_to_fahrenheit_says_so_in_its_status() -> None:
    body = {"mac": "0A1B2C3D4E5F", "unixtime": 1772600765, "tmp": {"value": 50.0, "units": "F"}}
    assert stored("shellies/ht-7/info", body) == {"temperature_c": pytest.approx(10)}


def test_a_gas_sensor_that_warms_up_is_suspect_and_unknown_is_not_minus_one() -> None:
    decoded = parse("", fixture("gen1-gas-warmup.json"))
    assert decoded.device == "shellygas-0A1B2C3D4E5F"
    assert "concentration.ppm" not in named(decoded)
    assert {value.quality for value in decoded.values} == {Quality.SUSPECT}
    assert decoded.values[0].ts == NOW
    assert stored("shellies/g/info", fixture("gen1-gas-warmup.json")) == {}


def test_a_full_status_tells_of_every_component() -> None:
    decoded = parse("cabinet/7/events/rpc", fixture("gen2-full.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, PM)
    assert {v.ts.timestamp() for v in decoded.values} == {1772600765.25}
    names = named(decoded)
    assert names["switch:0.aenergy.total"] == 12700.5
    assert names["devicepower:0.external.present"] is False
    assert not {name for name in names if "minute" in name or name.endswith((".id", "source"))}
    assert "temperature:0.tC" not in names  # null is unknown, not zero


def test_pulses_are_no_energy() -> None:
    decoded = parse("x/status/input:2", {"id": 2, "counts": {"total": 56, "by_minute": [1, 2]}})
    assert [(v.name, v.value, v.unit) for v in decoded.values] == [("input:2.counts.total", 56, "")]


def test_a_motion_sensor_tells_its_whole_state_at_once() -> None:
    body = {"motion": True, "timestamp": 1772600700, "vibration": False, "lux": 5, "bat": 88}
    assert stored("shellies/motion-7/status", body) == {
        "motion": 1,
        "vibration": 0,
        "illuminance_lx": 5,
        "battery_pct": 88,
    }


def test_a_component_in_fault_is_suspect_and_the_others_are_not() -> None:
    decoded = parse("x/events/rpc", fixture("gen2-full.json"))
    suspect = {v.name for v in decoded.values if v.quality is Quality.SUSPECT}
    assert suspect == {"em1:1.act_power"}
    assert decoded.link["errors"] == ["em1:1: out_of_range:act_power"]


def test_components_become_canonical_readings() -> None:
    assert stored("x/events/rpc", fixture("gen2-full.json")) == {
        "lamp_on": 1, "power_w": 41.5, "voltage_v": 229.1, "current_a": 0.19, "power_factor": 0.95,
        "frequency_hz": 50, "energy_kwh": 12.7005, "battery_v": 5.6, "battery_pct": 84,
        "flooded": 1, "rssi_dbm": -58,
    }  # fmt: skip


@pytest.mark.parametrize("ts", [None, 0, 12.5])
def test_a_clock_that_was_never_set_is_replaced(ts: float | None) -> None:
    body = {"src": PM, "method": "NotifyStatus", "params": {"ts": ts, "switch:0": {"apower": 1.5}}}
    value = parse(f"{PM}/events/rpc", body).values[0]
    assert (value.ts, value.ts_from) == (NOW, TimeSource.RECEIVED)
    assert value.quality is Quality.CLOCK_REPLACED


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        (f"{PM}/status/temperature:100", PM),
        ("cabinet/7/status/temperature:100", "cabinet/7"),
        (f"shellies/{PM}/status/temperature:100", PM),
        ("feed/shelly/cab7/status/temperature:100", "cab7"),
    ],
)
def test_a_status_topic_is_one_component_of_any_prefix(topic: str, device: str) -> None:
    decoded = parse(topic, {"id": 100, "tC": 8.5, "tF": 47.3})
    assert (decoded.device, named(decoded)["temperature:100.tC"]) == (device, 8.5)
    assert decoded.values[0].ts_from is TimeSource.RECEIVED


def test_an_answer_may_be_a_whole_status() -> None:
    body = {"id": 1, "src": PM, "dst": "us", "result": fixture("gen2-full.json")["params"]}
    decoded = parse("us/rpc", body)
    assert (decoded.device, named(decoded)["switch:0.apower"]) == (PM, 41.5)


def test_an_event_is_counted_with_its_name() -> None:
    decoded = parse("x/events/rpc", fixture("gen2-event.json"))
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link == {"event": "single_push", "components": ["input:1"]}


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        (f"{PM}/rpc", b'{"id":1,"src":"us","method":"Switch.Set","params":{"id":0,"on":true}}'),
        ("us/rpc", b'{"id":1,"src":"shelly-7","result":{"was_on":false}}'),
        ("us/rpc", b'{"id":1,"src":"shelly-7","error":{"code":-103,"message":"no"}}'),
        (f"{PM}/command", b"status_update"),
        (f"{PM}/debug/log", b"shelly_notification:162"),
        (f"{PM}/status/cloud", b'{"connected":true}'),
        (f"{PM}/status/wifi", b'{"rssi":0,"status":"disconnected"}'),
        (
            f"{PM}/events/rpc",
            b'{"src":"a","method":"NotifyStatus","params":{"ts":1772600765,"sys":{"cfg_rev":3}}}',
        ),
        (f"{PM}/status/switch:0", b""),
    ],
)
def test_what_measures_nothing_is_counted(topic: str, body: bytes) -> None:
    decoded = parse(topic, body)
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event"]


@pytest.mark.parametrize("topic", ["shellies/a/online", "shellyplus1-a/online", "cab7/online"])
@pytest.mark.parametrize(("body", "online"), [(b"true", True), (b"false", False)])
def test_the_last_will_of_both_generations_is_a_status(
    topic: str, body: bytes, online: bool
) -> None:
    decoded = parse(topic, body)
    assert (decoded.message_class, decoded.statuses[0].online) == (MessageClass.STATUS, online)
    assert decoded.device == topic.split("/")[-2]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("shellies/a/online", b"maybe"),
        ("shellies/a/relay/0", b"\xff\xd8\xff"),
        ("shellies/a/info", b"[]"),
        ("shellies/a/light/0/status", b'{"ison":'),
        ("x/events/rpc", b'{"src":"a","method":"NotifyStatus","params":[]}'),
        ("x/events/rpc", b'{"src":"a"}'),
        ("x/events/rpc", b"NotifyStatus"),
        ("x/status/switch:0", b"on"),
        ("shellies//relay/0", b"on"),
    ],
)
def test_a_broken_message_is_refused(topic: str, body: bytes) -> None:
    decoded = parse(topic, body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].detail


def test_it_is_recognised() -> None:
    known = FORMATS["shelly"]
    for topic in ("shellies/a/relay/0", "cab/events/rpc", "cab/status/em:0", "cab/online"):
        assert recognise(topic, b"x") is known
    for name in ("gen1-status.json", "gen2-full.json", "gen2-event.json"):
        assert recognise("", json.dumps(fixture(name)).encode()) is known
    assert recognise("cab/status/lamp", b"x") is not known
