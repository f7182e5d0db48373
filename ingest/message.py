"""A message as it came from the broker."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

# How the name of a session ends in which gas waits apart from everything else.
GAS_LANE = "-gas"


class Message(NamedTuple):
    """One MQTT message; `mid` is its number in the `session` that brought it (0: it needs no
    acknowledgement), `again` says that it was sent before, in that session under that number, and
    that its storing or our acknowledgement may have been lost."""

    topic: str
    payload: bytes
    retain: bool
    received_at: datetime
    mid: int = 0
    again: bool = False
    session: str = ""
