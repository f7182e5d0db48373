"""The number that a sender gave a message, its time, and whose it is. Pure.

They are left beside the batch, to be followed later (`ingest.sequences`).
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from city.moment import as_microseconds
from city.reading import (
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reading,
    StatusReport,
    TimeSource,
)
from city.sequence import FEEDS
from columns.numbers import BEGINS, NUMBER_DTYPE, UNREAD, Numbers
from ingest.message import Message

FEED_CODES = {name: code for code, name in enumerate(FEEDS)}
NATIVE, SPARKPLUG = FEED_CODES["native"], FEED_CODES["sparkplug"]
# The link record has the number under one of these names.
KEYS = ("seq", "frame")
# A sender's clock that is further off than this does not put its messages in order.
AHEAD_US, BEHIND_US = 10 * 60 * 1_000_000, 7 * 86_400 * 1_000_000


class NumbersDraft:
    """Collects the numbers of one batch."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._names: set[str] = set()

    def note(self, message: Message, decoded: Decoded, device_id: int | None) -> None:
        """One message, or the part of it that is of this device; `device_id` None: not known."""
        feed = FEED_CODES.get(decoded.format)
        if feed is None or message.retain:
            return
        number = next((decoded.link[key] for key in KEYS if key in decoded.link), None)
        unread = number is None and decoded.message_class is MessageClass.INVALID
        is_invented = decoded.link.get("quality") == Quality.SIMULATED
        if (number is None and not unread) or is_invented:
            return
        source = device_id
        if feed == SPARKPLUG:
            node = "/".join(decoded.device.split("/")[:2])
            if not node:
                return
            source = named_source(node)
            self._names.add(node)
        if source is None:
            return
        received_us = as_microseconds(message.received_at)
        at_us = 0 if message.again else received_us
        sent_at = None if unread else _sent_at(decoded)
        if sent_at is not None:
            sent_us = as_microseconds(sent_at)
            at_us = sent_us if -AHEAD_US <= received_us - sent_us <= BEHIND_US else received_us
        flags = UNREAD if unread else BEGINS if decoded.link.get("event") == "NBIRTH" else 0
        self._rows.append((source, feed, flags, number or 0, at_us, received_us))

    def numbers(self, others: Numbers | None = None) -> Numbers:
        """The numbers, each once, with those of the messages that were not looked at here."""
        own = np.array(sorted(set(self._rows)), NUMBER_DTYPE)
        return own if others is None else np.concatenate([own, others])

    def names(self) -> list[str]:
        """What sources are called that are no devices."""
        return sorted(self._names)


def _sent_at(decoded: Decoded) -> datetime | None:
    """The sender's own time of a message, if it says one."""
    said = decoded.link.get("time")
    if isinstance(said, str):
        is_received = decoded.link.get("time_from") == TimeSource.RECEIVED
        return None if is_received else datetime.fromisoformat(said)
    stamped: tuple[Reading | RawValue | StatusReport, ...]
    stamped = (*decoded.readings[:1], *decoded.values[:1], *decoded.statuses[:1])
    return next((s.ts for s in stamped if s.ts_from is not TimeSource.RECEIVED), None)


def named_source(name: str) -> int:
    """The number of a source that is no device: below 0."""
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "big") >> 2)


def plain_numbers(
    devices: NDArray[np.int32],
    seqs: NDArray[np.int64],
    at_us: NDArray[np.int64],
    received_us: NDArray[np.int64],
) -> Numbers:
    """Numbers of native telemetry, column by column."""
    numbers = np.zeros(len(seqs), NUMBER_DTYPE)
    numbers["source"], numbers["feed"], numbers["number"] = devices, NATIVE, seqs
    numbers["at_us"], numbers["received_us"] = at_us, received_us
    return numbers
