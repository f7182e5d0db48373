"""Every real sample of home automation bridges decodes to what its source says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ingest.decode import decode_by_hand, rejected_everything
from tests.unit.wire.corpus import NOW, Sample, corpus, each, moment, of_formats, same

SUPPORTED = {
    "zigbee2mqtt-json": "zigbee2mqtt",
    "tasmota-json": "tasmota",
    "tasmota-plain-text": "tasmota",
    "shelly-gen1-plain-text": "shelly",
    "shelly-gen1-component-json": "shelly",
    "shelly-gen1-status-json": "shelly",
    "shelly-gen2-rpc-json": "shelly",
    "shelly-gen2-status-json": "shelly",
    "ha-discovery-json": "homeassistant",
    "xiaomi-gw3-json": "xiaomi-gw3",
}
CLASSES = {"readings": "telemetry", "status": "status", "none": "other", "reject": "invalid"}
# The source takes the bridge for the device; what the message speaks of is the key inside it,
# as the notes beside these samples say.
BRIDGED = {"tasmota/dimmer-zigbee.json": "0x5ADF", "tasmota/zigbee-tilt-bridge.json": "0x128F"}
# The link's quality stands with the link in the source, here it is a value too. Sources list
# some of the values only: of an energy meter, an inertial sensor and a vibration sensor.
LINK_QUALITY = {"linkquality", "LinkQuality", "wifi_sta.rssi"}
MORE = {
    "shelly/gen2-pro3em-status.json": re.compile(r"em(data)?:0\..*|temperature:0\.tF"),
    "tasmota/tilt-mpu6050.json": re.compile(r"MPU6050\.(Accel|Gyro)[XYZ]Axis"),
    "tasmota/zigbee-tilt-bridge.json": re.compile(r"AqaraAccelerometer\[\d]"),
}
# The names come from a table of the device's model; the message has the numbers alone.
NUMBERED = {"status": ("2.1", 0), "fault": ("2.2", 0), "gas_concentration": ("2.3", 0)}
# How the source writes our units. "0..254" is no unit; %LEL is that of one converter of several.
UNITS = {"°": "deg", "°C": "Cel"}
KNOWN = of_formats(SUPPORTED)
# A bare word, and an object that any bridge may send, say nothing about their sender.
UNMARKED = {"zigbee2mqtt/dimmer-endpoint-subtopic.json"}


def wanted_values(sample: Sample) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for point in sample.expected["points"]:
        for name, value in point["values"].items():
            if isinstance(value, list):
                wanted |= {f"{name}[{index}]": item for index, item in enumerate(value)}
            elif name in NUMBERED and sample.format == "xiaomi-gw3-json":
                name, value = NUMBERED[name]
                wanted[name] = value
            elif value is not None:
                wanted[name] = value
    return wanted


def sent(reading: dict[str, Any], value: object) -> object:
    """What the message said, as a number where the source reads the text as one."""
    said = reading["raw_value"]
    if isinstance(said, str) and isinstance(value, (int, float)):
        return float(said)
    return said


@corpus
@each(KNOWN)
def test_a_sample_is_recognised_by_its_topic_and_by_its_body(sample: Sample) -> None:
    wanted = SUPPORTED[sample.format]
    assert sample.decoded()["format"] == wanted
    if sample.payload.startswith(b"{") and sample.file not in UNMARKED:
        by_body = decode_by_hand("", sample.payload, received_at=NOW)
        assert by_body["format"] == wanted


@corpus
@each(KNOWN)
def test_a_sample_has_the_class_and_the_device_that_its_source_says(sample: Sample) -> None:
    result = sample.decoded()
    assert result["class"] == CLASSES[sample.expect]
    assert result["device"] == BRIDGED.get(sample.file, sample.expected["device_id"])
    assert rejected_everything(result) == (sample.expect == "reject")
    assert bool(result["rejects"]) == (sample.expect == "reject")


@corpus
@each([sample for sample in KNOWN if sample.expect != "status"])
def test_a_sample_has_all_values_of_its_source_and_no_others(sample: Sample) -> None:
    shown = {r["raw_name"]: r for r in sample.decoded()["readings"]}
    wanted = wanted_values(sample)
    for name, value in wanted.items():
        assert same(sent(shown[name], value), value), name
    others = shown.keys() - wanted.keys() - LINK_QUALITY
    allowed = MORE.get(sample.file, re.compile("(?!)"))
    assert [name for name in others if not allowed.fullmatch(name)] == []


@corpus
@each([sample for sample in KNOWN if sample.expected.get("units")])
def test_a_samples_units_are_those_of_its_source(sample: Sample) -> None:
    for reading in sample.decoded()["readings"]:
        unit = sample.expected["units"].get(reading["raw_name"])
        if unit and reading["raw_unit"]:
            assert UNITS.get(reading["raw_unit"], reading["raw_unit"]) == unit


@corpus
@each([sample for sample in KNOWN if sample.expect == "readings"])
def test_a_samples_values_have_the_time_that_its_source_says(sample: Sample) -> None:
    said = sample.expected["time"]
    for reading in sample.decoded()["readings"]:
        assert (reading["ts_from"] == "received") == (said is None)
        assert moment(reading["ts"]) == (NOW if said is None else moment(said))


@corpus
@each([s for s in KNOWN if s.expected.get("time_raw") and s.expect == "readings"])
def test_a_samples_wall_clock_is_no_time_but_is_told(sample: Sample) -> None:
    local = sample.expected["time_raw"]
    if "+" not in local:
        assert sample.decoded()["link"]["time_local"] == local


@corpus
@each([sample for sample in KNOWN if sample.expected.get("link")])
def test_a_samples_link_is_kept_apart(sample: Sample) -> None:
    link = sample.decoded()["link"]
    for name, value in sample.expected["link"].items():
        assert link.get(name) == value


@corpus
@each([sample for sample in KNOWN if sample.expect == "status"])
def test_a_samples_availability_is_a_status(sample: Sample) -> None:
    status = sample.decoded()["statuses"][0]
    assert status["device"] == sample.expected["device_id"]
    assert status["online"] is sample.expected["points"][0]["values"]["available"]


@corpus
@each([sample for sample in KNOWN if sample.message_class == "discovery"])
def test_a_samples_discovery_says_where_a_value_is_found(sample: Sample) -> None:
    link = sample.decoded()["link"]
    assert link["event"] == "discovery"
    for name, value in sample.expected["discovery"].items():
        assert link[name] == value


@corpus
@each(of_formats(["xiaomi-gw3-json"]))
def test_a_numbered_sample_is_an_alarm_contact_by_its_model(sample: Sample) -> None:
    readings = sample.decoded(model="aqara-jt-bz-01aq")["readings"]
    stored = [(r["metric"], r["value"]) for r in readings if r["stored"]]
    assert stored == [("gas_alarm", 0)]


@corpus
@pytest.mark.parametrize("file", sorted(BRIDGED))
def test_a_bridged_device_tells_through_which_bridge(file: str) -> None:
    sample = next(sample for sample in KNOWN if sample.file == file)
    assert sample.decoded()["link"]["via"].startswith(sample.expected["device_id"])
