"""Numbers that senders give their messages: which feeds have them, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# Feeds whose messages are numbered; the place in here is stored, so only ever add at the end.
FEEDS = (
    "native", "sparkplug", "chirpstack", "ttn", "thingpark", "loriot", "netmore",
    "milesight-gateway",
)  # fmt: skip


# Of these, what comes over the air before anything of ours: it loses some by nature.
RADIO_FEEDS = FEEDS[2:]


@dataclass(frozen=True, slots=True)
class MessageNumber:
    """What one message says of its place among those of its sender.

    `number` None: the message came, but nobody could read which one it was. `source` names who
    counts where that is not the device itself; `begins`: a session begins, numbers start anew.
    `sent_at` is the sender's own time, None where it says none.
    """

    number: int | None
    source: str = ""
    begins: bool = False
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SequenceTotal:
    """Sums of a feed since the installation began; they only grow."""

    feed: str
    followed: int
    missing: int
    late: int
    restarts: int


@dataclass(frozen=True, slots=True)
class StoredGap:
    """Missing numbers of one source, both ends included."""

    id: int  # 0: not stored yet
    source: int
    feed: str
    epoch: int
    first: int
    last: int
    after_at: datetime
    before_at: datetime
    usual: bool
