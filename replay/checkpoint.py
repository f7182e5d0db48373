"""Pure: a picture as bytes and back, and which checkpoints are worth keeping."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from replay.picture import Picture

# Of the body; one of another number is made anew from the log. Raise it whenever `Picture` changes.
FORMAT = 2
# Fast to read: a wall that starts waits for it.
LEVEL = 3
# A new checkpoint is worth its bytes after so many events, or after so long with any event at all;
# never more often than that.
EVENTS_BETWEEN = 2_000
LONGEST = timedelta(hours=6)
SHORTEST = timedelta(minutes=5)
# The newest are all kept; of earlier days the last one of each.
NEWEST_KEPT = 8

_DECODER = msgspec.json.Decoder(Picture)


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint without its body."""

    seq: int
    made_at: datetime


def encode(picture: Picture) -> bytes:
    """The body of a checkpoint."""
    return zlib.compress(msgspec.json.encode(picture), LEVEL)


def decode(body: bytes) -> Picture:
    """The picture that a body of this format was made of."""
    return _DECODER.decode(zlib.decompress(body))


def is_due(newest: Made | None, seq: int, now: datetime) -> bool:
    """Whether to make one of the event `seq`."""
    if newest is None:
        return seq > 0
    events, age = seq - newest.seq, now - newest.made_at
    return age >= SHORTEST and (events >= EVENTS_BETWEEN or (events > 0 and age >= LONGEST))


def too_many(made: Sequence[Made]) -> list[int]:
    """Sequence numbers of those that may go, of all that there are of a district."""
    newest_first = sorted(made, key=lambda one: one.seq, reverse=True)
    last_of_day = {one.made_at.date(): one.seq for one in reversed(newest_first)}
    kept = {one.seq for one in newest_first[:NEWEST_KEPT]} | set(last_of_day.values())
    return [one.seq for one in made if one.seq not in kept]
