"""Which topics are taken, and when each feed was heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from city.feed import Feed
from db import feeds
from db.feeds import FeedHeard
from db.pool import Connection

# A feed that is expected is late after so many of its intervals.
LATE_INTERVALS = 3


class ListeningItem(msgspec.Struct, kw_only=True, frozen=True):
    """A feed as it is set. `topic` is empty where it has the topics that its format fixes;
    `late`: it is enabled and was not heard for three of the intervals that are expected."""

    name: str
    format: str
    topic: str
    district: str
    enabled: bool
    shipped: bool
    interval_s: int | None
    heard_at: datetime | None
    messages: int
    late: bool


def read_listening(conn: Connection, district: str, now: datetime) -> list[ListeningItem]:
    """Feeds of the district and of none, those that were added first."""
    rows = [feed for feed in feeds.list_feeds(conn) if feed.district in ("", district)]
    return build_listening(rows, feeds.list_heard(conn), now)


def build_listening(
    rows: Iterable[Feed], heard: Mapping[str, FeedHeard], now: datetime
) -> list[ListeningItem]:
    """One item a feed."""
    ordered = sorted(rows, key=lambda feed: (feed.shipped, feed.name))
    return [_item(feed, heard.get(feed.name), now) for feed in ordered]


def _item(feed: Feed, heard: FeedHeard | None, now: datetime) -> ListeningItem:
    expected = feed.enabled and feed.interval_s is not None
    age_s = (now - heard.heard_at).total_seconds() if heard else None
    return ListeningItem(
        name=feed.name,
        format=feed.format,
        topic=feed.topic,
        district=feed.district,
        enabled=feed.enabled,
        shipped=feed.shipped,
        interval_s=feed.interval_s,
        heard_at=heard.heard_at if heard else None,
        messages=heard.messages if heard else 0,
        late=expected and (age_s is None or age_s > LATE_INTERVALS * (feed.interval_s or 0)),
    )
