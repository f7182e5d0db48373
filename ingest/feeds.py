"""Messages by the feeds that take them: how their format sees them, and whose they are. Pure.

A name is unique within its feed: two bridges may both have a `lamp1`. In full a device is called
by the first levels of its feed's topics and its name there, `zigbee2mqtt_north/lamp1`, and can be
registered so. Registered by its name alone it belongs to the feed that it is heard through first,
once and for all; the other feed's device of that name is a stranger by its full name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from city.datum import Datum, to_wgs84
from city.feed import Feed
from city.place import LonLat
from city.reading import Decoded, SquadPosition
from ingest.message import Message
from ingest.reporters import Reporters
from wire import FORMATS, GAS
from wire.feeds import Listening, Router, own_name, sound, taker_of, with_shipped

Bindings = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is subscribed to by a revision of the feeds."""

    revision: int
    gas: tuple[str, ...]
    others: tuple[str, ...]


class Feeds:
    """The feeds of one revision. `retired` ones read what was queued for them."""

    def __init__(
        self, rows: Iterable[Feed] = (), revision: int = 0, retired: Iterable[Feed] = ()
    ) -> None:
        self.revision = revision
        self.heard: list[Listening] = sound(with_shipped(rows))
        self._router = Router([*self.heard, *sound(retired)])
        self._has_gas = any(each.gas for each in self.heard if each.feed.enabled)
        self._datum_of = {
            each.feed.format: each.feed.datum
            for each in self.heard
            if each.feed.shipped and each.feed.datum.is_shifted
        }

    def subscription(self) -> Subscription:
        enabled = [each for each in self.heard if each.feed.enabled]
        gas = dict.fromkeys(pattern for each in enabled for pattern in each.gas)
        others = dict.fromkeys(pattern for each in enabled for pattern in each.filters)
        return Subscription(self.revision, tuple(gas), tuple(others))

    def taker_of(self, topic: str) -> Listening | None:
        """The feed whose worker gets this topic, if there is one."""
        return taker_of(topic, self.heard)

    def hand(self, message: Message) -> Message:
        """The message as its format sees it; the same where no added feed takes it."""
        taken = self._router.find(message.topic) if self._router else None
        if taken is None:
            return message
        return message._replace(
            topic=taken.handed(message.topic), format=taken.feed.format, base=taken.base,
            feed=taken.feed,
        )  # fmt: skip

    def is_gas(self, topic: str) -> bool:
        """Gas sensors publish this to an enabled feed, so that it comes in the lane of gas, too."""
        taken = self._router.find(topic) if self._router else None
        if taken is not None:
            return taken.feed.enabled and taken.is_gas(topic)
        return self._has_gas and GAS.matches(topic)

    def claims(
        self, handed: Sequence[Message], decoded: Sequence[Decoded], registry: Reporters,
        bound: Bindings,
    ) -> dict[int, str]:  # fmt: skip
        """Devices registered by their name alone that nobody has heard yet, each with the feed
        through which it speaks now."""
        found: dict[int, str] = {}
        for message, whole in zip(handed, decoded, strict=True) if self._router else ():
            for part in whole.parts or (whole,):
                names = self._names(message, part)
                if names is None or registry.find(part.format, names.full) is not None:
                    continue
                device = registry.find(part.format, names.short)
                if device is not None and device.id not in bound:
                    found.setdefault(device.id, names.base)
        return found

    def identities(
        self, handed: Sequence[Message], decoded: Sequence[Decoded]
    ) -> Iterator[tuple[str, str]]:
        """(format, identity) that devices may be registered by, beside what messages say."""
        for message, whole in zip(handed, decoded, strict=True) if self._router else ():
            for part in whole.parts or (whole,):
                if (names := self._names(message, part)) is not None:
                    yield part.format, names.full
                    yield part.format, names.short

    def adopt(
        self, handed: Sequence[Message], decoded: Sequence[Decoded], registry: Reporters,
        bound: Bindings,
    ) -> list[Decoded]:  # fmt: skip
        """The same messages, each of the device that its feed means, with its places in WGS-84."""
        if not self._router and not self._datum_of:
            return list(decoded)
        return [
            self._adopt(message, whole, registry, bound)
            for message, whole in zip(handed, decoded, strict=True)
        ]

    def _adopt(
        self, message: Message, whole: Decoded, registry: Reporters, bound: Bindings
    ) -> Decoded:
        datum = self._datum(message, whole)
        if not message.base and not datum.is_shifted and whole.format not in self._router.formats:
            return whole
        if whole.parts:
            parts = [self._adopt(message, part, registry, bound) for part in whole.parts]
            return replace(whole, parts=tuple(parts))
        link = dict(whole.link)
        if message.base:
            link["feed"] = message.base
        device = whole.device
        if (names := self._names(message, whole)) is not None:
            device = _meant(names, whole.format, registry, bound, added=bool(message.base))
            if parent := link.get("parent"):
                prefix = device.removesuffix(whole.device)
                link["parent"] = f"{prefix}{parent}"
        positions = tuple(_in_wgs84(each, datum) for each in whole.positions)
        return replace(whole, device=device, link=link, positions=positions)

    def _datum(self, message: Message, decoded: Decoded) -> Datum:
        """What its positions are in, unless the message itself says so."""
        if "datum" in decoded.link:
            return Datum.WGS84
        if message.feed is not None:
            return message.feed.datum
        return self._datum_of.get(decoded.format, Datum.WGS84)

    def _names(self, message: Message, decoded: Decoded) -> _Names | None:
        """By what the device of a message may be registered; None: whoever says this name means
        one device."""
        wire_format = FORMATS.get(decoded.format)
        if decoded.format not in self._router.formats or wire_format is None:
            return None
        if not decoded.device or wire_format.is_local is None:
            return None
        if not wire_format.is_local(decoded.device):
            return None
        base = message.base or own_name(decoded.format)
        short = decoded.device.removeprefix(f"{base}/") if message.base else decoded.device
        return _Names(base, f"{base}/{short}", short)


@dataclass(frozen=True, slots=True)
class _Names:
    base: str
    full: str
    short: str


def _meant(
    names: _Names, format_name: str, registry: Reporters, bound: Bindings, *, added: bool
) -> str:
    """The identity of the device that a feed means by a name. Strangers of an added feed have
    their full names; of the shipped one only where the name is another's."""
    if registry.find(format_name, names.full) is not None:
        return names.full
    known = registry.find(format_name, names.short)
    if known is None:
        return names.full if added else names.short
    return names.short if bound.get(known.id, names.base) == names.base else names.full


def _in_wgs84(position: SquadPosition, datum: Datum) -> SquadPosition:
    if not datum.is_shifted:
        return position
    place = to_wgs84(LonLat(position.lon, position.lat), datum)
    return replace(position, lon=place.lon, lat=place.lat)
