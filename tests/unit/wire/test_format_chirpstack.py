"""ChirpStack: every event kind, the times it carries, and the older forms."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.reading import REASON_FIELD, REASON_RANGE, Decoded, MessageClass, Quality, TimeSource
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "chirpstack"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
UP = "application/0b1f7f0e/device/24e1000000000001/event/up"
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)


def parse(topic: str, body: Any) -> Decoded:
    return FORMATS["chirpstack"].parse(topic, json.dumps(body).encode(), NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body = json.loads((FIXTURES / name).read_text())
    return {key: value for key, value in (body | changes).items() if value is not ...}


def values(decoded: Decoded) -> dict[str, object]:
    return {value.name: value.value for value in decoded.values}


def test_an_uplink_with_an_object_gives_its_values_once_though_two_gateways_heard_it() -> None:
    decoded = parse(UP, fixture("up-decoded.json"))
    assert decoded.message_class is MessageClass.TELEMETRY
    assert decoded.device == "24e1000000000001"
    assert values(decoded) == {
        "battery": 90.0,
        "temperature": 21.0,
        "distance": 1290.0,
        "position": "normal",
    }
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(AT, TimeSource.GATEWAY)}
    assert decoded.link["frame"] == 812
    assert (decoded.link["rssi_dbm"], decoded.link["snr_db"]) == (-97, 6.5)
    assert [g["gateway"] for g in decoded.link["gateways"]] == [
        "00168000000a0b01",
        "00168000000a0b02",
    ]


@pytest.mark.parametrize("missing", [..., None, {}])
def test_without_an_object_the_bytes_are_kept_undecoded(missing: object) -> None:
    decoded = parse(UP, fixture("up-decoded.json", object=missing))
    assert decoded.message_class is MessageClass.UNDECODED
    assert decoded.raw_bytes.hex() == "01755a0367d20004820a05050000"
    assert (decoded.fport, decoded.rejects) == (85, ())


def test_a_frame_of_mac_commands_only_is_counted_and_nothing_more() -> None:
    body = fixture("up-decoded.json", object=..., data=..., fPort=...)
    assert parse(UP, body).message_class is MessageClass.OTHER


def test_keys_left_out_for_being_zero_are_zero() -> None:
    decoded = parse(UP, fixture("up-decoded.json", fCnt=..., dr=..., confirmed=...))
    assert decoded.link["frame"] == 0


def test_an_object_that_is_no_object_is_refused_alone() -> None:
    decoded = parse(UP, fixture("up-decoded.json", object=[1, 2]))
    assert [reject.reason for reject in decoded.rejects] == [REASON_FIELD]
    assert decoded.raw_bytes


@pytest.mark.parametrize(("data", "port"), [("?!", 85), ("AAA", 85), (7, 85)])
def test_broken_base64_is_named(data: object, port: int) -> None:
    decoded = parse(UP, fixture("up-bytes.json", data=data, fPort=port))
    assert decoded.rejects[0].detail.startswith("data: ")


@pytest.mark.parametrize("port", [-1, 256, 1.5, "85", True])
def test_an_impossible_port_refuses_the_message(port: object) -> None:
    decoded = parse(UP, fixture("up-bytes.json", fPort=port))
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].detail.startswith("fPort: ")


def test_the_time_falls_back_from_message_to_gateway_to_server_to_receipt() -> None:
    body = fixture("up-decoded.json", time=...)
    assert stamp(parse(UP, body)) == (AT, TimeSource.GATEWAY)
    for reception in body["rxInfo"]:
        reception.pop("gwTime", None)
    at_server = datetime(2026, 3, 4, 5, 6, 7, 401233, tzinfo=UTC)
    assert stamp(parse(UP, body)) == (at_server, TimeSource.SERVER)
    body["rxInfo"] = []
    assert stamp(parse(UP, body)) == (NOW, TimeSource.RECEIVED)


def test_a_gateway_ahead_of_time_is_passed_over_for_the_server() -> None:
    body = fixture("up-decoded.json", time="2099-01-01T00:00:00Z")
    body["rxInfo"][0]["gwTime"] = "2099-01-01T00:00:00Z"
    decoded = parse(UP, body)
    assert stamp(decoded)[0] < NOW
    assert stamp(decoded)[1] is TimeSource.SERVER


def test_a_time_that_all_clocks_put_into_the_future_is_left_to_the_quality_check() -> None:
    body = fixture("up-decoded.json", time="2099-01-01T00:00:00Z", rxInfo=[])
    assert stamp(parse(UP, body))[0].year == 2099


def stamp(decoded: Decoded) -> tuple[datetime, TimeSource]:
    return decoded.values[0].ts, decoded.values[0].ts_from


@pytest.mark.parametrize("rx", [None, {}, "x", [1, None, {}], [{"rssi": "x", "snr": None}]])
def test_reception_records_of_any_shape_do_not_matter(rx: object) -> None:
    decoded = parse(UP, fixture("up-decoded.json", rxInfo=rx))
    assert len(decoded.values) == 4


def test_stored_points_keep_their_time_and_are_late() -> None:
    history = [
        {"timestamp": 1772586000, "distance": 1300},
        {"timestamp": "2026-03-04T02:00:00Z", "distance": 1310},
        {"distance": 1},
        7,
    ]
    decoded = parse(UP, fixture("up-decoded.json", object={"distance": 1290, "history": history}))
    live, first, second = decoded.values
    assert live.quality is Quality.GOOD
    assert (first.name, first.value) == ("distance", 1300)
    assert first.ts == datetime(2026, 3, 4, 1, 0, tzinfo=UTC)
    assert second.ts == datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
    assert {first.quality, second.quality} == {Quality.LATE}


def test_status_gives_the_battery_and_says_that_the_device_lives() -> None:
    decoded = parse(UP.replace("/up", "/status"), fixture("status.json"))
    assert decoded.message_class is MessageClass.STATUS
    reading = decoded.readings[0]
    assert (reading.metric, reading.value, reading.unit) == ("battery_pct", 64.2, "%")
    assert (reading.raw_name, reading.ts) == ("batteryLevel", AT)
    assert decoded.statuses[0].online is True
    assert decoded.statuses[0].attributes["margin_db"] == -7


def test_a_device_on_mains_has_no_battery() -> None:
    decoded = parse(UP.replace("/up", "/status"), fixture("status-mains.json"))
    assert decoded.readings == ()
    assert decoded.statuses[0].attributes["external_power"] is True
    unknown = fixture("status.json", batteryLevelUnavailable=True, batteryLevel=0)
    assert parse(UP.replace("/up", "/status"), unknown).readings == ()


@pytest.mark.parametrize("level", [-1, 255, "64", True])
def test_an_impossible_battery_level_is_refused(level: object) -> None:
    decoded = parse(UP.replace("/up", "/status"), fixture("status.json", batteryLevel=level))
    assert [reject.reason for reject in decoded.rejects] == [REASON_RANGE]


@pytest.mark.parametrize("event", ["join", "ack", "txack", "log", "location", "integration"])
def test_all_other_events_are_counted_only(event: str) -> None:
    for topic in (UP.replace("/up", f"/{event}"), ""):
        decoded = parse(topic, fixture(f"{event}.json"))
        assert decoded.message_class is MessageClass.OTHER
        assert (decoded.device, decoded.link["event"]) == ("24e1000000000001", event)
        assert (decoded.values, decoded.readings, decoded.rejects) == ((), (), ())


def test_a_codec_error_of_the_network_server_can_be_read_from_the_link() -> None:
    decoded = parse(UP.replace("/up", "/log"), fixture("log.json"))
    assert decoded.link["code"] == "UPLINK_CODEC"


def test_the_body_says_which_device_it_is_not_the_topic() -> None:
    topic = UP.replace("24e1000000000001", "ffffffffffffffff")
    assert parse(topic, fixture("up-decoded.json")).device == "24e1000000000001"
    assert parse(UP, {"object": {"a": 1}}).device == "24e1000000000001"


@pytest.mark.parametrize("eui", [7, "", "x" * 300, ["a"], "a\nb"])
def test_an_impossible_identity_refuses_the_message(eui: object) -> None:
    decoded = parse("some/topic", {"deviceInfo": {"devEui": eui}, "object": {"a": 1}})
    assert decoded.message_class is MessageClass.INVALID


def test_version_3_has_no_time_of_its_own_and_wraps_its_object() -> None:
    decoded = parse(UP, fixture("v3-up.json"))
    assert values(decoded) == {"water_level_cm": 41.5, "state": "ok"}
    assert stamp(decoded) == (
        datetime(2026, 3, 4, 5, 6, 6, 500_000, tzinfo=UTC),
        TimeSource.GATEWAY,
    )


def test_version_3_from_protobuf_has_base64_euis_and_json_in_a_text() -> None:
    body = {
        "devEUI": "JOEAAAAAAAk=",
        "applicationID": "7",
        "objectJSON": '{"data": {"lamp": {"on": true}}, "errors": [], "warnings": []}',
        "publishedAt": (NOW - timedelta(seconds=2)).isoformat(),
        "rxInfo": [{"gatewayID": "ABaAAAAKCwE=", "time": None, "rssi": -80, "loRaSNR": 3}],
    }
    decoded = parse(UP, body)
    assert decoded.device == "24e1000000000009"
    assert values(decoded) == {"lamp.on": True}
    assert decoded.link["gateways"][0]["gateway"] == "00168000000a0b01"
    broken = parse(UP, body | {"objectJSON": "{"})
    assert broken.message_class is MessageClass.INVALID
    assert parse(UP, body | {"objectJSON": ""}).message_class is MessageClass.OTHER


def test_a_message_is_recognised_by_topic_or_by_body() -> None:
    for name in ("up-decoded.json", "v3-up.json", "status.json", "log.json"):
        payload = (FIXTURES / name).read_bytes()
        assert recognise("any/topic", payload) is FORMATS["chirpstack"]
        assert recognise(UP, b"") is FORMATS["chirpstack"]
    assert recognise("application/1/node/24e1/rx", b"") is FORMATS["chirpstack"]
    assert recognise("application/1/device/24e1/command/down", b"") is None


def test_a_gateway_clock_that_is_years_off_gives_way_to_the_server() -> None:
    body = fixture("up-decoded.json", time="2021-01-02T03:04:05Z")
    body["rxInfo"][0]["gwTime"] = "2021-01-02T03:04:05Z"
    at_server = datetime(2026, 3, 4, 5, 6, 7, 401233, tzinfo=UTC)
    decoded = parse(UP, body)
    assert stamp(decoded) == (at_server, TimeSource.SERVER)
    assert {value.quality for value in decoded.values} == {Quality.CLOCK_REPLACED}
    assert parse(UP, body | {"object": None}).link["quality"] == Quality.CLOCK_REPLACED


def test_a_gateway_that_kept_a_frame_for_two_days_is_believed() -> None:
    body = fixture("up-decoded.json", time="2026-03-02T05:06:07Z")
    body["rxInfo"][0]["gwTime"] = "2026-03-02T05:06:07Z"
    assert stamp(parse(UP, body)) == (
        datetime(2026, 3, 2, 5, 6, 7, tzinfo=UTC),
        TimeSource.GATEWAY,
    )


def test_a_clock_that_was_never_set_is_no_clock() -> None:
    body = fixture("up-decoded.json", time="1970-01-01T00:00:09Z", rxInfo=[])
    assert stamp(parse(UP, body)) == (NOW, TimeSource.RECEIVED)


def test_one_reception_under_two_gateway_ids_is_kept_as_a_repeat() -> None:
    heard = {"uplinkId": 7, "context": "3cK/ww==", "rssi": -120, "snr": -7}
    others = [
        {"gatewayId": "aa00000000000001", **heard},
        {"gatewayId": "aa00000000000002", **heard, "uplinkId": 8},
        {"gatewayId": "bb00000000000001", **heard},
        {"gatewayId": "cc00000000000001", "rssi": -120, "snr": -7},
        {"gatewayId": "cc00000000000002", "rssi": -120, "snr": -7},
    ]
    gateways = parse(UP, fixture("up-decoded.json", rxInfo=others)).link["gateways"]
    assert [entry.get("repeats") for entry in gateways] == [
        None,
        None,
        "aa00000000000001",
        None,
        None,
    ]


def test_commands_of_the_network_on_port_0_are_counted_only() -> None:
    decoded = parse(UP, fixture("up-bytes.json", fPort=0, data="AwcH"))
    assert decoded.message_class is MessageClass.OTHER
    assert (decoded.raw_bytes, decoded.link["event"]) == (b"", "mac_commands")


def test_a_log_says_which_frame_it_is_about() -> None:
    assert parse(UP.replace("/up", "/log"), fixture("log.json")).link["deduplication"] == "1e5"


def test_a_location_is_told_unless_it_is_no_place() -> None:
    topic = UP.replace("/up", "/location")
    body = fixture("location.json")
    body["location"] |= {"source": "GEO_RESOLVER_TDOA", "accuracy": 80}
    link = parse(topic, body).link
    assert (link["latitude"], link["accuracy_m"]) == (19.98, 80)
    assert link["source"] == "GEO_RESOLVER_TDOA"
    body["location"]["longitude"] = 1016.66
    assert "longitude" not in parse(topic, body).link


@pytest.mark.parametrize("text", ["[1]", "7", '"x"', "{"])
def test_an_object_in_a_text_that_is_none_is_named(text: str) -> None:
    body = fixture("v3-up.json", object=..., objectJSON=text)
    assert parse(UP, body).rejects
