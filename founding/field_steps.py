"""What a city hears by, has in the ground and means by places is written: feeds, device models, gas
pipes, areas, limits of video events, channels of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from city.feed import Feed
from db import areas, device_models, feeds, message_settings, pipes
from db.device_models import OwnModel
from db.pipes import PipeRow
from db.pool import Connection
from founding.compare import ADDED, CHANGED, RETIRED, Change, codes
from founding.feeds_file import FEEDS
from founding.own_models import FOLDER
from founding.parts import City, Fault, ModelPart, PipeSection
from wire.feeds import base_of, clashes, own_name, sound, with_shipped


def read_feeds(conn: Connection, district: str) -> dict[str, Feed]:
    """Feeds of a district, and the shipped ones, by name."""
    rows = with_shipped(feeds.list_feeds(conn))
    return {feed.name: feed for feed in rows if feed.shipped or feed.district == district}


def read_models(conn: Connection, district: str) -> dict[str, ModelPart]:
    rows = device_models.list_models(conn, district)
    return {row.name: ModelPart(row.name, row.text, row.codec) for row in rows}


def read_pipes(conn: Connection, district: str) -> dict[str, PipeSection]:
    return {
        row.code: PipeSection(
            row.code, row.pressure, row.material, row.year, row.diameter_mm,
            tuple((lon, lat) for lon, lat in row.line),
        )
        for row in pipes.list_pipes(conn, district)
    }  # fmt: skip


def write_field(conn: Connection, city: City, changes: Sequence[Change], now: datetime) -> None:
    """Write what differs of feeds, models, pipes, areas, video limits and messages."""
    _write_feeds(conn, city.feeds or {}, changes, now)
    _write_models(conn, city, changes)
    _write_pipes(conn, city, changes)
    _write_areas(conn, city, changes)
    _write_messages(conn, city, changes)


def _write_feeds(
    conn: Connection, wanted: Mapping[str, Feed], changes: Sequence[Change], now: datetime
) -> None:
    if gone := codes(changes, "feed", RETIRED):
        feeds.retire_feeds(conn, gone, now)
    before = {feed.name: feed for feed in feeds.list_feeds(conn)}
    for name in codes(changes, "feed", ADDED, CHANGED):
        feed = wanted[name]
        feeds.put_feed(conn, feed, own_name(feed.format))
        old, new = (base_of(each) for each in (before.get(name, feed), feed))
        if old != new:
            feeds.rebind_devices(conn, feed.format, old, new)


def _write_models(conn: Connection, city: City, changes: Sequence[Change]) -> None:
    if gone := codes(changes, "model", RETIRED):
        device_models.delete_models(conn, gone)
    for name in codes(changes, "model", ADDED, CHANGED):
        part = (city.models or {})[name]
        row = OwnModel(part.name, city.district.code, part.text, part.codec)
        device_models.save_model(conn, row)


def _write_pipes(conn: Connection, city: City, changes: Sequence[Change]) -> None:
    district, wanted = city.district.code, city.pipes or {}
    if gone := codes(changes, "pipe", RETIRED):
        pipes.delete_pipes(conn, district, gone)
    if new := codes(changes, "pipe", ADDED, CHANGED):
        pipes.save_pipes(conn, district, (_pipe_row(wanted[code]) for code in new))


def _write_areas(conn: Connection, city: City, changes: Sequence[Change]) -> None:
    """What they say of video events holds for those that nobody has judged, too."""
    district = city.district.code
    wanted, limits = city.areas or {}, city.video_limits or {}
    if gone := codes(changes, "area", RETIRED):
        areas.delete_areas(conn, district, gone)
    if new := codes(changes, "area", ADDED, CHANGED):
        areas.save_areas(conn, district, (wanted[code] for code in new))
    if gone := codes(changes, "video_limit", RETIRED):
        areas.delete_limits(conn, district, gone)
    if new := codes(changes, "video_limit", ADDED, CHANGED):
        areas.save_limits(conn, district, (limits[entry] for entry in new))
    if any(change.what in ("area", "video_limit") for change in changes):
        areas.judge_again(conn, district)


def _write_messages(conn: Connection, city: City, changes: Sequence[Change]) -> None:
    district, channels, rows = city.district.code, city.channels or {}, city.escalation or {}
    if gone := codes(changes, "channel", RETIRED):
        message_settings.delete_channels(conn, district, gone)
    new = codes(changes, "channel", ADDED, CHANGED)
    message_settings.save_channels(conn, district, (channels[name] for name in new))
    steps = codes(changes, "escalation", ADDED, CHANGED)
    message_settings.save_steps(conn, district, (rows[step] for step in steps))


def _pipe_row(s: PipeSection) -> PipeRow:
    line = [list(point) for point in s.line]
    return PipeRow(s.code, s.pressure, s.material, s.year, s.diameter_mm, line)


def find_field_obstacles(
    conn: Connection, city: City, changes: Sequence[Change]
) -> Iterator[Fault]:
    """What other districts have that these changes would take or disturb."""
    yield from _of_feeds(conn, city, changes)
    added = codes(changes, "model", ADDED)
    for row in device_models.list_models(conn):
        if row.name in added:
            problem = f"is a model of district {row.district}"
            yield Fault(f"{FOLDER}{row.name}.toml", None, "", row.name, problem)
    gone = codes(changes, "model", RETIRED)
    for name, count in device_models.count_devices(conn, gone):
        problem = f"is missing, and {count} devices are of this model"
        yield Fault(f"{FOLDER}{name}.toml", None, "", name, problem)


def _of_feeds(conn: Connection, city: City, changes: Sequence[Change]) -> Iterator[Fault]:
    if not any(change.what == "feed" for change in changes):
        return
    wanted = city.feeds or {}
    rows = feeds.list_feeds(conn)
    others = [f for f in rows if not f.shipped and f.district != city.district.code]
    for feed in others:
        if feed.name in wanted:
            problem = f"is a feed of district {feed.district}" if feed.district else "is taken"
            yield Fault(FEEDS, None, "name", feed.name, problem)
    rest = [feed for feed in others if feed.name not in wanted]
    for clash in clashes(sound([*wanted.values(), *rest])):
        names = {clash.one.feed.name, clash.other.feed.name}
        if names & {feed.name for feed in rest}:
            yield Fault(FEEDS, None, "topic", clash.one.feed.topic, str(clash))
