"""Any bytes on any topic: a parser answers with a result, soon, and lets no exception out."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from city.reading import METRICS, Decoded, MessageClass
from ingest.decode import decode_by_hand
from ingest.formats import FORMATS, PAYLOAD_LIMIT, recognise
from ingest.normalize import normalize
from ingest.quality import is_in_future

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
# Seconds for one message of the largest accepted size, on a machine that does other things too.
SLOW = 3.0
BODIES = [json.loads(path.read_bytes()) for path in sorted(FIXTURES.rglob("*.json"))]
TOPICS = [
    "city/v1/460107/gas/GD-1/telemetry",
    "city/v1/460107/gas/GD-1/status",
    "city/v1/460107/video/C-1/event",
    "city/v1/460107/squad/S-1/position",
    "city/v1/460107/light/L-1/command/ack",
    "application/1/device/24e1000000000001/event/up",
    "application/1/device/24e1000000000001/event/status",
    "application/1/node/24e1/rx",
    "v3/app@tenant/devices/d/up",
    "v3/app@tenant/devices/d/up/normalized",
    "v3/app@tenant/devices/d/down/ack",
    "frigate/events",
    "frigate/reviews",
    "frigate/tracked_object_update",
    "frigate/available",
    "frigate/cam/person",
    "frigate/cam/audio/dBFS",
    "frigate/cam/status/detect",
    "frigate",
    "",
]
few = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


class AnyDevice:
    """A registered device that every message fits."""

    code, kind, district, model, gas = "X", "gas", "460107", "milesight-em400", "methane"
    attributes: ClassVar = {"mounting_height_cm": 250}


def take_in(topic: str, payload: bytes) -> list[Decoded]:
    """Everything ingest and the decode command would do with the message."""
    results = [known.parse(topic, payload, NOW) for known in FORMATS.values()]
    for decoded in results:
        content = normalize(decoded, AnyDevice(), NOW)
        for reading in content.readings:
            metric = METRICS[reading.metric]
            assert metric.low <= reading.value <= metric.high
            assert not is_in_future(reading.ts, NOW)
        if decoded.message_class is MessageClass.INVALID:
            assert decoded.rejects
            assert all(reject.reason and reject.detail for reject in decoded.rejects)
    recognise(topic, payload)
    json.dumps(decode_by_hand(topic, payload, received_at=NOW), allow_nan=False)
    return results


@few
@given(st.sampled_from(TOPICS), st.binary(max_size=400))
def test_any_bytes_are_answered(topic: str, payload: bytes) -> None:
    take_in(topic, payload)


@few
@given(st.text(max_size=60), st.sampled_from(BODIES))
def test_any_topic_is_answered(topic: str, body: Any) -> None:
    take_in(topic, json.dumps(body).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["NaN", "\0", "2026-03-04T05:06:07Z", "1 mm", "0001-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=4),
    max_leaves=12,
)  # fmt: skip


@few
@given(st.sampled_from(TOPICS), json_values)
def test_any_json_is_answered(topic: str, body: Any) -> None:
    take_in(topic, json.dumps(body).encode())


def mutated(body: Any, draw: st.DrawFn) -> Any:
    """The body with some of its parts replaced, removed or renamed."""
    if isinstance(body, dict):
        kept = {}
        for key, value in body.items():
            fate = draw(st.integers(0, 11))
            if fate == 0:
                continue
            kept[key] = draw(json_values) if fate == 1 else mutated(value, draw)
        return kept
    if isinstance(body, list):
        return [mutated(item, draw) for item in body]
    return draw(json_values) if draw(st.integers(0, 9)) == 0 else body


@st.composite
def mutated_bodies(draw: st.DrawFn) -> Any:
    return mutated(draw(st.sampled_from(BODIES)), draw)


@few
@given(st.sampled_from(TOPICS), mutated_bodies())
def test_real_bodies_with_parts_broken_are_answered(topic: str, body: Any) -> None:
    take_in(topic, json.dumps(body).encode())


@few
@given(st.sampled_from(BODIES), st.data())
def test_real_bodies_cut_or_with_bytes_flipped_are_answered(body: Any, data: Any) -> None:
    payload = bytearray(json.dumps(body).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    take_in(data.draw(st.sampled_from(TOPICS)), bytes(payload[:cut]))


def filled(opening: bytes, piece: bytes, closing: bytes) -> bytes:
    """A payload of the largest accepted size, made of one repeated piece."""
    count = (PAYLOAD_LIMIT - len(opening) - len(closing)) // len(piece)
    return opening + piece * count + closing


KEY = b'"' + b"k" * 100_000 + b'"'
LARGE = {
    "deep lists": b"[" * PAYLOAD_LIMIT,
    "deep objects": filled(b"", b'{"a":', b""),
    "deep object part": filled(b'{"object":', b'{"a":', b""),
    "many metrics": filled(b'{"readings":{"x":1', b',"y":1', b"}}"),
    "many receptions": filled(b'{"devEUI":"a","object":{"a":1},"rxInfo":[{}', b",{}", b"]}"),
    "many values": filled(b'{"devEUI":"a","object":{"x":[1.5', b",1.5", b"]}}"),
    "many nulls below a long key": filled(
        b'{"devEUI":"a","object":{%s:{"a":null' % KEY, b',"b":null', b"}}}"
    ),
    "many records": filled(b'{"devEUI":"a","object":{"l":[{}', b",{}", b"]}}"),
    "much history": filled(
        b'{"devEUI":"a","object":{"history":[{}', b',{"ts":1772600767,"a":1}', b"]}}"
    ),
    "many normalised points": filled(
        b'{"uplink_normalized":{"normalized_payload":[{}', b',{"battery":3}', b"]}}"
    ),
    "one long number": filled(b'{"readings":{"co_ppm":', b"9", b"}}"),
    "one long text": filled(b'{"devEUI":"a","object":{"a":"', b"9", b'"}}'),
    "one long time": filled(b'{"ts":"2026', b"9", b'","readings":{"co_ppm":1}}'),
    "many zones": filled(
        b'{"type":"new","after":{"id":"i","camera":"c","label":"l","start_time":1,'
        b'"current_zones":["a"', b',"a"', b"]}}",
    ),
    "foreign numbers": filled(b'{"readings":{"x":NaN', b',"x":NaN', b"}}"),
    "nul characters": filled(b'{"fault":"', b"\\u0000", b'","readings":{"co_ppm":1}}'),
    "spaces": b" " * PAYLOAD_LIMIT,
}  # fmt: skip


@pytest.mark.parametrize("payload", LARGE.values(), ids=LARGE.keys())
def test_no_message_of_the_largest_size_takes_long(payload: bytes) -> None:
    assert len(payload) <= PAYLOAD_LIMIT
    for topic in (TOPICS[0], TOPICS[5], TOPICS[8], "frigate/events"):
        start = time.perf_counter()
        for known in FORMATS.values():
            normalize(known.parse(topic, payload, NOW), AnyDevice(), NOW)
        assert time.perf_counter() - start < SLOW
