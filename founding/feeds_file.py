"""`feeds.toml`: the feeds of a city, read, judged and written. Pure.

One `[[feed]]` a feed. One that has the name of a shipped feed says what is otherwise of it; the
shipped feeds of which the file says nothing are as they ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from city.datum import Datum, parse_datum
from city.errors import InvalidInput
from city.feed import INTERVAL_MAX_S, Feed
from founding.parts import Entry, Fault
from founding.sheets import Line
from founding.toml_table import TomlTable
from wire import find_format
from wire.feeds import clashes, problems_of, shipped_feeds, sound, with_shipped

FEEDS = "feeds.toml"
FEED_COLUMNS = (("name",), ("format", "topic", "interval_s", "enabled", "datum"))
TABLE = TomlTable(
    FEEDS, "feed", "a feed", *FEED_COLUMNS, numbers=("interval_s",), truths=("enabled",)
)
YES, NO = ("true", "1", "yes", "是"), ("false", "0", "no", "否")


def read_feeds(content: bytes, faults: list[Fault]) -> tuple[Entry[Feed], ...]:
    """The feeds of the file that are right by themselves."""
    shipped = {feed.name: feed for feed in shipped_feeds()}
    found = []
    for line in TABLE.read(content, faults):
        before = len(faults)
        feed = _feed(line, shipped)
        if len(faults) == before:
            found.append(Entry(line.row, feed))
    return tuple(found)


def _feed(line: Line, shipped: Mapping[str, Feed]) -> Feed:
    name = line.text("name", needed=True)
    base = shipped.get(name) or Feed(name, "")
    enabled = line.text("enabled").lower() or YES[0]
    if enabled not in YES + NO:
        line.fault("enabled", "must be true or false")
    feed = replace(
        base,
        topic=line.text("topic"),
        interval_s=line.whole("interval_s", 1, INTERVAL_MAX_S, 0) or None,
        enabled=enabled in YES,
        datum=_datum(line),
    )
    written = line.text("format", needed=not base.shipped)
    if base.shipped:
        if written not in ("", base.format):
            line.fault("format", f"is fixed: {name} is a shipped feed")
        if feed.topic:
            line.fault("topic", f"is fixed: {name} is a shipped feed, with its format's own topics")
        return replace(feed, topic="")
    known = find_format(written) if written else None
    feed = replace(feed, format=written if known is None else known.name)
    told = {fault.field for fault in line.faults if fault.row == line.row}
    for problem in problems_of(feed):
        if problem.field not in told:
            line.fault(problem.field, problem.problem, str(problem.value))
    return feed


def _datum(line: Line) -> Datum:
    written = line.text("datum")
    try:
        return parse_datum("datum", written) if written else Datum.WGS84
    except InvalidInput as error:
        line.fault("datum", error.problem)
        return Datum.WGS84


def judge_feeds(
    entries: Sequence[Entry[Feed]], district: str, faults: list[Fault]
) -> dict[str, Feed]:
    """Every feed of the city by its name, the shipped ones among them; two that would take the
    same topics are a fault of the later."""
    rows: dict[str, int] = {}
    feeds: dict[str, Feed] = {}
    for entry in entries:
        feed = entry.value if entry.value.shipped else replace(entry.value, district=district)
        if feed.name in rows:
            problem = f"is in row {rows[feed.name]} already"
            faults.append(Fault(FEEDS, entry.row, "name", feed.name, problem))
            continue
        rows[feed.name], feeds[feed.name] = entry.row, feed
    whole = {feed.name: feed for feed in with_shipped(feeds.values())}
    for clash in clashes(sound(whole.values())):
        feed = clash.one.feed
        faults.append(Fault(FEEDS, rows.get(feed.name), "topic", feed.topic, str(clash)))
    return whole


def write_feeds(feeds: Mapping[str, Feed]) -> str:
    """The file that says the same: a city's own feeds, then the shipped ones."""
    ordered = sorted(feeds.values(), key=lambda feed: (feed.shipped, feed.name))
    return TABLE.write([_values(feed) for feed in ordered])


def _values(feed: Feed) -> dict[str, str]:
    return {
        "name": feed.name,
        "format": feed.format,
        "topic": feed.topic,
        "interval_s": "" if feed.interval_s is None else str(feed.interval_s),
        "enabled": str(feed.enabled).lower(),
        "datum": "" if feed.datum is Datum.WGS84 else feed.datum.value,
    }
