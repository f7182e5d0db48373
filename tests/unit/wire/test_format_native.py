"""The native format: what is accepted, what is refused, and under which name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.datum import Datum, from_wgs84
from city.place import LonLat, distance_m
from city.reading import (
    REASON_FIELD,
    REASON_JSON,
    REASON_METRIC_UNKNOWN,
    REASON_NAN,
    REASON_RANGE,
    REASON_TOO_LARGE,
    REASON_TOPIC,
    Decoded,
    EventPhase,
    MessageClass,
    Quality,
    Reading,
    TimeSource,
)
from tests.tables import cases
from wire import FORMATS, PAYLOAD_LIMIT

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "native"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
GAS = "city/v1/460107/gas/GD-000123/telemetry"
MANHOLE = "city/v1/460107/manhole/MH-000017/telemetry"
EVENT = "city/v1/460107/video/CAM-1/event"


def parse(topic: str, body: Any) -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["native"].parse(topic, payload, NOW)


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def reasons(decoded: Decoded) -> list[str]:
    return [reject.reason for reject in decoded.rejects]


def only_detail(decoded: Decoded) -> str:
    assert len(decoded.rejects) == 1
    return decoded.rejects[0].detail


def test_a_gas_message_becomes_canonical_readings_with_the_devices_time() -> None:
    decoded = parse(GAS, fixture("telemetry-gas.json"))
    measured_at = datetime(2026, 3, 4, 5, 6, 7, 123000, tzinfo=UTC)
    assert decoded.message_class is MessageClass.TELEMETRY
    assert decoded.device == "GD-000123"
    assert decoded.rejects == ()
    assert decoded.link == {"district": "460107", "kind": "gas", "seq": 1733}
    assert decoded.readings[0] == Reading(
        "GD-000123",
        "ch4_pct_lel",
        1.5,
        "%LEL",
        measured_at,
        TimeSource.DEVICE,
        "ch4_pct_lel",
        1.5,
        "%LEL",
    )
    assert [r.metric for r in decoded.readings] == [
        "ch4_pct_lel",
        "temperature_c",
        "humidity_pct",
        "battery_pct",
    ]


def test_the_fast_constructors_give_what_the_dataclasses_would() -> None:
    decoded = parse(GAS, {"ts": 0, "readings": {"co_ppm": 3}})
    assert decoded == Decoded(
        "native",
        MessageClass.TELEMETRY,
        "GD-000123",
        decoded.readings,
        link={"district": "460107", "kind": "gas"},
    )
    assert decoded.readings[0].quality is Quality.GOOD


@pytest.mark.parametrize(
    "sent",
    [
        "2026-03-04T05:06:07Z",
        "2026-03-04t05:06:07z",
        "2026-03-04T13:06:07+08:00",
        "2026-03-04T05:06:07.000000000Z",
        1772600767000,
        1772600767000.0,
    ],
)
def test_time_is_rfc_3339_or_epoch_milliseconds(sent: object) -> None:
    decoded = parse(GAS, {"ts": sent, "readings": {"co_ppm": 3}})
    assert decoded.readings[0].ts == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert decoded.readings[0].ts_from is TimeSource.DEVICE


@pytest.mark.parametrize(
    "sent",
    [
        "2026-03-04T05:06:07",  # no offset: nobody knows which zone
        "2026-03-04",
        "yesterday",
        "",
        True,
        [1],
        {},
        10**30,
        "0001-01-01T00:00:00+14:00",  # before the calendar begins, in UTC
    ],
)
def test_another_time_refuses_the_message_and_names_the_field(sent: object) -> None:
    decoded = parse(GAS, {"ts": sent, "readings": {"co_ppm": 3}})
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.device == "GD-000123"
    assert reasons(decoded) == [REASON_FIELD]
    assert only_detail(decoded).startswith("ts: ")


def test_a_message_without_a_time_gets_the_time_of_receipt() -> None:
    decoded = parse(GAS, {"readings": {"co_ppm": 3}})
    assert (decoded.readings[0].ts, decoded.readings[0].ts_from) == (NOW, TimeSource.RECEIVED)


@pytest.mark.parametrize(
    ("topic", "name", "value", "reason"),
    [
        (GAS, "co", 3, REASON_METRIC_UNKNOWN),
        (GAS, "lamp_on", 1, REASON_METRIC_UNKNOWN),  # a metric, but not of gas detectors
        (MANHOLE, "dim_pct", 1, REASON_METRIC_UNKNOWN),
        (GAS, "co_ppm", "3", REASON_FIELD),
        (GAS, "co_ppm", None, REASON_FIELD),
        (GAS, "co_ppm", [3], REASON_FIELD),
        (GAS, "co_ppm", True, REASON_FIELD),  # true is a number for switches only
        (GAS, "co_ppm", -1000, REASON_RANGE),
        (GAS, "humidity_pct", 101, REASON_RANGE),
        (MANHOLE, "cover_open", 0.5, REASON_RANGE),
        (MANHOLE, "cover_open", 2, REASON_RANGE),
        (GAS, "co_ppm", 10**400, REASON_NAN),
    ],
)
def test_one_bad_reading_is_refused_by_name_and_the_others_are_kept(
    topic: str, name: str, value: object, reason: str
) -> None:
    decoded = parse(topic, {"ts": 1772600767000, "readings": {name: value, "battery_pct": 50}})
    assert [r.metric for r in decoded.readings] == ["battery_pct"]
    assert reasons(decoded) == [reason]
    assert only_detail(decoded).startswith(f"readings.{name}: ")
    assert decoded.message_class is MessageClass.TELEMETRY


def test_true_and_false_are_values_of_a_switch() -> None:
    decoded = parse(MANHOLE, {"readings": {"cover_open": True, "flooded": False}})
    assert [(r.metric, r.value) for r in decoded.readings] == [("cover_open", 1), ("flooded", 0)]


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_numbers_that_json_does_not_know_are_named_and_cost_only_themselves(word: bytes) -> None:
    decoded = parse(GAS, b'{"readings": {"ch4_pct_lel": %s, "co_ppm": 2}}' % word)
    assert reasons(decoded) == [REASON_NAN]
    assert [r.metric for r in decoded.readings] == ["co_ppm"]
    alone = parse(GAS, b'{"readings": {"ch4_pct_lel": %s}}' % word)
    assert (alone.message_class, reasons(alone)) == (MessageClass.INVALID, [REASON_NAN])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", REASON_JSON),
        (b"   ", REASON_JSON),
        (b"{", REASON_JSON),
        (b'{"readings": {"co_ppm": 1}', REASON_JSON),
        (b"\xff\xfe\x00", REASON_JSON),
        (b'{"readings": {"co_ppm": 1}, "note": "\xff"}', REASON_JSON),
        (b"[" * 100_000, REASON_JSON),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, REASON_JSON),
        (b"[1, 2]", REASON_FIELD),
        (b'"text"', REASON_FIELD),
        (b"null", REASON_FIELD),
        (b"{}", REASON_FIELD),
        (b'{"readings": {}}', REASON_FIELD),
        (b'{"readings": [1]}', REASON_FIELD),
        (b'{"readings": null}', REASON_FIELD),
    ],
)
def test_a_body_that_is_no_telemetry_is_refused(payload: bytes, reason: str) -> None:
    decoded = parse(GAS, payload)
    assert decoded.message_class is MessageClass.INVALID
    assert reasons(decoded) == [reason]
    assert decoded.readings == ()


def test_a_payload_beyond_the_limit_is_refused_before_it_is_parsed() -> None:
    decoded = parse(GAS, b"x" * (PAYLOAD_LIMIT + 1))
    assert reasons(decoded) == [REASON_TOO_LARGE]
    assert reasons(parse(GAS, b"x" * PAYLOAD_LIMIT)) == [REASON_JSON]


def test_a_byte_order_mark_is_not_held_against_a_message() -> None:
    assert parse(GAS, b'\xef\xbb\xbf{"readings": {"co_ppm": 1}}').readings


def test_a_fault_code_makes_the_readings_suspect_and_is_reported() -> None:
    decoded = parse(GAS, {"readings": {"co_ppm": 1}, "fault": "E07"})
    assert decoded.readings[0].quality is Quality.SUSPECT
    assert decoded.statuses[0].attributes == {"fault": "E07"}
    assert parse(GAS, {"readings": {"co_ppm": 1}, "fault": 7}).link["fault"] == "7"


@pytest.mark.parametrize("seq", ["17", -1, 1.5, True, 2**70])
def test_a_useless_sequence_number_is_refused_alone(seq: object) -> None:
    decoded = parse(GAS, {"seq": seq, "readings": {"co_ppm": 1}})
    assert len(decoded.readings) == 1
    assert only_detail(decoded).startswith("seq: ")


def test_a_kind_of_its_own_may_use_every_metric() -> None:
    topic = "city/v1/460107/pump/P-1/telemetry"
    decoded = parse(topic, {"readings": {"power_w": 1, "tilt_deg": 2, "bogus": 3}})
    assert [r.metric for r in decoded.readings] == ["power_w", "tilt_deg"]
    assert reasons(decoded) == [REASON_METRIC_UNKNOWN]


def test_a_message_of_endlessly_many_metrics_is_cut() -> None:
    decoded = parse(GAS, {"readings": {f"m{n}": n for n in range(20_000)}})
    assert decoded.readings == ()
    assert len(decoded.rejects) < 100


def test_nul_characters_never_leave_the_parser() -> None:
    decoded = parse(GAS, b'{"readings": {"co_ppm": 1, "a\\u0000b": 2}, "fault": "x\\u0000y"}')
    assert "\0" not in repr(decoded)
    assert decoded.link["fault"] == "xy"


@pytest.mark.parametrize(
    "topic",
    [
        "city/v1/460107/gas/GD-1",
        "city/v1/460107/gas/GD-1/telemetry/more",
        "city/v1/460107/gas/GD-1/position",
        "city/v2/460107/gas/GD-1/telemetry",
        "city/v1",
        "",
    ],
)
def test_a_topic_outside_the_contract_is_refused(topic: str) -> None:
    assert reasons(parse(topic, {"readings": {"co_ppm": 1}})) == [REASON_TOPIC]


@pytest.mark.parametrize("device", ["", " ", "a\x07b", "x" * 200])
def test_a_device_name_must_be_printable_and_short(device: str) -> None:
    topic = f"city/v1/460107/gas/{device}/telemetry"
    assert reasons(parse(topic, {"readings": {"co_ppm": 1}})) == [REASON_FIELD]


def test_online_carries_the_devices_time() -> None:
    topic = "city/v1/460107/gas/GD-1/status"
    decoded = parse(topic, {"ts": "2026-03-04T05:06:07Z", "online": True})
    status = decoded.statuses[0]
    assert (decoded.message_class, status.online) == (MessageClass.STATUS, True)
    assert status.ts == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_last_will_counts_from_its_receipt_not_from_the_connection_it_was_left_with() -> None:
    decoded = parse("city/v1/460107/gas/GD-1/status", fixture("status-will.json"))
    status = decoded.statuses[0]
    assert (status.online, status.ts, status.ts_from) == (False, NOW, TimeSource.RECEIVED)
    assert status.attributes == {"said_at": "2026-03-01T00:00:00+00:00"}


@pytest.mark.parametrize("online", ["true", 1, None])
def test_online_must_be_true_or_false(online: object) -> None:
    decoded = parse("city/v1/460107/gas/GD-1/status", {"online": online})
    assert only_detail(decoded).startswith("online: ")


def test_a_video_event_keeps_all_that_the_contract_names() -> None:
    decoded = parse(EVENT, fixture("event-new.json"))
    event = decoded.events[0]
    assert decoded.message_class is MessageClass.EVENT
    assert (event.camera, event.event_id, event.type) == ("CAM-1", "ev-7", "illegal_parking")
    assert (event.phase, event.end_at) == (EventPhase.NEW, None)
    assert event.start_at == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert (event.confidence, event.bbox) == (0.91, (0.1, 0.2, 0.3, 0.4))
    assert event.snapshot == "https://cam.example/ev-7.jpg"
    assert (event.model, event.model_version) == ("parknet", "2.1")


def test_an_end_without_a_time_ends_now() -> None:
    body = {"id": "e", "type": "t", "phase": "end", "start": "2026-03-04T05:00:00Z"}
    assert parse(EVENT, body).events[0].end_at == NOW


@pytest.mark.parametrize(
    ("field", "value"),
    cases("an_event_without_identity_or_times_is_refused.jsonl", field=str, value=object),
)
def test_an_event_without_identity_or_times_is_refused(field: str, value: object) -> None:
    body = json.loads(fixture("event-new.json")) | {field: value}
    decoded = parse(EVENT, body)
    assert decoded.events == ()
    assert only_detail(decoded).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "value"),
    cases("a_bad_optional_field_costs_only_itself.jsonl", field=str, value=object),
)
def test_a_bad_optional_field_costs_only_itself(field: str, value: object) -> None:
    body = json.loads(fixture("event-new.json")) | {field: value}
    decoded = parse(EVENT, body)
    assert len(decoded.events) == 1
    assert getattr(decoded.events[0], field) in (None, "")
    assert only_detail(decoded).startswith(f"{field}: ")


def test_a_squad_says_where_it_is() -> None:
    decoded = parse("city/v1/460107/squad/SQ-1/position", fixture("position.json"))
    position = decoded.positions[0]
    assert decoded.message_class is MessageClass.POSITION
    assert (position.squad, position.lon, position.lat) == ("SQ-1", 110.33, 19.98)
    assert position.accuracy_m == 6.5
    assert abs(position.ts - NOW) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("lon", "lat"), [(110.33, 99), (1016.6, 19), ("110", 19), (None, 19), (0, 0), (True, 19)]
)
def test_an_impossible_place_is_refused(lon: object, lat: object) -> None:
    decoded = parse("city/v1/460107/squad/SQ-1/position", {"lon": lon, "lat": lat})
    assert decoded.positions == ()
    assert reasons(decoded) == [REASON_FIELD]


def test_commands_and_their_answers_are_no_measurements() -> None:
    topic = "city/v1/460107/light/LT-1/command"
    answer = parse(f"{topic}/ack", fixture("command-ack.json"))
    assert answer.message_class is MessageClass.OTHER
    assert answer.link["command"] == "cmd-1"
    assert (answer.link["ok"], answer.link["level"]) == (True, 40)
    assert parse(topic, {"id": "cmd-1", "level": 40}).message_class is MessageClass.OTHER


@pytest.mark.parametrize(("named", "datum"), [("GCJ-02", "gcj02"), ("百度", "bd09")])
def test_a_squad_may_send_its_position_as_its_map_has_it(named: str, datum: str) -> None:
    true = LonLat(110.33, 19.98)
    there = from_wgs84(true, Datum(datum))
    body = {"lon": there.lon, "lat": there.lat, "datum": named}
    (position,) = parse("city/v1/460107/squad/SQ-1/position", body).positions
    assert distance_m(LonLat(position.lon, position.lat), true) < 0.1


@pytest.mark.parametrize("named", ["beijing54", "", 7, ["gcj02"]])
def test_a_position_in_an_unknown_datum_is_refused(named: object) -> None:
    body = {"lon": 110.33, "lat": 19.98, "datum": named}
    decoded = parse("city/v1/460107/squad/SQ-1/position", body)
    assert decoded.positions == ()
    assert "datum" in decoded.rejects[0].detail
