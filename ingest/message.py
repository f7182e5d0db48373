"""A message as it came from the broker."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

# How the name of a session ends in which gas waits apart from everything else.
GAS_LANE = "-gas"


class Message(NamedTuple):
    """One MQTT message; `mid` and `connection` say how to acknowledge it (mid 0: not at all),
    `again` that the broker has sent it before, in the same `session` under the same `mid`, and
    may have missed our acknowledgement."""

    topic: str
    payload: bytes
    retain: bool
    received_at: datetime
    mid: int = 0
    connection: int = 0
    again: bool = False
    session: str = ""
