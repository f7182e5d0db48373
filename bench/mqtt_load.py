"""Publishes prepared messages at QoS 1 as fast as the broker takes them, over a bare socket.

A publisher that shares two cores with what it measures must cost little: packets are built
before the clock starts, and acknowledgements are counted, not looked at.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence

# Messages sent and not yet acknowledged; Mosquitto takes up to 10,000 from one client.
WINDOW = 2000
ACK_BYTES = 4
CHUNK = 50


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


def publish(sock: socket.socket, packets: Sequence[bytes], rate: float = 0.0) -> float:
    """Send all packets and wait for every acknowledgement; the time of the first byte sent.

    With a `rate`, so many messages a second instead of as many as possible.
    """
    sent = acknowledged_bytes = 0
    began = time.time()
    while acknowledged_bytes < len(packets) * ACK_BYTES:
        allowed = len(packets) if not rate else int((time.time() - began) * rate) + 1
        room = min(WINDOW - (sent - acknowledged_bytes // ACK_BYTES), allowed - sent)
        if room > 0 and sent < len(packets):
            size = min(room, CHUNK)
            sock.sendall(b"".join(packets[sent : sent + size]))
            sent += size
        waiting = 0.0 if room > CHUNK else 0.001
        if select.select([sock], [], [], waiting)[0]:
            received = sock.recv(65536)
            if not received:
                raise ConnectionError("the broker closed the connection")
            acknowledged_bytes += len(received)
    return began


def _length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)
