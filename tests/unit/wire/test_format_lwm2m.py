"""LwM2M: OMA JSON, SenML with object paths, the gateway's envelope, the OMA registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.reading import METRICS, Decoded, MessageClass, Quality, TimeSource
from tests.tables import cases
from wire import FORMATS, recognise
from wire.industry import oma

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "lwm2m"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


def parse(body: Any, topic: str = "feed/lwm2m/node-1") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["lwm2m"].parse(topic, payload, NOW)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def test_oma_json_is_a_reading_by_the_registry() -> None:
    decoded = parse(fixture("oma.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, "node-1")
    (reading,) = decoded.readings
    assert (reading.metric, reading.value, reading.raw_name, reading.raw_unit) == (
        "temperature_c",
        22.5,
        "/3303/0/5700",
        "Cel",
    )
    # Resource 5518 is when the measurement was performed, nearer to it than the base time.
    assert reading.ts == datetime(2026, 3, 4, 5, 5, tzinfo=UTC)
    assert decoded.link["objects"] == {"3303": "Temperature"}
    assert decoded.link["about"]["/3303/0/5701"] == "Cel"


def test_senml_with_paths_is_a_lamp() -> None:
    decoded = parse(fixture("lamp-senml.json"))
    assert {(r.metric, r.value) for r in decoded.readings} == {
        ("dim_pct", 60),
        ("lamp_fault", 0),
        ("operating_h", 1200.5),
        ("battery_pct", 88),
    }
    assert [(v.name, v.value) for v in decoded.values] == [("/32000/0/1", 7)]
    assert decoded.link["text"] == {"/3/0/0": "Lanternworks"}


def test_the_gateways_envelope_names_the_endpoint_in_the_topic() -> None:
    decoded = parse(fixture("notify.json"), "lwm2m/node-9/up/notify")
    assert decoded.device == "node-9"
    assert [(r.metric, r.value) for r in decoded.readings] == [("humidity_pct", 48.5)]
    register = {"msgType": "register", "data": {"ep": "node-9", "lt": 300}}
    (status,) = parse(register, "lwm2m/node-9/up/resp").statuses
    assert (status.device, status.online) == ("node-9", True)
    gone = parse({"msgType": "deregister", "data": {}}, "lwm2m/node-9/up/resp")
    assert gone.statuses[0].online is False
    answer = parse({"msgType": "write", "data": {"code": "2.04"}}, "lwm2m/node-9/up/resp")
    assert (answer.message_class, answer.link["event"]) == (MessageClass.OTHER, "write")


def test_a_clock_never_set_counts_from_the_time_of_receipt() -> None:
    decoded = parse(
        {"bn": "/3303/0/5700", "bt": 86400, "e": [{"v": 1, "t": -30}, {"v": 2, "t": -5}]}
    )
    stamps = [(r.ts, r.ts_from, r.quality) for r in decoded.readings]
    assert stamps == [
        (NOW - timedelta(seconds=25), TimeSource.RECEIVED, Quality.CLOCK_REPLACED),
        (NOW, TimeSource.RECEIVED, Quality.CLOCK_REPLACED),
    ]


def test_times_before_zero_are_before_now() -> None:
    decoded = parse({"bn": "/3303/0/5700", "e": [{"v": 1, "t": -30}, {"v": 2}]})
    assert [r.ts for r in decoded.readings] == [NOW - timedelta(seconds=30), NOW]


@pytest.mark.parametrize(("resource", "value"), [("6042", 1), ("6042", 3), ("6049", 0)])
def test_a_measurement_that_failed_its_checks_is_suspect(resource: str, value: int) -> None:
    body = {"bn": "/3303/0/", "e": [{"n": "5700", "v": 20}, {"n": resource, "v": value}]}
    assert parse(body).readings[0].quality is Quality.SUSPECT


def test_a_concentration_needs_to_say_of_what() -> None:
    body: dict[str, Any] = {"bn": "/3325/0/", "e": [{"n": "5700", "v": 12}]}
    assert parse(body).readings == ()
    body["e"].append({"n": "5750", "sv": "CO"})
    assert [r.metric for r in parse(body).readings] == ["co_ppm"]


def test_a_distance_needs_a_unit() -> None:
    body: dict[str, Any] = {"bn": "/3330/0/", "e": [{"n": "5700", "v": 1.5}]}
    assert parse(body).readings == ()
    body["e"].append({"n": "5701", "sv": "m"})
    assert [(r.metric, r.value) for r in parse(body).readings] == [("distance_mm", 1500)]


def test_two_sensors_of_one_kind_are_one_reading_and_one_value() -> None:
    body = {"bn": "/3303/", "e": [{"n": "0/5700", "v": 20}, {"n": "1/5700", "v": 30}]}
    decoded = parse(body)
    assert [r.value for r in decoded.readings] == [20]
    assert [v.name for v in decoded.values] == ["/3303/1/5700"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("/3303/0/5700", ("", 3303, 0, 5700)),
        ("3303/0/5700", ("", 3303, 0, 5700)),
        ("/3/0/7/1", ("", 3, 0, 7)),
        ("a1b2/3330/5700", ("a1b2", 3330, 0, 5700)),
        ("860012345678901/3303/2/5700", ("860012345678901", 3303, 2, 5700)),
        ("urn:dev:os:32473-12/5", None),
        ("temp/1", None),
        ("voltage", None),
    ],
)
def test_a_path_may_follow_the_device(name: str, wanted: Any) -> None:
    path = oma.parse_path(name)
    found = path and (path.device, path.object, path.instance, path.resource)
    assert found == wanted


def test_every_metric_of_the_registry_table_is_canonical() -> None:
    assert {metric for metric, _ in oma._METRICS.values()} <= METRICS.keys()
    assert {number for number, _ in oma._METRICS} <= oma.OBJECTS.keys()


@pytest.mark.parametrize(
    "entry", cases("a_wrong_entry_is_refused_beside_the_good_one.jsonl", entry=object)
)
def test_a_wrong_entry_is_refused_beside_the_good_one(entry: Any) -> None:
    body = {"bn": "/3303/0/", "e": [entry, {"n": "5700", "v": 20.5}]}
    decoded = parse(body)
    assert [r.value for r in decoded.readings] == [20.5]
    assert len(decoded.rejects) == 1


@pytest.mark.parametrize(
    "body", [{"bn": "/3/0/", "e": 5}, {"bn": 3, "e": []}, {"bt": "x", "e": []}, {"a": 1}, b"{", 5]
)
def test_another_body_is_refused(body: Any) -> None:
    assert parse(body).message_class is MessageClass.INVALID


def test_bodies_are_told_apart_without_a_topic() -> None:
    for name, wanted in (("oma.json", "lwm2m"), ("lamp-senml.json", "lwm2m")):
        assert recognise("", (FIXTURES / name).read_bytes()) is FORMATS[wanted]
    assert recognise("", b'[{"bn":"a1/3303/0/","n":"5700","v":1}]') is FORMATS["senml"]
