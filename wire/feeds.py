"""Feeds: which topics are taken, as which format, and how a format sees them. Pure.

A format reads the topics that it fixes itself. A feed that an installation adds has others, and
they are handed to the format as its own: the levels of the feed take the place of the format's
`base`, or stand before all of them where it has none; a format that fixes no topic sees what a
bridge to `feed/{format}/…` would bring. A format that finds its way behind any prefix sees topics
as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from city.errors import InvalidInput
from city.feed import FEED_NAME, INTERVAL_MAX_S, Feed
from wire import FEED_ROOT, FORMATS, GAS, find_format
from wire.filters import ONE, REST, covers, has_wildcard, matches, overlap, problem_of
from wire.format import Format

# The shipped feed of what is bridged to `feed/{format}/…`: each topic says its format.
BRIDGED = FEED_ROOT
# The first level of topics that ingest sends to itself.
OWN_LEVEL = "gridwarden"
# Bytes of a feed's topic; the rest of a topic is its devices'.
TOPIC_MAX = 512


def shipped_feeds() -> tuple[Feed, ...]:
    """What an installation listens to unless somebody says otherwise: one feed for each format
    that fixes its topics, and one for all that is bridged."""
    own = (f for f in FORMATS.values() if f.subscriptions)
    return (
        Feed(BRIDGED, "", shipped=True),
        *(Feed(f.name, f.name, shipped=True) for f in own),
    )


def with_shipped(rows: Iterable[Feed]) -> list[Feed]:
    """The shipped feeds as these rows change them, then those that were added."""
    by_name = {row.name: row for row in rows}
    shipped = [by_name.get(feed.name, feed) for feed in shipped_feeds()]
    return [*shipped, *(row for row in by_name.values() if not row.shipped)]


class Taken(NamedTuple):
    """A topic that an added feed takes, as its format sees it."""

    feed: Feed
    topic: str


@dataclass(frozen=True, slots=True)
class Listening:
    """What a feed listens to. `base` are the first levels of all its topics ("" of a shipped
    one)."""

    feed: Feed
    base: str
    filters: tuple[str, ...]

    @property
    def gas(self) -> tuple[str, ...]:
        """What gas sensors publish of it, which has a lane of its own."""
        own = f"{self.base}/{GAS.filter}" if self.base else GAS.filter
        return (own,) if self._is_of_gas() and any(covers(f, own) for f in self.filters) else ()

    def _is_of_gas(self) -> bool:
        wire_format = FORMATS.get(self.feed.format)
        return wire_format is not None and wire_format.gas is not None

    def is_gas(self, topic: str) -> bool:
        return self._is_of_gas() and GAS.matches(self.handed(topic))

    def takes(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self.filters)

    def handed(self, topic: str) -> str:
        """The topic as the format sees it."""
        wire_format = FORMATS[self.feed.format]
        if self.feed.shipped or wire_format.any_prefix:
            return topic
        rest = topic[len(self.base) + 1 :]
        own = _own_base(wire_format)
        if own:
            return f"{own}/{rest}" if rest else own
        # Some formats begin their topics with a slash, which a bridge's prefix may end with.
        begins = not wire_format.matches(rest) and wire_format.matches(f"/{rest}")
        return f"/{rest}" if begins else rest


def listening(feed: Feed) -> Listening:
    """What the feed listens to; raises `InvalidInput` where it is none."""
    if feed.shipped:
        filters = _shipped_filters(feed)
        return Listening(feed, "", filters)
    wire_format = format_of(feed)
    topic = feed.topic
    if problem := _problem_of_topic(topic):
        raise InvalidInput("topic", topic, problem)
    if has_wildcard(topic):
        found = Listening(feed, _before_wildcard(topic), (topic,))
    elif base := _base_of_whole(topic, wire_format):
        found = Listening(feed, base, (topic,))
    else:
        found = Listening(feed, topic, _below(topic, wire_format))
    _check_fits(found, wire_format)
    return found


def format_of(feed: Feed) -> Format:
    known = find_format(feed.format)
    if known is None or known.name != feed.format:
        raise InvalidInput("format", feed.format, f"must be one of {', '.join(sorted(FORMATS))}")
    return known


def check_feed(feed: Feed) -> Listening:
    """What the feed listens to; raises `InvalidInput` with the first field that is wrong."""
    for problem in problems_of(feed):
        raise problem
    return listening(feed)


def problems_of(feed: Feed) -> Iterator[InvalidInput]:
    """Every field of a feed that is wrong."""
    if not FEED_NAME.fullmatch(feed.name):
        problem = "must have 1 to 64 letters, digits, dots, hyphens or underscores"
        yield InvalidInput("name", feed.name, problem)
    if not feed.shipped and feed.name in {shipped.name for shipped in shipped_feeds()}:
        yield InvalidInput("name", feed.name, "is the name of a shipped feed")
    if feed.interval_s is not None and not 0 < feed.interval_s <= INTERVAL_MAX_S:
        yield InvalidInput("interval_s", feed.interval_s, f"must be 1 to {INTERVAL_MAX_S} seconds")
    try:
        listening(feed)
    except InvalidInput as problem:
        yield problem
        if problem.field != "topic" and (told := _problem_of_topic(feed.topic)):
            yield InvalidInput("topic", feed.topic, told)


class Clash(NamedTuple):
    """Two enabled feeds that would both take a topic, each with the filter that does."""

    one: Listening
    other: Listening
    filter: str
    other_filter: str

    def __str__(self) -> str:
        one, other = self.one.feed.name, self.other.feed.name
        return (
            f"the feeds {one} ({self.filter}) and {other} ({self.other_filter}) would both take a"
            f" topic: narrow one of them or disable it"
        )


def clashes(heard: Sequence[Listening]) -> Iterator[Clash]:
    """Every two feeds of which it would depend on chance who takes a topic. The shipped ones have
    an order among themselves; a shipped filter that fixes no level gives way to an added feed."""
    enabled = [each for each in heard if each.feed.enabled]
    for number, one in enumerate(enabled):
        if one.feed.shipped:
            continue
        # Both orders of two added feeds are one clash.
        others = [o for n, o in enumerate(enabled) if o.feed.shipped or n < number]
        for other in others:
            pairs = (
                (f, g)
                for f in one.filters
                for g in other.filters
                if overlap(f, g) and not (other.feed.shipped and _gives_way(g))
            )
            if pair := next(pairs, None):
                yield Clash(one, other, *pair)


def _gives_way(pattern: str) -> bool:
    return has_wildcard(next((level for level in pattern.split("/") if level), REST))


class Router:
    """Which added feed takes a topic. Feeds that were disabled still read what was queued for
    them, behind those that are enabled."""

    def __init__(self, heard: Iterable[Listening] = ()) -> None:
        added = [each for each in heard if not each.feed.shipped]
        self.formats = frozenset(each.feed.format for each in added)
        self._by_level: dict[str, list[Listening]] = {}
        for each in sorted(added, key=lambda each: not each.feed.enabled):
            self._by_level.setdefault(each.base.partition("/")[0], []).append(each)

    def __bool__(self) -> bool:
        return bool(self._by_level)

    def find(self, topic: str) -> Listening | None:
        for each in self._by_level.get(topic.partition("/")[0], ()):
            if each.takes(topic):
                return each
        return None


def own_name(format_name: str) -> str:
    """What the levels of an added feed take the place of, in the full names of devices."""
    wire_format = FORMATS.get(format_name)
    return (wire_format.base if wire_format else "") or format_name


def taker_of(topic: str, heard: Sequence[Listening]) -> Listening | None:
    """The enabled feed that takes this topic; None: no worker subscribes to it."""
    enabled = [each for each in heard if each.feed.enabled]
    if (found := Router(enabled).find(topic)) is not None:
        return found
    takers = [each for each in enabled if each.feed.shipped and each.takes(topic)]
    own = (each for each in takers if each.feed.format and FORMATS[each.feed.format].matches(topic))
    return next(own, takers[0] if takers else None)


def sound(feeds: Iterable[Feed]) -> list[Listening]:
    """What each of these listens to; a row that this version cannot read (its format is gone)
    listens to nothing."""
    found = []
    for feed in feeds:
        try:
            found.append(listening(feed))
        except InvalidInput:
            found.append(Listening(feed, "", ()))
    return [each for each in found if each.filters]


def base_of(feed: Feed) -> str:
    """The first levels of its topics; "" of a shipped feed, and of one that cannot be read."""
    return next((each.base for each in sound([feed])), "")


def _shipped_filters(feed: Feed) -> tuple[str, ...]:
    if feed.name == BRIDGED:
        return (f"{FEED_ROOT}/{REST}",)
    known = FORMATS.get(feed.name)
    return known.subscriptions if known is not None else ()


def _problem_of_topic(topic: str) -> str:
    problem = problem_of(topic)
    first = topic.partition("/")[0]
    if not problem and len(topic.encode()) > TOPIC_MAX:
        problem = f"is longer than {TOPIC_MAX} bytes"
    if not problem and topic.endswith("/"):
        problem = "ends with a slash: give the levels before it"
    if not problem and (not first or has_wildcard(first)):
        problem = "must begin with a level of its own: else it takes what is meant for others"
    if not problem and first == OWN_LEVEL:
        problem = f"begins with {OWN_LEVEL}, which ingest needs for itself"
    return problem


def _own_base(wire_format: Format) -> str:
    if wire_format.subscriptions:
        return wire_format.base
    return f"{FEED_ROOT}/{wire_format.name}"


def _below(base: str, wire_format: Format) -> tuple[str, ...]:
    """The filters of all that the format publishes below a prefix."""
    if wire_format.any_prefix or not wire_format.subscriptions:
        return (f"{base}/{REST}",)
    return tuple(dict.fromkeys(f"{base}/{rest}" for rest in _rests(wire_format)))


def _rests(wire_format: Format) -> Iterator[str]:
    """The format's own filters without its base."""
    for pattern in wire_format.subscriptions:
        if not wire_format.base:
            yield pattern
            if pattern.startswith("/"):
                yield pattern[1:]
        elif pattern.startswith(f"{wire_format.base}/"):
            yield pattern[len(wire_format.base) + 1 :]


def _before_wildcard(topic: str) -> str:
    levels = topic.split("/")
    count = next(n for n, level in enumerate(levels) if has_wildcard(level))
    return "/".join(levels[:count])


def _base_of_whole(topic: str, wire_format: Format) -> str:
    """The prefix in a text that is no prefix but a whole topic of the format."""
    levels = topic.split("/")
    for rest in _rests(wire_format):
        wanted = rest.split("/")
        fixed = [level for level in wanted if level and not has_wildcard(level)]
        at = len(levels) - len(wanted)
        if fixed and wanted[-1] != REST and at > 0 and matches(rest, "/".join(levels[at:])):
            # Where the prefix is the device's own name it is the last level of it.
            is_device = wire_format.any_prefix and wanted[0] == ONE
            return "/".join(levels[: at + is_device])
    return ""


def _check_fits(found: Listening, wire_format: Format) -> None:
    """A filter of which no topic is one of the format would be silent for ever."""
    if wire_format.any_prefix or not wire_format.subscriptions:
        return
    for pattern in found.filters:
        rest = pattern[len(found.base) + 1 :]
        if not any(overlap(rest, own) for own in _rests(wire_format)):
            some = ", ".join(list(_below(found.base, wire_format))[:3])
            problem = f"takes no topic of {wire_format.name}, which publishes to {some}"
            raise InvalidInput("topic", found.feed.topic, problem)
