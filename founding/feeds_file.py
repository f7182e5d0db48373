"""`feeds.toml`: the feeds of a city, read, judged and written. Pure.

One `[[feed]]` a feed. One that has the name of a shipped feed says what is otherwise of it; the
shipped feeds of which the file says nothing are as they ship.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from city.datum import Datum, parse_datum
from city.errors import InvalidInput
from city.feed import INTERVAL_MAX_S, Feed
from city.text_files import decode
from founding.parts import Entry, Fault
from founding.sheets import Line, read_lines
from wire import find_format
from wire.feeds import clashes, problems_of, shipped_feeds, sound, with_shipped

FEEDS = "feeds.toml"
ENTRY = "feed"
FEED_COLUMNS = (("name",), ("format", "topic", "interval_s", "enabled", "datum"))
_HEADER = re.compile(r"[ \t]*\[\[[ \t]*feed[ \t]*\]\]")
_NUMBERS, _TRUTHS = ("interval_s",), ("enabled",)
YES, NO = ("true", "1", "yes", "是"), ("false", "0", "no", "否")


def read_entries(content: bytes, faults: list[Fault]) -> list[Line]:
    """Every entry of the file; its row is the line that its `[[feed]]` stands in."""
    found = decode(content)
    try:
        text = found[0] if found else ""
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(FEEDS, None, "", "", f"is not TOML: {error}"))
        return []
    for name in table:
        if name != ENTRY:
            faults.append(Fault(FEEDS, None, name, "", "is no field of this file: write [[feed]]"))
    entries = table.get(ENTRY, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.append(Fault(FEEDS, None, ENTRY, "", "must be tables: write [[feed]]"))
        return []
    numbered = enumerate(text.splitlines(), start=1)
    rows = [number for number, line in numbered if _HEADER.match(line)]
    if len(rows) != len(entries):  # written in line: counted
        rows = list(range(1, len(entries) + 1))
    return [_line(row, entry, faults) for row, entry in zip(rows, entries, strict=True)]


def _line(row: int, entry: Mapping[str, object], faults: list[Fault]) -> Line:
    line = Line(FEEDS, row, {name: _text(value) for name, value in entry.items()}, faults)
    needed, optional = FEED_COLUMNS
    for name, value in entry.items():
        if name not in (*needed, *optional):
            line.fault(name, f"is no field of a feed; it has {', '.join((*needed, *optional))}")
        elif isinstance(value, (dict, list)):
            line.fault(name, "must be one value")
    return line


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_feeds(content: bytes, faults: list[Fault]) -> tuple[Entry[Feed], ...]:
    """The feeds of the file that are right by themselves."""
    shipped = {feed.name: feed for feed in shipped_feeds()}
    found = []
    for line in read_entries(content, faults):
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
    return _toml([_values(feed) for feed in ordered])


def _values(feed: Feed) -> dict[str, str]:
    return {
        "name": feed.name,
        "format": feed.format,
        "topic": feed.topic,
        "interval_s": "" if feed.interval_s is None else str(feed.interval_s),
        "enabled": str(feed.enabled).lower(),
        "datum": "" if feed.datum is Datum.WGS84 else feed.datum.value,
    }


def _toml(rows: Sequence[Mapping[str, str]]) -> str:
    return "\n".join("\n".join([f"[[{ENTRY}]]", *_fields(row), ""]) for row in rows)


def _fields(row: Mapping[str, str]) -> Iterator[str]:
    """Empty values are left out. Text is the same in JSON and TOML."""
    for name, value in row.items():
        plain = (name in _NUMBERS and value.isascii() and value.isdigit()) or (
            name in _TRUTHS and value in (YES[0], NO[0])
        )
        if value:
            yield f"{name} = {value if plain else json.dumps(value, ensure_ascii=False)}"


# As a table of the settings


def entry_rows(content: bytes) -> list[Line]:
    """Every entry that can be told apart, right or wrong."""
    return read_entries(content, [])


def with_entries(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """The file with these rows."""
    return _toml([dict(zip(names, row, strict=False)) for row in rows]).encode()


def as_file(content: bytes) -> bytes:
    """A table that somebody uploads (CSV, or a workbook that became it) as this file; what is
    neither stays as it is, to be judged."""
    faults: list[Fault] = []
    needed, optional = FEED_COLUMNS
    head = content.lstrip(b"\xef\xbb\xbf \r\n").split(b"\n", 1)[0]
    if b"[[" in head or b"=" in head or head.startswith(b"#"):
        return content
    lines = read_lines(FEEDS, content, needed, optional, faults)
    if faults:
        return content
    names = (*needed, *optional)
    return with_entries(names, [[line.values.get(n, "") for n in names] for line in lines])
