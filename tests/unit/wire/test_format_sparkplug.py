"""Sparkplug B: one message at a time."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from city.reading import Decoded, MessageClass, Quality, TimeSource
from ingest.decode import decode_by_hand
from tests.tables import cases
from tests.unit.ingest.sparkplug_messages import (
    SENT_MS,
    metric,
    node_birth,
    node_death,
    payload,
    topic,
)
from wire import FORMATS, find_format, recognise
from wire.format import PAYLOAD_LIMIT
from wire.industry.sparkplug import decode, read
from wire.industry.sparkplug_metrics import METRIC_LIMIT, MetricName
from wire.industry.sparkplug_payload import rebirth_command
from wire.industry.sparkplug_schema import Payload

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
SENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MEASURED = SENT - timedelta(seconds=2)
MEASURED_MS = SENT_MS - 2000
few = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def parse(where: str, body: bytes) -> Decoded:
    return FORMATS["sparkplug"].parse(where, body, NOW)


def data(*metrics: dict[str, Any], **fields: Any) -> Decoded:
    """What a device's data message is decoded to."""
    return parse(topic("DDATA", "lamp-1"), payload(*metrics, seq=5, **fields))


def values(decoded: Decoded) -> dict[str, Any]:
    return {value.name: value.value for value in decoded.values}


def test_data_of_a_device_keeps_names_with_slashes_times_and_its_place_in_the_session() -> None:
    decoded = data(metric("Phase 1/voltage_v", 229.5, timestamp=MEASURED_MS))
    assert (decoded.format, decoded.message_class) == ("sparkplug", MessageClass.TELEMETRY)
    assert decoded.device == "North/cabinet-7/lamp-1"
    (value,) = decoded.values
    assert (value.name, value.value) == ("Phase 1/voltage_v", 229.5)
    assert (value.ts, value.ts_from, value.quality) == (MEASURED, TimeSource.DEVICE, Quality.GOOD)
    assert decoded.link == {"event": "DDATA", "seq": 5}
    assert not decoded.cached


def test_data_of_an_edge_node_is_of_group_and_edge_node() -> None:
    decoded = parse(topic("NDATA"), payload(metric("temperature_c", 40.0), seq=1))
    assert decoded.device == "North/cabinet-7"
    assert decoded.message_class is MessageClass.TELEMETRY


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "expected"),
    [
        (1, "int_value", 0xFE, -2),  # Int8 in its own eight bits
        (1, "int_value", 0xFFFFFFFE, -2),  # and extended to the field's 32
        (2, "int_value", 0x8000, -32768),
        (2, "int_value", 0x7FFF, 32767),
        (3, "int_value", 0xFFFFFFFF, -1),
        (3, "long_value", 0xFFFFFFFFFFFFFFFF, -1),  # 32 bits in the long field, extended
        (3, "long_value", 0xFFFFFFFF, -1),
        (4, "long_value", 2**64 - 5, -5),
        (5, "int_value", 255, 255),
        (6, "int_value", 65535, 65535),
        (7, "long_value", 4_294_967_295, 4_294_967_295),  # as Tahu sends UInt32
        (8, "long_value", 2**64 - 1, float(2**64 - 1)),
        (9, "float_value", 0.5, 0.5),
        (10, "double_value", 0.1, 0.1),
        (11, "boolean_value", False, False),
        (12, "string_value", b"on", "on"),
        (13, "long_value", SENT_MS, "2026-03-04T05:06:07+00:00"),
        (14, "string_value", "lange Leitung \u00b7 \u957f".encode(), "lange Leitung \u00b7 \u957f"),
        (15, "string_value", b"8b2f1a7e-0000-4000-8000-000000000001",
         "8b2f1a7e-0000-4000-8000-000000000001"),
        (0, "int_value", 7, 7),  # datatype left out, as data may
        (0, "double_value", 2.5, 2.5),
    ],
)  # fmt: skip
def test_every_datatype_with_one_value_gives_it(
    datatype: int, field: str, raw: Any, expected: Any
) -> None:
    decoded = data(metric("x", datatype=datatype, **{field: raw}))
    assert decoded.rejects == ()
    assert values(decoded) == {"x": expected}
    assert type(decoded.values[0].value) is (float if type(expected) is int else type(expected))


@pytest.mark.parametrize(
    ("datatype", "fields"),
    [
        (
            16,
            {
                "dataset_value": {
                    "num_of_columns": 1,
                    "columns": [b"a"],
                    "types": [7],
                    "rows": [{"elements": [{"int_value": 1}]}],
                }
            },
        ),
        (17, {"bytes_value": b"\1\2"}),
        (18, {"bytes_value": b"PK", "metadata": {"file_name": b"log.zip"}}),
        (
            19,
            {
                "template_value": {
                    "template_ref": b"pump",
                    "is_definition": False,
                    "metrics": [{"name": b"rpm", "float_value": 1.0}],
                }
            },
        ),
        *((array, {"bytes_value": struct.pack("<2i", 1, 2)}) for array in range(22, 35)),
    ],
)
def test_what_is_no_single_value_is_understood_and_no_reading(
    datatype: int, fields: dict[str, Any]
) -> None:
    decoded = data(metric("x", datatype=datatype, **fields), metric("co_ppm", 1.0))
    assert decoded.rejects == ()
    assert values(decoded) == {"co_ppm": 1.0}
    assert decoded.link["no_numbers"] == ["x"]


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (metric("x", datatype=5, int_value=256), "x: 256 does not fit UInt8"),
        (metric("x", datatype=1, int_value=200_000), "x: 200000 does not fit Int8"),
        (metric("x", datatype=6, int_value=65536), "does not fit UInt16"),
        (metric("x", datatype=11, string_value=b"true"), "x: Boolean cannot come as string_value"),
        (metric("x", datatype=9, int_value=3), "x: Float cannot come as int_value"),
        (metric("x", datatype=20, string_value=b""), "PropertySet cannot come as"),
        (metric("x", datatype=99, int_value=3), "x: datatype 99 cannot come as int_value"),
        (metric("x", datatype=9), "x: has no value and does not say that it is null"),
        (metric("x", datatype=13, long_value=2**63), "x: is no time the calendar knows"),
        (metric(float_value=1.0), "has neither name nor alias"),
        (metric("x" * 300, 1.0), "must be at most 256 printable characters"),
        ({"name": b"\xff\xfe", "float_value": 1.0}, "must be at most 256 printable"),
    ],
)
def test_one_broken_metric_is_refused_beside_the_good_ones(
    broken: dict[str, Any], detail: str
) -> None:
    decoded = data(broken, metric("co_ppm", 1.0))
    assert [reject.reason for reject in decoded.rejects] == ["field_invalid"]
    assert detail in decoded.rejects[0].detail
    assert decoded.message_class is MessageClass.TELEMETRY
    assert values(decoded) == {"co_ppm": 1.0}
    assert data(broken).message_class is MessageClass.INVALID


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    decoded = data(metric("co_ppm", value), metric("h2s_ppm", datatype=10, double_value=value))
    assert [reject.reason for reject in decoded.rejects] == ["number_not_finite"] * 2
    assert decoded.values == ()


def test_null_is_no_value() -> None:
    decoded = data(metric("co_ppm", datatype=9, is_null=True), metric("h2s_ppm", 0.0))
    assert values(decoded) == {"h2s_ppm": 0.0}
    assert decoded.rejects == ()
    assert decoded.link["null"] == ["co_ppm"]
    assert data(metric("co_ppm", datatype=9, is_null=True)).message_class is MessageClass.TELEMETRY


def test_history_keeps_its_time_and_is_late() -> None:
    month_ago = SENT_MS - 30 * 86_400_000
    (value,) = data(metric("co_ppm", 1.0, timestamp=month_ago, is_historical=True)).values
    assert value.quality is Quality.LATE
    assert value.ts == SENT - timedelta(days=30)


@pytest.mark.parametrize(
    ("code", "quality"),
    [(192, Quality.GOOD), (216, Quality.GOOD), (500, Quality.SUSPECT), (64, Quality.SUSPECT)],
)
def test_quality_codes(code: int, quality: Quality) -> None:
    (value,) = data(metric("co_ppm", 1.0, properties={"Quality": code})).values
    assert value.quality is quality


@pytest.mark.parametrize("code", [0, 4, -2_147_483_136])
def test_a_value_that_its_sender_calls_bad_is_none(code: int) -> None:
    decoded = data(metric("co_ppm", 1.0, properties={"Quality": code}))
    assert (decoded.values, decoded.rejects) == ((), ())
    assert decoded.link["bad_quality"] == ["co_ppm"]


@pytest.mark.parametrize(
    ("key", "text", "unit"),
    [("engUnit", "mV", "mV"), ("engUnit", "degC", "°C"), ("Engineering Units", " kPa ", "kPa")],
)
def test_the_engineering_unit_is_the_unit(key: str, text: str, unit: str) -> None:
    (value,) = data(metric("x", 1.0, properties={"documentation": "d", key: text})).values
    assert value.unit == unit


def test_a_unit_in_latin_1_is_read() -> None:
    properties = {"keys": [b"engUnit"], "values": [{"type": 12, "string_value": b"\xb0C"}]}
    (value,) = data({"name": b"t", "float_value": 1.0, "properties": properties}).values
    assert value.unit == "°C"


def test_properties_without_their_values_do_no_harm() -> None:
    properties = {"keys": [b"engUnit", b"Quality"], "values": []}
    (value,) = data({"name": b"t", "float_value": 1.0, "properties": properties}).values
    assert (value.unit, value.quality) == ("", Quality.GOOD)


def test_the_time_of_sending_stands_in_for_that_of_measuring() -> None:
    (value,) = data(metric("x", 1.0)).values
    assert (value.ts, value.ts_from) == (SENT, TimeSource.GATEWAY)


def test_a_clock_that_was_never_set_gives_way_and_it_is_said() -> None:
    (value,) = data(metric("x", 1.0, timestamp=5000)).values
    assert (value.ts, value.ts_from) == (SENT, TimeSource.GATEWAY)
    (value,) = data(metric("x", 1.0, timestamp=946_684_900_000), timestamp=0).values
    assert (value.ts, value.ts_from) == (NOW, TimeSource.RECEIVED)
    assert value.quality is Quality.CLOCK_REPLACED
    (value,) = data(metric("x", 1.0, timestamp=2**64 - 1), timestamp=2**63).values
    assert value.quality is Quality.CLOCK_REPLACED


def test_without_any_time_it_is_that_of_receipt() -> None:
    body = Payload(metrics=[metric("x", 1.0)], seq=1).SerializeToString()
    (value,) = parse(topic("NDATA"), body).values
    assert (value.ts, value.ts_from, value.quality) == (NOW, TimeSource.RECEIVED, Quality.GOOD)


def test_data_alone_shows_aliases() -> None:
    decoded = data(metric(alias=0, float_value=1.5), metric(alias=17, int_value=4))
    assert values(decoded) == {"alias:0": 1.5, "alias:17": 4}
    shown = decode_by_hand(
        topic("DDATA", "lamp-1"), payload(metric(alias=17, float_value=1.5)), received_at=NOW
    )
    assert [(r["metric"], r["value"]) for r in shown["readings"]] == [("alias:17", 1.5)]


def test_births_tell_what_an_alias_means_its_datatype_and_its_unit() -> None:
    names = {
        0: MetricName("voltage_v", 0, 9, "mV"),
        "offset": MetricName("offset", 9, 2, ""),
        3: MetricName("Node Control/Rebirth", 3, 11, ""),
    }
    body = payload(
        metric(alias=0, float_value=230_000.0),
        metric("offset", int_value=0xFFFF),  # signed, as only the birth says
        metric(alias=3, boolean_value=False),
        seq=5,
    )
    decoded = decode(read(topic("NDATA"), body), NOW, names)
    assert values(decoded) == {"voltage_v": 230_000.0, "offset": -1.0}
    assert decoded.values[0].unit == "mV"
    assert decoded.rejects == ()


def test_an_alias_that_no_birth_names_is_refused_by_name() -> None:
    body = payload(metric(alias=4, float_value=1.0), metric("co_ppm", 2.0), seq=5)
    decoded = decode(read(topic("NDATA"), body), NOW, {})
    assert [(r.reason, r.detail) for r in decoded.rejects] == [
        ("alias_unknown", "no birth of the sender names alias 4")
    ]
    assert values(decoded) == {"co_ppm": 2.0}
    alone = decode(read(topic("NDATA"), payload(metric(alias=4, float_value=1.0))), NOW, {})
    assert alone.message_class is MessageClass.INVALID


def test_a_birth_brings_values_and_word_that_its_sender_is_there() -> None:
    body = node_birth(
        metric("temperature_c", 41.5, alias=7, timestamp=MEASURED_MS),
        metric("Properties/Hardware Make", datatype=12, string_value=b"Own Works"),
        bd_seq=9,
    )
    decoded = parse(topic("NBIRTH"), body)
    assert decoded.message_class is MessageClass.TELEMETRY
    assert values(decoded) == {"temperature_c": 41.5}  # neither bdSeq nor commands
    assert decoded.cached
    (status,) = decoded.statuses
    assert (status.device, status.online, status.ts) == ("North/cabinet-7", True, SENT)
    assert status.attributes == {"event": "NBIRTH", "values_stale": False, "bd_seq": 9}
    assert decoded.link == {
        "event": "NBIRTH",
        "seq": 0,
        "bdSeq": 9,
        "properties": {"Properties/Hardware Make": "Own Works"},
    }


def test_a_birth_without_values_is_a_status() -> None:
    assert parse(topic("NBIRTH"), node_birth()).message_class is MessageClass.STATUS


def test_a_last_will_has_no_time_of_its_own() -> None:
    decoded = parse(topic("NDEATH"), node_death(9))
    (status,) = decoded.statuses
    assert (decoded.message_class, status.online) == (MessageClass.STATUS, False)
    assert (status.ts, status.ts_from) == (NOW, TimeSource.RECEIVED)
    assert status.attributes == {"event": "NDEATH", "values_stale": True, "bd_seq": 9}
    assert parse(topic("NDEATH"), b"").statuses[0].online is False


def test_the_death_of_a_device_is_told_by_its_edge_node() -> None:
    (status,) = parse(topic("DDEATH", "lamp-1"), payload(seq=8)).statuses
    assert (status.device, status.online) == ("North/cabinet-7/lamp-1", False)
    assert (status.ts, status.ts_from) == (SENT, TimeSource.GATEWAY)


def test_commands_are_counted_only() -> None:
    decoded = parse(topic("NCMD"), rebirth_command(NOW))
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link == {"event": "NCMD", "metrics": ["Node Control/Rebirth"]}
    assert parse(topic("DCMD", "d"), payload(metric(alias=3, float_value=1.0))).link == {
        "event": "DCMD",
        "metrics": ["alias:3"],
    }


@pytest.mark.parametrize("where", ["spBv1.0/STATE/scada", "STATE/scada"])
def test_host_applications_say_whether_they_are_there(where: str) -> None:
    body = json.dumps({"online": True, "timestamp": SENT_MS}).encode()
    decoded = parse(where, body)
    (status,) = decoded.statuses
    assert (decoded.message_class, decoded.device) == (MessageClass.STATUS, "STATE/scada")
    assert (status.online, status.ts) == (True, SENT)
    assert parse(where, b"OFFLINE").statuses[0].online is False
    assert parse(where, b"{}").rejects[0].reason == "field_invalid"
    assert parse(where, b"perhaps").rejects[0].reason == "text_invalid"
    assert parse(where, b"{").rejects[0].reason == "json_invalid"


@pytest.mark.parametrize(
    "where", cases("topics_that_the_specification_does_not_know_are_refused.csv", where=str)
)
def test_topics_that_the_specification_does_not_know_are_refused(where: str) -> None:
    (reject,) = parse(where, payload(seq=1)).rejects
    assert reject.reason == "topic_unknown"


def test_topics_with_an_empty_name_are_refused() -> None:
    assert parse("spBv1.0//NDATA/E", payload(seq=1)).rejects[0].reason == "field_invalid"


@pytest.mark.parametrize("body", [b"", b"hello world", b"{}", b"\x12\x05\x0a", b"\xff" * 40])
def test_broken_protobuf_is_refused(body: bytes) -> None:
    decoded = parse(topic("NDATA"), body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects[0].reason == "protobuf_invalid"
    assert decoded.device == "North/cabinet-7"


def test_templates_nested_without_end_are_refused() -> None:
    body = Payload()
    node = body.metrics.add()
    for _ in range(60):
        node = node.template_value.metrics.add()
    assert parse(topic("NDATA"), body.SerializeToString()).rejects[0].reason == "protobuf_invalid"


def test_a_sequence_number_out_of_its_range_is_refused_alone() -> None:
    decoded = data(metric("co_ppm", 1.0))
    assert decoded.rejects == ()
    decoded = parse(topic("NDATA"), payload(metric("co_ppm", 1.0), seq=256))
    assert decoded.rejects[0].detail == "seq: must be 0 to 255 (got 256)"
    assert values(decoded) == {"co_ppm": 1.0}


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_compressed_messages_are_unpacked(pack: Any) -> None:
    inner = payload(metric("co_ppm", 1.0), seq=5)
    body = payload(uuid=b"SPBV1.0_COMPRESSED", body=pack(inner))
    decoded = parse(topic("NDATA"), body)
    assert values(decoded) == {"co_ppm": 1.0}
    assert decoded.link["seq"] == 5


def test_a_compressed_message_that_grows_without_end_or_is_broken_is_refused() -> None:
    bomb = payload(uuid=b"SPBV1.0_COMPRESSED", body=zlib.compress(b"\0" * 50_000_000, 9))
    assert len(bomb) < PAYLOAD_LIMIT
    assert parse(topic("NDATA"), bomb).rejects[0].reason == "payload_too_large"
    torn = payload(uuid=b"SPBV1.0_COMPRESSED", body=b"no zip")
    assert parse(topic("NDATA"), torn).rejects[0].reason == "protobuf_invalid"


def test_metrics_beyond_the_limit_are_left_out_and_it_is_said() -> None:
    decoded = data(*({"alias": number, "int_value": 1} for number in range(METRIC_LIMIT + 5)))
    assert len(decoded.values) == METRIC_LIMIT
    assert f"more than {METRIC_LIMIT}" in decoded.rejects[-1].detail


def test_the_format_is_found_by_topic_and_by_name_and_hears_no_commands() -> None:
    for where in (topic("NBIRTH"), topic("DDATA", "d"), "spBv1.0/STATE/h", "STATE/h"):
        found = recognise(where, payload(seq=1))
        assert found is not None
        assert found.name == "sparkplug"
    for name in ("Sparkplug B", "sparkplug-b", "sparkplug"):
        found = find_format(name)
        assert found is not None
        assert found.name == "sparkplug"
    assert not any("CMD" in subscription for subscription in FORMATS["sparkplug"].subscriptions)
    bridged = parse(f"feed/sparkplug/{topic('NDATA')}", payload(metric("x", 1.0)))
    assert bridged.device == "North/cabinet-7"


KINDS = ["NBIRTH", "NDATA", "NDEATH", "NCMD", "DBIRTH", "DDATA", "DDEATH", "DCMD"]
TOPICS = [topic(kind, "lamp-1" if kind[0] == "D" else "") for kind in KINDS]


def answered(where: str, body: bytes) -> None:
    """Everything that can be made of any bytes is a result, and can be shown."""
    decoded = parse(where, body)
    if decoded.message_class is MessageClass.INVALID:
        assert decoded.rejects
    shown = decode_by_hand(where, body, received_at=NOW, format="sparkplug")
    json.dumps(shown, allow_nan=False)


@few
@given(st.sampled_from([*TOPICS, "spBv1.0/STATE/h", "STATE/h"]), st.binary(max_size=300))
def test_any_bytes_are_answered(where: str, body: bytes) -> None:
    answered(where, body)


metrics = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([b"bdSeq", b"co_ppm", b"a/b", b"\xff", b"n\0"]) | st.binary(),
        "alias": st.integers(0, 2**64 - 1),
        "timestamp": st.integers(0, 2**64 - 1),
        "datatype": st.integers(0, 40),
        "is_null": st.booleans(),
        "is_historical": st.booleans(),
    },
)
one_value = st.one_of(
    st.fixed_dictionaries({"int_value": st.integers(0, 2**32 - 1)}),
    st.fixed_dictionaries({"long_value": st.integers(0, 2**64 - 1)}),
    st.fixed_dictionaries({"double_value": st.floats()}),
    st.fixed_dictionaries({"float_value": st.floats(width=32)}),
    st.fixed_dictionaries({"boolean_value": st.booleans()}),
    st.fixed_dictionaries({"string_value": st.binary(max_size=20)}),
    st.fixed_dictionaries({"bytes_value": st.binary(max_size=20)}),
    st.just({}),
)


@few
@given(
    st.sampled_from(TOPICS),
    st.lists(st.tuples(metrics, one_value), max_size=5),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_any_protobuf_is_answered(where: str, content: Any, seq: int, sent_ms: int) -> None:
    joined = [known | value for known, value in content]
    body = Payload(metrics=joined, seq=seq, timestamp=sent_ms).SerializeToString()
    answered(where, body)


@few
@given(st.sampled_from(TOPICS), st.data())
def test_messages_cut_or_with_bytes_flipped_are_answered(where: str, draw: Any) -> None:
    body = bytearray(node_birth(metric("co_ppm", 1.0, alias=1, properties={"engUnit": "ppm"})))
    for _ in range(draw.draw(st.integers(0, 3))):
        body[draw.draw(st.integers(0, len(body) - 1))] = draw.draw(st.integers(0, 255))
    answered(where, bytes(body[: draw.draw(st.integers(0, len(body)))]))


@pytest.mark.parametrize("spelled", [bytes.hex, base64.b64encode])
def test_a_message_written_as_text_is_the_message(spelled: Callable[[bytes], bytes | str]) -> None:
    body = payload(metric("Level", 3.5), seq=5)
    text = spelled(body)
    decoded = parse(topic("DDATA", "lamp-1"), text if isinstance(text, bytes) else text.encode())
    assert [(v.name, v.value) for v in decoded.values] == [("Level", 3.5)]
