"""What the inbox and its storing workers say to each other, as bytes on a pair of sockets. Pure.

The inbox sends parcels of raw packets; a worker answers each, once it is committed, with the
acknowledgements that are owed to the broker, piece by piece.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ingest.message import MICROSECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# In front of everything that a worker is sent: how many bytes follow.
FRAME = struct.Struct(">I")
# Number of the parcel and of its pieces.
_PARCEL = struct.Struct(">IH")
# The same of a parcel that is sent: with the revision of the feeds in front.
_SENT = struct.Struct(">QIH")
# Bytes of packets, time of receipt in microseconds since 1970, flags, bytes of the session's name.
_PIECE = struct.Struct(">IqBB")
_LENGTH = struct.Struct(">I")
_PASS_OVER_GAS, _AGAIN, _DEADLY = 1, 2, 4
# The number under which a worker says that it can store; parcels are counted from 1.
READY = 0


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What a storing worker has to know; `process` is the inbox that it works for."""

    database_url: str
    redis_url: str
    name: str
    process: str


@dataclass(frozen=True, slots=True)
class RawPiece:
    """PUBLISH packets of one session, received at once; `again`: they may be stored already."""

    session: str
    packets: bytes
    received_at: datetime
    pass_over_gas: bool = False
    again: bool = False
    deadly: bool = False  # workers died of it: it is to be put aside unread


def pack_greeting(settings: StoreSettings) -> bytes:
    """The first frame that a worker gets."""
    body = json.dumps(asdict(settings)).encode()
    return FRAME.pack(len(body)) + body


def read_greeting(body: bytes) -> StoreSettings:
    """The settings in the first frame."""
    return StoreSettings(**json.loads(body))


def pack_parcel(number: int, pieces: Sequence[RawPiece], revision: int = 0) -> list[bytes]:
    """The frame of a parcel, in parts that need not be copied together. `revision` is that of the
    feeds by which the messages came."""
    parts = [_SENT.pack(revision, number, len(pieces))]
    for piece in pieces:
        session = piece.session.encode()
        flags = _PASS_OVER_GAS * piece.pass_over_gas | _AGAIN * piece.again | _DEADLY * piece.deadly
        head = _PIECE.pack(len(piece.packets), _as_us(piece.received_at), flags, len(session))
        parts += [head + session, piece.packets]
    return [FRAME.pack(sum(map(len, parts))), *parts]


def read_parcel(body: bytes) -> tuple[int, list[RawPiece], int]:
    """Number and pieces of a parcel, and the revision of the feeds that it was taken by."""
    revision, number, count = _SENT.unpack_from(body)
    at = _SENT.size
    pieces = []
    for _ in range(count):
        size, at_us, flags, named = _PIECE.unpack_from(body, at)
        at += _PIECE.size + named
        session, packets = body[at - named : at].decode(), body[at : at + size]
        at += size
        marks = (bool(flags & flag) for flag in (_PASS_OVER_GAS, _AGAIN, _DEADLY))
        pieces.append(RawPiece(session, packets, EPOCH + at_us * MICROSECOND, *marks))
    return number, pieces, revision


def _as_us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def pack_answer(number: int, owed: Sequence[bytes]) -> bytes:
    """That a parcel is stored, with the acknowledgements of each piece."""
    lengths = b"".join(_LENGTH.pack(len(packets)) for packets in owed)
    return _PARCEL.pack(number, len(owed)) + lengths + b"".join(owed)


class AnswerReader:
    """Answers out of bytes that come in any portions."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, received: bytes) -> Iterator[tuple[int, list[bytes]]]:
        """Every answer that is complete now: the parcel's number and what each piece is owed."""
        self._held += received
        while (answer := self._next()) is not None:
            yield answer

    def _next(self) -> tuple[int, list[bytes]] | None:
        held = self._held
        if len(held) < _PARCEL.size:
            return None
        number, count = _PARCEL.unpack_from(held)
        at = _PARCEL.size + count * _LENGTH.size
        if len(held) < at:
            return None
        lengths = [
            _LENGTH.unpack_from(held, _PARCEL.size + i * _LENGTH.size)[0] for i in range(count)
        ]
        if len(held) < at + sum(lengths):
            return None
        owed = []
        for length in lengths:
            owed.append(held[at : at + length])
            at += length
        self._held = held[at:]
        return number, owed
