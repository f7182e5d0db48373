"""MQTT packets in a row of bytes: where each ends, and what a PUBLISH of MQTT 5 says."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from datetime import datetime

from ingest.message import Message

# The type of a PUBLISH packet, in the upper half of its first byte.
PUBLISH = 0x30
# The beginning of a PUBACK without reason and properties: type and length.
_PUBACK = 0x4002


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


def pass_publishes(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """Where the run of complete PUBLISH packets that begins at `at` ends, and how many it has, at
    most `limit`. Nothing in them is looked at: this is all that an inbox does for each message."""
    size, count = len(data), 0
    while at < size and count < limit and data[at] & 0xF0 == PUBLISH:
        # Nearly every packet has a length of one or two bytes.
        if at + 2 < size and (low := data[at + 1]) < 0x80:
            end = at + 2 + low
        elif at + 2 < size and (high := data[at + 2]) < 0x80:
            end = at + 3 + (low & 0x7F) + (high << 7)
        elif (found := packet_end(data, at)) is None:
            break
        else:
            end = found
        if end > size:
            break
        at = end
        count += 1
    return at, count


def split_packets(packets: bytes) -> list[bytes]:
    """The complete packets of a run, each by itself."""
    found, at = [], 0
    while at < len(packets) and (end := packet_end(packets, at)) is not None:
        found.append(packets[at:end])
        at = end
    return found


def read_publishes(
    data: bytes, received_at: datetime, again: bool, session: str
) -> tuple[list[Message], bytes]:
    """Every message of a run of PUBLISH packets of MQTT 5, and the acknowledgements that are owed
    for them. Raises IndexError where lengths contradict each other."""
    messages: list[Message] = []
    mids: list[int] = []
    new = Message.__new__  # faster than by keywords, and it counts here
    at, size = 0, len(data)
    while at < size:
        flags, low = data[at], data[at + 1]
        # Nearly every packet has a length of one or two bytes.
        if low < 0x80:
            at += 2
            end = at + low
        elif (high := data[at + 2]) < 0x80:
            at += 3
            end = at + (low & 0x7F) + (high << 7)
        else:
            found = packet_end(data, at)
            if found is None:
                raise IndexError("a packet is cut off")
            at += 4 if data[at + 3] < 0x80 else 5
            end = found
        if end > size:
            raise IndexError("a packet is cut off")
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1])
        topic = data[start:at].decode("utf-8", "replace")
        mid = 0
        if flags & 0x06:
            mid = data[at] << 8 | data[at + 1]
            mids.append(mid)
            at += 2
        properties = data[at]
        at += 1 + properties if properties < 0x80 else _properties_length(data, at)
        repeated, retain = again or bool(flags & 0x08), bool(flags & 0x01)
        messages.append(
            new(
                Message,
                topic,
                data[at:end],
                retain,
                received_at,
                mid,
                repeated,
                session,
                len(messages),
            )
        )
        at = end
    return messages, acknowledge(mids)


def acknowledge(mids: Sequence[int]) -> bytes:
    """A PUBACK for each."""
    packets = array("H", [_PUBACK]) * (2 * len(mids))
    packets[1::2] = array("H", mids)
    if sys.byteorder == "little":
        packets.byteswap()
    return packets.tobytes()


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
