"""`gridwarden feed`: which topics are taken as which format."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from app.commands import district_of, installation, print_json, transaction
from app.settings import Settings
from city.datum import parse_datum
from city.errors import InvalidInput, NotFound
from city.feed import Feed
from db import districts, feeds
from db.feeds import FeedHeard
from ingest.feed_steps import add_feed, switch_feed
from wire import find_format
from wire.feeds import Listening, sound, with_shipped


@click.group("feed")
def feed_group() -> None:
    """Topics at the broker and the formats that they are taken as."""


@feed_group.command("list")
@click.option("--json", "as_json", is_flag=True)
@installation
def feed_list(settings: Settings, as_json: bool) -> None:
    """Every feed, those that were added last, and when each was heard."""
    with transaction(settings) as conn:
        heard = feeds.list_heard(conn)
        rows = _listening(with_shipped(feeds.list_feeds(conn)))
    if as_json:
        print_json({"feeds": [_as_json(row, heard.get(row.feed.name)) for row in rows]})
        return
    for row in rows:
        feed, sign = row.feed, heard.get(row.feed.name)
        state = "on " if feed.enabled else "off"
        last = f"heard {sign.heard_at:%Y-%m-%dT%H:%M:%SZ}" if sign else "never heard"
        own = feed.topic or "its format's own topics"
        click.echo(f"{feed.name:<20} {state} {feed.format or '-':<20} {last:<28} {own}")


@feed_group.command("show")
@click.argument("name")
@installation
def feed_show(settings: Settings, name: str) -> None:
    """One feed as JSON, with the filters that it subscribes to."""
    with transaction(settings) as conn:
        sign = feeds.list_heard(conn).get(name)
        rows = _listening(with_shipped(feeds.list_feeds(conn)))
    row = next((row for row in rows if row.feed.name == name), None)
    if row is None:
        raise NotFound("feed", name)
    print_json(_as_json(row, sign))


@feed_group.command("add")
@click.argument("name")
@click.option("--format", "format_name", required=True, help="The wire format, e.g. ttn.")
@click.option(
    "--topic", "--prefix", "topic", required=True,
    help="The first levels of its topics, of any depth, or a filter with wildcards.",
)  # fmt: skip
@click.option("--district", default="", help="Of its devices; without it the installation's.")
@click.option("--interval", type=int, default=None, help="Seconds: expected that often.")
@click.option("--datum", default="wgs84", show_default=True, help="Of the positions in it.")
@click.option("--disabled", is_flag=True, help="Put it in without listening yet.")
@installation
def feed_add(
    settings: Settings, name: str, format_name: str, topic: str, district: str,
    interval: int | None, datum: str, disabled: bool,
) -> None:  # fmt: skip
    """Listen to a further feed; workers follow within seconds, without a restart."""
    known = find_format(format_name)
    if known is None:
        raise InvalidInput("format", format_name, "is no wire format: see gridwarden feed list")
    given = parse_datum("datum", datum)
    with transaction(settings) as conn:
        of = district or (district_of(conn, settings) if districts.list_codes(conn) else "")
        feed = Feed(name, known.name, topic, of, interval, not disabled, given)
        found = add_feed(conn, feed, "cli", datetime.now(UTC))
    state = "disabled" if disabled else "workers listen to it within seconds"
    click.echo(f"feed {name}: {', '.join(found.filters)} as {known.name}; {state}")


@feed_group.command("disable")
@click.argument("name")
@installation
def feed_disable(settings: Settings, name: str) -> None:
    """Listen to a feed no more; what the broker holds for it already is still stored."""
    with transaction(settings) as conn:
        switch_feed(conn, name, False, "cli", datetime.now(UTC))
    click.echo(f"feed {name} is disabled")


@feed_group.command("enable")
@click.argument("name")
@installation
def feed_enable(settings: Settings, name: str) -> None:
    """Listen to a feed again."""
    with transaction(settings) as conn:
        switch_feed(conn, name, True, "cli", datetime.now(UTC))
    click.echo(f"feed {name} is enabled")


def _listening(rows: list[Feed]) -> list[Listening]:
    """Also of rows that this version cannot read."""
    found = {each.feed.name: each for each in sound(rows)}
    return [found.get(row.name, Listening(row, "", ())) for row in rows]


def _as_json(row: Listening, heard: FeedHeard | None) -> dict[str, Any]:
    return {
        **asdict(row.feed),
        "datum": row.feed.datum.value,
        "filters": list(row.filters),
        "heard_at": heard.heard_at if heard else None,
        "messages": heard.messages if heard else 0,
    }
