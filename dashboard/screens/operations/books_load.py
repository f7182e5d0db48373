"""The books from the broker on: numbers of messages that did not come, and what the broker dropped.

The ledger begins when a message is received. What never was is known by two others: the number
that its sender gave it, and the broker's own counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from city.losses import Episode, Gap, find_episodes, find_outages
from city.sequence import SequenceTotal
from db import broker_counts, ledger, sequences
from db.broker_counts import CountRow
from db.pool import Connection
from db.sequences import KEEP_USUAL, GatewayShare

# A message may be with a worker that hangs, or wait to be sent again; then its gap closes.
SETTLED = timedelta(seconds=60)
# Names listed of one loss, and sources listed because of their numbers.
SHOWN = 20
# Losses of one kind that are a line each, and names in such a line.
LISTED = 3


class LossItem(msgspec.Struct, kw_only=True):
    """Messages that did not arrive, sent at about `from` to `to`. `sources` is how many senders
    that are (devices, or edge nodes), `names` the first of them. `received` is what came of the
    same feed meanwhile, where a network loses messages anyway; else null."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    messages: int
    sources: int
    names: list[str]
    feeds: list[str]
    received: int | None = None


class DropItem(msgspec.Struct, kw_only=True):
    """Deliveries that the broker gave up between two looks at its counters, to whomever: a
    message that two sessions were owed counts twice."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    deliveries: int


class BrokerItem(msgspec.Struct, kw_only=True):
    """What the broker told last, and over the time from `from` on: publishes of all clients that
    it received, messages that we received meanwhile. `tells` false: it has no such counters.
    `restarts` are the times at which it began to run."""

    tells: bool
    version: str
    looked_at: datetime
    started_at: datetime
    from_: datetime = msgspec.field(name="from")
    received: int
    received_here: int
    restarts: list[datetime]


class NumbersItem(msgspec.Struct, kw_only=True):
    """How many senders of a feed number their messages, and what the numbers are good for."""

    feed: str
    usable: int = 0
    learning: int = 0
    unusable: int = 0
    constant: int = 0


class LossyItem(msgspec.Struct, kw_only=True):
    """A sender and the share of its last thousand messages that did not arrive."""

    name: str
    feed: str
    share: float


class BooksItem(msgspec.Struct, kw_only=True, frozen=True):
    """`missing`, `outages` and `drops` are wrong; the rest is for information."""

    missing: list[LossItem] = []
    outages: list[LossItem] = []
    drops: list[DropItem] = []
    broker: BrokerItem | None = None
    numbers: list[NumbersItem] = []
    useless: list[str] = []
    lossy: list[LossyItem] = []
    gateways: list[GatewayShare] = []

    @property
    def balanced(self) -> bool:
        """Nothing that was sent is known not to have come."""
        return not (self.missing or self.outages or self.drops)


def read_books(conn: Connection, from_: datetime, to: datetime, now: datetime) -> BooksItem:
    """What did not arrive from `from_` to `to`, as far as it is settled."""
    until = min(to, now - SETTLED)
    rows = broker_counts.list_counts(conn, from_, to)
    losses = _losses(conn, from_, until)
    outages = _outages(conn, max(from_, now - KEEP_USUAL), until)
    summaries = sequences.list_summaries(conn)
    useless = [source for summary in summaries for source, _ in summary["useless"]][:SHOWN]
    lossy = sorted((item for s in summaries for item in s["lossy"]), key=lambda item: -item[2])
    lossy = lossy[:SHOWN]
    shown = [source for e in (*losses, *outages) for source in e.sources[:SHOWN]]
    names = sequences.find_names(conn, [*shown, *useless, *(item[0] for item in lossy)])
    return BooksItem(
        missing=[_loss(episode, names) for episode in losses],
        outages=[_loss(episode, names) for episode in outages],
        drops=find_drops(rows),
        broker=_broker(conn, rows),
        numbers=count_numbers(summaries),
        useless=sorted(_name(source, names) for source in useless),
        lossy=[LossyItem(name=_name(s, names), feed=feed, share=share) for s, feed, share in lossy],
        gateways=sequences.list_gateway_shares(conn, now, SHOWN),
    )


def _losses(conn: Connection, from_: datetime, until: datetime) -> list[Episode]:
    return find_episodes(sequences.list_gaps(conn, from_, until, usual=False))


def _outages(conn: Connection, from_: datetime, until: datetime) -> list[Episode]:
    by_feed: dict[str, list[Gap]] = {}
    for gap in sequences.list_gaps(conn, from_, until, usual=True):
        by_feed.setdefault(gap.feed, []).append(gap)
    if not by_feed:
        return []
    usual = {total.feed: loss_share(total) for total in sequences.list_totals(conn)}
    received: dict[str, dict[datetime, int]] = {feed: {} for feed in by_feed}
    first = min(gap.after_at for gaps in by_feed.values() for gap in gaps)
    for line in ledger.list_entries(conn, max(first, from_), until, limit=100_000):
        if line.feed in received:
            received[line.feed][line.minute] = line.received
    return [
        episode
        for feed, gaps in sorted(by_feed.items())
        for episode in find_outages(feed, gaps, received[feed], usual.get(feed, 0.0))
        if episode.to_at > from_
    ]


def loss_share(total: SequenceTotal) -> float:
    """The share of a feed's messages that never came, since the installation began."""
    lost = total.missing - total.late
    return lost / (total.followed + lost) if lost > 0 else 0.0


def _loss(episode: Episode, names: dict[int, str]) -> LossItem:
    return LossItem(
        from_=episode.from_at,
        to=episode.to_at,
        messages=episode.missing,
        sources=len(episode.sources),
        names=sorted(_name(source, names) for source in episode.sources[:SHOWN]),
        feeds=list(episode.feeds),
        received=episode.received,
    )


def _name(source: int, names: dict[int, str]) -> str:
    return names.get(source, f"#{source}")


def find_drops(rows: Iterable[CountRow]) -> list[DropItem]:
    """Neighbouring minutes in which the broker dropped something are one item."""
    drops: list[DropItem] = []
    for row in rows:
        if row.dropped_new <= 0:
            continue
        if drops and drops[-1].to >= row.since_at:
            drops[-1].to = row.looked_at
            drops[-1].deliveries += row.dropped_new
        else:
            drops.append(DropItem(from_=row.since_at, to=row.looked_at, deliveries=row.dropped_new))
    return drops


def _broker(conn: Connection, rows: Sequence[CountRow]) -> BrokerItem | None:
    last = rows[-1] if rows else broker_counts.latest(conn)
    if last is None:
        return None
    first = rows[0] if rows else last
    here = ledger.count_received(conn, first.looked_at, last.looked_at)
    return BrokerItem(
        tells=bool(last.version),
        version=last.version,
        looked_at=last.looked_at,
        started_at=last.started_at,
        from_=first.looked_at,
        received=received_between(rows),
        received_here=here,
        restarts=[row.started_at for row in rows if row.is_restart],
    )


def received_between(rows: Sequence[CountRow]) -> int:
    """Publishes that the broker received from the first look to the last, as far as it lived to
    tell of them."""
    return sum(
        row.received - before.received if row.received >= before.received else row.received
        for before, row in pairwise(rows)
    )


def count_numbers(summaries: Iterable[dict[str, Any]]) -> list[NumbersItem]:
    """By feed, in alphabetical order."""
    found: dict[str, NumbersItem] = {}
    for summary in summaries:
        for feed, counts in summary["feeds"].items():
            item = found.setdefault(feed, NumbersItem(feed=feed))
            for word, count in counts.items():
                setattr(item, word, getattr(item, word) + count)
    return [found[feed] for feed in sorted(found)]


def find_losses(books: BooksItem) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is wrong, as codes with facts: newest first, three of a kind and then how many more."""
    kinds: tuple[tuple[str, Sequence[LossItem | DropItem]], ...] = (
        ("messages_missing", books.missing),
        ("broker_dropped", books.drops),
        ("frames_missing", books.outages),
    )
    for code, items in kinds:
        for item in list(reversed(items))[:LISTED]:
            yield code, _facts(item)
        if len(items) > LISTED:
            yield f"{code}_more", {"count": len(items) - LISTED}


def _facts(item: LossItem | DropItem) -> dict[str, Any]:
    facts: dict[str, Any] = {"from_at": item.from_, "to_at": item.to}
    if isinstance(item, DropItem):
        return facts | {"count": item.deliveries}
    facts |= {"count": item.messages, "sources": item.sources, "received": item.received or 0}
    return facts | {"feed": item.feeds[0], "names": ", ".join(item.names[:LISTED])}
