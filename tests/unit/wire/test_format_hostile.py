"""Any bytes on any topic: a parser answers with a result, soon, and lets no exception out."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.attack import NOW, AnyDevice, attack, take_in
from tests.fuzz.seeds import WORDS, bodies, topics
from wire import FORMATS, PAYLOAD_LIMIT, Format, recognise
from wire.normalize import normalize

# Seconds of processor time for one message of the largest accepted size.
SLOW = 1.0
TOPICS = ["", "/", "frigate", *(topic for name in FORMATS for topic in topics(name))]
BODIES = [(name, body) for name in FORMATS for body in bodies(name)]
JSON_BODIES = [(name, json.loads(body)) for name, body in BODIES if body.lstrip()[:1] in b"{["]
few = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def take_in_everywhere(topic: str, payload: bytes) -> None:
    """Every format's parser, whatever the topic says; then the message's own."""
    for name in FORMATS:
        take_in(name, topic, payload)
    known = recognise(topic, payload)
    attack(known.name if known else "native", topic, payload)


def test_every_format_has_topics_and_bodies_to_be_attacked_with() -> None:
    assert all(topics(name) and bodies(name) for name in FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_no_topic_of_a_format_is_taken_by_another(name: str) -> None:
    """None: let through by a filter that cannot be narrower, and refused as of no format."""
    found = {known.name if known else "" for known in map(taken_by, topics(name))}
    assert name in found
    assert found <= {name, ""}


def taken_by(topic: str) -> Format | None:
    return recognise(topic, b"")


# MQTT knows no NUL in a topic: a broker ends the connection that sends one.
NO_NUL = st.characters(exclude_characters="\0")


@few
@given(st.sampled_from(TOPICS), st.binary(max_size=400))
def test_any_bytes_are_answered(topic: str, payload: bytes) -> None:
    take_in_everywhere(topic, payload)


@few
@given(st.text(NO_NUL, max_size=60), st.sampled_from(BODIES))
def test_any_topic_is_answered(topic: str, body: tuple[str, bytes]) -> None:
    take_in_everywhere(topic.encode("utf-8", "replace").decode(), body[1])


@pytest.mark.parametrize("name", FORMATS)
def test_every_body_under_every_topic_of_the_format_is_answered(name: str) -> None:
    for topic in topics(name):
        for body in (*bodies(name), *WORDS):
            attack(name, topic, body)


@pytest.mark.parametrize("name", FORMATS)
def test_bodies_of_other_formats_are_answered(name: str) -> None:
    for topic in (topics(name)[0], topics(name)[-1]):
        for _, body in BODIES:
            take_in(name, topic, body)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["NaN", "\0", "2026-03-04T05:06:07Z", "1 mm", "0001-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@few
@given(st.sampled_from(TOPICS), json_values)
def test_any_json_is_answered(topic: str, body: Any) -> None:
    take_in_everywhere(topic, json.dumps(body).encode())


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


@few
@given(st.sampled_from(JSON_BODIES), st.data())
def test_real_bodies_with_parts_broken_are_answered(body: tuple[str, Any], data: Any) -> None:
    name, value = body
    topic = data.draw(st.sampled_from(topics(name)))
    payload = json.dumps(mutated(value, data.draw)).encode()
    attack(name, topic, payload)
    take_in_everywhere(topic, payload)


@few
@given(st.sampled_from(BODIES), st.data())
def test_real_bodies_cut_or_with_bytes_flipped_are_answered(
    body: tuple[str, bytes], data: Any
) -> None:
    name, payload = body[0], bytearray(body[1])
    for _ in range(data.draw(st.integers(0, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for end in (cut, len(payload)):
        attack(name, data.draw(st.sampled_from(topics(name))), bytes(payload[:end]))


def filled(opening: bytes, piece: bytes, closing: bytes = b"") -> bytes:
    """A payload of the largest accepted size, made of one repeated piece."""
    count = (PAYLOAD_LIMIT - len(opening) - len(closing)) // len(piece)
    return opening + piece * count + closing


KEY = b'"' + b"k" * 100_000 + b'"'
UP = b'{"devEUI":"24e1","applicationID":"1",'
# What is bad for any parser, by where in a message it stands.
LARGE = {
    "deep lists": b"[" * PAYLOAD_LIMIT,
    "deep objects": filled(b"", b'{"a":'),
    "deep object part": filled(b'{"object":', b'{"a":'),
    "many metrics": filled(b'{"readings":{"x":1', b',"y":1', b"}}"),
    "many receptions": filled(UP + b'"object":{"a":1},"rxInfo":[{}', b",{}", b"]}"),
    "many values": filled(UP + b'"object":{"x":[1.5', b",1.5", b"]}}"),
    "many nulls below a long key": filled(
        UP + b'"object":{%s:{"a":null' % KEY, b',"b":null', b"}}}"
    ),
    "many records": filled(UP + b'"object":{"l":[{}', b",{}", b"]}}"),
    "lists of records": filled(UP + b'"object":{"l":[[{"name":"a"}]', b',[{"name":"a"}]', b"]}}"),
    "much history": filled(UP + b'"object":{"history":[{}', b',{"ts":1772600767,"a":1}', b"]}}"),
    "much of history in history": filled(UP + b'"object":', b'{"history":[{"ts":1,"a":'),
    "one long number": filled(b'{"readings":{"co_ppm":', b"9", b"}}"),
    "one long text": filled(UP + b'"object":{"a":"', b"9", b'"}}'),
    "one text of spaces": filled(UP + b'"object":{"a":"1', b" ", b'x"}}'),
    "one long time": filled(b'{"ts":"2026', b"9", b'","readings":{"co_ppm":1}}'),
    "foreign numbers": filled(b'{"readings":{"x":NaN', b',"x":NaN', b"}}"),
    "nul characters": filled(b'{"fault":"', b"\\u0000", b'","readings":{"co_ppm":1}}'),
    "many keys": b"{" + b",".join(b'"%d":1' % n for n in range(25_000)) + b"}",
    "spaces": b" " * PAYLOAD_LIMIT,
    "lines": b"\n" * PAYLOAD_LIMIT,
    "digits": b"1" * PAYLOAD_LIMIT,
    "bytes": b"\xff" * PAYLOAD_LIMIT,
}  # fmt: skip
# The worst that a format's own grammar allows, one at least for each.
WORST = {
    "native": (filled(b'{"readings":{"ch4_pct_lel":1', b',"ch4_pct_lel":1', b"}}"),),
    "milesight-gateway": (filled(b'{"gatewaySN":"1","time":"2026', b"-", b'","devEUI":"a"}'),),
    "chirpstack": (filled(UP + b'"objectJSON":"', b"[", b'"}'),),
    "chirpstack-gateway": (filled(b"", b"\n\x04aaaa"),),
    "ttn": (
        filled(b'{"uplink_normalized":{"normalized_payload":[{}', b',{"battery":3}', b"]}}"),
        filled(b'{"uplink_message":{"rx_metadata":[{}', b',{"packet_broker":{"a":1}}', b"]}}"),
    ),
    "thingpark": (filled(b'{"DevEUI_uplink":{"DevEUI":"a","Lrrs":{"Lrr":[{}', b",{}", b"]}}}"),),
    "loriot": (filled(b'{"cmd":"gw","EUI":"a","gws":[{}', b',{"rssi":1}', b"]}"),),
    "netmore": (filled(b'[{"devEui":"a"}', b',{"devEui":"a","payload":"00"}', b"]"),),
    "milesight-nbiot": (filled(b"", b"02 "), filled(b"\x02", b"\0")),
    "frigate": (
        filled(
            b'{"type":"new","after":{"id":"i","camera":"c","label":"l","start_time":1,'
            b'"current_zones":["a"', b',"a"', b"]}}",
        ),
    ),
    "axis": (
        filled(b'{"frame":{"timestamp":"2026-03-04T05:06:07Z","observations":[{}', b",{}", b"]}}"),
        filled(b'{"topic":"', b"a:", b'","message":{"data":{"active":1}}}'),
        filled(b'{"topic":"a', b"Scenario", b'","message":{"data":{"active":1}}}'),
    ),
    "detectx": (filled(b'{"serial":"a","detections":[{}', b',{"label":"a"}', b"]}"),),
    "dataq": (filled(b'{"serial":"a","list":[{}', b',{"class":"a","id":1}', b"]}"),),
    "onvif": (
        filled(b"<MetadataStream>", b"<a>"),
        filled(b"<MetadataStream>", b"<VideoAnalytics/>", b"</MetadataStream>"),
        filled(b'{"UtcTime":"2026","Data":{"a":1', b',"b":1', b"}}"),
    ),
    "hikvision": (
        filled(b"--x\r\n\r\n<EventNotificationAlert>", b" "),
        filled(b"", b"--x\r\n\r\n"), filled(b"Content-", b"\r\n"),
        filled(b"<EventNotificationAlert>", b"<a/>", b"</EventNotificationAlert>"),
        filled(b"<EventNotificationAlert a='", b" ", b"'/>"),
    ),
    "dahua": (
        filled(b"Code=a;action=Start;index=0;data={", b"a;", b"}"),
        filled(b"", b"Code=a;action=b\n"),
        filled(b"Code=a;action=Start", b" "), filled(b"Code=a;action=Start", b";"),
        filled(b"Code=a;action=Start;data={", b"{"),
    ),
    "sparkplug": (
        filled(b"", b"\x12\x00"), filled(b"", b"\x12\x02\x08\x01"), b"\x12\xfe\xff\x0f" * 60_000,
        filled(b"", b"\x12\x06\x0a\x01aX\x01"),
    ),
    "homeassistant": (
        filled(b'{"dev":{"ids":["a"', b',"a"', b"]}}"),
        filled(b'{"cmps":{"a":{}', b',"b":{}', b"}}"),
        filled(b'{"uniq_id":"a","val_tpl":"value_json', b".a", b'"}'),
        filled(b'{"uniq_id":"a","val_tpl":"', b"value_json", b'"}'),
    ),
    "zigbee2mqtt": (filled(b'{"linkquality":1,"a":[{}', b',{"b":1}', b"]}"),),
    "xiaomi-gw3": (
        filled(b'{"cmd":"report","did":"a","params":[{}', b',{"res_name":"1.2.3"}', b"]}"),
    ),
    "shelly": (
        filled(b'{"src":"a","method":"NotifyStatus","params":{"a:1":{}', b',"a:1":{}', b"}}"),
        filled(b'{"relays":[{}', b',{"ison":true}', b"]}"),
    ),
    "tasmota": (
        filled(b'{"ZbReceived":{"0x0001":{}', b',"0x0002":{"a":1}', b"}}"),
        filled(b'{"ENERGY":{"Total":[1', b",1", b"]}}"),
    ),
    "gaslyt": (filled(b'{"idDispositivo":"a","lecturas":[{}', b',{"a":1}', b"]}"),),
    "iotda": (
        filled(b'{"services":[{}', b',{"service_id":"a","properties":{"a":1}}', b"]}"),
        filled(b'{"devices":[{}', b',{"device_id":"a","services":[]}', b"]}"),
    ),
    "jetlinks": (
        filled(b'{"deviceId":"a","properties":{"a":1', b',"b":1', b"}}"),
        filled(b"", b'{"message":', b""),
    ),
    "lwm2m": (filled(b'{"bn":"/3/0/","e":[{}', b',{"n":"1","v":1}', b"]}"),),
    "senml": (
        filled(b'[{"bn":"a","v":1}', b',{"n":"b","v":1}', b"]"), filled(b"", b"\x81"),
        filled(b"", b"\x9f"), filled(b"", b"9f"), filled(b"<sensml>", b"<senml/>", b"</sensml>"),
        filled(b'[{"n":"a","v":1}', b',{"bn":"a","v":1}', b"]"), filled(b"", b"\xd8\x1d"),
    ),
    "thingsboard": (
        filled(b'[{"ts":1,"values":{}}', b',{"ts":1,"values":{"a":1}}', b"]"),
        filled(b'{"a":[{}]', b',"b":[{"ts":1,"values":{"a":1}}]', b"}"),
    ),
    "ngsi": (
        filled(b"t|1", b"|t|1"), filled(b"", b"#"), filled(b"2026|", b"|"),
        filled(b'{"data":[{}', b',{"id":"a","type":"A"}', b"]}"), filled(b"", b'{"data":'),
        filled(b'{"id":"a","type":"A","x":', b'{"value":'),
    ),
    "lorawan-frame": (filled(b"", b"00 "), filled(b"0x", b"0")),
}  # fmt: skip


def test_the_worst_of_every_format_is_tried() -> None:
    assert WORST.keys() == FORMATS.keys()


def seconds(name: str, topic: str, payload: bytes) -> float:
    start = time.process_time()
    decoded = FORMATS[name].parse(topic, payload, NOW)
    for part in decoded.parts or (decoded,):
        normalize(part, AnyDevice(), NOW)
    return time.process_time() - start


def assert_soon(name: str, payload: bytes) -> None:
    assert len(payload) <= PAYLOAD_LIMIT
    for topic in dict.fromkeys((topics(name)[0], topics(name)[-1])):
        taken = seconds(name, topic, payload)
        if taken > SLOW:  # perhaps the machine was slow, not the parser
            taken = min(seconds(name, topic, payload) for _ in range(2))
        assert taken <= SLOW, topic


@pytest.mark.parametrize("payload", LARGE.values(), ids=LARGE.keys())
def test_no_message_of_the_largest_size_takes_long(payload: bytes) -> None:
    for name in FORMATS:
        assert_soon(name, payload)
    start = time.process_time()
    recognise("neither/topic", payload)
    assert time.process_time() - start < SLOW


@pytest.mark.parametrize("name", FORMATS)
def test_the_worst_that_a_format_allows_does_not_take_long(name: str) -> None:
    for payload in WORST[name]:
        assert_soon(name, payload)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("level", ["a", "+", "井", " ", "event", "gateway", "child", "tele", ""])
def test_a_topic_of_the_greatest_length_does_not_take_long(name: str, level: str) -> None:
    topic = "/".join([level] * 32_000)[:65_000]  # MQTT allows 65,535 bytes
    for full in (topic, f"feed/{name}/{topic}"):
        start = time.process_time()
        recognise(full, b"{}")
        take_in(name, full, b"{}")
        take_in(name, full, bodies(name)[0])
        assert time.process_time() - start < SLOW
