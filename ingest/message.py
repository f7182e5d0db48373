"""A message as it came from the broker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from city.feed import Feed

MICROSECOND = timedelta(microseconds=1)
# How the name of a session ends in which gas waits apart from everything else.
GAS_LANE = "-gas"


class Message(NamedTuple):
    """One MQTT message; all of one read share `received_at`, and `place` is that of each in it,
    from 0 on. `mid` is its number in the `session` that brought it (0: it needs no
    acknowledgement), `again` says that it was sent before, in that session under that number, and
    that its storing or our acknowledgement may have been lost. Of a message as the format of an
    added feed sees it, `format` and `feed` are those, and `base` the first levels of its topics."""

    topic: str
    payload: bytes
    retain: bool
    received_at: datetime
    mid: int = 0
    again: bool = False
    session: str = ""
    place: int = 0
    format: str = ""
    base: str = ""
    feed: Feed | None = None

    def apart(self) -> Message:
        """The same with a time of receipt of its own, so many microseconds later as messages came
        before it: it may be all that tells two messages of a device from each other."""
        if not self.place:
            return self
        later = self.received_at + self.place * MICROSECOND
        return self._replace(received_at=later, place=0)
