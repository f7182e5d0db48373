"""Bytes of MQTT 5: where packets end, what a PUBLISH says, what is owed for it."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.packets import acknowledge, pass_publishes, read_publishes, split_packets

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


def varint(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)


def publish(
    topic: str,
    body: bytes,
    mid: int = 0,
    *,
    dup: bool = False,
    retain: bool = False,
    properties: bytes = b"",
) -> bytes:
    name = topic.encode()
    number = struct.pack(">H", mid) if mid else b""
    rest = struct.pack(">H", len(name)) + name + number + varint(len(properties)) + properties
    rest += body
    return bytes([0x30 | 8 * dup | 2 * bool(mid) | retain]) + varint(len(rest)) + rest


packet = st.builds(
    publish,
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.binary(max_size=300),
    st.integers(0, 65535),
    dup=st.booleans(),
    retain=st.booleans(),
    properties=st.sampled_from([b"", b"\x01\x01", b"\x26" + b"\0\1k\0\x7d" + b"v" * 125]),
)


@given(st.lists(packet, max_size=8), st.integers(0, 400), st.integers(1, 9))
def test_a_run_ends_with_its_last_complete_packet(
    packets: list[bytes], cut: int, limit: int
) -> None:
    data = b"".join(packets)
    data = data[: max(0, len(data) - cut)]
    end, count = pass_publishes(data, 0, limit)
    whole = 0
    while whole < len(packets) and len(b"".join(packets[: whole + 1])) <= len(data):
        whole += 1
    assert count == min(whole, limit)
    assert end == len(b"".join(packets[:count]))
    assert split_packets(data[:end]) == packets[:count]


def test_a_run_ends_before_a_packet_of_another_kind() -> None:
    data = publish("a", b"1", 7) + b"\xd0\x00" + publish("a", b"2", 8)
    assert pass_publishes(data, 0, 100) == (len(publish("a", b"1", 7)), 1)


def test_what_a_message_says_and_what_is_owed_for_it() -> None:
    data = publish("a/b", b"x", 7, retain=True) + publish("c", b"", 0) + publish("d", b"y", 258)
    messages, owed = read_publishes(data, AT, False, "s-gas")
    assert [(m.topic, m.payload, m.retain, m.mid, m.again) for m in messages] == [
        ("a/b", b"x", True, 7, False),
        ("c", b"", False, 0, False),
        ("d", b"y", False, 258, False),
    ]
    assert {(m.received_at, m.session) for m in messages} == {(AT, "s-gas")}
    assert owed == b"\x40\x02\x00\x07\x40\x02\x01\x02" == acknowledge([7, 258])


def test_messages_of_one_read_have_times_of_their_own() -> None:
    """Two messages without a time would be one and the same reading."""
    messages, _ = read_publishes(publish("a", b"1", 1) + publish("a", b"2", 2), AT, False, "")
    assert [m.received_at for m in messages] == [AT, AT]
    assert [m.apart().received_at - AT for m in messages] == [
        timedelta(0),
        timedelta(microseconds=1),
    ]


def test_a_message_came_before_if_the_broker_or_the_inbox_says_so() -> None:
    data = publish("a", b"", 1, dup=True) + publish("a", b"", 2)
    assert [m.again for m in read_publishes(data, AT, False, "")[0]] == [True, False]
    assert [m.again for m in read_publishes(data, AT, True, "")[0]] == [True, True]


@given(st.lists(packet, min_size=1, max_size=5))
def test_every_message_of_a_run_is_read(packets: list[bytes]) -> None:
    messages, owed = read_publishes(b"".join(packets), AT, False, "")
    assert len(messages) == len(packets)
    assert owed == acknowledge([message.mid for message in messages if message.mid])


def test_a_packet_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(IndexError):
        read_publishes(publish("a", b"xyz", 1)[:-1], AT, False, "")


def test_a_length_of_more_than_four_bytes_is_an_error() -> None:
    with pytest.raises(IndexError):
        pass_publishes(b"\x30\xff\xff\xff\xff\x01", 0, 10)
