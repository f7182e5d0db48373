"""The numbers that senders give their messages, as the link record of a message has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from city.reading import (
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reading,
    StatusReport,
    TimeSource,
)
from city.sequence import MessageNumber


def number_at(key: str) -> Callable[[Decoded], MessageNumber | None]:
    """The number that stands in the link record under this name."""

    def read(decoded: Decoded) -> MessageNumber | None:
        if decoded.link.get("quality") == Quality.SIMULATED:
            return None  # somebody invented the message for a test
        number = decoded.link.get(key)
        if number is not None:
            return MessageNumber(number, sent_at=_sent_at(decoded))
        return MessageNumber(None) if decoded.message_class is MessageClass.INVALID else None

    return read


def _sent_at(decoded: Decoded) -> datetime | None:
    """The sender's own time of a message, if it says one."""
    said = decoded.link.get("time")
    if isinstance(said, str):
        is_received = decoded.link.get("time_from") == TimeSource.RECEIVED
        return None if is_received else datetime.fromisoformat(said)
    stamped: tuple[Reading | RawValue | StatusReport, ...]
    stamped = (*decoded.readings[:1], *decoded.values[:1], *decoded.statuses[:1])
    return next((s.ts for s in stamped if s.ts_from is not TimeSource.RECEIVED), None)
