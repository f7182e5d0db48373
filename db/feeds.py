"""Feeds, the devices that are bound to one, and when each was heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.datum import Datum
from city.feed import Feed
from db.pool import Connection
from db.row_columns import insert_list, names_of, placeholders, select_list, values_of

_COLUMNS = names_of(Feed)
_SELECTED = select_list(Feed, "feed")


@dataclass(frozen=True, slots=True)
class FeedHeard:
    """The last sign of a feed; `messages` are counted since it was first heard."""

    feed: str
    heard_at: datetime
    messages: int


def find_revision(conn: Connection) -> int:
    """Higher after every change of what ingest reads: feeds and device models."""
    row = conn.execute("SELECT revision FROM ingest_revision").fetchone()
    return int(row[0]) if row else 0


def read_feeds(conn: Connection) -> tuple[int, list[Feed], list[Feed]]:
    """The revision, the feeds of it, and those that were taken out before."""
    rows = conn.execute(
        f"""
        SELECT revision, feed.name IS NOT NULL, retired_at IS NOT NULL, {_SELECTED}
        FROM ingest_revision LEFT JOIN feed ON true ORDER BY feed.name
        """
    ).fetchall()
    found: tuple[list[Feed], list[Feed]] = ([], [])
    for _, is_there, retired, *values in rows:
        if is_there:
            found[retired].append(_feed(values))
    return int(rows[0][0]) if rows else 0, *found


def list_feeds(conn: Connection) -> list[Feed]:
    """Every feed that was not taken out; shipped ones of which there is a row, among them."""
    return read_feeds(conn)[1]


def _feed(values: Sequence[object]) -> Feed:
    row = dict(zip(_COLUMNS, values, strict=True))
    return Feed(**{**row, "datum": Datum(str(row["datum"]))})  # type: ignore[arg-type]


def put_feed(conn: Connection, feed: Feed, own_name: str) -> None:
    """Put a feed in, in the place of the one of its name. Devices of its format that were heard
    before an added feed came speak where its shipped feed (`own_name`) does."""
    if not feed.shipped:
        bind_heard_devices(conn, feed.format, own_name)
    conn.execute(
        f"""
        INSERT INTO feed ({insert_list(_COLUMNS)}) VALUES ({placeholders(_COLUMNS)})
        ON CONFLICT (name) DO UPDATE
        SET format = excluded.format, topic = excluded.topic, district = excluded.district,
            interval_s = excluded.interval_s, enabled = excluded.enabled, datum = excluded.datum,
            shipped = excluded.shipped, retired_at = NULL
        """,
        values_of(feed),
    )


def retire_feeds(conn: Connection, names: Sequence[str], now: datetime) -> None:
    """Take feeds out; what was queued for them is still read."""
    conn.execute(
        "UPDATE feed SET enabled = false, retired_at = %s WHERE name = ANY(%s)", (now, list(names))
    )


def seed_feeds(conn: Connection, feeds: Sequence[Feed]) -> None:
    """Rows of shipped feeds that are not there yet."""
    with conn.cursor() as cursor:
        cursor.executemany(
            f"""
            INSERT INTO feed ({insert_list(_COLUMNS)}) VALUES ({placeholders(_COLUMNS)})
            ON CONFLICT DO NOTHING
            """,
            [values_of(feed) for feed in feeds],
        )


def lock_feeds(conn: Connection) -> None:
    """Nobody else changes feeds until the transaction ends: two that overlap would not see each
    other."""
    conn.execute("LOCK TABLE feed IN SHARE ROW EXCLUSIVE MODE")


# Devices


def list_bindings(conn: Connection) -> dict[int, str]:
    """Device to the first levels of the topics that it speaks on, where that was settled."""
    return dict(conn.execute("SELECT device_id, base FROM device_feed").fetchall())


def bind_devices(conn: Connection, wanted: Mapping[int, str]) -> dict[int, str]:
    """Settle where devices speak, unless that is settled; what holds now for each."""
    conn.execute(
        """
        INSERT INTO device_feed (device_id, base)
        SELECT * FROM unnest(%s::int[], %s::text[]) ON CONFLICT DO NOTHING
        """,
        (list(wanted), list(wanted.values())),
    )
    rows = conn.execute(
        "SELECT device_id, base FROM device_feed WHERE device_id = ANY(%s)", (list(wanted),)
    )
    return dict(rows.fetchall())


def bind_heard_devices(conn: Connection, format_name: str, base: str) -> None:
    """All devices of a format that were ever heard speak where its feeds were until now."""
    conn.execute(
        """
        INSERT INTO device_feed (device_id, base)
        SELECT id, %s FROM device WHERE format = %s AND (
            EXISTS (SELECT FROM device_latest WHERE device_id = device.id)
            OR EXISTS (SELECT FROM device_link WHERE device_id = device.id)
            OR EXISTS (SELECT FROM video_event WHERE camera_id = device.id))
        ON CONFLICT DO NOTHING
        """,
        (base, format_name),
    )


def rebind_devices(conn: Connection, format_name: str, before: str, after: str) -> None:
    """A feed's topics have moved, and its devices with them."""
    conn.execute(
        """
        UPDATE device_feed SET base = %s FROM device
        WHERE device.id = device_id AND format = %s AND base = %s
        """,
        (after, format_name, before),
    )


# Signs of life


def note_heard(conn: Connection, heard: Mapping[str, tuple[datetime, int]]) -> None:
    """Feeds with the receipt of their newest message and how many came since the last note."""
    if not heard:
        return
    names = sorted(heard)  # the order of the locks
    conn.execute(
        """
        INSERT INTO feed_heard AS known (feed, heard_at, messages)
        SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[])
        ON CONFLICT (feed) DO UPDATE
        SET heard_at = greatest(known.heard_at, excluded.heard_at),
            messages = known.messages + excluded.messages
        """,
        (names, [heard[n][0] for n in names], [heard[n][1] for n in names]),
    )


def list_heard(conn: Connection) -> dict[str, FeedHeard]:
    """Every feed that was ever heard."""
    rows = conn.execute("SELECT feed, heard_at, messages FROM feed_heard").fetchall()
    return {row[0]: FeedHeard(*row) for row in rows}
