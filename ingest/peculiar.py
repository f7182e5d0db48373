"""Formats for which ingest does more than parse: what was learned from earlier messages, and the
fast way for what nine of ten messages say.

A format says what it needs (`wire.format.Format.needs`); here is who keeps it. To add one: a
module of the format's name in `ingest.formats`, and a line in `MEMORIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.reading import Decoded
from db.pool import Connection
from ingest.formats import native, sparkplug, zigbee2mqtt
from ingest.message import Message
from ingest.plain import Lane
from wire import FORMATS


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of the earlier messages of a format.

    `learn` takes in what messages tell and reads them by all that is known; `recall` reads them by
    it and changes nothing. Both give all messages back, in their order, and repeating them is
    harmless. `trim` forgets what nobody needs any more. `by_hand`: so is read what a person
    decodes, too.
    """

    learn: Callable[[Connection, Sequence[Message], Sequence[Decoded], datetime], list[Decoded]]
    recall: Callable[[Connection, Sequence[Message], Sequence[Decoded]], list[Decoded]]
    trim: Callable[[Connection], object]
    by_hand: bool = False


MEMORIES: dict[str, Memory] = {
    "sessions": Memory(sparkplug.resolve_sessions, sparkplug.resolve_replayed, sparkplug.trim),
    "definitions": Memory(
        zigbee2mqtt.resolve_definitions, zigbee2mqtt.resolve_defined, zigbee2mqtt.trim, by_hand=True
    ),
}


def learn(
    conn: Connection, messages: Sequence[Message], decoded: Sequence[Decoded], now: datetime
) -> list[Decoded]:
    """The same messages in the light of earlier ones, which they may be for later ones. In the
    caller's transaction, if there is one."""
    resolved = list(decoded)
    for memory in _needed(decoded):
        resolved = memory.learn(conn, messages, resolved, now)
    return resolved


def recall(
    conn: Connection, messages: Sequence[Message], decoded: Sequence[Decoded]
) -> list[Decoded]:
    """The same by what is known by now; nothing is learned."""
    resolved = list(decoded)
    for memory in _needed(decoded):
        resolved = memory.recall(conn, messages, resolved)
    return resolved


def recall_by_hand(conn: Connection, message: Message, decoded: Decoded) -> Decoded:
    """One message that a person wants to see."""
    for memory in _needed([decoded]):
        if memory.by_hand:
            (decoded,) = memory.recall(conn, [message], [decoded])
    return decoded


def trim(conn: Connection) -> None:
    """Forget what was learned and nobody needs any more."""
    for memory in MEMORIES.values():
        memory.trim(conn)


def fast_lane() -> Lane:
    """The fast way; whoever has one keeps it, because it remembers topics."""
    return native.PlainLane()


def _needed(decoded: Sequence[Decoded]) -> Iterator[Memory]:
    """What these messages need, the same order whatever theirs: it is that of the locks."""
    formats = (FORMATS.get(name) for name in {content.format for content in decoded})
    needs = {wire_format.needs for wire_format in formats if wire_format is not None}
    return (memory for name, memory in MEMORIES.items() if name in needs)
