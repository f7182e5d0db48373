"""Bare MQTT packets and connections, for publishers that must cost little."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator


def connect(
    host: str, port: int, client_id: str, timeout_s: float = 10.0, *, keep: bool = False
) -> socket.socket:
    """An MQTT 3.1.1 connection; `keep` for a session that the broker keeps."""
    sock = socket.create_connection((host, port), timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client_id.encode()
    flags = b"\0" if keep else b"\2"
    body = b"\0\4MQTT\4" + flags + b"\0\0" + struct.pack(">H", len(name)) + name
    sock.sendall(b"\x10" + _length(len(body)) + body)
    if sock.recv(4)[3:] != b"\0":
        raise ConnectionError("the broker refused the publisher")
    return sock


def packet(topic: str, payload: bytes, mid: int) -> bytes:
    """One PUBLISH at QoS 1."""
    name = topic.encode()
    body = struct.pack(">H", len(name)) + name + struct.pack(">H", mid) + payload
    return b"\x32" + _length(len(body)) + body


def subscribe(sock: socket.socket, topic: str) -> None:
    """Subscribe with QoS 1; before anything else is said on this connection."""
    name = topic.encode()
    body = struct.pack(">HH", 1, len(name)) + name + b"\1"
    sock.sendall(b"\x82" + _length(len(body)) + body)
    if sock.recv(5)[4:] != b"\1":
        raise ConnectionError("the broker refused the subscription")


def drain(sock: socket.socket, quiet_s: float) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of all that comes with QoS 1, acknowledged, until nothing comes."""
    sock.settimeout(quiet_s)
    data = b""
    while True:
        try:
            more = sock.recv(262_144)
        except TimeoutError:
            return
        if not more:
            return
        data += more
        acknowledged, at = bytearray(), 0
        while (packet := _whole_packet(data, at)) is not None:
            body, end = packet
            if data[at] & 0xF0 == 0x30:
                (length,) = struct.unpack_from(">H", data, body)
                topic_end = body + 2 + length
                acknowledged += b"\x40\2" + data[topic_end : topic_end + 2]
                yield data[body + 2 : topic_end].decode(), data[topic_end + 2 : end]
            at = end
        sock.sendall(acknowledged)
        data = data[at:]


def _whole_packet(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet at `at` begins and ends; None if it is not there yet."""
    length = shift = 0
    for position in range(at + 1, min(at + 5, len(data))):
        length |= (data[position] & 0x7F) << shift
        if not data[position] & 0x80:
            end = position + 1 + length
            return (position + 1, end) if end <= len(data) else None
        shift += 7
    return None


def _length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)
