"""ThingPark: uplinks as bytes and as driver output, and every other report."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import (
    REASON_FIELD,
    REASON_RANGE,
    REASON_XML,
    Decoded,
    MessageClass,
    Quality,
    TimeSource,
)
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "thingpark"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
UP = "mqtt/things/24E1000000000021/uplink"


def parse(body: Any, topic: str = UP) -> Decoded:
    return FORMATS["thingpark"].parse(topic, json.dumps(body).encode(), NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    """A report with some of its fields changed, or left out (`...`)."""
    ((root, report),) = json.loads((FIXTURES / name).read_text()).items()
    return {root: {key: value for key, value in (report | changes).items() if value is not ...}}


def test_an_uplink_without_a_driver_keeps_its_bytes_with_numbers_that_were_text() -> None:
    decoded = parse(fixture("uplink-bytes.json"))
    assert decoded.message_class is MessageClass.UNDECODED
    assert decoded.device == "24e1000000000021"
    assert decoded.raw_bytes.hex() == "01755a0367d20004820a05050000"
    assert (decoded.fport, decoded.rejects) == (85, ())
    link = decoded.link
    assert (link["frame"], link["time"], link["time_from"]) == (412, AT.isoformat(), "gateway")
    assert (link["battery_raw"], link["last_battery_pct"]) == (127, 50.0)
    assert link["gateways"] == [
        {"gateway": "0A0000B1", "rssi_dbm": -96, "snr_db": 5.5, "time": AT.isoformat()},
        {"gateway": "0A0000B2", "rssi_dbm": -113, "snr_db": -4.25},
    ]


def test_driver_output_gives_its_values_and_the_ontology_what_they_lack() -> None:
    decoded = parse(fixture("uplink-driver.json"))
    assert decoded.message_class is MessageClass.TELEMETRY
    assert {(v.name, v.value, v.unit) for v in decoded.values} == {
        ("temperature", 21, "Cel"),
        ("distance", 1290, ""),
        ("position", "normal", ""),
        ("batteryLevel", 90, "%"),
        ("level", 0.4, "m"),
        ("level", 0.5, "m"),
    }
    stored, live = (v for v in decoded.values if v.name == "level")
    assert (stored.ts.hour, stored.quality, live.quality) == (4, Quality.LATE, Quality.GOOD)
    assert (stored.ts_from, decoded.values[0].ts_from) == (TimeSource.DEVICE, TimeSource.GATEWAY)


@pytest.mark.parametrize("late", [1, "1"])
def test_a_frame_that_a_gateway_had_queued_is_late(late: object) -> None:
    assert parse(fixture("uplink-bytes.json", Late=late)).link["quality"] == Quality.LATE
    driven = parse(fixture("uplink-driver.json", Late=late))
    assert {v.quality for v in driven.values} == {Quality.LATE}
    assert driven.link["late"] is True


def test_an_encrypted_payload_is_kept_from_the_codec() -> None:
    decoded = parse(fixture("uplink-bytes.json", PayloadEncryption=1))
    assert decoded.message_class is MessageClass.UNDECODED
    assert decoded.raw_bytes == b""
    assert decoded.link["encrypted"] == "01755a0367d20004820a05050000"


def test_a_driver_that_failed_is_told_and_the_bytes_are_kept() -> None:
    error = {"code": "com-5000", "message": "wrong payload length"}
    decoded = parse(fixture("uplink-bytes.json", payloadDecodedError=error))
    assert decoded.message_class is MessageClass.UNDECODED
    assert decoded.link["driver_error"] == "wrong payload length"


def test_one_gateway_may_be_an_object_or_stand_in_the_report_itself() -> None:
    one = {"Lrr": {"Lrrid": "0A0000B1", "LrrRSSI": "-96", "LrrSNR": 5}}
    assert parse(fixture("uplink-bytes.json", Lrrs=one)).link["gateways"][0]["rssi_dbm"] == -96
    alone = parse(fixture("uplink-driver.json")).link["gateways"]
    assert [entry["gateway"] for entry in alone] == ["0A0000B1"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [("0", {"battery_raw": 0, "external_power": True}), (255, {}), ("x", {}), (-1, {}), (7.5, {})],
)
def test_battery_0_is_external_power_and_255_unknown(said: object, expected: object) -> None:
    link = parse(fixture("uplink-bytes.json", BatteryLevel=said)).link
    assert {k: v for k, v in link.items() if k in ("battery_raw", "external_power")} == expected


def test_commands_of_the_network_on_port_0_are_counted_only() -> None:
    decoded = parse(fixture("uplink-bytes.json", FPort=0))
    assert decoded.message_class is MessageClass.OTHER
    assert (decoded.raw_bytes, decoded.link["event"]) == (b"", "mac_commands")
    nothing = parse(fixture("uplink-bytes.json", FPort=..., payload_hex=...))
    assert (nothing.message_class, nothing.link["event"]) == (MessageClass.OTHER, "no_payload")


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("join.json", "join"),
        ("join-request.json", "join"),
        ("location.json", "location"),
        ("downlink-sent.json", "downlink_sent"),
    ],
)
def test_other_reports_are_counted_only(name: str, event: str) -> None:
    decoded = parse(fixture(name))
    assert decoded.message_class is MessageClass.OTHER
    assert (decoded.device, decoded.link["event"]) == ("24e1000000000021", event)
    assert (decoded.values, decoded.readings, decoded.raw_bytes) == ((), (), b"")
    body = (FIXTURES / name).read_bytes()
    assert recognise("any/topic", body) is recognise(UP, b"") is FORMATS["thingpark"]


def test_what_other_reports_say_is_in_the_link_but_no_session_key() -> None:
    assert "0011223344556677" not in str(parse(fixture("join.json")).link)
    sent = parse(fixture("downlink-sent.json")).link
    assert (sent["DeliveryStatus"], sent["DeliveryFailedCause1"]) == (0, "E3")
    found = parse(fixture("location.json")).link
    assert (found["latitude"], found["longitude"]) == (19.9912, 110.3301)
    assert found["accuracy_m"] == 120.5
    for nowhere in ({"DevLAT": 110.77}, {"DevLAT": 0, "DevLON": 0}, {"DevLAT": "x"}):
        assert "latitude" not in parse(fixture("location.json", **nowhere)).link


def test_a_status_answer_gives_battery_and_margin() -> None:
    decoded = parse(fixture("status.json"))
    assert decoded.message_class is MessageClass.STATUS
    reading = decoded.readings[0]
    assert (reading.metric, reading.value, reading.raw_value) == ("battery_pct", 50.0, 127)
    assert decoded.statuses[0].attributes == {"margin_db": -7, "battery_pct": 50.0}
    mains = parse(fixture("status.json", Var1="0"))
    assert (mains.readings, mains.statuses[0].attributes["external_power"]) == ((), True)
    assert parse(fixture("status.json", Var1=255)).readings == ()
    impossible = parse(fixture("status.json", Var1="256"))
    assert [reject.reason for reject in impossible.rejects] == [REASON_RANGE]


def test_a_time_that_is_none_falls_back_to_the_receipt() -> None:
    for said in ("2018-10-03 15:38", "1970-01-01T00:00:00Z", None, 7):
        link = parse(fixture("uplink-bytes.json", Time=said)).link
        assert (link["time"], link["time_from"]) == (NOW.isoformat(), "received")


def test_bytes_that_are_no_hex_are_refused_alone() -> None:
    decoded = parse(fixture("uplink-driver.json", payload_hex="0x!"))
    assert [r.detail.split(":")[0] for r in decoded.rejects] == ["payload_hex"]
    assert decoded.values


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"DevEUI_uplink": 1},
        {"DevEUI_uplink": {"DevEUI": 7}},
        {"devEUI_uplink": {}},
        {"DevEUI_uplink": {"DevEUI": "24E1000000000021", "FPort": 256}},
    ],
)
def test_what_is_no_report_is_refused(body: object) -> None:
    decoded = parse(body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].reason == REASON_FIELD


def test_a_report_without_an_identity_goes_by_its_topic() -> None:
    assert parse(fixture("uplink-bytes.json", DevEUI=...)).device == "24e1000000000021"
    assert parse(fixture("uplink-bytes.json", DevEUI=...), "x").device == ""


def test_a_report_in_xml_is_the_same_report() -> None:
    payload = (FIXTURES / "uplink.xml").read_bytes()
    assert recognise("", payload) is FORMATS["thingpark"]
    decoded = FORMATS["thingpark"].parse("", payload, NOW)
    assert (decoded.device, decoded.raw_bytes.hex(), decoded.fport) == (
        "24e1000000000021",
        "01755a",
        85,
    )
    link = decoded.link
    assert (link["frame"], link["time"], link["rssi_dbm"]) == (412, AT.isoformat(), -96)
    assert [entry["gateway"] for entry in link["gateways"]] == ["0A0000B1", "0A0000B2"]


def test_broken_xml_is_refused() -> None:
    decoded = FORMATS["thingpark"].parse(UP, b"<DevEUI_uplink><DevEUI>", NOW)
    assert decoded.rejects[0].reason == REASON_XML


def test_the_kind_of_report_may_begin_with_a_capital_letter() -> None:
    report = fixture("uplink-bytes.json")["DevEUI_uplink"]
    assert parse({"DevEUI_Uplink": report}) == parse({"DevEUI_uplink": report})
