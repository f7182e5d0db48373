"""The number that a sender gave a message, its time, and whose it is. Pure.

They are left beside the batch, to be followed later (`ingest.sequences`).
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from city.moment import as_microseconds
from city.reading import Decoded
from city.sequence import FEEDS
from columns.numbers import BEGINS, NUMBER_DTYPE, UNREAD, Numbers
from ingest.message import Message
from wire import FORMATS

FEED_CODES = {name: code for code, name in enumerate(FEEDS)}
# A sender's clock that is further off than this does not put its messages in order.
AHEAD_US, BEHIND_US = 10 * 60 * 1_000_000, 7 * 86_400 * 1_000_000


class NumbersDraft:
    """Collects the numbers of one batch."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._names: set[str] = set()

    def note(self, message: Message, decoded: Decoded, device_id: int | None) -> None:
        """One message, or the part of it that is of this device; `device_id` None: not known."""
        wire_format = FORMATS.get(decoded.format)
        if wire_format is None or wire_format.numbering is None or message.retain:
            return
        said = wire_format.numbering.read(decoded)
        if said is None:
            return
        source = device_id
        if said.source:
            source = named_source(said.source)
            self._names.add(said.source)
        if source is None:
            return
        received_us = as_microseconds(message.received_at)
        at_us = 0 if message.again else received_us
        if said.sent_at is not None:
            sent_us = as_microseconds(said.sent_at)
            at_us = sent_us if -AHEAD_US <= received_us - sent_us <= BEHIND_US else received_us
        flags = UNREAD if said.number is None else BEGINS if said.begins else 0
        feed = FEED_CODES[decoded.format]
        self._rows.append((source, feed, flags, said.number or 0, at_us, received_us))

    def numbers(self, others: Numbers | None = None) -> Numbers:
        """The numbers, each once, with those of the messages that were not looked at here."""
        own = np.array(sorted(set(self._rows)), NUMBER_DTYPE)
        return own if others is None else np.concatenate([own, others])

    def names(self) -> list[str]:
        """What sources are called that are no devices."""
        return sorted(self._names)


def named_source(name: str) -> int:
    """The number of a source that is no device: below 0."""
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "big") >> 2)


def numbers_of(
    feed: str,
    devices: NDArray[np.int32],
    seqs: NDArray[np.int64],
    at_us: NDArray[np.int64],
    received_us: NDArray[np.int64],
) -> Numbers:
    """Numbers of the messages of one feed, column by column."""
    numbers = np.zeros(len(seqs), NUMBER_DTYPE)
    numbers["source"], numbers["feed"], numbers["number"] = devices, FEED_CODES[feed], seqs
    numbers["at_us"], numbers["received_us"] = at_us, received_us
    return numbers
