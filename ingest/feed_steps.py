"""Feeds are added, switched on and off. One unit of work each, told in the event log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.errors import Conflict, InvalidInput, NotFound
from city.event import NewEvent
from city.feed import Feed
from db import districts, feeds
from db.events import append_events
from db.pool import Connection
from wire.feeds import Listening, check_feed, clashes, own_name, sound, with_shipped


def add_feed(conn: Connection, feed: Feed, actor: str, now: datetime) -> Listening:
    """Put a new feed in; what it listens to. The caller commits.

    Raises `InvalidInput` for a field that is wrong, `Conflict` where the name is taken or another
    enabled feed would take the same topics."""
    feeds.lock_feeds(conn)
    known = feeds.list_feeds(conn)
    if feed.name in {row.name for row in known if not row.shipped}:
        raise Conflict(f"there is a feed {feed.name} already", current={"name": feed.name})
    found = check_feed(feed)
    if feed.district and feed.district not in districts.list_codes(conn):
        raise InvalidInput("district", feed.district, "is no district of this installation")
    _refuse_clashes([*known, feed])
    _put(conn, feed, "feed.added", actor, now, {"format": feed.format, "topic": feed.topic})
    return found


def switch_feed(conn: Connection, name: str, enabled: bool, actor: str, now: datetime) -> Feed:
    """Enable or disable a feed; as it is then. The caller commits."""
    feeds.lock_feeds(conn)
    known = with_shipped(feeds.list_feeds(conn))
    feed = next((row for row in known if row.name == name), None)
    if feed is None:
        raise NotFound("feed", name)
    if feed.enabled == enabled:
        return feed
    changed = replace(feed, enabled=enabled)
    _refuse_clashes([*(row for row in known if row.name != name), changed])
    _put(conn, changed, "feed.changed", actor, now, {"fields": ["enabled"], "enabled": enabled})
    return changed


def _refuse_clashes(rows: list[Feed]) -> None:
    found = next(clashes(sound(with_shipped(rows))), None)
    if found is not None:
        names = [found.one.feed.name, found.other.feed.name]
        raise Conflict(str(found), current={"feeds": names})


def _put(
    conn: Connection, feed: Feed, kind: str, actor: str, now: datetime, told: Mapping[str, Any]
) -> None:
    feeds.put_feed(conn, feed, own_name(feed.format))
    event = NewEvent(now, feed.district, kind, f"feed:{feed.name}", actor, dict(told))
    append_events(conn, [event])
