"""Netmore: an array of messages, each for a device of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass
from wire import FORMATS, recognise

FIXTURE = Path(__file__).parents[2] / "fixtures" / "formats" / "netmore" / "two.json"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


def parse(body: Any) -> Decoded:
    return FORMATS["netmore"].parse("feed/netmore", json.dumps(body).encode(), NOW)


def message(**changes: Any) -> dict[str, Any]:
    body = json.loads(FIXTURE.read_text())[0] | changes
    return {key: value for key, value in body.items() if value is not ...}


def test_each_message_of_the_array_is_a_part_with_its_own_device() -> None:
    decoded = parse(json.loads(FIXTURE.read_text()))
    assert [part.device for part in decoded.parts] == ["24e1000000000041", "24e1000000000042"]
    assert [part.raw_bytes.hex() for part in decoded.parts] == ["01755a0367d200", "0367d200"]
    assert [part.fport for part in decoded.parts] == [85, 2]
    assert {part.message_class for part in decoded.parts} == {MessageClass.UNDECODED}
    assert recognise("x", FIXTURE.read_bytes()) is FORMATS["netmore"]


def test_text_numbers_and_all_gateways_are_read() -> None:
    link = parse([message()]).link
    assert (link["frame"], link["last_battery_pct"], link["rssi_dbm"]) == (9001, 100, -109)
    assert link["gateways"] == [
        {"gateway": "00168000000a0d02", "rssi_dbm": -120, "snr_db": -15.2},
        {"gateway": "00168000000a0d01", "rssi_dbm": -109, "snr_db": -3.5},
    ]
    assert (link["time"], link["time_from"]) == ("2026-03-04T05:06:07.250000+00:00", "server")


def test_without_a_list_the_best_gateway_stands_in_the_message() -> None:
    link = parse([message(gateways=...)]).link
    assert link["gateways"] == [{"gateway": "4711", "rssi_dbm": -109, "snr_db": -3.5}]
    rx = {"gatewayId": "274", "rssi": -107, "snr": 4}
    link = parse([message(gateways=..., rxInfo=rx)]).link
    assert link["gateways"] == [{"gateway": "274", "rssi_dbm": -107, "snr_db": 4}]


def test_battery_0_says_too_little_to_be_external_power() -> None:
    link = parse([message(batteryLevel="0")]).link
    assert link["battery_raw"] == 0
    assert "external_power" not in link
    assert "last_battery_pct" not in link


def test_a_frame_without_a_counter_has_none() -> None:
    assert "frame" not in parse([message(fCntUp=...)]).link


@pytest.mark.parametrize("kind", ["join", "status"])
def test_other_messages_are_counted_only(kind: str) -> None:
    decoded = parse([message(messageType=kind)])
    assert (decoded.message_class, decoded.link) == (MessageClass.OTHER, {"event": kind})
    assert parse([message(messageType="payload.Payload")]).raw_bytes


def test_a_broken_message_is_refused_alone() -> None:
    decoded = parse([message(), 7, message(devEui=""), message(fPort="abc"), message(payload="x")])
    classes = [part.message_class for part in decoded.parts]
    assert classes == [MessageClass.UNDECODED, *[MessageClass.INVALID] * 3, MessageClass.UNDECODED]
    assert decoded.parts[3].device == "24e1000000000041"
    assert decoded.parts[4].rejects[0].detail.startswith("payload: must be hex")


@pytest.mark.parametrize("body", [[], {}, 7, "x", [None], [[]]])
def test_what_is_no_push_is_refused(body: object) -> None:
    assert parse(body).message_class is MessageClass.INVALID


def test_a_single_message_needs_no_array() -> None:
    assert parse(message()).device == "24e1000000000041"
