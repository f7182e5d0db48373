"""Tasmota: topics in any order, clocks of every kind, bridges, answers to commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, Quality, TimeSource
from ingest.decode import decode_by_hand
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "tasmota"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
THEN = datetime(2026, 3, 4, 5, 6, 5, tzinfo=UTC)


def parse(topic: str, body: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["tasmota"].parse(topic, payload, NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body | changes


def named(decoded: Decoded) -> dict[str, object]:
    return {value.name: value.value for value in decoded.values}


def units(decoded: Decoded) -> dict[str, str]:
    return {value.name: value.unit for value in decoded.values if value.unit}


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("tele/cab7/SENSOR", "cab7"),
        ("tele/street/9/cab7/SENSOR", "street/9/cab7"),
        ("yard/tele/street/cab7/SENSOR", "street/cab7"),
        ("tasmota/cab7/tele/SENSOR", "cab7"),
        ("house/cellar/cab7/tele/SENSOR", "house/cellar/cab7"),
        ("tele/stat/SENSOR", "stat"),
        ("feed/tasmota/cab7", "cab7"),
        ("feed/tasmota/tele/cab7/SENSOR", "cab7"),
    ],
)
def test_the_device_is_what_the_topic_has_beside_prefix_and_word(topic: str, device: str) -> None:
    assert parse(topic, {"DS18B20": {"Temperature": 8.5}}).device == device


def test_values_have_the_units_that_the_documentation_or_the_message_says() -> None:
    decoded = parse("tele/cab7/SENSOR", fixture("sensor-energy.json"))
    assert units(decoded) == {
        "ENERGY.Total[0]": "kWh", "ENERGY.Total[1]": "kWh", "ENERGY.Total[2]": "kWh",
        "ENERGY.Today": "kWh", "ENERGY.Power[0]": "W", "ENERGY.Power[1]": "W",
        "ENERGY.Power[2]": "W", "ENERGY.Voltage": "V", "ENERGY.Current": "A",
        "BME280.Temperature": "°F", "BME280.Humidity": "%", "BME280.Pressure": "mmHg",
    }  # fmt: skip
    assert named(decoded)["Switch1"] == "ON"
    assert "ENERGY.TotalStartTime" not in named(decoded)


def test_units_are_converted_to_ours() -> None:
    payload = json.dumps(fixture("sensor-energy.json")).encode()
    result = decode_by_hand("tele/cab7/SENSOR", payload, received_at=NOW)
    stored = {r["metric"]: r["value"] for r in result["readings"] if r["stored"]}
    assert stored["temperature_c"] == pytest.approx(22)
    assert stored["pressure_kpa"] == pytest.approx(101.325)
    assert "power_w" not in stored  # one phase is not the power
    assert result["rejects"] == []


def test_a_state_is_told_without_the_firmwares_housekeeping() -> None:
    decoded = parse("tele/lamp/STATE", fixture("state.json"))
    assert named(decoded) == {
        "POWER1": "ON",
        "POWER2": "OFF",
        "UptimeSec": 93784,
        "Wifi.RSSI": 70,
        "Wifi.Signal": -65,
    }
    assert units(decoded) == {"Wifi.RSSI": "%", "Wifi.Signal": "dBm"}
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(THEN, TimeSource.DEVICE)}


@pytest.mark.parametrize(
    ("clock", "ts", "source", "quality"),
    [
        ({"Time": "2026-03-04T13:06:05+08:00"}, THEN, TimeSource.DEVICE, Quality.GOOD),
        ({"Time": "2026-03-04T05:06:05Z"}, THEN, TimeSource.DEVICE, Quality.GOOD),
        (
            {"Time": "2026-03-04T13:06:05", "Epoch": 1772600765},
            THEN,
            TimeSource.DEVICE,
            Quality.GOOD,
        ),
        ({"Time": "2026-03-04T13:06:05"}, NOW, TimeSource.RECEIVED, Quality.GOOD),
        ({}, NOW, TimeSource.RECEIVED, Quality.GOOD),
        ({"Time": "1970-01-01T00:00:12"}, NOW, TimeSource.RECEIVED, Quality.CLOCK_REPLACED),
        ({"Time": "1970-01-01T00:00:12Z"}, NOW, TimeSource.RECEIVED, Quality.CLOCK_REPLACED),
        ({"Time": "2000-01-01T00:00:12+00:00"}, NOW, TimeSource.RECEIVED, Quality.CLOCK_REPLACED),
        ({"Epoch": 12}, NOW, TimeSource.RECEIVED, Quality.CLOCK_REPLACED),
    ],
)
def test_only_a_clock_that_was_set_and_has_an_offset_tells_the_time(
    clock: dict[str, Any], ts: datetime, source: TimeSource, quality: Quality
) -> None:
    decoded = parse("tele/a/SENSOR", {"ANALOG": {"A0": 8}, **clock})
    value = decoded.values[0]
    assert (value.ts, value.ts_from, value.quality) == (ts, source, quality)
    local = "Time" in clock and not clock["Time"].endswith(("Z", "00"))
    assert ("time_local" in decoded.link) == local


@pytest.mark.parametrize("said", ["2026-03-04T13:06:05qq", "13:06", "", 5, {}])
def test_a_message_with_a_broken_time_is_refused_with_its_device(said: object) -> None:
    decoded = parse("tele/a/SENSOR", {"Time": said, "ANALOG": {"A0": 8}})
    assert (decoded.message_class, decoded.device) == (MessageClass.INVALID, "a")
    assert decoded.rejects[0].detail.startswith("Time: ")


def test_a_bridge_speaks_for_each_of_its_devices() -> None:
    first, second = parse("tele/bridge/SENSOR", fixture("bridge.json")).parts
    assert (first.device, second.device) == ("0x2B1C", "Manhole_5")
    assert named(first) == {"Water": 1, "BatteryPercentage": 81, "LinkQuality": 93}
    assert first.link == {"via": "bridge", "name": "Manhole_4", "linkquality": 93}
    assert named(second) == {"Contact": 0, "LinkQuality": 12}


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("tele/b/SENSOR", {"ZbReceived": {"0x2B1C": {"Power": 1}}}),
        ("tele/b/2B1C/SENSOR", {"ZbReceived": {"0x2B1C": {"Power": 1}}}),
        ("tele/b/ZbReceived", {"0x2B1C": {"Power": 1}}),
        ("tele/b/SENSOR", {"0x2B1C": {"Power": 1}}),
        ("stat/b/RESULT", {"ZbReceived": {"0x2B1C": {"Power": 1}}}),
    ],
)
def test_every_setting_of_a_bridge_names_the_same_device(topic: str, body: Any) -> None:
    decoded = parse(topic, body)
    assert (decoded.device, named(decoded)) == ("0x2B1C", {"Power": 1})
    assert units(decoded) == {}  # the switch, not watts


def test_what_a_bridge_remembers_is_a_cache_with_the_time_it_heard_the_device() -> None:
    decoded = parse("tele/bridge/SENSOR", fixture("zbinfo.json"))
    assert decoded.cached
    assert named(decoded) == {"Temperature": 11.2, "BatteryPercentage": 80, "LinkQuality": 90}
    assert decoded.values[0].ts == datetime(2026, 3, 4, 5, 5, tzinfo=UTC)
    assert decoded.values[0].ts_from is TimeSource.GATEWAY
    assert decoded.link["ieee"] == "0x00124b0001020305"


def test_a_lorawan_frame_without_a_decoder_keeps_its_bytes() -> None:
    decoded = parse("tele/bridge/SENSOR", fixture("lorawan.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.UNDECODED, "0xAE3D")
    assert (decoded.raw_bytes, decoded.fport) == (b"\x0c\xff\x00", 2)
    assert decoded.link["dev_eui"] == "a84041000102ae3d"
    assert (decoded.link["rssi_dbm"], decoded.link["snr_db"]) == (-101, 4.5)
    assert decoded.link["time"] == NOW.isoformat()


def test_a_frame_of_no_bytes_is_refused() -> None:
    body = fixture("lorawan.json")
    body["LwReceived"]["0xAE3D"]["Payload"] = [1, 256]
    assert parse("tele/bridge/SENSOR", body).message_class is MessageClass.INVALID


def test_a_simulated_decoding_is_marked() -> None:
    body = {"LwDecoded": {"0xAE3D": {"Distance": 900, "RSSI": -80, "simulated": True}}}
    decoded = parse("tele/bridge/SENSOR", body)
    assert {value.quality for value in decoded.values} == {Quality.SIMULATED}
    assert named(decoded) == {"Distance": 900, "RSSI": -80}


@pytest.mark.parametrize(("word", "online"), [(b"Online", True), (b"Offline", False)])
def test_the_last_will_is_a_status(word: bytes, online: bool) -> None:
    decoded = parse("tele/lamp/LWT", word)
    assert (decoded.message_class, decoded.statuses[0].online) == (MessageClass.STATUS, online)


@pytest.mark.parametrize("body", [b"", b"online?", b"\xff", b"{}"])
def test_another_last_will_is_refused(body: bytes) -> None:
    assert parse("tele/lamp/LWT", body).message_class is MessageClass.INVALID


@pytest.mark.parametrize(
    ("topic", "body", "values"),
    [
        ("stat/lamp/POWER", b"ON", {"POWER": "ON"}),
        ("stat/lamp/POWER2", b"OFF", {"POWER2": "OFF"}),
        ("tele/lamp/POWER_LOW", b"ON", {"POWER_LOW": "ON"}),
        ("stat/lamp/RESULT", b'{"POWER":"ON"}', {"POWER": "ON"}),
        ("stat/lamp/RESULT", b'{"Dimmer":50,"Color":"80"}', {"Dimmer": 50, "Color": 80}),
        ("stat/lamp/RESULT", b'{"Button1":{"Action":"SINGLE"}}', {"Button1.Action": "SINGLE"}),
        (
            "stat/a/STATUS8",
            b'{"StatusSNS":{"Time":"2026-03-04T13:06:05","ANALOG":{"A0":8}}}',
            {"ANALOG.A0": 8},
        ),
        ("stat/a/STATUS11", b'{"StatusSTS":{"POWER":"ON","Heap":20}}', {"POWER": "ON"}),
        (
            "stat/a/STATUS0",
            b'{"Status":{"Module":1},"StatusSNS":{"ANALOG":{"A0":8}}}',
            {"ANALOG.A0": 8},
        ),
    ],
)
def test_a_state_is_told_under_many_words(
    topic: str, body: bytes, values: dict[str, object]
) -> None:
    assert named(parse(topic, body)) == values


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("tele/lamp/INFO1", b'{"Info1":{"Module":"Generic","Version":"14.1.0"}}'),
        ("tele/lamp/INFO3", b'{"Info3":{"RestartReason":"Power On"}}'),
        ("tele/lamp/UPTIME", b'{"Time":"2026-03-04T13:06:05","Uptime":"1T02:03:04"}'),
        ("stat/lamp/RESULT", b'{"TelePeriod":300}'),
        ("stat/lamp/RESULT", b'{"Command":"Unknown"}'),
        ("stat/lamp/STATUS", b'{"Status":{"Module":1,"Topic":"lamp"}}'),
        ("stat/lamp/STATUS5", b'{"StatusNET":{"Hostname":"lamp"}}'),
        ("stat/lamp/LOGGING", b"12:00:00 MQT: something"),
        ("stat/lamp/POWER", b""),
        ("tele/lamp/SENSOR", b'{"Time":"2026-03-04T13:06:05"}'),
        ("cmnd/lamp/POWER", b"ON"),
        ("tasmota/discovery/0A1B2C3D4E5F/config", b'{"ip":"192.0.2.7"}'),
    ],
)
def test_what_is_no_reading_is_counted(topic: str, body: bytes) -> None:
    decoded = parse(topic, body)
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event"]


@pytest.mark.parametrize("body", [b"invalid", b"", b"[1]", b'{"a":', b"\xff\x00"])
@pytest.mark.parametrize("word", ["SENSOR", "STATE", "RESULT", "STATUS8"])
def test_a_body_that_must_be_an_object_and_is_none_is_refused(word: str, body: bytes) -> None:
    decoded = parse(f"tele/lamp/{word}", body)
    assert (decoded.message_class, decoded.device) == (MessageClass.INVALID, "lamp")


@pytest.mark.parametrize("topic", ["tele/SENSOR", "tele/a/SEN SOR", "tele/a/"])
def test_other_topics_are_refused_by_name(topic: str) -> None:
    assert parse(topic, {"ANALOG": {"A0": 8}}).rejects[0].reason == "topic_unknown"


def test_it_is_recognised() -> None:
    known = FORMATS["tasmota"]
    assert recognise("yard/tele/a/b/SENSOR", b"x") is known
    assert recognise("tasmota/a/stat/POWER", b"ON") is known
    assert recognise("", json.dumps(fixture("state.json")).encode()) is known
    assert recognise("tele/a", b"1") is not known


def test_codes_that_a_receiver_heard_are_counted() -> None:
    decoded = parse("tele/cab7/RESULT", {"IrReceived": {"Protocol": "NEC", "Bits": 32}})
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.OTHER, "IrReceived")


def test_old_firmware_sends_its_meter_on_a_topic_of_its_own() -> None:
    decoded = parse("tele/cab7/ENERGY", {"Time": "2026-03-04T05:06:05Z", "Power": 33, "Total": 2.5})
    assert named(decoded) == {"ENERGY.Power": 33, "ENERGY.Total": 2.5}
    assert units(decoded) == {"ENERGY.Power": "W", "ENERGY.Total": "kWh"}


def test_numbered_inputs_have_the_unit_of_their_name_and_an_address_stays_text() -> None:
    body = {"ANALOG": {"Temperature2": 4.5}, "DS18B20": {"Id": "000417", "Temperature": 4}}
    decoded = parse("tele/cab7/SENSOR", body)
    assert units(decoded) == {"ANALOG.Temperature2": "°C", "DS18B20.Temperature": "°C"}
    assert named(decoded)["DS18B20.Id"] == "000417"
