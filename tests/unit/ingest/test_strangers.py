"""Who is unknown among refused messages, and what it might be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.device import STRANGERS_PER_BATCH
from city.reading import (
    REASON_DEVICE_REPLACED,
    REASON_DEVICE_UNKNOWN,
    REASON_RANGE,
    Decoded,
    MessageClass,
    Reject,
)
from ingest.reporters import Reporters
from ingest.strangers import Strangers, guess_kind, note_message

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
BODY = b'{"object": {"ch4": 1}}'


def met(*messages: tuple[str, datetime]) -> Strangers:
    """What is noted of messages of these devices."""
    found: Strangers = {}
    for device, at in messages:
        decoded = Decoded("chirpstack", MessageClass.TELEMETRY, device=device)
        note_message(found, decoded, f"application/1/device/{device}", BODY, at)
    return found


def test_messages_of_one_identity_are_one_stranger_with_its_newest_message() -> None:
    later = AT + timedelta(seconds=5)

    found = met(("a84041ffff000001", AT), ("A84041FFFF000001", later))

    (stranger,) = found.values()
    assert (stranger.format, stranger.identity) == ("chirpstack", "a84041ffff000001")
    assert (stranger.first_seen, stranger.last_seen, stranger.messages) == (AT, later, 2)
    assert stranger.last_topic.endswith("A84041FFFF000001")
    assert stranger.kind == "gas"


@pytest.mark.parametrize("device", ["", "a\0b", "half \ud800", "x" * 201])
def test_what_nobody_could_register_is_not_listed(device: str) -> None:
    assert met((device, AT)) == {}


def test_a_flood_of_invented_identities_is_cut() -> None:
    found = met(*((f"fake-{n}", AT) for n in range(STRANGERS_PER_BATCH * 3)), ("fake-0", AT))

    assert len(found) == STRANGERS_PER_BATCH
    assert found["chirpstack", "fake-0"].messages == 2


@pytest.mark.parametrize(
    ("format_name", "topic", "payload", "kind"),
    [
        ("native", "city/v1/460107/manhole/M-9/telemetry", b'{"readings": {}}', "manhole"),
        ("native", "city/v1/460107/video/C-9/event", b"{}", "camera"),
        ("frigate", "frigate/events", b"{}", "camera"),
        ("chirpstack", "t", b'{"object": {"distance": 1700, "tilt": 0}}', "manhole"),
        ("tasmota", "t", b'{"Dimmer": 40, "POWER": "ON", "lamp": 1}', "light"),
        ("chirpstack", "t", b'{"object": {"temperature": 21}}', ""),
        ("chirpstack", "t", b"\xff\x00", ""),
    ],
)
def test_a_kind_is_guessed_where_something_speaks_for_it(
    format_name: str, topic: str, payload: bytes, kind: str
) -> None:
    assert guess_kind(format_name, topic, payload) == kind


def test_exchanged_hardware_that_still_reports_is_named() -> None:
    registry = Reporters([], replaced={("chirpstack", "a84041ffff000001"): "GAS-7"})
    decoded = Decoded("chirpstack", MessageClass.TELEMETRY, device="A84041FFFF000001")
    unknown = Reject(REASON_DEVICE_UNKNOWN, "no chirpstack device")

    named = registry.explain(decoded, unknown)

    assert named.reason == REASON_DEVICE_REPLACED
    assert "GAS-7" in named.detail
    other = Decoded("chirpstack", MessageClass.TELEMETRY, device="a84041ffff000002")
    assert registry.explain(other, unknown) is unknown
    out_of_range = Reject(REASON_RANGE, "too much")
    assert registry.explain(decoded, out_of_range) is out_of_range
