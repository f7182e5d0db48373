"""Decoding by hand: the JSON of the contract, with and without topic, model and codec."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.errors import InvalidInput
from city.feed import Feed
from ingest.decode import decode_by_hand, rejected_everything
from ingest.feeds import Feeds

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
GAS = "city/v1/460107/gas/GD-000123/telemetry"


def by_hand(name: str, topic: str = "", **options: Any) -> dict[str, Any]:
    result = decode_by_hand(topic, (FIXTURES / name).read_bytes(), received_at=NOW, **options)
    assert json.loads(json.dumps(result)) == result  # nothing in it that JSON cannot say
    return result


def test_the_answer_has_the_keys_of_the_contract() -> None:
    result = by_hand("native/telemetry-gas.json", GAS)
    assert {"format", "class", "readings", "events", "rejects"} <= result.keys()
    assert (result["format"], result["class"]) == ("native", "telemetry")
    assert result["readings"][0] == {
        "device": "GD-000123", "metric": "ch4_pct_lel", "value": 1.5, "unit": "%LEL",
        "raw_name": "ch4_pct_lel", "raw_value": 1.5, "raw_unit": "%LEL",
        "ts": "2026-03-04T05:06:07.123000Z", "ts_from": "device",
        "quality": "good", "stored": True,
    }  # fmt: skip


def test_without_a_model_vendor_values_are_shown_as_they_are() -> None:
    result = by_hand("chirpstack/up-decoded.json")
    shown = {r["raw_name"]: (r["metric"], r["value"], r["stored"]) for r in result["readings"]}
    assert shown["distance"] == ("distance", 1290.0, False)
    assert shown["position"] == ("position", "normal", False)
    assert (result["rejects"], rejected_everything(result)) == ([], False)


def test_with_a_model_they_are_mapped() -> None:
    result = by_hand("chirpstack/up-decoded.json", model="milesight-em400")
    shown = {r["metric"]: (r["value"], r["stored"]) for r in result["readings"]}
    assert shown["distance_mm"] == (1290.0, True)
    assert shown["cover_open"] == (0.0, True)


def test_bytes_are_shown_and_a_models_codec_reads_them() -> None:
    plain = by_hand("chirpstack/up-bytes.json")
    assert (plain["class"], plain["frame"], plain["fport"]) == (
        "undecoded",
        "058e01060100070101",
        85,
    )
    assert not rejected_everything(plain)
    read = by_hand("chirpstack/up-bytes.json", model="milesight-gs101")
    assert read["class"] == "telemetry"
    assert [(r["metric"], r["value"], r["stored"]) for r in read["readings"]] == [
        ("gas_alarm", 1.0, True),
        ("valve_status", "close", False),
        ("relay_output_status", "open", False),
    ]


def test_a_codec_given_by_hand_is_used_with_or_without_a_model() -> None:
    codec = "function decodeUplink(i) { return {data: {gas: 'alarm', size: i.bytes.length}} }"
    alone = by_hand("chirpstack/up-bytes.json", codec_js=codec)
    assert {r["metric"]: r["value"] for r in alone["readings"]} == {"gas_alarm": 1.0, "size": 9.0}
    both = by_hand("chirpstack/up-bytes.json", codec_js=codec, model="milesight-gs101")
    assert both["readings"][0]["metric"] == "gas_alarm"


def test_a_codec_that_fails_is_a_rejection_of_everything() -> None:
    result = by_hand("chirpstack/up-bytes.json", codec_js="function decodeUplink() { throw 1 }")
    assert [reject["reason"] for reject in result["rejects"]] == ["codec_failed"]
    assert rejected_everything(result)


def test_a_model_that_knows_no_name_is_a_rejection_of_everything() -> None:
    result = by_hand("chirpstack/v3-up.json", model="frigate")
    # the canonical name counts with every model
    assert [r["metric"] for r in result["readings"]] == ["water_level_cm", "state"]
    payload = b'{"deviceInfo": {"devEui": "24e1"}, "object": {"pm10": 4}}'
    result = decode_by_hand("", payload, model="milesight-em400", received_at=NOW)
    assert [reject["reason"] for reject in result["rejects"]] == ["metric_unknown"]
    assert [value["metric"] for value in result["unmapped"]] == ["pm10"]
    assert rejected_everything(result)


def test_old_times_are_shown_as_they_are_and_future_ones_refused() -> None:
    old = decode_by_hand(GAS, b'{"ts": 0, "readings": {"co_ppm": 1}}', received_at=NOW)
    assert old["readings"][0]["ts"] == "1970-01-01T00:00:00Z"
    future = b'{"ts": "2099-01-01T00:00:00Z", "readings": {"co_ppm": 1}}'
    result = decode_by_hand(GAS, future, received_at=NOW)
    assert (result["readings"], result["rejects"][0]["reason"]) == ([], "time_in_future")
    assert rejected_everything(result)
    vendor = b'{"deviceInfo": {"devEui": "a"}, "time": "2099-01-01T00:00:00Z", "object": {"a": 1}}'
    assert rejected_everything(decode_by_hand("", vendor, received_at=NOW))


def test_a_partly_bad_message_is_not_rejected_as_a_whole() -> None:
    body = b'{"readings": {"co_ppm": 1, "bogus": 2}}'
    result = decode_by_hand(GAS, body, received_at=NOW)
    assert (len(result["readings"]), len(result["rejects"])) == (1, 1)
    assert not rejected_everything(result)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [("", b"hello"), ("home/x", b"{}"), ("", b""), ("", b"\xff"), ("", b"[" * 300_000)],
)
def test_what_is_of_no_known_format_says_so(topic: str, payload: bytes) -> None:
    result = decode_by_hand(topic, payload, received_at=NOW)
    assert (result["format"], result["class"]) == ("", "invalid")
    assert result["rejects"][0]["reason"] == "format_unknown"
    assert rejected_everything(result)


@pytest.mark.parametrize("name", ["native", "chirpstack", "TTN", "the-things-stack", "frigate"])
def test_a_format_may_be_named(name: str) -> None:
    result = decode_by_hand("", b"{", format=name, received_at=NOW)
    assert result["format"]
    assert rejected_everything(result)


def test_a_format_or_model_that_does_not_exist_is_an_error_of_the_caller() -> None:
    with pytest.raises(InvalidInput, match="format"):
        decode_by_hand("", b"{}", format="morse", received_at=NOW)
    with pytest.raises(InvalidInput, match="model"):
        decode_by_hand("", b"{}", model="morse-key", received_at=NOW)


def test_a_file_of_one_message_a_line_is_that_many_messages() -> None:
    body = json.loads((FIXTURES / "ttn" / "up-decoded.json").read_text())
    join = json.loads((FIXTURES / "ttn" / "join.json").read_text())
    lines = "\n".join(json.dumps(message) for message in (body, body, join)) + "\n"
    result = decode_by_hand("", lines.encode(), received_at=NOW)
    assert result["messages"] == 3
    assert result["classes"] == {"other": 1, "telemetry": 2}
    assert len(result["readings"]) == 14


def test_events_statuses_and_positions_are_shown() -> None:
    event = by_hand("frigate/event-end.json", "frigate/events")["events"][0]
    assert (event["camera"], event["type"], event["phase"]) == ("market_east", "vehicle", "end")
    assert event["end"] == "2026-03-04T05:06:40.750000Z"
    status = by_hand("chirpstack/status.json")
    assert status["statuses"][0]["online"] is True
    assert status["readings"][0]["metric"] == "battery_pct"
    position = by_hand("native/position.json", "city/v1/460107/squad/SQ-1/position")
    assert position["positions"][0]["squad"] == "SQ-1"


def test_the_model_of_a_format_refuses_no_names_that_it_does_not_know() -> None:
    result = decode_by_hand("/ul/key/pump-7/attrs", b"zz|15", received_at=NOW)
    assert [(r["raw_name"], r["value"]) for r in result["readings"]] == [("zz", 15.0)]
    assert (result["rejects"], rejected_everything(result)) == ([], False)


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"deviceInfo": {"devEui": "24e1"}}',
        b'{"deviceInfo": {"devEui": "24e1"}, "object": {"x": NaN}}',
    ],
)
def test_json_that_is_not_strict_tells_its_format_all_the_same(body: bytes) -> None:
    assert decode_by_hand("", body, received_at=NOW)["format"] == "chirpstack"


def test_a_broken_line_among_messages_is_refused_alone() -> None:
    line = b'{"deviceInfo": {"devEui": "24e1"}, "object": {"x": 1}}'
    result = decode_by_hand("", line + b'\n{"bad"\n' + line, received_at=NOW)
    assert (result["messages"], len(result["readings"]), len(result["rejects"])) == (3, 2, 1)


GAS_17 = b'{"gas": true, "linkquality": 90, "power": 3}'


@pytest.mark.parametrize(
    ("topic", "feed", "device"),
    [
        ("zigbee2mqtt/gas_17", "zigbee2mqtt", "gas_17"),
        ("zigbee2mqtt_north/gas_17", "north", "gas_17"),
        ("zigbee2mqtt_south/gas_17", None, "zigbee2mqtt_south/gas_17"),
        ("off/gas_17", None, "gas_17"),
    ],
)
def test_the_feed_that_takes_a_topic_is_named_or_that_no_worker_subscribes_to_it(
    topic: str, feed: str | None, device: str
) -> None:
    known = Feeds(
        [
            Feed("north", "zigbee2mqtt", "zigbee2mqtt_north"),
            Feed("off", "zigbee2mqtt", "off", enabled=False),
        ]
    )
    result = decode_by_hand(topic, GAS_17, received_at=NOW, feeds=known)
    assert (result["feed"], result["device"]) == (feed, device)
    assert result["readings"]
    assert any(reading["stored"] for reading in result["readings"]) is (feed is not None)
    told = [text for text in result.get("warnings", ()) if "no worker subscribes to it" in text]
    assert len(told) == (feed is None)


def test_without_a_topic_nothing_is_said_of_feeds() -> None:
    assert "feed" not in decode_by_hand("", GAS_17, received_at=NOW)
