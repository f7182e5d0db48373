"""ONVIF: events as JSON over MQTT, notifications and scenes as XML."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.reading import REASON_XML, Decoded, EventPhase, MessageClass
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "onvif"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
CROSSED = "CAM1/onvif-ej/RuleEngine/LineDetector/Crossed/&1/Kerb"


def parse(topic: str, payload: bytes | str) -> Decoded:
    body = payload if isinstance(payload, bytes) else (FIXTURES / payload).read_bytes()
    return FORMATS["onvif"].parse(topic, body, NOW)


def test_a_crossing_is_a_moment_with_its_object() -> None:
    decoded = parse(CROSSED, "line-crossed.json")
    event = decoded.events[0]
    assert (decoded.device, event.type) == ("CAM1", "LineDetector/Crossed")
    assert (event.phase, event.start_at, event.end_at) == (EventPhase.END, AT, AT)
    assert event.attributes["Rule"] == "Kerb"
    assert event.attributes["ObjectId"] == "15"  # an id, not a number


def test_two_objects_in_one_instant_are_two_events() -> None:
    body = (FIXTURES / "line-crossed.json").read_bytes()
    other = parse(CROSSED, body.replace(b'"15"', b'"16"')).events[0]
    assert other.event_id != parse(CROSSED, body).events[0].event_id


def test_a_property_recurs_for_each_of_its_keys() -> None:
    topic = "CAM1/onvif-ej/RuleEngine/FieldDetector/ObjectsInside/&1/Plaza"
    body = (FIXTURES / "objects-inside.json").read_bytes()
    inside, outside = parse(topic, body), parse(topic, body.replace(b'"true"', b'"false"'))
    assert (inside.events[0].phase, outside.events[0].phase) == (EventPhase.NEW, EventPhase.END)
    assert inside.events[0].event_id == outside.events[0].event_id
    assert "ObjectId=15" in inside.events[0].event_id


def test_a_counter_is_one_event_that_goes_on() -> None:
    event = parse("CAM1/onvif-ej/RuleEngine/CountAggregation/Counter/&1", "counter.json").events[0]
    assert (event.phase, event.recurring) == (EventPhase.UPDATE, True)
    assert event.attributes["Count"] == "128"


def test_an_empty_body_takes_a_property_back() -> None:
    decoded = parse(CROSSED, b"")
    assert (decoded.message_class, decoded.device) == (MessageClass.OTHER, "CAM1")
    assert decoded.link == {"event": "property_deleted"}
    assert parse("feed/onvif/CAM1", b"").message_class is MessageClass.INVALID


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("site/bay7/onvif-ej/Device/Trigger/Relay/&1", "site/bay7"),
        ("feed/onvif/CAM1/onvif-ej/Device/Trigger/Relay/&1", "CAM1"),
        ("feed/onvif/CAM1/Device/Trigger/Relay/&1", "CAM1"),
    ],
)
def test_the_prefix_names_the_device(topic: str, device: str) -> None:
    decoded = parse(topic, b'{"UtcTime":"2026-03-04T05:06:07Z","Data":{"LogicalState":"true"}}')
    assert (decoded.device, decoded.events[0].type) == (device, "Relay")
    assert decoded.events[0].event_id == "Device/Trigger/Relay/source=1"


def test_start_and_stop_as_xml_name_the_same_condition() -> None:
    start = parse("feed/onvif/CAM1", "motion-start.xml").events[0]
    stop = parse("feed/onvif/CAM1", "motion-stop.xml").events[0]
    assert (start.phase, stop.phase) == (EventPhase.NEW, EventPhase.END)
    assert start.event_id == stop.event_id
    assert stop.end_at == datetime(2026, 3, 4, 5, 6, 27, tzinfo=UTC)  # UtcTime without its letter


def test_a_deleted_property_is_over_whatever_its_value() -> None:
    assert parse("feed/onvif/CAM1", "property-deleted.xml").events[0].phase is EventPhase.END


def test_a_metadata_stream_holds_a_scene_and_an_event() -> None:
    decoded = parse("feed/onvif/CAM1/stream", "metadata-stream.xml")
    contact, scene = decoded.events
    assert (contact.type, contact.phase) == ("DigitalInput", EventPhase.NEW)
    assert (scene.event_id, scene.phase, scene.confidence) == ("scene", EventPhase.UPDATE, 0.86)
    assert scene.attributes["by_class"] == {"Human": 1, "(unclassified)": 1}


def test_a_nested_object_gives_its_class() -> None:
    body = (
        b'{"UtcTime":"2026-03-04T05:06:07Z","Source":{"Rule":"r"},"Data":{"ObjectId":"1","Object":'
        b'{"Appearance":{"Class":{"Type":{"#text":"Vehicle","Likelihood":0.7}}}}}}'
    )
    event = parse(CROSSED, body).events[0]
    assert (event.attributes["label"], event.confidence) == ("Vehicle", 0.7)


BOMB = b'<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><MetadataStream>&d;</MetadataStream>'


@pytest.mark.parametrize(
    "body",
    [
        b"<NotificationMessage><Topic>",
        BOMB,
        b"<" + b"a" * 70_000,
        b"<a><b></a>",
        b'<?xml version="1.0" encoding="klingon"?><MetadataStream/>',
        b"<a>" * 5_000 + b"</a>" * 5_000,
        b"<MetadataStream>" + b"<a/>" * 30_000,
        b"<a>" * 37_000 + b"</a>" * 37_000,
        b"<a>" + b"<b/>" * 50_000 + b"</a>",
    ],
    ids=[
        "cut",
        "entities",
        "no end",
        "crossed",
        "encoding",
        "deep",
        "cut and wide",
        "very deep",
        "wide",
    ],
)
def test_broken_or_hostile_xml_is_refused_as_such(body: bytes) -> None:
    decoded = parse("feed/onvif/CAM1", body)
    assert decoded.message_class is MessageClass.INVALID
    assert [reject.reason for reject in decoded.rejects] == [REASON_XML]


@pytest.mark.parametrize(
    "body",
    [b"<html/>", b"{}", b'{"UtcTime":"2026-03-04T05:06:07Z"}', b'{"Data":[1]}', b"[]", b"{"],
)
def test_a_body_of_no_known_shape_is_refused(body: bytes) -> None:
    assert parse(CROSSED, body).message_class is MessageClass.INVALID


def test_a_notification_without_a_time_is_refused_beside_a_good_one() -> None:
    good = (FIXTURES / "motion-start.xml").read_bytes()
    bad = good.replace(b' UtcTime="2026-03-04T05:06:07.250Z"', b"")
    both = b"<PullMessagesResponse>" + good + bad + b"</PullMessagesResponse>"
    decoded = parse("feed/onvif/CAM1", both)
    assert len(decoded.events) == len(decoded.rejects) == 1


def test_bodies_are_recognised_without_their_topic() -> None:
    for path in FIXTURES.iterdir():
        assert recognise("", path.read_bytes()) is FORMATS["onvif"], path.name
