"""Through whom messages came, for formats of which one server or one program speaks for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from city.gateway import NETWORK_SERVER, Carrier
from city.reading import Decoded


def by_server(decoded: Decoded) -> Iterator[Carrier]:
    """A network server or IoT platform, which is there whoever the device is."""
    yield Carrier(decoded.format, decoded.format, NETWORK_SERVER, counts_always=True)


def by_program(kind: str) -> Callable[[Decoded], Iterator[Carrier]]:
    """A program of which there is one, and that says itself whether it runs."""

    def carriers(decoded: Decoded) -> Iterator[Carrier]:
        name = decoded.format
        if speaks_itself(decoded):
            yield from own_word(decoded, name, kind, name)
        else:
            yield Carrier(name, name, kind, counts_always=True)

    return carriers


def speaks_itself(decoded: Decoded) -> bool:
    """The message is a gateway's word about itself, and of no device."""
    return bool(decoded.link.get("bridge"))


def own_word(decoded: Decoded, name: str, kind: str, identity: str = "") -> Iterator[Carrier]:
    """A gateway says that it is there, or its Last Will says that it is not. Without an identity
    it is the one that the report names."""
    for status in decoded.statuses:
        if status.online is not None:
            yield Carrier(name, identity or status.device, kind, online=status.online)
