"""Who is unknown among refused messages, and what it might be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.reading import (
    REASON_DEVICE_REPLACED,
    REASON_DEVICE_UNKNOWN,
    REASON_RANGE,
    Decoded,
    MessageClass,
    Reject,
)
from db.discovery import STRANGERS_PER_BATCH
from db.rejects import NewReject
from ingest.registry import Registry
from ingest.strangers import guess_kind, strangers_of

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def refused(
    device: str, *, at: datetime = AT, reason: str = REASON_DEVICE_UNKNOWN, detail: str = ""
) -> NewReject:
    detail = detail or f"no chirpstack device {device!r}"
    return NewReject(at, "chirpstack", f"application/1/device/{device}", device, reason, detail,
                     b'{"object": {"ch4": 1}}', True)  # fmt: skip


def test_messages_of_one_identity_are_one_stranger_with_its_newest_message() -> None:
    later = AT + timedelta(seconds=5)

    (found,) = strangers_of([refused("A84041FFFF000001", at=later), refused("a84041ffff000001")])

    assert (found.format, found.identity) == ("chirpstack", "a84041ffff000001")
    assert (found.first_seen, found.last_seen, found.messages) == (AT, later, 2)
    assert found.last_topic.endswith("A84041FFFF000001")
    assert found.kind == "gas"


@pytest.mark.parametrize(
    "reject",
    [
        refused("x", reason=REASON_RANGE),
        refused("x", detail="no squad 'x'"),
        refused(""),
        refused("a\0b"),
        refused("half \ud800"),
        refused("x" * 201),
    ],
)
def test_what_is_no_unknown_device_is_no_stranger(reject: NewReject) -> None:
    assert strangers_of([reject]) == []


def test_a_flood_of_invented_identities_is_cut() -> None:
    found = strangers_of([refused(f"fake-{n}") for n in range(STRANGERS_PER_BATCH * 3)])

    assert len(found) == STRANGERS_PER_BATCH


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
    registry = Registry([], replaced={("chirpstack", "a84041ffff000001"): "GAS-7"})
    decoded = Decoded("chirpstack", MessageClass.TELEMETRY, device="A84041FFFF000001")
    unknown = Reject(REASON_DEVICE_UNKNOWN, "no chirpstack device")

    named = registry.explain(decoded, unknown)

    assert named.reason == REASON_DEVICE_REPLACED
    assert "GAS-7" in named.detail
    other = Decoded("chirpstack", MessageClass.TELEMETRY, device="a84041ffff000002")
    assert registry.explain(other, unknown) is unknown
    out_of_range = Reject(REASON_RANGE, "too much")
    assert registry.explain(decoded, out_of_range) is out_of_range
