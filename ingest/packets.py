"""MQTT packets in a row of bytes: where each ends, and what a PUBLISH of MQTT 5 says."""

from __future__ import annotations

from datetime import datetime

from ingest.message import Message

# The type of a PUBLISH packet, in the upper half of its first byte.
PUBLISH = 0x30


def packet_end(data: bytes, at: int) -> int | None:
    """Where the packet that begins at `at` ends; None if its length is not there yet."""
    length = shift = 0
    for number in range(at + 1, min(at + 5, len(data))):
        byte = data[number]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number + 1 + length
        shift += 7
    if len(data) >= at + 5:
        raise IndexError("a packet's length has four bytes at most")
    return None


def is_complete(data: bytes, at: int) -> bool:
    end = packet_end(data, at)
    return end is not None and end <= len(data)


def read_publish(
    data: bytes, at: int, end: int, flags: int, received_at: datetime, connection: int, session: str
) -> Message:
    """One PUBLISH of MQTT 5; `at` is behind its fixed header."""
    start = at + 2
    at = start + (data[at] << 8 | data[at + 1])
    topic = data[start:at].decode("utf-8", "replace")
    mid = 0
    if flags & 0x06:
        mid = data[at] << 8 | data[at + 1]
        at += 2
    properties = data[at]
    at += 1 + properties if properties < 0x80 else _properties_length(data, at)
    return Message(
        topic, data[at:end], bool(flags & 0x01), received_at,
        mid, connection, bool(flags & 0x08), session,
    )  # fmt: skip


def _properties_length(packet: bytes, at: int) -> int:
    """Bytes that the MQTT 5 properties take up, their length field included."""
    length = shift = 0
    start = at
    while True:
        byte = packet[at]
        length |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return at - start + length
        shift += 7
