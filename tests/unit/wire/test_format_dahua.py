"""Dahua: events as JSON and as text records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, EventPhase, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "dahua"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
TOPIC = "feed/dahua/rec-1"


def parse(payload: Any, topic: str = TOPIC) -> Decoded:
    if isinstance(payload, str):
        payload = (FIXTURES / payload).read_bytes()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return FORMATS["dahua"].parse(topic, body, NOW)


def start(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / "line-start.json").read_text())
    return body | changes


def test_a_start_begins_an_event_of_its_rule() -> None:
    decoded = parse("line-start.json")
    event = decoded.events[0]
    assert (decoded.message_class, decoded.device) == (MessageClass.EVENT, "Gate-4")
    assert (event.type, event.phase, event.start_at) == (
        "CrossLineDetection",
        EventPhase.NEW,
        AT,
    )
    assert event.bbox == (0, 0.25, 0.5, 0.75)
    assert event.confidence == pytest.approx(0.8)
    assert event.attributes["object_type"] == "Human"


def test_start_and_stop_name_the_same_recurring_condition() -> None:
    begun, over = parse(start()).events[0], parse(start(action="Stop")).events[0]
    assert begun.recurring
    assert begun.event_id == over.event_id == "CrossLineDetection/Kerb"
    assert (over.phase, over.end_at) == (EventPhase.END, AT)


def test_a_pulse_is_a_moment_with_its_plate() -> None:
    event = parse("push.json").events[0]
    assert (event.phase, event.recurring) == (EventPhase.END, False)
    assert (event.camera, event.attributes["plate"]) == ("rec-1/2", "琼A12345")


def test_a_text_record_holds_json_with_separators_in_it() -> None:
    event = parse("motion-start.txt").events[0]
    assert (event.camera, event.type, event.phase) == ("rec-1", "VideoMotion", EventPhase.NEW)
    assert event.attributes["regions"] == ["Region;1=}"]
    assert event.start_at == NOW  # a record without a time
    assert parse("motion-stop.txt").events[0].event_id == event.event_id


def test_a_body_of_two_records_speaks_for_two_channels() -> None:
    decoded = parse("two-records.txt")
    motion, file = decoded.parts
    assert (motion.device, motion.events[0].type) == ("rec-1/3", "SmartMotionHuman")
    assert (file.message_class, file.link["event"]) == (MessageClass.OTHER, "NewFile")
    assert decoded.message_class is MessageClass.EVENT


@pytest.mark.parametrize("body", [b"Heartbeat", b"--b\r\nContent-Length: 9\r\n\r\nHeartbeat\r\n"])
def test_the_heartbeat_of_the_stream_is_counted_only(body: bytes) -> None:
    assert parse(body).message_class is MessageClass.OTHER


@pytest.mark.parametrize("utc", [None, "1772600767", 0, 946_684_800, 1e300])
def test_a_clock_that_was_never_set_is_replaced_and_said_so(utc: object) -> None:
    decoded = parse(start(data={"UTC": utc}))
    assert (decoded.events[0].start_at, decoded.link["time_from"]) == (NOW, "received")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"Code": ""}, "Code: "), ({"action": "Perhaps"}, "action: "), ({"action": None}, "action: ")],
)
def test_an_event_without_code_or_action_is_refused(changes: dict[str, Any], problem: str) -> None:
    assert parse(start(**changes)).rejects[0].detail.startswith(problem)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"\xff\xfe", b"{", b'Code=A;action=Start;index=0;data={"a":', b"[]"]
)
def test_what_holds_no_record_is_refused(body: bytes) -> None:
    assert parse(body).message_class is MessageClass.INVALID


def test_bodies_are_recognised_without_their_topic() -> None:
    for path in FIXTURES.iterdir():
        assert recognise("", path.read_bytes()) is FORMATS["dahua"], path.name
