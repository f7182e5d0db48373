"""Feeds that name their format and nothing more: the body is all that can name the device."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from city.reading import MessageClass
from tests.tables import cases
from wire import FORMATS, recognise

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
SEEN = {"camera": "gate-4", "id": "1.5-a", "label": "person", "start_time": 1_772_600_767.5}


@pytest.mark.parametrize(
    ("name", "body", "device"),
    cases(
        "values_are_read_and_no_level_of_the_topic_is_a_device.jsonl",
        name=str,
        body=object,
        device=str,
    ),
)
def test_values_are_read_and_no_level_of_the_topic_is_a_device(
    name: str, body: Any, device: str
) -> None:
    decoded = FORMATS[name].parse(f"feed/{name}", json.dumps(body).encode(), NOW)
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, device)


@pytest.mark.parametrize(
    ("name", "body", "device"),
    [
        ("frigate", {"type": "new", "after": SEEN}, "gate-4"),
        ("axis", {"topic": "onvif:Device/Trigger", "message": {"data": {"active": "1"}}}, ""),
        ("detectx", {"label": "car", "state": True}, ""),
        ("hikvision", {"eventType": "VMD", "eventState": "active"}, ""),
    ],
)
def test_events_are_read_and_no_level_of_the_topic_is_a_camera(
    name: str, body: Any, device: str
) -> None:
    decoded = FORMATS[name].parse(f"feed/{name}", json.dumps(body).encode(), NOW)
    assert (decoded.message_class, decoded.device) == (MessageClass.EVENT, device)


def test_a_feed_of_no_known_format_is_of_none() -> None:
    assert recognise("feed/morse", b'{"devEUI": "24e1", "object": {}}') is None
    assert recognise("feed", b"{}") is None
