"""SenML: base fields, times, names, CBOR, streams, and what a pack may not hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest

from city.reading import REASON_CBOR, REASON_FIELD, REASON_NAN, Decoded, MessageClass, Quality
from city.reading import TimeSource as From
from wire import FORMATS, find_format, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "senml"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
BASE = datetime(2026, 3, 4, 5, 5, 0, 500_000, tzinfo=UTC)
DEVICE = "urn:dev:mac:0024befffe804ff1"


def parse(body: Any, topic: str = "feed/senml/box") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["senml"].parse(topic, payload, NOW)


def only(body: Any) -> Any:
    """The one reading or value of a pack."""
    decoded = parse(body)
    assert decoded.rejects == ()
    (one,) = (*decoded.readings, *decoded.values)
    return one


def pack() -> list[dict[str, Any]]:
    return json.loads((FIXTURES / "pack.json").read_text())


def test_a_pack_is_one_device_with_resolved_names() -> None:
    decoded = parse(pack())
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, DEVICE)
    readings = {(r.metric, r.ts): (r.value, r.raw_name) for r in decoded.readings}
    assert readings == {
        ("temperature_c", BASE): (21.5, f"{DEVICE}:temp"),
        ("temperature_c", BASE - timedelta(seconds=60)): (21.4, f"{DEVICE}:temp"),
        ("voltage_v", BASE): (230.2, f"{DEVICE}:supply"),
    }
    values = {v.name.removeprefix(f"{DEVICE}:"): (v.value, v.unit) for v in decoded.values}
    assert values == {"door": (True, ""), "site": ("North pump", ""), "lid": (1.25, "m")}
    assert decoded.link["place"] == {"lat": 30.25, "lon": 120.5}
    assert decoded.link["data"] == [f"{DEVICE}:frame"]
    assert all(r.ts_from is From.DEVICE for r in decoded.readings)


def test_records_of_several_devices_are_parts() -> None:
    decoded = parse((FIXTURES / "two-devices.json").read_bytes())
    assert (decoded.device, decoded.readings, decoded.values) == ("", (), ())
    assert {part.device: [r.metric for r in part.readings] for part in decoded.parts} == {
        "urn:dev:ow:10e2000000000001": ["temperature_c"],
        "urn:dev:ow:10e2000000000002": ["temperature_c", "battery_pct"],
    }


@pytest.mark.parametrize(
    ("record", "device"),
    [
        ({"n": "urn:dev:ow:10e2073a01080063"}, "urn:dev:ow:10e2073a01080063"),
        ({"bn": "urn:dev:ow:10e2:", "n": "temp"}, "urn:dev:ow:10e2"),
        ({"n": "urn:dev:ow:10e2_temp"}, "urn:dev:ow:10e2"),
        ({"bn": "pump-7/", "n": "temp"}, "pump-7"),
        ({"bn": "a1b2/3303/", "n": "5700"}, "a1b2"),
        ({"bn": "a1b2/3303/0/", "n": "5700"}, "a1b2"),
        ({"n": "temp"}, "box"),  # the topic names the device that the pack does not
    ],
)
def test_the_device_is_the_first_part_of_a_name(record: dict[str, Any], device: str) -> None:
    assert parse([record | {"u": "Cel", "v": 1}]).device == device


def test_a_name_alone_is_world_wide_unique() -> None:
    payload = b'[{"n":"sensor-9","u":"Cel","v":1}]'
    assert FORMATS["senml"].parse("", payload, NOW).device == "sensor-9"


@pytest.mark.parametrize(
    ("record", "ts"),
    [
        ({}, NOW),
        ({"t": -5}, NOW - timedelta(seconds=5)),
        ({"bt": 0, "t": 3}, NOW + timedelta(seconds=3)),
        ({"bt": 2**28 - 1, "t": -(2**28 - 1)}, NOW),
        ({"bt": 2**28}, datetime(1978, 7, 4, 21, 24, 16, tzinfo=UTC)),
        ({"bt": 1772600760, "t": -30}, datetime(2026, 3, 4, 5, 5, 30, tzinfo=UTC)),
    ],
)
def test_small_times_are_relative_to_now(record: dict[str, Any], ts: datetime) -> None:
    reading = only([record | {"n": "x", "u": "Cel", "v": 1}])
    if ts.year < 2001:  # nobody set that clock
        assert (reading.ts, reading.ts_from) == (NOW, From.RECEIVED)
        assert reading.quality is Quality.CLOCK_REPLACED
    else:
        assert reading.ts == ts


def test_points_stored_long_before_the_newest_are_late_in_any_order() -> None:
    decoded = parse(
        [
            {"bn": "d1:", "bt": 1772600760, "bu": "Cel", "n": "a", "t": -3600, "v": 1},
            {"n": "a", "v": 2},
            {"n": "a", "t": -60, "v": 3},
        ]
    )
    assert [r.quality for r in decoded.readings] == [Quality.LATE, Quality.GOOD, Quality.GOOD]


def test_base_value_and_base_sum_are_added() -> None:
    body = [{"bn": "d1:", "bv": 20, "bs": 100, "bu": "W", "n": "p", "v": 1.5, "s": 2}, {"n": "q"}]
    decoded = parse(body)
    named = {v.name: (v.value, v.unit) for v in decoded.values}
    assert [(r.value, r.raw_value) for r in decoded.readings] == [(21.5, 21.5)]
    assert named == {"d1:p.sum": (102.0, "W*s"), "d1:q.sum": (100.0, "W*s")}


def test_secondary_units_become_the_unit_of_the_metric() -> None:
    assert only([{"n": "p", "u": "kW", "v": 1.2, "bver": 26}]).value == 1200
    assert only([{"n": "e", "u": "J", "v": 7.2e6}]).value == pytest.approx(2)
    assert only([{"n": "a", "u": "mA", "v": 350}]).value == pytest.approx(0.35)
    assert only([{"n": "temperature", "u": "K", "v": 300}]).value == pytest.approx(26.85)


def test_an_impossible_value_is_refused_beside_the_good_one() -> None:
    decoded = parse([{"bn": "d:", "n": "t", "u": "Cel", "v": 900}, {"n": "h", "u": "%RH", "v": 50}])
    assert [r.metric for r in decoded.readings] == ["humidity_pct"]
    assert len(decoded.rejects) == 1


@pytest.mark.parametrize(
    ("record", "where"),
    [
        ({"n": "a b", "v": 1}, "name"),
        ({"n": "-a", "v": 1}, "name"),
        ({"n": "", "v": 1}, "name"),
        ({"n": "a", "v": "1"}, "v"),
        ({"n": "a", "v": True}, "v"),
        ({"n": "a", "v": 1, "vs": "x"}, "several values"),
        ({"n": "a"}, "no value"),
        ({"n": "a", "vb": 1}, "vb"),
        ({"n": "a", "vd": "a+b/"}, "base64url"),
        ({"n": "a", "vd": "a"}, "base64url"),
        ({"n": "a", "u": 1, "v": 1}, "u:"),
        ({"n": "a", "t": 1e300, "v": 1}, "calendar"),
        (7, "object"),
    ],
)
def test_one_wrong_record_does_not_spoil_the_pack(record: Any, where: str) -> None:
    decoded = parse([record, {"n": "d:t", "u": "Cel", "v": 1}])
    assert [r.metric for r in decoded.readings] == ["temperature_c"]
    (reject,) = decoded.rejects
    assert reject.reason == REASON_FIELD
    assert where in reject.detail


def test_a_value_that_is_not_finite_is_named() -> None:
    decoded = parse(b'[{"n":"a","v":NaN},{"n":"d:t","u":"Cel","v":1}]')
    assert [reject.reason for reject in decoded.rejects] == [REASON_NAN]
    assert len(decoded.readings) == 1


@pytest.mark.parametrize(
    "body",
    [
        [{"n": "a", "v": 1, "crypt_": 2}],  # must be understood
        [{"n": "a", "v": 1, "bver": 11}],
        [{"n": "a", "v": 1, "bver": 42}],
        [{"n": "a", "v": 1, "bver": 0}],
        [{"n": "a", "v": 1, "bver": 10}, {"bver": 5, "n": "b", "v": 1}],
        [{"bn": 7, "n": "a", "v": 1}],
        [{"bt": "now", "n": "a", "v": 1}],
        {"n": "a", "v": 1},
        "text",
        b'[{"n":"a","v":1}',
        b'[{"n":"a" "v":1}]',
        b"",
    ],
)
def test_what_spoils_the_pack_refuses_it(body: Any) -> None:
    decoded = parse(body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects


def test_fields_that_are_not_known_are_ignored() -> None:
    assert only([{"n": "t", "u": "Cel", "v": 1, "ut": 60, "x": 1, "ct": "60"}]).value == 1


def test_bytes_alone_wait_for_a_codec() -> None:
    decoded = parse([{"bn": "d:", "n": "frame", "vd": "AQID"}])
    assert (decoded.message_class, decoded.raw_bytes) == (MessageClass.UNDECODED, b"\1\2\3")
    assert decoded.link["time"] == NOW.isoformat()


def test_a_pack_of_base_fields_says_nothing() -> None:
    assert parse([{"bn": "d:", "bt": 1772600760}]).message_class is MessageClass.OTHER


def cbor_records() -> list[dict[Any, Any]]:
    return [
        {-2: "urn:dev:ow:10e2:", -3: 1772600760, -1: 10, 0: "t", 1: "Cel", 2: 21.5},
        {"n": "h", 1: "%RH", 2: 50},
        {0: "frame", 8: b"\x01\x02"},
    ]


def test_cbor_says_the_same_with_numbers_or_texts_for_labels() -> None:
    for payload in (
        cbor2.dumps(cbor_records()),
        b"\xd9\xd9\xf7" + cbor2.dumps(cbor_records()),
        cbor2.dumps(cbor_records()).hex().encode(),
        b"\x9f" + b"".join(map(cbor2.dumps, cbor_records())) + b"\xff",
    ):
        decoded = parse(payload)
        assert decoded.device == "urn:dev:ow:10e2"
        assert [(r.metric, r.value) for r in decoded.readings] == [
            ("temperature_c", 21.5),
            ("humidity_pct", 50),
        ]
        assert decoded.link["data"] == ["urn:dev:ow:10e2:frame"]
        assert recognise("anything", payload) is FORMATS["senml"]


def test_numbers_with_tags_are_numbers() -> None:
    decimal = bytes.fromhex("81a300617401634365 6c02c4822119 0867".replace(" ", ""))
    assert only(decimal).value == pytest.approx(21.51)
    assert parse(cbor2.dumps([{0: "d:t", 1: "Cel", 2: 2**70}])).rejects  # beyond any thermometer


@pytest.mark.parametrize(
    "payload",
    [
        b"\x81",
        b"\x9f",
        b"\x81\xa1\x00",
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81" * 1000,
        cbor2.dumps([{0: "a", 2: 1}]) + b"\x00",
        bytes.fromhex("81a2006161 02c4821a7fffffff01".replace(" ", "")),
    ],
)
def test_broken_cbor_is_refused_by_name(payload: bytes) -> None:
    decoded = parse(payload)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].reason == REASON_CBOR


def test_a_stream_is_read_in_pieces() -> None:
    for payload in (
        b'[{"bn":"d:","n":"t","u":"Cel","v":1},',
        b'{"n":"d:t","u":"Cel","v":1},\n',
        b',{"n":"d:t","u":"Cel","v":1}]',
        b"\x9f" + cbor2.dumps({0: "d:t", 1: "Cel", 2: 1}),
        cbor2.dumps({0: "d:t", 1: "Cel", 2: 1}),
    ):
        decoded = parse(payload, "feed/sensml/box")
        assert [r.value for r in decoded.readings] == [1.0], payload
    assert find_format("sensml") is FORMATS["senml"]


def test_a_wrapped_pack_and_too_many_records_are_read_to_a_limit() -> None:
    decoded = parse({"pack": [{"n": f"a{i}", "v": i} for i in range(600)], "timestamp": "x"})
    parts = decoded.parts
    assert sum(len(part.values) for part in parts) + len(decoded.values) == 512
    rejects = [reject for part in parts or (decoded,) for reject in part.rejects]
    assert ["left out" in reject.detail for reject in rejects] == [True]
