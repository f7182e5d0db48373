"""A message as it came from the broker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

MICROSECOND = timedelta(microseconds=1)
# How the name of a session ends in which gas waits apart from everything else.
GAS_LANE = "-gas"


class Message(NamedTuple):
    """One MQTT message; all of one read share `received_at`, and `place` is that of each in it,
    from 0 on. `mid` is its number in the `session` that brought it (0: it needs no
    acknowledgement), `again` says that it was sent before, in that session under that number, and
    that its storing or our acknowledgement may have been lost."""

    topic: str
    payload: bytes
    retain: bool
    received_at: datetime
    mid: int = 0
    again: bool = False
    session: str = ""
    place: int = 0

    def apart(self) -> Message:
        """The same with a time of receipt of its own, so many microseconds later as messages came
        before it: it may be all that tells two messages of a device from each other."""
        if not self.place:
            return self
        later = self.received_at + self.place * MICROSECOND
        return self._replace(received_at=later, place=0)
