"""Bare frames: hex text or binary, and the NB-IoT header some of them come in."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.reading import REASON_FIELD, REASON_TOO_LARGE, Decoded, MessageClass
from ingest.decode import decode_by_hand
from wire import FORMATS, find_format, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
FRAME = bytes.fromhex("01755a0367d20004820a05050000")
NBIOT = bytes.fromhex((FIXTURES / "milesight-nbiot" / "distance.hex").read_text())
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
TOPIC = "feed/lorawan-frame/24E1000000000071/85"


def parse(payload: bytes, topic: str = TOPIC) -> Decoded:
    wire_format = recognise(topic, payload)
    assert wire_format is not None
    return wire_format.parse(topic, payload, NOW)


@pytest.mark.parametrize(
    "payload",
    [
        FRAME,
        FRAME.hex().encode(),
        FRAME.hex().upper().encode() + b"\r\n",
        b" 0x" + FRAME.hex().encode(),
        FRAME.hex(" ").encode(),
        FRAME.hex("-").encode(),
    ],
)
def test_a_frame_is_its_bytes_however_they_are_written(payload: bytes) -> None:
    decoded = parse(payload)
    assert decoded.message_class is MessageClass.UNDECODED
    assert (decoded.raw_bytes, decoded.fport) == (FRAME, 85)
    assert decoded.device == "24e1000000000071"
    assert decoded.link == {"gateways": [], "time": NOW.isoformat(), "time_from": "received"}


def test_the_port_may_be_missing_or_0_or_impossible() -> None:
    assert parse(FRAME, "feed/lorawan-frame/dev-1").fport is None
    assert parse(FRAME, "feed/lorawan-frame/dev-1/0").message_class is MessageClass.OTHER
    for impossible in ("256", "x", "-1"):
        decoded = parse(FRAME, f"feed/lorawan-frame/dev-1/{impossible}")
        assert decoded.message_class is MessageClass.INVALID


def test_a_text_that_is_not_quite_hex_is_taken_as_bytes() -> None:
    assert parse(b"01755").raw_bytes == b"01755"
    assert parse(b"hello").raw_bytes == b"hello"


def test_no_bytes_or_more_than_any_frame_are_refused() -> None:
    assert parse(b"").rejects[0].reason == REASON_FIELD
    assert parse(b"\xff" * 243).rejects[0].reason == REASON_TOO_LARGE
    assert parse(b"ff" * 243).rejects[0].reason == REASON_TOO_LARGE
    assert parse(b"ff" * 242).rejects == ()


def test_hex_text_is_recognised_without_a_topic_and_binary_is_not() -> None:
    assert recognise("x", FRAME.hex().encode()) is FORMATS["lorawan-frame"]
    for body in (FRAME, b"add", b"face", b"ff" * 300):
        assert recognise("x", body) is None


def test_the_models_codec_reads_a_bare_frame() -> None:
    result = decode_by_hand(
        "feed/lorawan-frame/24e1000000000071/85",
        b"058e00060101070100",
        model="milesight-gs101",
        received_at=NOW,
    )
    assert result["class"] == "telemetry"
    assert any(reading["stored"] for reading in result["readings"])


def test_an_nbiot_frame_is_its_sensor_payload_with_the_imei_for_a_device() -> None:
    for payload in (NBIOT, NBIOT.hex().encode()):
        decoded = parse(payload, "x")
        assert decoded.format == "milesight-nbiot"
        assert decoded.message_class is MessageClass.UNDECODED
        assert decoded.device == "860000000000061"
        assert (decoded.raw_bytes, decoded.fport) == (FRAME, None)
        link = decoded.link
        assert (link["frame"], link["csq"], link["rssi_dbm"]) == (7, 17, -79)
        assert (link["serial"], link["iccid"]) == ("6000D00000000061", "89860000000000000061")
        assert (link["firmware"], link["hardware"]) == ("0102", "0110")


def test_an_unknown_signal_is_no_signal() -> None:
    at = NBIOT.index(b"\x11\x00\x0e")
    decoded = parse(NBIOT[:at] + b"\x63" + NBIOT[at + 1 :], "feed/milesight-nbiot")
    assert decoded.link["csq"] == 99
    assert "rssi_dbm" not in decoded.link


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (b"", "frame"),
        (NBIOT[:40], "frame"),
        (b"\x03" + NBIOT[1:], "start flag"),
        (NBIOT[:-1], "length"),
        (NBIOT + b"\0", "length"),
        (NBIOT.replace(b"860000000000061", b"86000000000006x"), "IMEI"),
        (NBIOT.replace(b"\x11\x00\x0e", b"\x11\x00\x0f"), "sensor payload length"),
    ],
)
def test_a_broken_nbiot_frame_is_refused_by_name(broken: bytes, named: str) -> None:
    decoded = FORMATS["milesight-nbiot"].parse("feed/milesight-nbiot/x", broken, NOW)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].detail.startswith(f"{named}: ")
    assert recognise("x", broken) is None


def test_the_names_people_use_for_bare_frames_are_known() -> None:
    assert find_format("lorawan-frame-hex") is FORMATS["lorawan-frame"]
    assert find_format("milesight-nbiot-binary") is FORMATS["milesight-nbiot"]


@pytest.mark.parametrize("frame", [FRAME, FRAME + b"\x01", bytes.fromhex("01756403671001")])
def test_a_frame_may_be_base64_text(frame: bytes) -> None:
    assert parse(base64.b64encode(frame) + b"\n").raw_bytes == frame


@pytest.mark.parametrize("text", [b"hello world!", b"OPEN", b"level1234567", b"AXVkA2cQAQ="])
def test_a_text_that_a_device_sends_is_its_bytes(text: bytes) -> None:
    assert parse(text).raw_bytes == text
