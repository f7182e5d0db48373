"""Milesight gateways: frames with and without a payload codec, and the notifications."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "milesight-gateway"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)


def parse(body: Any, topic: str = "feed/milesight-gateway/roof") -> Decoded:
    return FORMATS["milesight-gateway"].parse(topic, json.dumps(body).encode(), NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body = json.loads((FIXTURES / name).read_text()) | changes
    return {key: value for key, value in body.items() if value is not ...}


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_its_messages_are_told_from_those_of_chirpstack(name: str) -> None:
    assert recognise("x", (FIXTURES / name).read_bytes()) is FORMATS["milesight-gateway"]


def test_a_frame_without_a_codec_keeps_its_bytes() -> None:
    decoded = parse(fixture("uplink-bytes.json"))
    assert decoded.message_class is MessageClass.UNDECODED
    assert decoded.device == "24e1000000000051"
    assert (decoded.raw_bytes.hex(), decoded.fport) == ("01755a0367d20004820a05050000", 85)
    assert decoded.link == {
        "frame": 128,
        "rssi_dbm": -61,
        "snr_db": 11.5,
        "time": AT.isoformat(),
        "time_from": "gateway",
        "gateways": [
            {"gateway": "24e124fffe000a51", "rssi_dbm": -61, "snr_db": 11.5, "time": AT.isoformat()}
        ],
    }


@pytest.mark.parametrize("name", ["uplink-object.json", "uplink-plain.json"])
def test_a_payload_codec_gives_values_below_object_or_beside_the_metadata(name: str) -> None:
    decoded = parse(fixture(name))
    assert decoded.message_class is MessageClass.TELEMETRY
    assert {v.name: v.value for v in decoded.values} == {"battery": 90, "temperature": 21}
    assert {v.ts for v in decoded.values} == {AT}


@pytest.mark.parametrize(
    "said",
    [
        "2026-0304T05:06:07.25Z",
        "202603-04T05:06:07.25Z",
        "20260304T05:06:07.25Z",
        "2026-0304T13:06:07.25+08:00",
    ],
)
def test_a_date_with_a_forgotten_dash_is_a_date(said: str) -> None:
    assert parse(fixture("uplink-bytes.json", time=said)).link["time"] == AT.isoformat()


@pytest.mark.parametrize("said", ["2026-1399T05:06:07Z", "2026-0304T99:06:07Z", "x", "", None, 7])
def test_a_time_that_is_none_falls_back_to_the_receptions(said: object) -> None:
    assert parse(fixture("uplink-bytes.json", time=said)).link["time"] == AT.isoformat()
    alone = parse(fixture("uplink-bytes.json", time=said, rxInfo=[]))
    assert alone.link["time_from"] == "received"


def test_news_of_a_device_that_went_away_is_its_status() -> None:
    decoded = parse(fixture("offline.json"))
    assert decoded.message_class is MessageClass.STATUS
    assert (decoded.statuses[0].online, decoded.statuses[0].ts) == (
        False,
        AT.replace(microsecond=0),
    )
    assert parse(fixture("offline.json", status="online")).statuses[0].online is True


@pytest.mark.parametrize("event", ["ack", "error", "join"])
def test_other_news_is_counted_only(event: str) -> None:
    decoded = parse(fixture(f"{event}.json"))
    assert decoded.message_class is MessageClass.OTHER
    assert (decoded.device, decoded.link["event"]) == ("24e1000000000051", event)
    assert (decoded.values, decoded.rejects) == ((), ())


def test_a_device_without_an_eui_goes_by_the_topic_else_by_its_name() -> None:
    body = fixture("uplink-plain.json", devEUI=...)
    assert parse(body, "feed/milesight-gateway/meter-1").device == "meter-1"
    assert parse(body, "x").device == "manhole 51"
    nameless = fixture("uplink-plain.json", devEUI=..., deviceName=...)
    assert parse(nameless, "x").message_class is MessageClass.INVALID


@pytest.mark.parametrize(("field", "value"), [("data", "?"), ("object", [1])])
def test_a_broken_part_is_refused_alone(field: str, value: object) -> None:
    decoded = parse(fixture("uplink-object.json", **{field: value}))
    assert [reject.detail.split(":")[0] for reject in decoded.rejects] == [field]
    assert decoded.values or decoded.raw_bytes


def test_an_impossible_port_refuses_the_message() -> None:
    assert parse(fixture("uplink-bytes.json", fPort=999)).message_class is MessageClass.INVALID
