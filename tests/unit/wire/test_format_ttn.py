"""The Things Stack: uplinks in all wrappings, joins, downlink events, and its clocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, Quality, TimeSource
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "ttn"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
UP = "v3/city@tenant/devices/manhole-17/up"
AT = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)


def parse(topic: str, body: Any) -> Decoded:
    return FORMATS["ttn"].parse(topic, json.dumps(body).encode(), NOW)


def fixture(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body


def values(decoded: Decoded) -> dict[str, object]:
    return {value.name: value.value for value in decoded.values}


def test_an_uplink_gives_its_decoded_payload_with_the_network_servers_time() -> None:
    decoded = parse(UP, fixture("up-decoded.json"))
    assert decoded.message_class is MessageClass.TELEMETRY
    assert decoded.device == "70b3d50000000017"
    assert values(decoded)["level"] == 1290
    assert values(decoded)["alarmFall"] is False
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(AT, TimeSource.SERVER)}
    assert (decoded.link["frame"], decoded.link["rssi_dbm"]) == (55, -88)
    assert decoded.link["device_id"] == "manhole-17"


def test_a_gateway_clock_that_is_years_behind_is_not_believed() -> None:
    body = fixture("up-decoded.json")
    del body["uplink_message"]["received_at"]
    assert parse(UP, body).values[0].ts == datetime(2026, 3, 4, 5, 6, 7, 333000, tzinfo=UTC)
    del body["received_at"]
    only_gateway = parse(UP, body).values[0]
    assert (only_gateway.ts.year, only_gateway.ts_from) == (2019, TimeSource.GATEWAY)


def test_numbers_and_units_written_as_text_are_split() -> None:
    decoded = parse(UP, fixture("up-strings.json"))
    found = {v.name: (v.value, v.unit) for v in decoded.values}
    assert found["level"] == (1290.0, "mm")
    assert found["angle"] == (2.0, "°")
    assert found["temperature"] == (22.0, "℃")
    assert found["motion"] == (False, "")
    assert found["firmware"] == ("1.2 beta", "")


def test_bytes_without_a_decoder_are_kept_undecoded() -> None:
    decoded = parse(UP, fixture("up-bytes.json"))
    assert decoded.message_class is MessageClass.UNDECODED
    assert decoded.raw_bytes.hex() == "800001021106a400160100000000010081"
    assert decoded.fport == 3


def test_a_simulated_uplink_is_marked_as_one() -> None:
    decoded = parse(UP, fixture("up-simulated.json"))
    assert {value.quality for value in decoded.values} == {Quality.SIMULATED}
    body = fixture("up-simulated.json")
    del body["uplink_message"]["decoded_payload"]
    assert parse(UP, body).link["quality"] == Quality.SIMULATED


def test_the_normalised_payload_is_canonical_without_any_model() -> None:
    decoded = parse(f"{UP}/normalized", fixture("up-normalized.json"))
    assert {r.metric: r.value for r in decoded.readings} == {
        "temperature_c": 18.5,
        "humidity_pct": 71,
        "battery_v": 3.6,
        "flooded": 1,
    }
    assert decoded.values == ()


def test_normalised_points_may_have_times_and_impossible_values() -> None:
    body = fixture("up-normalized.json")
    body["uplink_normalized"]["normalized_payload"] = [
        {"time": "2026-03-04T04:00:00Z", "air": {"temperature": 1}},
        {"air": {"temperature": 5000, "relativeHumidity": "wet"}},
        "nothing",
    ]
    decoded = parse(UP, body)
    assert [(r.value, r.ts.hour) for r in decoded.readings] == [(1, 4)]
    assert decoded.readings[0].ts_from is TimeSource.DEVICE


@pytest.mark.parametrize("wrapper", ["event", "result"])
def test_console_events_and_storage_lines_are_unwrapped(wrapper: str) -> None:
    inner = fixture("up-decoded.json")
    body = fixture("event-wrapper.json") if wrapper == "event" else {"result": inner}
    assert values(parse("", body)) == values(parse(UP, inner))


@pytest.mark.parametrize(
    "name", ["join.json", *(f"down-{e}.json" for e in ("ack", "nack", "sent", "queued", "failed"))]
)
def test_joins_and_downlink_events_are_counted_only(name: str) -> None:
    decoded = parse(UP, fixture(name))
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.device == "70b3d50000000017"
    assert (decoded.values, decoded.readings, decoded.rejects) == ((), (), ())
    assert recognise("any/topic", (FIXTURES / name).read_bytes()) is FORMATS["ttn"]


def test_a_device_without_an_eui_goes_by_its_id_and_without_ids_by_the_topic() -> None:
    body = fixture("up-decoded.json")
    del body["end_device_ids"]["dev_eui"]
    assert parse(UP, body).device == "manhole-17"
    del body["end_device_ids"]
    assert parse("v3/city/devices/other/up", body).device == "other"
    assert parse("", body).message_class is MessageClass.INVALID


@pytest.mark.parametrize("payload", [[1], "x", 7, True])
def test_a_decoded_payload_that_is_no_object_is_refused_alone(payload: object) -> None:
    body = fixture("up-decoded.json")
    body["uplink_message"]["decoded_payload"] = payload
    decoded = parse(UP, body)
    assert decoded.rejects[0].detail.startswith("decoded_payload: ")
    assert decoded.raw_bytes


@pytest.mark.parametrize("message", [None, [], "x", 3])
def test_an_uplink_that_is_no_object_is_refused(message: object) -> None:
    body = fixture("up-decoded.json") | {"uplink_message": message}
    assert parse(UP, body).message_class is MessageClass.INVALID


def test_lists_of_named_measurements_are_values_under_their_names() -> None:
    body = fixture("up-decoded.json")
    body["uplink_message"]["decoded_payload"] = {
        "err": 0,
        "valid": True,
        "payload": "0100",
        "messages": [
            {"measurementId": "4097", "type": "Air Temperature", "measurementValue": 13.3},
            {"measurementId": "4098", "measurementValue": 77},
            {"Battery(%)": 100},
        ],
    }
    assert values(parse(UP, body)) == {"Air Temperature": 13.3, "4098": 77, "Battery(%)": 100}


def test_nested_objects_get_dotted_names_and_null_is_no_value() -> None:
    body = fixture("up-decoded.json")
    body["uplink_message"]["decoded_payload"] = {
        "gps_1": {"latitude": 19.9, "longitude": 110.3},
        "relay": None,
        "raw": [1, 0, 8, 1, 0, 8],
        "angles": [1.5, -2],
    }
    assert values(parse(UP, body)) == {
        "gps_1.latitude": 19.9,
        "gps_1.longitude": 110.3,
        "angles[0]": 1.5,
        "angles[1]": -2,
    }


def test_a_reception_that_comes_again_through_packet_broker_is_kept_as_a_repeat() -> None:
    body = fixture("up-bytes.json")
    broker = {
        "forwarder_gateway_eui": "00168000000a0b01",
        "forwarder_gateway_id": "roof-of-a-partner",
        "forwarder_tenant_id": "ttn",
    }
    body["uplink_message"]["rx_metadata"][1]["packet_broker"] = broker
    own, repeated = parse(UP, body).link["gateways"]
    assert (own["gateway"], own.get("repeats")) == ("roof-1", None)
    assert (repeated["gateway"], repeated["repeats"]) == ("roof-of-a-partner", "roof-1")
    assert repeated["network"] == "ttn"
    broker["forwarder_gateway_eui"] = "ffffffffffffffff"
    assert "repeats" not in parse(UP, body).link["gateways"][1]


def test_all_messages_of_a_frame_have_one_key() -> None:
    body = fixture("up-bytes.json")
    assert parse(UP, body).link["deduplication"] == "AAAA-55"
    normalised = {key: body[key] for key in ("end_device_ids", "received_at")}
    said = {"session_key_id": "AAAA", "f_cnt": 55, "normalized_payload": {"battery": 3}}
    normalised["uplink_normalized"] = said
    assert parse(f"{UP}/normalized", normalised).link["deduplication"] == "AAAA-55"
    del body["uplink_message"]["session_key_id"]
    assert parse(UP, body).link["deduplication"] == "gs:uplink:01X"
    body["correlation_ids"] = ["rpc:1", "gs:uplink:2", "ns:uplink:3"]
    assert parse(UP, body).link["deduplication"] == "ns:uplink:3"
    body["correlation_ids"] = None
    assert "deduplication" not in parse(UP, body).link


@pytest.mark.parametrize(
    ("topic", "content", "said"),
    [
        (
            "location/solved",
            {
                "location_solved": {
                    "service": "geo",
                    "location": {
                        "latitude": 19.9,
                        "longitude": 110.3,
                        "accuracy": 90,
                        "source": "SOURCE_GPS",
                    },
                }
            },
            {
                "service": "geo",
                "latitude": 19.9,
                "longitude": 110.3,
                "accuracy_m": 90,
                "source": "SOURCE_GPS",
            },
        ),
        (
            "location/solved",
            {"location_solved": {"location": {"latitude": 199, "longitude": 1}}},
            {},
        ),
        (
            "service/data",
            {"service_data": {"service": "geo", "data": {"x": 1}}},
            {"service": "geo"},
        ),
        (
            "down/failed",
            {"downlink_failed": {"error": {"name": "no_gateway"}}},
            {"error": "no_gateway"},
        ),
        ("down/replace", {"downlinks": [{"f_port": 1}]}, {}),
    ],
)
def test_services_and_downlinks_are_counted_and_say_what_they_are(
    topic: str, content: dict[str, Any], said: dict[str, Any]
) -> None:
    body = {"end_device_ids": fixture("up-bytes.json")["end_device_ids"], **content}
    decoded = parse(UP.removesuffix("up") + topic, body)
    assert decoded.message_class is MessageClass.OTHER
    event = decoded.link.pop("event")
    assert event in (topic, next(iter(content)))
    assert decoded.link == said


def test_every_measured_name_of_the_normalised_payload_is_canonical() -> None:
    body = fixture("up-normalized.json")
    body["uplink_normalized"]["normalized_payload"] = {
        "air": {"co2": 700, "lightIntensity": 12, "pressure": 1013},
        "action": {"motion": {"detected": True}},
    }
    assert {r.metric: r.value for r in parse(UP, body).readings} == {
        "co2_ppm": 700,
        "illuminance_lx": 12,
        "pressure_kpa": pytest.approx(101.3),
        "motion": 1,
    }


def test_commands_of_the_network_on_port_0_are_counted_only() -> None:
    body = fixture("up-bytes.json")
    body["uplink_message"]["f_port"] = 0
    decoded = parse(UP, body)
    assert (decoded.message_class, decoded.raw_bytes) == (MessageClass.OTHER, b"")


def test_normalised_names_without_a_metric_are_kept_where_nothing_else_says_them() -> None:
    body = fixture("up-normalized.json")
    body["uplink_normalized"]["normalized_payload"] = {
        "air": {"temperature": 4},
        "soil": {"moisture": 30.5},
        "action": {"contactState": "open"},
        "time": "2026-03-04T05:00:00Z",
    }
    decoded = parse(f"{UP}/normalized", body)
    assert {r.metric: r.value for r in decoded.readings} == {"temperature_c": 4}
    assert {v.name: v.value for v in decoded.values} == {
        "soil.moisture": 30.5,
        "action.contactState": "open",
    }
    body["uplink_normalized"]["decoded_payload"] = {"moisture": 30.5}
    assert {v.name: v.value for v in parse(UP, body).values} == {"moisture": 30.5}


def test_a_normalised_value_that_cannot_be_is_refused_by_name() -> None:
    body = fixture("up-normalized.json")
    body["uplink_normalized"]["normalized_payload"] = {
        "air": {"temperature": 999, "relativeHumidity": 40}
    }
    decoded = parse(f"{UP}/normalized", body)
    assert [r.metric for r in decoded.readings] == ["humidity_pct"]
    assert "normalized_payload.air.temperature" in decoded.rejects[0].detail


def test_a_message_in_a_tools_record_is_the_message() -> None:
    record = {"format": "json", "payload": fixture("up-bytes.json")}
    assert parse("any/topic", record) == parse("any/topic", fixture("up-bytes.json"))
