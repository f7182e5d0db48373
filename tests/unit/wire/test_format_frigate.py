"""Frigate: tracked objects, reviews, later findings, plain topics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, EventPhase, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "frigate"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
START = datetime(2026, 3, 4, 5, 6, 0, 250_000, tzinfo=UTC)


def parse(topic: str, body: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["frigate"].parse(topic, payload, NOW)


def fixture(name: str, **after: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    if after:
        body["after"] |= after
    return body


def test_only_the_state_after_is_the_event() -> None:
    decoded = parse("frigate/events", fixture("event-new.json"))
    event = decoded.events[0]
    assert (decoded.message_class, decoded.device) == (MessageClass.EVENT, "market_east")
    assert (event.event_id, event.type, event.phase) == (
        "1772600760.25-k3x9aa",
        "car",
        EventPhase.NEW,
    )
    assert (event.start_at, event.end_at) == (START, None)
    assert event.confidence == 0.88
    assert event.bbox is None  # pixels of an unknown picture are no relative box
    assert event.attributes["box"] == [10, 20, 110, 220]
    assert event.attributes["current_zones"] == ["no_parking"]
    assert event.attributes["false_positive"] is False


def test_the_end_has_its_time() -> None:
    event = parse("frigate/events", fixture("event-end.json")).events[0]
    assert event.phase is EventPhase.END
    assert event.end_at == datetime(2026, 3, 4, 5, 6, 40, 750_000, tzinfo=UTC)
    assert event.attributes["sub_label"] == ["Van", 0.7]


def test_an_end_without_a_time_ends_with_its_last_frame() -> None:
    event = parse("frigate/events", fixture("event-end.json", end_time=None)).events[0]
    assert event.end_at == datetime(2026, 3, 4, 5, 6, 6, 500_000, tzinfo=UTC)


def test_a_false_alarm_ends_what_was_reported_and_reports_nothing_new() -> None:
    ended = parse("frigate/events", fixture("event-false.json")).events[0]
    assert (ended.phase, ended.attributes["false_positive"]) == (EventPhase.END, True)
    never = parse("frigate/events", fixture("event-new.json", false_positive=True))
    assert (never.message_class, never.events) == (MessageClass.OTHER, ())


def test_an_end_before_the_start_is_refused_alone() -> None:
    decoded = parse("frigate/events", fixture("event-end.json", end_time=5.0))
    assert decoded.rejects[0].detail.startswith("after.end_time: ")
    assert len(decoded.events) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", None), ("camera", ""), ("label", 7), ("start_time", None), ("start_time", "now")],
)
def test_an_event_without_identity_or_start_is_refused(field: str, value: object) -> None:
    decoded = parse("frigate/events", fixture("event-new.json", **{field: value}))
    assert decoded.events == ()
    assert decoded.rejects[0].detail.startswith(f"after.{field}: ")


@pytest.mark.parametrize("body", [{}, {"after": []}, {"type": "new", "after": None}, []])
def test_a_body_without_a_state_is_refused(body: object) -> None:
    assert parse("frigate/events", body).message_class is MessageClass.INVALID


def test_a_new_type_of_change_is_refused_by_name() -> None:
    decoded = parse("frigate/events", fixture("event-new.json") | {"type": "paused"})
    assert decoded.rejects[0].detail.startswith("type: ")


def test_pictures_in_a_message_are_dropped() -> None:
    decoded = parse("frigate/events", fixture("event-new.json", thumbnail="A" * 100_000))
    assert len(repr(decoded)) < 5_000


def test_a_review_is_an_event_of_its_own_type() -> None:
    event = parse("frigate/reviews", fixture("review-new.json")).events[0]
    assert (event.type, event.phase) == ("review_alert", EventPhase.NEW)
    assert event.attributes["objects"] == ["car"]
    assert event.attributes["detections"] == ["1772600760.25-k3x9aa"]


def test_a_later_finding_updates_the_event_and_leaves_its_type() -> None:
    decoded = parse("frigate/tracked_object_update", fixture("lpr.json"))
    event = decoded.events[0]
    assert (event.camera, event.event_id) == ("market_east", "1772600760.25-k3x9aa")
    assert (event.phase, event.type) == (EventPhase.UPDATE, "")
    assert event.start_at == START  # from the id
    assert (event.attributes["finding"], event.attributes["plate"]) == ("lpr", "琼A12345")


def test_a_description_without_a_camera_cannot_find_its_event() -> None:
    decoded = parse("frigate/tracked_object_update", fixture("description.json"))
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event_id"] == "1772600760.25-k3x9aa"


@pytest.mark.parametrize(("word", "online"), [(b"online", True), (b"offline\n", False)])
def test_availability_is_a_status_of_the_bridge(word: bytes, online: bool) -> None:
    decoded = parse("frigate/available", word)
    assert decoded.message_class is MessageClass.STATUS
    assert (decoded.statuses[0].online, decoded.statuses[0].ts) == (online, NOW)
    assert decoded.link["bridge"] is True


def test_a_camera_says_whether_its_roles_run() -> None:
    decoded = parse("frigate/market_east/status/detect", b"offline")
    assert (decoded.device, decoded.statuses[0].online) == ("market_east", False)
    assert "bridge" not in decoded.link


def test_availability_must_be_a_known_word() -> None:
    assert parse("frigate/available", b"maybe").message_class is MessageClass.INVALID
    assert parse("frigate/available", b"").message_class is MessageClass.INVALID
    assert parse("frigate/available", b"\xff\xd8\xff").message_class is MessageClass.INVALID


@pytest.mark.parametrize(
    ("topic", "body", "name", "value"),
    [
        ("frigate/front_door/person", b"42", "person_count", 42),
        ("frigate/front_door/person/active", b"2", "person_active_count", 2),
        ("frigate/front_door/all", b"0", "all_count", 0),
        ("frigate/front_door/motion", b"ON", "motion", True),
        ("frigate/front_door/audio/bark", b"OFF", "audio.bark", False),
        ("frigate/front_door/audio/dBFS", b"-41.5", "audio.dBFS", -41.5),
    ],
)
def test_plain_topics_are_values_of_their_camera(
    topic: str, body: bytes, name: str, value: object
) -> None:
    decoded = parse(topic, body)
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, "front_door")
    assert [(v.name, v.value) for v in decoded.values] == [(name, value)]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("frigate/front_door/person", b"NOT_AN_INT"),
        ("frigate/front_door/person", b"-1"),
        ("frigate/front_door/person", b"3.5"),
        ("frigate/front_door/person", b"99999999999999999999"),
        ("frigate/front_door/person", "٣".encode()),
        ("frigate/front_door/motion", b"maybe"),
        ("frigate/front_door/audio/dBFS", b"nan"),
    ],
)
def test_a_plain_topic_that_says_nothing_usable_is_refused(topic: str, body: bytes) -> None:
    decoded = parse(topic, body)
    assert (decoded.message_class, decoded.device) == (MessageClass.INVALID, "front_door")
    assert len(decoded.rejects) == 1


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("frigate/front_door/person/snapshot", b"\xff\xd8\xff\xe0jpeg"),
        ("frigate/front_door/detect/state", b"ON"),
        ("frigate/front_door/detect/set", b"ON"),
        ("frigate/front_door/review_status", b"ALERT"),
        ("frigate/front_door/classification/gate", b"open"),
        ("frigate/stats", b'{"cameras": {}}'),
        ("frigate/restart", b"restart"),
        ("frigate/camera_activity", b"{}"),
    ],
)
def test_settings_pictures_and_statistics_are_counted_only(topic: str, body: bytes) -> None:
    assert parse(topic, body).message_class is MessageClass.OTHER


def test_bodies_are_recognised_without_their_topic() -> None:
    for name in ("event-new.json", "review-new.json", "lpr.json"):
        assert recognise("", (FIXTURES / name).read_bytes()) is FORMATS["frigate"]


def test_a_description_of_a_review_updates_or_ends_it() -> None:
    metadata = {"title": "Van unloads", "potential_threat_level": 1, "confidence": 0.8}
    body = fixture("review-new.json") | {"type": "genai"}
    body["after"]["data"]["metadata"] = metadata
    event = parse("frigate/reviews", body).events[0]
    assert event.phase is EventPhase.UPDATE
    assert event.attributes["described"] == metadata
    body["after"]["end_time"] = body["after"]["start_time"] + 9
    assert parse("frigate/reviews", body).events[0].phase is EventPhase.END


def test_a_trigger_is_a_finding_about_a_known_event() -> None:
    body = {
        "name": "red van",
        "camera": "market_east",
        "event_id": "1772600760.25-k3x9aa",
        "type": "thumbnail",
        "score": 0.85,
    }
    event = parse("frigate/triggers", body).events[0]
    assert (event.event_id, event.phase, event.start_at) == (
        "1772600760.25-k3x9aa",
        EventPhase.UPDATE,
        START,
    )
    assert (event.attributes["finding"], event.attributes["name"]) == ("trigger", "red van")


@pytest.mark.parametrize("found", [{"sub_label": "courier"}, {"attribute": "with_helmet"}])
def test_a_classification_is_a_finding_about_a_known_event(found: dict[str, str]) -> None:
    body = {
        "type": "classification",
        "id": "1772600760.25-k3x9aa",
        "camera": "market_east",
        "timestamp": 1772600765.5,
        "model": "people",
        "score": 0.9,
    } | found
    event = parse("frigate/tracked_object_update", body).events[0]
    assert event.attributes.items() >= found.items()
    assert event.attributes["finding"] == "classification"


@pytest.mark.parametrize(
    "topic",
    ["feed/frigate/events", "feed/frigate/north/events", "north/frigate/events", "frigate2/events"],
)
def test_an_event_below_any_prefix_is_the_same_event(topic: str) -> None:
    body = fixture("event-new.json")
    assert parse(topic, body).events == parse("frigate/events", body).events


@pytest.mark.parametrize("name", ["event-new.json", "review-new.json", "lpr.json"])
def test_a_body_without_its_topic_says_what_it_is(name: str) -> None:
    assert parse("", fixture(name)).message_class is MessageClass.EVENT
    assert parse("", {"camera": "x"}).message_class is MessageClass.INVALID


@pytest.mark.parametrize(
    "topic",
    [
        "frigate/cam/audio/transcription",
        "frigate/profiles/available",
        "frigate/job_state",
        "frigate/notifications/state",
        "frigate/cam/notifications/suspended",
        "frigate/cam/review_alerts/state",
    ],
)
def test_topics_of_later_versions_are_counted_only(topic: str) -> None:
    assert parse(topic, b"someone said hello").message_class is MessageClass.OTHER
