"""Which gateways a message came through, and what they say of themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.gateway import Heard
from city.reading import Decoded
from ingest.formats.sparkplug_sessions import apart
from ingest.gateways import heard
from tests.unit.ingest.sparkplug_messages import node_birth, payload, topic
from wire import recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
EUI = "0016c001f0000001"


@dataclass(frozen=True)
class Device:
    id: int = 7
    district: str = "460107"


def parse(where: str, body: bytes) -> Decoded:
    wire_format = recognise(where, body)
    assert wire_format is not None
    return wire_format.parse(where, body, NOW)


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def signs(
    where: str, body: bytes, device: Device | None = None, *, retained: bool = False
) -> list[Heard]:
    decoded = parse(where, body)
    return [
        sign
        for part in decoded.parts or (decoded,)
        for sign in heard(part, device, NOW, retained=retained)
    ]


def who(found: list[Heard]) -> list[tuple[str, str, str]]:
    return [(sign.format, sign.identity, sign.kind) for sign in found]


UP = "application/0b1f7f0e/device/24e1000000000001/event/up"


def test_a_frame_of_a_known_device_speaks_for_its_server_and_all_gateways_that_heard_it() -> None:
    found = signs(UP, fixture("chirpstack/up-decoded.json"), Device())
    assert who(found) == [
        ("chirpstack", "chirpstack", "network_server"),
        ("chirpstack", "00168000000a0b01", "lorawan_gateway"),
        ("chirpstack", "00168000000a0b02", "lorawan_gateway"),
    ]
    assert {sign.device_id for sign in found[1:]} == {7}
    assert {sign.at for sign in found} == {NOW}  # whatever the gateway's clock says
    assert max(sign.rssi_dbm or -200 for sign in found) == -97


def test_a_frame_of_a_stranger_speaks_for_the_server_only() -> None:
    found = signs(UP, fixture("chirpstack/up-decoded.json"))
    assert who(found) == [("chirpstack", "chirpstack", "network_server")]


def test_what_cannot_be_read_speaks_for_nobody() -> None:
    assert signs(UP, b"{", Device()) == []


def test_a_retained_frame_is_no_sign_of_life() -> None:
    assert signs(UP, fixture("chirpstack/up-decoded.json"), Device(), retained=True) == []


def test_a_reception_that_repeats_another_is_left_out_and_a_foreign_network_is_named() -> None:
    link = {
        "gateways": [
            {"gateway": "own", "rssi_dbm": -80.0},
            {"gateway": "again", "repeats": "own"},
            {"gateway": "theirs", "network": "ttnv2"},
            {"gateway": ""},
        ]
    }
    decoded = replace(parse(UP, fixture("chirpstack/up-decoded.json")), link=link)
    found = list(heard(decoded, Device(), NOW))[1:]
    assert [(sign.identity, sign.attributes) for sign in found] == [
        ("own", {}),
        ("theirs", {"network": "ttnv2"}),
    ]


@pytest.mark.parametrize(
    ("said", "kept"),
    [(-97, -97), (-97.123, -97.12), (1e300, None), (-1001, None), (1e-300, 0), ("x", None)],
)
def test_a_signal_that_no_radio_can_have_is_left_out(said: Any, kept: float | None) -> None:
    link = {"gateways": [{"gateway": "gw-1", "rssi_dbm": said, "snr_db": said}]}
    decoded = replace(parse(UP, fixture("chirpstack/up-decoded.json")), link=link)
    (_, sign) = heard(decoded, Device(), NOW)
    assert (sign.rssi_dbm, sign.snr_db) == (kept, kept)


def test_gateways_of_the_things_stack_go_by_their_names() -> None:
    found = signs("v3/app@t/devices/d/up", fixture("ttn/up-decoded.json"), Device())
    assert who(found)[0] == ("ttn", "ttn", "network_server")
    assert len(found) > 1
    assert {sign.kind for sign in found[1:]} == {"lorawan_gateway"}


@pytest.mark.parametrize(
    ("where", "body", "name", "kind"),
    [
        ("zigbee2mqtt/bridge/state", b"offline", "zigbee2mqtt", "zigbee_bridge"),
        ("zigbee2mqtt/bridge/state", b'{"state": "offline"}', "zigbee2mqtt", "zigbee_bridge"),
        ("frigate/available", b"offline", "frigate", "nvr"),
    ],
)
def test_the_last_will_of_a_program_is_its_word_and_no_sign_of_life(
    where: str, body: bytes, name: str, kind: str
) -> None:
    (sign,) = signs(where, body)
    assert (sign.format, sign.identity, sign.kind) == (name, name, kind)
    assert (sign.online, sign.is_alive) == (False, False)
    (sign,) = signs(where, body.replace(b"offline", b"online"))
    assert (sign.online, sign.is_alive) == (True, True)
    (sign,) = signs(where, body.replace(b"offline", b"online"), retained=True)
    assert (sign.online, sign.is_alive) == (True, False)


def test_a_zigbee_device_speaks_for_its_bridge() -> None:
    (sign,) = signs("zigbee2mqtt/cellar", b'{"water_leak": false}', Device())
    assert (sign.identity, sign.device_id) == ("zigbee2mqtt", 7)
    assert sign.online is None


def test_a_device_behind_a_tasmota_bridge_speaks_for_it() -> None:
    found = signs("tele/bridge-1/SENSOR", fixture("tasmota/bridge.json"), Device())
    assert set(who(found)) == {("tasmota", "bridge-1", "zigbee_bridge")}


def test_the_last_will_of_a_device_is_about_no_gateway() -> None:
    assert signs("tele/lamp-1/LWT", b"Offline", Device()) == []
    assert signs("shellyplus1-a8032abe54dc/online", b"false", Device()) == []


def test_birth_data_and_death_of_an_edge_node_and_what_is_behind_it() -> None:
    born = apart(parse(topic("NBIRTH"), node_birth()))
    (sign,) = [s for part in born.parts or (born,) for s in heard(part, None, NOW) if s.online]
    assert (sign.format, sign.identity, sign.kind) == (
        "sparkplug",
        "North/cabinet-7",
        "sparkplug_node",
    )
    (sign,) = signs(topic("DDATA", "pump"), payload(seq=1), Device())
    assert (sign.identity, sign.device_id, sign.online) == ("North/cabinet-7", 7, None)
    (sign,) = signs(topic("NDEATH"), b"")
    assert (sign.online, sign.is_alive) == (False, False)
    (sign,) = signs(topic("DDEATH", "pump"), payload(seq=2), Device())
    assert (sign.identity, sign.online) == ("North/cabinet-7", None)  # the node is there


def test_a_device_that_goes_with_its_node_and_a_host_application_are_no_gateways() -> None:
    assert signs("spBv1.0/STATE/scada", b'{"online": false, "timestamp": 1772600767000}') == []
    dead = parse(topic("NDEATH"), b"")
    gone = replace(
        dead,
        link={"bridge": "North/cabinet-7/pump"},
        statuses=tuple(replace(s, device="North/cabinet-7/pump") for s in dead.statuses),
    )
    assert list(heard(gone, None, NOW)) == []


def test_a_gateway_of_chirpstack_says_itself_that_it_goes() -> None:
    body = json.dumps({"gatewayId": EUI, "state": "OFFLINE"}).encode()
    (sign,) = signs(f"eu868/gateway/{EUI}/state/conn", body, retained=True)
    assert who([sign]) == [("chirpstack", EUI, "lorawan_gateway")]
    assert (sign.online, sign.is_alive) == (False, False)
