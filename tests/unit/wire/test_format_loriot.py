"""LORIOT: one frame in two messages, and the messages that are no frame."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, Quality
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "loriot"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
TOPIC = "feed/loriot/24e1000000000031"


def parse(body: Any, topic: str = TOPIC) -> Decoded:
    return FORMATS["loriot"].parse(topic, json.dumps(body).encode(), NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body = json.loads((FIXTURES / name).read_text()) | changes
    return {key: value for key, value in body.items() if value is not ...}


def test_both_messages_of_a_frame_are_one_frame() -> None:
    quick, full = parse(fixture("rx.json")), parse(fixture("gw.json"))
    for decoded in (quick, full):
        assert decoded.message_class is MessageClass.UNDECODED
        assert decoded.device == "24e1000000000031"
        assert decoded.raw_bytes.hex() == "01755a0367d20004820a05050000"
        assert (decoded.fport, decoded.link["frame"]) == (85, 77)
        assert (decoded.link["time"], decoded.link["time_from"]) == (AT.isoformat(), "server")
        assert decoded.link["last_battery_pct"] == 100
    assert quick.link["deduplication"] == full.link["deduplication"]
    assert (quick.link["message"], full.link["message"]) == ("rx", "gw")


def test_all_gateways_are_in_the_second_message_and_a_nameless_one_in_the_first() -> None:
    assert parse(fixture("rx.json")).link["gateways"] == [
        {"gateway": "", "rssi_dbm": -91, "snr_db": 7.5}
    ]
    first, second = parse(fixture("gw.json")).link["gateways"]
    assert (first["gateway"], first["time"]) == ("00168000000a0c01", AT.isoformat())
    assert second["time"] == "2026-03-04T05:06:07.253000+00:00"
    assert parse(fixture("rx.json", rssi=..., snr=...)).link["gateways"] == []


def test_another_frame_with_the_same_counter_after_a_rejoin_is_another_one() -> None:
    later = parse(fixture("rx.json", ts=1772600768250))
    assert later.link["deduplication"] != parse(fixture("rx.json")).link["deduplication"]
    assert "deduplication" not in parse(fixture("rx.json", ts="soon")).link


def test_a_frame_from_a_gateway_that_was_offline_is_late() -> None:
    assert parse(fixture("rx.json", offline=True)).link["quality"] == Quality.LATE


def test_without_the_devices_key_there_is_nothing_for_a_codec() -> None:
    decoded = parse(fixture("encrypted.json"))
    assert decoded.message_class is MessageClass.UNDECODED
    assert (decoded.raw_bytes, decoded.link["encrypted"]) == (b"", "0badc0de")
    assert "battery_raw" not in decoded.link


def test_values_of_the_servers_own_decoder_are_used() -> None:
    decoded = parse(fixture("gw.json", decoded={"success": True, "data": {"level": 41.5}}))
    assert [(v.name, v.value, v.ts) for v in decoded.values] == [("level", 41.5, AT)]


@pytest.mark.parametrize("command", ["tx", "txd", "join", "cq", "loc", "something new"])
def test_all_other_messages_are_counted_only(command: str) -> None:
    decoded = parse(fixture("txd.json", cmd=command))
    assert decoded.message_class is MessageClass.OTHER
    assert (decoded.device, decoded.link["event"]) == ("24e1000000000031", command)
    assert (
        recognise("x", json.dumps(fixture("txd.json", cmd=command)).encode()) is FORMATS["loriot"]
    )


def test_an_answer_of_the_server_itself_speaks_for_no_device() -> None:
    decoded = parse({"cmd": "mon", "error": "not allowed"}, "x")
    assert (decoded.message_class, decoded.device) == (MessageClass.OTHER, "")
    assert decoded.link == {"event": "mon", "error": "not allowed"}


def test_the_topic_names_the_device_where_the_body_does_not() -> None:
    assert parse(fixture("rx.json", EUI=...)).device == "24e1000000000031"
    assert parse(fixture("rx.json", EUI="24-E1-00-00-00-00-00-99")).device == "24e1000000000099"
    assert parse(fixture("rx.json", EUI=...), "x").message_class is MessageClass.INVALID


@pytest.mark.parametrize(
    "changes",
    [{"cmd": 7}, {"cmd": ""}, {"cmd": ...}, {"EUI": 5}, {"EUI": ""}, {"port": "x"}, {"port": 300}],
)
def test_what_is_no_message_is_refused(changes: dict[str, Any]) -> None:
    assert parse(fixture("rx.json", **changes)).message_class is MessageClass.INVALID


@pytest.mark.parametrize("data", ["zz", "012", 7, ["01"]])
def test_bytes_that_are_no_hex_are_refused_alone(data: object) -> None:
    decoded = parse(fixture("rx.json", data=data))
    assert [r.detail.split(":")[0] for r in decoded.rejects] == ["data"]
    assert decoded.link["frame"] == 77


def test_an_application_may_send_base64_instead_of_hex() -> None:
    decoded = parse(fixture("rx.json", data="AXVaA2fSAASCCgUFAAA="))
    assert decoded.raw_bytes.hex() == "01755a0367d20004820a05050000"
    assert decoded.rejects == ()
