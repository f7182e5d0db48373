"""Hikvision: alerts as XML and JSON, heartbeats, plates, recorders."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.reading import REASON_XML, Decoded, EventPhase, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "hikvision"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TOPIC = "feed/hikvision/gate-4"
CAMERA = "a4:11:22:00:00:07/2"


def parse(payload: bytes | str, topic: str = TOPIC) -> Decoded:
    body = payload if isinstance(payload, bytes) else (FIXTURES / payload).read_bytes()
    return FORMATS["hikvision"].parse(topic, body, NOW)


def field(old: bytes, new: bytes) -> bytes:
    body = (FIXTURES / "field-start.xml").read_bytes()
    assert old in body
    return body.replace(old, new)


def test_an_active_alert_begins_an_event_of_its_channel() -> None:
    decoded = parse("field-start.xml")
    event = decoded.events[0]
    assert (decoded.message_class, decoded.device) == (MessageClass.EVENT, CAMERA)
    assert (event.type, event.phase, event.start_at) == ("fielddetection", EventPhase.NEW, AT)
    assert event.bbox == (0.6, 0.2, 0.1, 0.5)
    assert event.attributes["targetType"] == "human"
    assert event.attributes["channel_id"] == 2


def test_start_repeats_and_stop_are_one_recurring_condition() -> None:
    start, again, stop = (
        parse(f"field-{name}.xml").events[0] for name in ("start", "again", "stop")
    )
    assert start.event_id == again.event_id == stop.event_id
    assert start.recurring
    assert (again.phase, stop.phase) == (EventPhase.UPDATE, EventPhase.END)


def test_video_that_is_not_lost_is_a_heartbeat() -> None:
    decoded = parse("heartbeat.xml")
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.OTHER, "heartbeat")
    lost = (FIXTURES / "heartbeat.xml").read_bytes().replace(b"inactive", b"active")
    assert parse(lost).events[0].phase is EventPhase.NEW


def test_a_plate_is_a_moment_and_stays_text() -> None:
    event = parse("plate.xml").events[0]
    assert (event.phase, event.confidence) == (EventPhase.END, 0.97)
    assert event.event_id == "ANPR/2026030413060701"
    assert event.attributes["licensePlate"] == "0A12345"
    assert parse((FIXTURES / "plate.xml").read_bytes()).events[0] == event


def test_a_recorder_of_the_older_dialect_counts_its_cameras_from_33() -> None:
    event = parse("recorder-psia.xml").events[0]
    assert (event.attributes["channelID"], event.attributes["channel_id"]) == (34, 2)
    assert event.camera == "gate-4/2"  # no address in the body: the topic
    assert parse("recorder-psia.xml", "").device == "DS-0001/2"


def test_the_envelope_of_a_multipart_body_is_taken_off() -> None:
    assert parse("multipart.txt").events[0].attributes["targetType"] == "human"
    body = b"--b\r\nContent-Type: application/json\r\n\r\n" + (
        (FIXTURES / "line-start.json").read_bytes() + b"\r\n--b--\r\n"
    )
    assert parse(body).events == parse("line-start.json").events


def test_json_says_the_same() -> None:
    decoded = parse("line-start.json")
    assert (decoded.device, decoded.events[0].type) == ("a4:11:22:00:00:07/1", "linedetection")


@pytest.mark.parametrize("time", [b"2026-03-04T13:06:07", b"1970-01-01T08:00:09+08:00"])
def test_a_time_without_offset_or_never_set_is_replaced(time: bytes) -> None:
    decoded = parse(field(b"2026-03-04T13:06:07+08:00", time))
    assert decoded.events[0].start_at == NOW
    assert (decoded.link["time_from"], decoded.rejects) == ("received", ())


def test_a_time_that_is_none_is_named() -> None:
    decoded = parse(field(b"2026-03-04T13:06:07+08:00", b"22:16:04qq"))
    assert decoded.rejects[0].detail.startswith("dateTime: ")
    assert decoded.events[0].start_at == NOW


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"<eventType>fielddetection</eventType>", b"", "eventType: "),
        (b">active<", b">perhaps<", "eventState: "),
        (b"EventNotificationAlert", b"ResponseStatus", "body: "),
    ],
)
def test_an_alert_without_what_it_needs_is_refused(old: bytes, new: bytes, problem: str) -> None:
    decoded = parse(field(old, new))
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].detail.startswith(problem)


def test_without_an_address_topic_then_serial_then_network_name_the_camera() -> None:
    nobody = field(b"<macAddress>A4:11:22:00:00:07</macAddress>", b"")
    assert parse(nobody).device == "gate-4/2"
    assert parse(nobody, "").device == "10.0.0.9/2"
    assert parse(nobody.replace(b"10.0.0.9", b""), "").device == ""
    assert parse(field(b"A4:11", b"A4&#10;11")).rejects[0].detail.startswith("macAddress: ")


@pytest.mark.parametrize("body", [b"<EventNotificationAlert>", b"plain", b""])
def test_what_is_no_xml_is_refused_as_such(body: bytes) -> None:
    assert parse(body).rejects[0].reason == REASON_XML


def test_bodies_are_recognised_without_their_topic() -> None:
    for path in FIXTURES.iterdir():
        assert recognise("", path.read_bytes()) is FORMATS["hikvision"], path.name


def test_what_a_kind_of_event_has_of_its_own_is_kept() -> None:
    people = b"<peopleCounting><enter>5</enter><exit>3</exit></peopleCounting></EventNotif"
    body = field(b"</EventNotif", people).replace(b"fielddetection", b"PeopleCounting")
    event = parse(body).events[0]
    assert event.phase is EventPhase.END
    assert event.attributes["peopleCounting"] == {"enter": "5", "exit": "3"}


def test_a_duration_is_of_the_event_that_lasts() -> None:
    lasting = b"<DurationList><Duration><relationEvent>linedetection</relationEvent></Duration>"
    body = field(b"</EventNotif", lasting + b"</DurationList></EventNotif")
    assert parse(body.replace(b">fielddetection<", b">duration<")).events[0].type == "linedetection"


def test_an_address_of_zeros_names_nobody() -> None:
    body = b'{"eventType": "VMD", "eventState": "active", "ipAddress": "0.0.0.0", "channelID": 2}'
    assert parse(body, "").device == ""
    assert parse(body, "feed/hikvision/gate-4").device == "gate-4/2"
