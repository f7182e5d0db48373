"""Messages to a batch: every message is booked once, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from city.device import RegisteredDevice, normal_identity
from city.ledger import LedgerEntry
from city.moment import as_microseconds
from city.reading import (
    REASON_CODEC,
    REASON_DEVICE_UNKNOWN,
    REASON_DISTRICT,
    REASON_FORMAT,
    REASON_JSON,
    REASON_METRIC_UNKNOWN,
    REASON_RANGE,
)
from columns.readings import last_of_metric, pack, unpack
from ingest.batch import (
    REASON_DECODER,
    Batch,
    Content,
    account,
    build_batch,
    decode_messages,
    identities,
    refuse_message,
)
from ingest.message import Message
from ingest.reporters import Reporters
from wire import FORMATS
from wire.lorawan import codec
from wire.lorawan.codec import CodecCall, CodecFailed, CodecOutput, run_codecs

NOW = datetime(2026, 3, 4, 5, 6, 30, tzinfo=UTC)
DISTRICT = "460107"


def device(number: int, code: str, kind: str = "gas", **other: Any) -> RegisteredDevice:
    return RegisteredDevice(
        id=number,
        code=code,
        kind=kind,
        district=DISTRICT,
        model=other.get("model", ""),
        gas=other.get("gas"),
        format=other.get("format", "native"),
        external_id=other.get("external_id"),
        attributes={},
        timezone="Asia/Shanghai",
    )


REGISTRY = Reporters(
    [
        device(1, "G-1"),
        device(2, "G-2"),
        device(3, "CAM-1", "camera"),
        device(4, "M-1", "manhole", format="ttn", external_id="A84041FFFF000001"),
    ],
    {"S-1": DISTRICT},
)


def telemetry(
    code: str, readings: dict[str, Any], *, at: datetime = NOW, retain: bool = False, **body: Any
) -> Message:
    payload = json.dumps({"readings": readings, **body}).encode()
    return Message(f"city/v1/{DISTRICT}/gas/{code}/telemetry", payload, retain, at)


def native(topic: str, body: dict[str, Any], *, retain: bool = False) -> Message:
    return Message(f"city/v1/{DISTRICT}/{topic}", json.dumps(body).encode(), retain, NOW)


def build(*messages: Message) -> Batch:
    return build_batch(messages, decode_messages(messages), REGISTRY)


def book(
    batch: Batch, new: Sequence[bool] | None = None, changed: Sequence[int] = ()
) -> LedgerEntry:
    """The only ledger entry of a batch of one feed and minute."""
    marks = [True] * len(batch.rows) if new is None else new
    (entry,) = account(batch, np.array(marks, dtype=bool), set(changed))
    return entry


def test_a_message_becomes_rows_sorted_by_device_metric_and_time() -> None:
    batch = build(
        telemetry("G-2", {"temperature_c": 20, "ch4_pct_lel": 1.5}, ts=1_772_600_000_000),
        telemetry("G-1", {"ch4_pct_lel": 2.5}, ts=1_772_600_000_001),
    )

    keys = [(row["device_id"], row["metric_id"], row["value"]) for row in batch.rows]
    assert keys == [(1, 1, 2.5), (2, 1, 1.5), (2, 7, 20.0)]
    assert batch.row_messages.tolist() == [1, 0, 0]
    assert batch.rows["ts_us"][0] == 1_772_600_000_001_000
    assert batch.rows["received_us"][0] == as_microseconds(NOW)


def test_a_message_that_the_broker_sent_twice_is_one_stored_and_one_duplicate() -> None:
    message = telemetry("G-1", {"ch4_pct_lel": 1, "temperature_c": 20}, ts=1_772_600_000_000)

    entry = book(build(message, message))

    assert (entry.received, entry.stored, entry.duplicate, entry.rejected) == (2, 1, 1, 0)
    assert (entry.readings_stored, entry.readings_duplicate) == (2, 2)


def test_a_message_whose_rows_the_database_knows_is_a_duplicate() -> None:
    batch = build(telemetry("G-1", {"ch4_pct_lel": 1, "temperature_c": 20}))

    assert book(batch, [False, False]).duplicate == 1
    assert book(batch, [False, True]).stored == 1


def test_two_readings_two_milliseconds_apart_are_two() -> None:
    batch = build(
        telemetry("G-1", {"ch4_pct_lel": 1}, ts=1_772_600_000_000),
        telemetry("G-1", {"ch4_pct_lel": 1}, ts=1_772_600_000_002),
        telemetry("G-1", {"ch4_pct_lel": 1}, ts=1_772_599_999_995),
    )

    assert len(batch.rows) == 3
    assert book(batch).stored == 3


def test_a_refused_part_is_quarantined_and_the_rest_is_stored() -> None:
    batch = build(telemetry("G-1", {"ch4_pct_lel": 1, "noise": 5, "humidity_pct": 101}))

    assert batch.contents == [Content.VALUES]
    assert {(r.reason, r.whole_message) for r in batch.rejects} == {
        (REASON_METRIC_UNKNOWN, False),
        (REASON_RANGE, False),
    }
    assert book(batch).stored == 1


def test_what_nobody_judges_says_its_gas_and_what_is_stored_does_not() -> None:
    stranger, known = (
        telemetry("STRANGER", {"ch4_pct_lel": 71.3}),
        telemetry("G-1", {"ch4_pct_lel": 71.3, "noise": 5}),
    )

    assert [reject.gas for reject in build(stranger).rejects] == ["71.3 %LEL"]
    assert [reject.gas for reject in build(known).rejects] == [""]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (f"city/v1/{DISTRICT}/gas/G-1/telemetry", b"{not json", REASON_JSON),
        (
            f"city/v1/{DISTRICT}/gas/STRANGER/telemetry",
            b'{"readings":{"co_ppm":1}}',
            REASON_DEVICE_UNKNOWN,
        ),
        ("city/v1/110101/gas/G-1/telemetry", b'{"readings":{"co_ppm":1}}', REASON_DISTRICT),
        (
            f"city/v1/{DISTRICT}/squad/S-9/position",
            b'{"ts":1772600000000,"lon":110.5,"lat":20}',
            REASON_DEVICE_UNKNOWN,
        ),
        ("somewhere/else", b"\xff\x00", REASON_FORMAT),
    ],
)
def test_a_refused_message_is_one_reject_with_its_bytes(
    topic: str, payload: bytes, reason: str
) -> None:
    batch = build(Message(topic, payload, False, NOW))

    (reject,) = batch.rejects
    assert (reject.reason, reject.raw, reject.whole_message) == (reason, payload, True)
    assert reject.detail
    assert book(batch).rejected == 1


def test_several_faults_of_a_refused_message_are_still_one_reject() -> None:
    batch = build(telemetry("G-1", {"noise": 5, "humidity_pct": 101}))

    (reject,) = batch.rejects
    assert reject.whole_message
    assert "noise" in reject.detail
    assert "humidity_pct" in reject.detail


def test_a_parser_that_fails_is_a_reject_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(topic: str, payload: bytes, received_at: datetime) -> None:
        raise KeyError("after")

    monkeypatch.setattr("ingest.batch.recognise", lambda topic, payload: known_or_broken(topic))
    native_format = FORMATS["native"]

    def known_or_broken(topic: str) -> Any:
        if topic != "broken":
            return native_format
        return type("Broken", (), {"name": "frigate", "parse": staticmethod(broken)})

    batch = build(Message("broken", b"{}", False, NOW), telemetry("G-1", {"ch4_pct_lel": 1}))

    assert batch.contents == [Content.REFUSED, Content.VALUES]
    assert batch.rejects[0].reason == REASON_DECODER
    assert "KeyError" in batch.rejects[0].detail


def test_a_raw_value_is_kept_where_it_differs() -> None:
    registry = Reporters([device(1, "G-1", gas="methane")])
    message = telemetry("G-1", {"ch4_pct_vol": 1.0})
    batch = build_batch([message], decode_messages([message]), registry)

    derived = [n for n, row in enumerate(batch.rows) if row["metric_id"] == 1]
    assert [row["metric_id"] for row in batch.rows] == [1, 2]
    assert batch.raws == {derived[0]: ("1.0", "%vol")}


def test_video_events_and_links_and_places_name_their_message() -> None:
    batch = build(
        native(
            "video/CAM-1/event",
            {"id": "e1", "type": "garbage", "phase": "new", "start": "2026-03-04T05:06:00Z"},
        ),
        native("gas/G-1/status", {"ts": "2026-03-04T05:06:00Z", "online": True}),
        native("squad/S-1/position", {"ts": "2026-03-04T05:06:00Z", "lon": 110.5, "lat": 20.0}),
    )

    assert [(n, r.camera_id, r.event.event_id) for n, r in batch.videos] == [(0, 3, "e1")]
    assert [(n, link.device_id, link.online) for n, link in batch.links] == [(1, 1, True)]
    assert [(n, place.squad, place.lon) for n, place in batch.places] == [(2, "S-1", 110.5)]
    entry = book(batch, changed=[0, 1])
    assert (entry.stored, entry.duplicate, entry.without_values) == (2, 1, 2)


def test_a_retained_video_event_is_counted_and_ignored() -> None:
    body = {"id": "e1", "type": "garbage", "phase": "new", "start": "2026-03-04T05:06:00Z"}

    batch = build(native("video/CAM-1/event", body, retain=True))

    assert batch.videos == []
    assert batch.contents == [Content.REPLAYED]
    assert book(batch).duplicate == 1


def test_a_retained_status_is_taken_and_a_retained_reading_needs_its_own_time() -> None:
    status = native("gas/G-1/status", {"ts": "2026-03-04T05:06:00Z", "online": True}, retain=True)
    timed = telemetry("G-1", {"ch4_pct_lel": 1}, retain=True, ts=1_772_600_000_000)
    ageless = telemetry("G-1", {"ch4_pct_lel": 1}, retain=True)

    batch = build(status, timed, ageless)

    assert len(batch.links) == 1
    assert batch.row_messages.tolist() == [1]
    assert batch.contents == [Content.VALUES, Content.VALUES, Content.REPLAYED]


def test_the_ledger_has_a_line_for_each_feed_and_minute() -> None:
    batch = build(
        telemetry("G-1", {"ch4_pct_lel": 1}),
        telemetry("G-1", {"ch4_pct_lel": 1}, at=NOW + timedelta(seconds=40)),
        Message("somewhere/else", b"?", False, NOW),
    )

    entries = account(batch, np.array([True, True]), set())

    minute = NOW.replace(second=0)
    assert [(e.feed, e.minute, e.received) for e in entries] == [
        ("native", minute, 1),
        ("native", minute + timedelta(minutes=1), 1),
        ("unknown", minute, 1),
    ]
    assert all(e.received == e.stored + e.duplicate + e.rejected for e in entries)


def test_a_message_the_database_cannot_store_becomes_a_reject_of_its_feed() -> None:
    batch = refuse_message(telemetry("G-1", {"ch4_pct_lel": 1}), "store_failed", "DataError: x")

    entry = book(batch)
    assert (entry.feed, entry.rejected, batch.rejects[0].detail) == ("native", 1, "DataError: x")


def test_identities_are_asked_for_only_where_a_device_matters() -> None:
    messages = [
        telemetry("G-1", {"ch4_pct_lel": 1}),
        Message("somewhere/else", b"?", False, NOW),
        native("squad/S-1/position", {"ts": 1_772_600_000_000, "lon": 110.5, "lat": 20.0}),
    ]

    assert list(identities(decode_messages(messages))) == [("native", "G-1")]


def test_an_eui_is_found_in_any_case_and_a_name_only_as_it_is() -> None:
    assert normal_identity("A84041FFFF000001") == "a84041ffff000001"
    assert REGISTRY.find("ttn", "a84041ffff000001") is REGISTRY.find("ttn", "A84041FFFF000001")
    assert REGISTRY.find("ttn", "M-1") is not None
    assert REGISTRY.find("native", "M-1") is None
    assert REGISTRY.find("native", "g-1") is None


def test_a_batch_payload_survives_packing() -> None:
    batch = build(telemetry("G-1", {"ch4_pct_lel": 1, "temperature_c": -3.5}))

    rows = unpack(pack(batch.rows))

    assert len(pack(batch.rows)) == 31 * 2
    assert rows["value"].tolist() == [1.0, -3.5]
    assert rows["device_id"].tolist() == [1, 1]


def test_the_newest_of_every_metric_is_the_last_of_its_rows() -> None:
    batch = build(
        telemetry("G-1", {"ch4_pct_lel": 1}, ts=1_772_600_000_002),
        telemetry("G-1", {"ch4_pct_lel": 2}, ts=1_772_600_000_001),
        telemetry("G-2", {"ch4_pct_lel": 3}, ts=1_772_600_000_000),
    )

    assert batch.rows[last_of_metric(batch.rows)]["value"].tolist() == [1.0, 3.0]


def test_the_codecs_of_a_batch_run_together_and_each_device_gets_its_own_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def counted(calls: Sequence[CodecCall]) -> list[CodecOutput | CodecFailed]:
        asked.append(len(calls))
        return run_codecs(calls)

    monkeypatch.setattr(codec, "run_codecs", counted)
    frames = ["058e00", "058e01", "058e00", "ffffff"]
    registry = Reporters(
        [
            device(
                n, f"L-{n}", format="lorawan-frame", external_id=f"d{n}", model="milesight-gs101"
            )
            for n in range(len(frames))
        ]
    )
    messages = [
        Message(f"feed/lorawan-frame/d{n}/85", frame.encode(), False, NOW)
        for n, frame in enumerate(frames)
    ]
    batch = build_batch(messages, decode_messages(messages), registry)
    assert asked == [3]  # one of the frames came twice
    rows = {int(row["device_id"]): float(row["value"]) for row in batch.rows}
    assert rows == {0: 0, 1: 1, 2: 0}
    assert [reject.reason for reject in batch.rejects] == [REASON_CODEC]
