"""Bare MQTT packets and connections, for publishers that must cost little."""

from __future__ import annotations

import socket
import struct


def connect(host: str, port: int, client_id: str) -> socket.socket:
    """An MQTT 3.1.1 connection with a clean session."""
    sock = socket.create_connection((host, port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client_id.encode()
    body = b"\0\4MQTT\4\2\0\0" + struct.pack(">H", len(name)) + name
    sock.sendall(b"\x10" + _length(len(body)) + body)
    if sock.recv(4)[3:] != b"\0":
        raise ConnectionError("the broker refused the publisher")
    return sock


def packet(topic: str, payload: bytes, mid: int) -> bytes:
    """One PUBLISH at QoS 1."""
    name = topic.encode()
    body = struct.pack(">H", len(name)) + name + struct.pack(">H", mid) + payload
    return b"\x32" + _length(len(body)) + body


def _length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)
