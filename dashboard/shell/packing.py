"""Pure: JSON documents ready to send, put together from parts that need no work anew."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

# Compressed once for all viewers; level 5 is within 5 % of the smallest.
GZIP_LEVEL = 5
# One row in so many ends a part, by its own number: a row that comes or goes moves no other border.
PART_ROWS = 32

_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, no time
_END = b"\x03\x00"  # an empty last block

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Packed:
    """A JSON document ready to send, plain and compressed."""

    plain: bytes
    zipped: bytes


def pack(body: Any) -> Packed:
    """Encode and compress once."""
    plain = msgspec.json.encode(body)
    return Packed(plain, gzip.compress(plain, GZIP_LEVEL, mtime=0))


class Packer:
    """Compresses a document part by part and remembers the parts of the last one.

    Every part is compressed without a look at those before it, so that it may stand anywhere.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def pack(self, parts: Sequence[bytes]) -> Packed:
        """The document that these parts make."""
        known, self._known = self._known, {}
        for part in parts:
            if part not in self._known:
                self._known[part] = known.get(part) or _deflate(part)
        plain = b"".join(parts)
        tail = struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
        return Packed(plain, b"".join([_HEAD, *(self._known[p] for p in parts), _END, tail]))


def _deflate(part: bytes) -> bytes:
    squeeze = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(part) + squeeze.flush(zlib.Z_FULL_FLUSH)


class Rows(Generic[T]):
    """Rows as JSON; one is encoded again only when it is another one or looks different."""

    def __init__(self, encode: Callable[[T], Any]) -> None:
        self._encode = encode
        self._known: dict[int, tuple[T, Hashable, bytes]] = {}

    def parts(self, rows: Iterable[tuple[int, T, Hashable]]) -> list[bytes]:
        """(number, row, how it looks beside what is in it) in order; the parts of a JSON array
        without its brackets."""
        known, self._known = self._known, {}
        parts: list[bytes] = []
        waiting: list[bytes] = []
        for number, row, look in rows:
            found = known.get(number)
            if found is None or found[0] is not row or found[1] != look:
                found = (row, look, msgspec.json.encode(self._encode(row)))
            self._known[number] = found
            waiting.append(found[2])
            if number % PART_ROWS == 0:
                parts.append(b",".join(waiting))
                waiting = []
        if waiting:
            parts.append(b",".join(waiting))
        return parts[:1] + [b"," + part for part in parts[1:]]
