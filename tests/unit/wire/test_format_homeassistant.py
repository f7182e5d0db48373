"""Home Assistant discovery: metadata, never readings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "homeassistant"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


def parse(topic: str, body: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["homeassistant"].parse(topic, payload, NOW)


def fixture(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body


def test_one_value_is_described_in_full_whatever_it_abbreviates() -> None:
    decoded = parse("homeassistant/sensor/cab7/power/config", fixture("sensor.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.OTHER, "cab7")
    assert decoded.link == {
        "event": "discovery", "component": "sensor", "object_id": "power",
        "device_name": "Cabinet 7", "device_manufacturer": "Ours", "device_model": "C-1",
        "identifiers": ["cab7"], "name": "Power", "unit_of_measurement": "W",
        "device_class": "power", "state_class": "measurement", "unique_id": "cab7_power",
        "state_topic": "cabinet/7/state", "json_key": "ENERGY.Power",
        "value_template": "{{ value_json['ENERGY']['Power'] | float }}",
    }  # fmt: skip


def test_a_device_describes_all_of_its_values_at_once() -> None:
    decoded = parse("homeassistant/device/manhole4/config", fixture("device.json"))
    assert decoded.device == "0a:1b:2c:3d:4e:5f"
    first, second = decoded.link["components"]
    assert (first["component"], first["object_id"], first["json_key"]) == ("sensor", "t", "t")
    assert first["state_topic"] == "manhole/4"  # that of the device
    assert second["state_topic"] == "manhole/4/water"
    assert second["on_value"] == "WET"


def test_the_zigbee_address_in_an_identifier_is_the_device() -> None:
    body = {"unique_id": "u", "device": {"identifiers": ["hub", "z2m_0x00124B0001020304"]}}
    decoded = parse("homeassistant/sensor/n/o/config", body)
    assert decoded.device == "0x00124b0001020304"


@pytest.mark.parametrize("device", [None, {}, {"identifiers": []}, {"connections": [["mac"]]}, 5])
def test_without_identifiers_the_topic_names_the_device(device: object) -> None:
    assert parse("homeassistant/sensor/n/o/config", {"device": device}).device == "n"


def test_an_empty_body_removes() -> None:
    decoded = parse("homeassistant/sensor/cab7/power/config", b"")
    assert decoded.link["event"] == "discovery_removed"
    assert (decoded.device, decoded.link["object_id"]) == ("cab7", "power")


@pytest.mark.parametrize(("word", "online"), [(b"online", True), (b"offline", False)])
def test_birth_and_last_will_are_the_status_of_no_device(word: bytes, online: bool) -> None:
    decoded = parse("homeassistant/status", word)
    assert (decoded.message_class, decoded.statuses[0].online) == (MessageClass.STATUS, online)
    assert decoded.link == {"bridge": True}


def test_a_state_beside_the_discovery_is_counted() -> None:
    decoded = parse("homeassistant/binary_sensor/yard/state", b"ON")
    assert decoded.link == {"event": "binary_sensor/yard/state"}


def test_a_base_topic_stands_at_either_end() -> None:
    body = {"~": "a/b", "state_topic": "x/~", "command_topic": "~/set"}
    link = parse("homeassistant/switch/n/config", body).link
    assert (link["state_topic"], link["command_topic"]) == ("x/a/b", "a/b/set")


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("homeassistant/sensor/a/config", b"[]"),
        ("homeassistant/sensor/a/config", b"{"),
        ("homeassistant/config", b"{}"),
        ("homeassistant/sensor/a/b/c/config", b"{}"),
        ("homeassistant/status", b"maybe"),
    ],
)
def test_a_broken_message_is_refused(topic: str, body: bytes) -> None:
    assert parse(topic, body).message_class is MessageClass.INVALID


def test_many_entities_are_cut() -> None:
    body = {"cmps": {f"c{i}": {"p": "sensor"} for i in range(500)}, "dev": {"ids": ["a"]}}
    assert len(parse("homeassistant/device/a/config", body).link["components"]) == 64


def test_it_is_recognised() -> None:
    known = FORMATS["homeassistant"]
    assert recognise("homeassistant/sensor/a/config", b"") is known
    for name in ("sensor.json", "device.json"):
        assert recognise("", json.dumps(fixture(name)).encode()) is known
