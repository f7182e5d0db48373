"""How much of a flood of refused messages is kept; the rest is counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

KIB, MIB, GIB = 2**10, 2**20, 2**30
# Bytes of a row beside its texts and its message: tuple header, numbers, four index entries.
ROW_BYTES = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """What one device, one format and the whole quarantine may take up."""

    # Of one message in part: an array of thousands of unknown devices is one fault, not thousands,
    # and each part is kept with the bytes of the whole message.
    message_parts: int = 20
    # Of one format, device, reason and hour: a sensor that reports every 15 s and is refused
    # for an hour can still be replayed whole. After that one message a minute is kept.
    device_rows: int = 300
    device_bytes: int = 2 * MIB
    # Of one format and hour, whoever sends under whatever name; after that nothing is kept.
    format_bytes: int = 64 * MIB
    # Of the whole quarantine; the oldest go first.
    total_rows: int = 1_000_000
    total_bytes: int = GIB


LIMITS = Limits()


class Group(NamedTuple):
    """Refused messages that count together: of one device, for one reason, in one hour."""

    format: str
    device: str
    reason: str
    hour: datetime


class Arrival(NamedTuple):
    """A refused message as the limits see it."""

    group: Group
    minute: datetime
    size: int


@dataclass(slots=True)
class Seen:
    """What is kept of a group already."""

    rows: int = 0
    bytes: int = 0
    newest_minute: datetime | None = None


def choose(
    arrivals: Sequence[Arrival],
    seen: Mapping[Group, Seen],
    spent: Mapping[tuple[str, datetime], int],
    limits: Limits = LIMITS,
) -> Iterator[tuple[bool, bool]]:
    """For each arrival: (is it kept, is its format beyond its limit).

    `spent` holds the bytes kept so far of a format and hour.
    """
    groups = {group: Seen(known.rows, known.bytes, known.newest_minute)
              for group, known in seen.items()}  # fmt: skip
    formats = dict(spent)
    for group, minute, size in arrivals:
        known = groups.setdefault(group, Seen())
        budget = group.format, group.hour
        used = formats.get(budget, 0)
        beyond = used + size > limits.format_bytes
        kept = not beyond and _has_room(known, minute, size, limits)
        if kept:
            known.rows += 1
            known.bytes += size
            known.newest_minute = max(known.newest_minute or minute, minute)
            formats[budget] = used + size
        yield kept, beyond


def _has_room(known: Seen, minute: datetime, size: int, limits: Limits) -> bool:
    if known.rows < limits.device_rows and known.bytes + size <= limits.device_bytes:
        return True
    return known.newest_minute is None or minute > known.newest_minute
