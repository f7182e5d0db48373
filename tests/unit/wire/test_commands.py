"""Commands to lamps as each format documents them, and what its answers come to."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from city.errors import InvalidInput
from city.lighting import CommandState, Lamp, LampAnswer, LampCommand
from wire import FORMATS
from wire.command import CannotCommand, Downlink
from wire.models import load_model, parse_model

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TOKEN = "7d9f1f7e-0000-4000-8000-000000000001"
EUI = "70b3d5e75e000001"
NAS = {"application_id": "6d2f1c9e", "device_id": "lcu-1"}


def command(
    format_name: str,
    level: int,
    identity: str = "",
    attributes: dict[str, Any] | None = None,
    **lamp: Any,
) -> LampCommand:
    known = Lamp("LT-1", "460107", format_name, "", identity, attributes or {})
    return LampCommand(
        42, 3, 11, TOKEN, level, None, CommandState.QUEUED, 0, None, 600, replace(known, **lamp)
    )


def encoded(wanted: LampCommand) -> Downlink:
    commanding = FORMATS[wanted.lamp.format].commanding
    assert commanding is not None
    return commanding.encode(wanted)


RPC = {"id": TOKEN, "src": "gridwarden-shelly", "method": "Light.Set"}


@pytest.mark.parametrize(
    ("wanted", "topic", "body"),
    [
        (
            command("native", 60),
            "city/v1/460107/light/LT-1/command",
            {"id": TOKEN, "level": 60},
        ),
        (
            command("native", 0, base="north"),
            "north/city/v1/460107/light/LT-1/command",
            {"id": TOKEN, "level": 0},
        ),
        (
            replace(command("native", 60), until=NOW),
            "city/v1/460107/light/LT-1/command",
            {"id": TOKEN, "level": 60, "until": "2026-11-29T12:00:00Z"},
        ),
        (
            command("zigbee2mqtt", 60, "road/lamp 1"),
            "zigbee2mqtt/road/lamp 1/set",
            {"state": "ON", "brightness": 152},
        ),
        (command("zigbee2mqtt", 0, "lamp1"), "zigbee2mqtt/lamp1/set", {"state": "OFF"}),
        (
            command("zigbee2mqtt", 100, "z2m_north/lamp1", {"dimmable": False}, base="z2m_north"),
            "z2m_north/lamp1/set",
            {"state": "ON"},
        ),
        (command("tasmota", 60, "lamp1"), "cmnd/lamp1/Dimmer", 60),
        (command("tasmota", 0, "lamp1"), "cmnd/lamp1/Dimmer", 0),
        (
            command("tasmota", 100, "lamp1", {"dimmable": False, "channel": 1}),
            "cmnd/lamp1/POWER2",
            "ON",
        ),
        (
            command("tasmota", 0, "lamp1", {"full_topic": "tasmota/%topic%/%prefix%/"}),
            "tasmota/lamp1/cmnd/Dimmer",
            0,
        ),
        (
            command("shelly", 60, "shellydimmer2-98CDAC1F2E3D"),
            "shellies/shellydimmer2-98CDAC1F2E3D/light/0/set",
            {"turn": "on", "brightness": 60},
        ),
        (
            command("shelly", 0, "shellyswitch25-98CDAC", {"dimmable": False, "channel": 1}),
            "shellies/shellyswitch25-98CDAC/relay/1/command",
            "off",
        ),
        (
            command("shelly", 60, "shellyprodm1pwr-30c6f7"),
            "shellyprodm1pwr-30c6f7/rpc",
            {**RPC, "params": {"id": 0, "on": True, "brightness": 60}},
        ),
        (
            command("shelly", 0, "road/lamp1", {"generation": 2, "dimmable": False}),
            "road/lamp1/rpc",
            {
                **RPC,
                "src": "gridwarden-shelly/road/lamp1",
                "method": "Switch.Set",
                "params": {"id": 0, "on": False},
            },
        ),
        (
            command("chirpstack", 60, EUI, NAS, model="nas-ul20xx"),
            f"application/6d2f1c9e/device/{EUI}/command/down",
            {
                "id": TOKEN,
                "devEui": EUI,
                "confirmed": True,
                "fPort": 60,
                "data": base64.b64encode(bytes([0x01, 0xFE, 60])).decode(),
            },
        ),
        (
            command("ttn", 100, EUI, NAS | {"application_id": "app1@ttn"}, model="nas-ul20xx"),
            "v3/app1@ttn/devices/lcu-1/down/push",
            {
                "downlinks": [
                    {
                        "f_port": 60,
                        "frm_payload": base64.b64encode(bytes([0x01, 0xFE, 100])).decode(),
                        "priority": "NORMAL",
                        "confirmed": True,
                        "correlation_ids": [f"gridwarden:lamp:{TOKEN}"],
                    }
                ]
            },
        ),
    ],
)
def test_a_command_is_what_the_format_documents(
    wanted: LampCommand, topic: str, body: object
) -> None:
    sent = encoded(wanted)
    payload = sent.payload.decode()
    assert (sent.topic, json.loads(payload) if payload[:1] in '{"0123456789' else payload) == (
        topic,
        body,
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (command("chirpstack", 0, EUI), "this model cannot be commanded: without a name"),
        (
            command("chirpstack", 0, EUI, NAS, model="zenopix-dali"),
            "this model cannot be commanded: zenopix-dali has no [command]",
        ),
        (command("chirpstack", 0, EUI, model="nas-ul20xx"), "attribute application_id"),
        (
            command("ttn", 0, EUI, {"application_id": "a"}, model="nas-ul20xx"),
            "attribute device_id",
        ),
        (
            command("ttn", 0, EUI, NAS | {"device_id": "+"}, model="nas-ul20xx"),
            "attribute device_id",
        ),
        (command("shelly", 0, "lamp1"), "attribute generation must be 1 or 2: None"),
        (command("tasmota", 0, "lamp1", {"channel": 99}), "attribute channel must be 0 to 15: 99"),
        (command("tasmota", 0, "lamp1", {"full_topic": "x"}), "attribute full_topic must hold"),
        (command("tasmota", 0, "#"), "an identity that no topic may hold: '#'"),
        (command("native", 60, "", {"dimmable": False}), "can only be on or off"),
    ],
)
def test_what_is_missing_for_a_command_is_named(wanted: LampCommand, said: str) -> None:
    with pytest.raises(CannotCommand, match=r"LT-1|model") as refused:
        encoded(wanted)
    assert said in str(refused.value)


def answer_of(format_name: str, topic: str, body: dict[str, Any]) -> LampAnswer | None:
    return FORMATS[format_name].parse(topic, json.dumps(body).encode(), NOW).answer


CHIRPSTACK = f"application/6d2f1c9e/device/{EUI}/event/ack"
TTN = "v3/app1@ttn/devices/lcu-1/down"
ACK = {
    "end_device_ids": {"device_id": "lcu-1", "dev_eui": EUI.upper()},
    "correlation_ids": ["as:downlink:01"],
}
OURS = {"correlation_ids": ["x", f"gridwarden:lamp:{TOKEN}"], "f_port": 60}


@pytest.mark.parametrize(
    ("format_name", "topic", "body", "expected"),
    [
        (
            "native",
            "city/v1/460107/light/LT-1/command/ack",
            {"id": TOKEN, "ok": True, "level": 60},
            LampAnswer(TOKEN, True, 60.0),
        ),
        (
            "native",
            "city/v1/460107/light/LT-1/command/ack",
            {"id": TOKEN, "ok": False, "error": "hot"},
            LampAnswer(TOKEN, False, None, "hot"),
        ),
        ("native", "city/v1/460107/light/LT-1/command", {"id": TOKEN, "level": 60}, None),
        (
            "chirpstack",
            CHIRPSTACK,
            {"deviceInfo": {"devEui": EUI}, "queueItemId": TOKEN, "acknowledged": True},
            LampAnswer(TOKEN, True),
        ),
        ("chirpstack", CHIRPSTACK, {"deviceInfo": {"devEui": EUI}, "queueItemId": TOKEN}, None),
        ("ttn", f"{TTN}/ack", ACK | {"downlink_ack": OURS}, LampAnswer(TOKEN, True)),
        ("ttn", f"{TTN}/nack", ACK | {"downlink_nack": OURS}, None),
        ("ttn", f"{TTN}/ack", ACK | {"downlink_ack": {"correlation_ids": ["theirs"]}}, None),
        (
            "ttn",
            f"{TTN}/failed",
            ACK | {"downlink_failed": {"downlink": OURS, "error": {"name": "no_session"}}},
            LampAnswer(TOKEN, False, None, "no_session"),
        ),
    ],
)
def test_an_answer_is_known_by_the_id_of_its_command(
    format_name: str, topic: str, body: dict[str, Any], expected: LampAnswer | None
) -> None:
    assert answer_of(format_name, topic, body) == expected


def test_an_answer_without_a_verdict_is_refused_by_name() -> None:
    topic = "city/v1/460107/light/LT-1/command/ack"
    decoded = FORMATS["native"].parse(topic, json.dumps({"id": TOKEN, "ok": 1}).encode(), NOW)
    assert decoded.rejects[0].detail == "ok: must be true or false (got 1)"


def test_a_model_says_the_frame_of_a_command() -> None:
    model = load_model("nas-ul20xx")
    assert model is not None
    assert model.command is not None
    assert (model.command.f_port, model.command.frame(0)) == (60, b"\x01\xfe\x00")


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ('f_port = 0\nbytes = "{level}"', "command.f_port"),
        ('f_port = true\nbytes = "{level}"', "command.f_port"),
        ('f_port = 60\nbytes = "01 XY {level}"', "command.bytes"),
        ('f_port = 60\nbytes = "01 02"', "command.bytes"),
        ('f_port = 60\nbytes = "{level}"\nport = 1', "command: port"),
    ],
)
def test_a_model_with_a_wrong_command_is_refused(lines: str, field: str) -> None:
    text = f'title = "x"\nkind = "light"\ninterval_s = 60\n[command]\n{lines}\n'
    with pytest.raises(InvalidInput) as refused:
        parse_model("x", text)
    assert refused.value.field.endswith(field)
