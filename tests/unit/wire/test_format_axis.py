"""Axis: events of conditions, counting, scenes, tracks, counts of people, connection."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, EventPhase, MessageClass, TimeSource
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "axis"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
SCENARIO = "CameraApplicationPlatform/ObjectAnalytics/Device1Scenario"


def parse(body: Any, topic: str = "axis/ACCC8E000001/event/x") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["axis"].parse(topic, payload, NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body | changes


def test_a_scenario_that_becomes_active_begins_an_event() -> None:
    decoded = parse(fixture("scenario-start.json"))
    event = decoded.events[0]
    assert (decoded.message_class, decoded.device) == (MessageClass.EVENT, "ACCC8E000001")
    assert (event.event_id, event.type) == (f"{SCENARIO}2", "human")
    assert (event.phase, event.start_at, event.end_at) == (EventPhase.NEW, AT, None)
    assert event.attributes["objectId"] == 812


def test_start_and_stop_name_the_same_recurring_condition() -> None:
    start = parse(fixture("scenario-start.json")).events[0]
    stop = parse(fixture("scenario-stop.json")).events[0]
    assert start.recurring
    assert stop.recurring
    assert start.event_id == stop.event_id
    assert (stop.phase, stop.end_at) == (EventPhase.END, NOW + timedelta(seconds=22))


def test_a_scenario_says_under_which_name_it_is_repeated() -> None:
    special = parse(fixture("scenario-start.json")).events[0]
    general = parse(fixture("scenario-any-start.json")).events[0]
    assert special.repeated_as == general.event_id == f"{SCENARIO}ANY"
    assert general.repeated_as == ""


def test_a_count_is_one_event_for_its_whole_period_with_numbers() -> None:
    event = parse(fixture("count.json")).events[0]
    assert (event.type, event.phase, event.recurring) == ("counting", EventPhase.UPDATE, False)
    assert event.event_id == f"{SCENARIO}3/2026-03-01T00:00:00Z"
    assert event.start_at == AT  # not the start of counting
    assert event.attributes["total"] == 412
    assert event.attributes["totalMotorcycle/bicycle"] == 12


def test_the_source_tells_two_sensors_of_one_topic_apart() -> None:
    event = parse(fixture("pir.json")).events[0]
    assert (event.type, event.event_id) == ("PIR", "Device/Sensor/PIR/sensor=0")


def test_an_event_without_a_state_is_a_moment() -> None:
    event = parse(fixture("pulse.json")).events[0]
    assert (event.phase, event.start_at, event.end_at) == (EventPhase.END, AT, AT)
    assert not event.recurring
    assert event.event_id.endswith("@20260304T050607.250000Z")


def test_an_event_out_of_a_web_socket_is_unwrapped() -> None:
    wrapped = {"method": "events:notify", "params": {"notification": fixture("pir.json")}}
    assert parse(wrapped).events == parse(fixture("pir.json")).events


@pytest.mark.parametrize("time", [None, "soon", 0, 951_782_400_000, "2026-03-04T13:06:07"])
def test_a_time_that_is_none_is_replaced_and_said_so(time: object) -> None:
    decoded = parse(fixture("pir.json", timestamp=time))
    assert decoded.events[0].start_at == NOW
    assert decoded.link["time_from"] == "received"


def test_without_a_serial_number_the_topic_names_the_camera() -> None:
    body = fixture("pir.json")
    del body["serial"]
    for topic in ("axis/CAM1/event/a/b", "site/CAM1/event/a", "feed/axis/CAM1/event/a"):
        assert parse(body, topic).device == "CAM1"


@pytest.mark.parametrize(
    "body",
    [
        {"topic": "a", "message": 3},
        {"topic": "a", "message": {"data": []}},
        {"topic": "a"},
        {"topic": "", "message": {"data": {}}},
        {"message": {"data": {"state": "1"}}},
        [],
        b"{",
        {"frame": {"observations": 7}},
        b"",
    ],
)
def test_a_body_of_no_known_shape_is_refused(body: object) -> None:
    decoded = parse(body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].detail


def test_frames_of_a_scene_are_reports_of_one_condition() -> None:
    event = parse(fixture("scene-frame.json"), "feed/axis/CAM1").events[0]
    assert (event.camera, event.event_id, event.recurring) == ("CAM1", "scene", True)
    assert event.phase is EventPhase.UPDATE
    assert event.attributes["by_class"] == {"Human": 1, "(unclassified)": 1}
    assert event.confidence == 0.81


def test_a_frame_without_objects_ends_the_scene_or_says_nothing() -> None:
    frame = {"timestamp": "2026-03-04T05:06:07Z", "observations": [], "operations": []}
    assert parse({"frame": frame}).message_class is MessageClass.OTHER
    frame["operations"] = [{"type": "DeleteOperation", "id": "11"}]
    assert parse({"frame": frame}).events[0].phase is EventPhase.END


def test_a_complete_track_is_an_event_that_ended_with_its_picture_aside() -> None:
    decoded = parse(fixture("track.json"), "feed/axis/CAM1")
    event = decoded.events[0]
    assert (event.type, event.phase, event.confidence) == ("Truck", EventPhase.END, 0.9)
    assert (event.end_at or NOW) - event.start_at == timedelta(seconds=6.5)
    assert event.bbox == pytest.approx((0.2, 0.1, 0.4, 0.4))
    assert event.snapshot.startswith("data:image/jpeg;base64,/9j/")
    assert len(repr(event.attributes)) < 2_000


def test_a_track_that_ends_before_it_begins_is_refused_in_that_alone() -> None:
    decoded = parse(fixture("track.json", end_time="2026-03-04T05:00:00Z"))
    assert decoded.events[0].end_at == decoded.events[0].start_at
    assert decoded.rejects[0].detail.startswith("end_time: ")


def test_counts_of_people_have_the_utc_end_of_their_interval() -> None:
    decoded = parse(fixture("people-counts.json"), "feed/axis/anything")
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, "accc8e000002")
    assert {v.name: v.value for v in decoded.values} == {"in": 7, "queue.count": 3}
    assert {v.ts for v in decoded.values} == {datetime(2026, 3, 4, 5, 5, tzinfo=UTC)}
    assert {v.ts_from for v in decoded.values} == {TimeSource.DEVICE}
    assert decoded.rejects[0].detail.startswith("out: ")  # minus one person


@pytest.mark.parametrize(("word", "online"), [(b"Connected", True), (b"offline", False)])
def test_the_will_of_the_client_is_a_status(word: bytes, online: bool) -> None:
    decoded = parse(word, "axis/ACCC8E000001/connection")
    assert (decoded.device, decoded.statuses[0].online) == ("ACCC8E000001", online)


def test_bodies_are_recognised_without_their_topic() -> None:
    for path in FIXTURES.glob("*.json"):
        assert recognise("", path.read_bytes()) is FORMATS["axis"], path.name
