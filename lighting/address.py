"""Where a lamp listens: below the levels of the added feed that it speaks on, if it does. Pure.

A device is bound to a feed by the first levels of its topics, or registered by its full name,
those levels and its own name (`ingest/feeds.py`). What is bound to the shipped feed of its format
has the topics that the format fixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from city.feed import Feed
from city.lighting import Lamp
from wire.feeds import own_name, sound

Bases = Mapping[str, Sequence[str]]


def bases_of(feeds: Iterable[Feed]) -> dict[str, list[str]]:
    """The first levels of added feeds, by format, longer ones first."""
    found: dict[str, list[str]] = {}
    for each in sound(feed for feed in feeds if not feed.shipped):
        found.setdefault(each.feed.format, []).append(each.base)
    return {name: sorted(bases, key=len, reverse=True) for name, bases in found.items()}


def addressed(lamp: Lamp, bases: Bases) -> Lamp:
    """The lamp with the levels that its topics begin with, "" where they are its format's own."""
    if lamp.base:
        return replace(lamp, base="") if lamp.base == own_name(lamp.format) else lamp
    known = bases.get(lamp.format, ())
    base = next((b for b in known if b and lamp.external_id.startswith(f"{b}/")), "")
    return replace(lamp, base=base) if base else lamp
