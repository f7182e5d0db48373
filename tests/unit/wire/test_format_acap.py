"""DetectX and DataQ, two applications on Axis cameras."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import topic_matches_sub

from city.reading import Decoded, EventPhase, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def parse(name: str, topic: str, payload: Any) -> Decoded:
    if isinstance(payload, str):
        payload = (FIXTURES / name / payload).read_bytes()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return FORMATS[name].parse(topic, body, NOW)


def detectx(payload: Any, topic: str = "detectx/detection/ACCC8E000003") -> Decoded:
    return parse("detectx", topic, payload)


def dataq(payload: Any, topic: str = "dataq/detections/ACCC8E000004") -> Decoded:
    return parse("dataq", topic, payload)


def test_detections_are_one_event_a_label_by_the_surest() -> None:
    decoded = detectx("detection.json")
    car, person = decoded.events
    assert (decoded.device, car.type, person.type) == ("ACCC8E000003", "car", "person")
    assert (car.confidence, car.bbox) == (0.8, (0.1, 0.2, 0.3, 0.4))
    assert (car.start_at, car.phase, car.recurring) == (AT, EventPhase.UPDATE, True)
    assert (car.attributes["count"], car.attributes["refId"]) == (2, 7)


def test_detection_state_and_crop_of_a_label_are_one_condition() -> None:
    seen = [
        detectx(name).events[0]
        for name in ("detection.json", "state-true.json", "crop.json", "state-false.json")
    ]
    assert {event.event_id for event in seen} == {"label/car"}
    assert [event.phase.value for event in seen] == ["update", "new", "update", "end"]


def test_the_picture_of_a_crop_is_dropped_and_its_place_is_none() -> None:
    decoded = detectx("crop.json")
    assert (decoded.events[0].confidence, decoded.events[0].bbox) == (0.47, None)
    assert len(repr(decoded)) < 2_000


def test_a_picture_without_detections_is_counted_only() -> None:
    assert detectx({"detections": [], "serial": "S"}).message_class is MessageClass.OTHER


@pytest.mark.parametrize(
    "body", [{}, {"detections": 3}, {"detections": [{"c": 5}]}, {"label": ""}, [], b"x"]
)
def test_a_detectx_body_of_no_known_shape_is_refused(body: object) -> None:
    assert detectx(body).message_class is MessageClass.INVALID


def test_a_detection_without_a_label_is_refused_beside_a_good_one() -> None:
    decoded = detectx({"detections": [{"c": 5}, {"label": "dog", "c": 50}], "serial": "S"})
    assert (len(decoded.events), len(decoded.rejects)) == (1, 1)
    assert decoded.events[0].start_at == NOW


@pytest.mark.parametrize("name", ["detectx", "dataq"])
def test_the_application_says_that_it_came_and_went(name: str) -> None:
    for body, online in (("connected.json", True), ("will.json", False)):
        payload = (FIXTURES / "dataq" / body).read_bytes()
        report = parse(name, f"{name}/connect/ACCC8E000004", payload).statuses[0]
        assert (report.device, report.online, report.ts) == ("ACCC8E000004", online, NOW)


def test_the_state_of_the_camera_is_a_status() -> None:
    report = dataq("status.json", "dataq/status/ACCC8E000004").statuses[0]
    assert (report.online, report.attributes["CPU_average"]) == (True, 41)


def test_an_object_is_one_event_from_first_to_last_report() -> None:
    decoded = dataq("detections.json")
    first = decoded.events[0]
    last = dataq("tracker-end.json", "dataq/tracker/ACCC8E000004").events[0]
    assert decoded.rejects[0].detail.startswith("class: ")  # the second object
    assert (first.event_id, first.phase, first.start_at) == (
        "q1",
        EventPhase.UPDATE,
        AT - timedelta(seconds=3.25),
    )
    assert (last.event_id, last.phase) == ("q1", EventPhase.END)
    assert (last.start_at, last.end_at) == (first.start_at, AT + timedelta(seconds=1.75))
    assert first.bbox == (0.4, 0.5, 0.08, 0.2)


def test_a_path_runs_from_its_birth_over_its_age() -> None:
    event = dataq("path.json", "dataq/path/ACCC8E000004").events[0]
    assert (event.end_at or NOW) - event.start_at == timedelta(seconds=8.5)
    assert (event.type, event.attributes["anomaly"]) == ("Car", "Wrong way")
    assert len(event.attributes["path"]) == 2


def test_occupancy_is_values_and_what_is_left_out_is_not_zero() -> None:
    decoded = dataq("occupancy.json", "dataq/occupancy/ACCC8E000004")
    assert {v.name: v.value for v in decoded.values} == {"occupancy.Human": 3, "occupancy.Car": 1}
    assert decoded.values[0].ts == AT
    assert decoded.rejects[0].detail.startswith("occupancy.Bus: ")


def test_an_event_of_the_camera_has_its_topic_behind_the_serial_number() -> None:
    topic = "dataq/event/ACCC8E000004/acap/DataQ/anomaly"
    event = dataq("event.json", topic).events[0]
    assert (event.event_id, event.phase) == ("event/acap/DataQ/anomaly", EventPhase.NEW)
    over = dataq({"active": False, "serial": "ACCC8E000004"}, topic).events[0]
    assert (over.event_id, over.phase) == (event.event_id, EventPhase.END)


@pytest.mark.parametrize(
    "body",
    [{"list": []}, {"occupancy": {}}, {"image": "/9j/AAAA", "rotation": 0}],
    ids=["no objects", "nobody", "picture"],
)
def test_an_empty_scene_and_pictures_are_counted_only(body: dict[str, Any]) -> None:
    assert dataq(body | {"serial": "S"}).message_class is MessageClass.OTHER


@pytest.mark.parametrize(
    "body",
    [{}, {"list": 5}, {"occupancy": [1]}, {"class": "Car"}, {"id": "1", "class": 4}, [], b"{"],
)
def test_a_dataq_body_of_no_known_shape_is_refused(body: object) -> None:
    assert dataq(body).message_class is MessageClass.INVALID


def test_bodies_are_recognised_without_their_topic() -> None:
    for name in ("detectx", "dataq"):
        for path in (FIXTURES / name).glob("*.json"):
            if path.name != "event.json":  # a state of anything: only its topic tells whose
                assert recognise("", path.read_bytes()) is FORMATS[name], path.name


def test_what_the_applications_publish_is_listened_to_once() -> None:
    for topic in ("dataq/status/S", "dataq/path/S", "detectx/status/S", "detectx/event/S/car/true"):
        known = [f for wire_format in FORMATS.values() for f in wire_format.subscriptions]
        filters = [f for f in known if topic_matches_sub(f, topic)]
        assert len(filters) == 1, topic
