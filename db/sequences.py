"""Numbers that senders give their messages: as they came, how far they were followed, and which
are missing."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.losses import Gap
from city.sequence import FEEDS, RADIO_FEEDS, SequenceTotal, StoredGap
from columns.numbers import NUMBER_DTYPE, SOURCE_DTYPE, Numbers, Sources
from db.pool import Connection

# Devices that share a row of `sequence_state`.
CHUNK = 4096
# Where everything lies that is no device.
NAMED_CHUNK = -1
# Batches followed at once: at forty a second eight seconds of them, some 100 MB while at it.
BATCHES_AT_ONCE = 300
# Only one process follows at a time.
FOLLOW_LOCK = 0x6772_6971
# Gaps listed for one source or range at most.
GAPS_MAX = 100_000
# A way that loses now and then is looked at over a day; what should not be lost is remembered.
KEEP_USUAL, KEEP_GAPS = timedelta(days=2), timedelta(days=90)
# Numbers that nobody followed for so long (no scheduler) are given up.
KEEP_BATCHES = timedelta(days=1)


def pack(rows: NDArray[np.void]) -> bytes:
    """Column by column, because that compresses to a tenth."""
    columns = b"".join(rows[name].tobytes() for name in rows.dtype.names or ())
    return zlib.compress(columns, 1)


def unpack(packed: bytes, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """The rows again."""
    columns = zlib.decompress(packed)
    count, at = len(columns) // dtype.itemsize, 0
    rows = np.empty(count, dtype)
    for name in dtype.names or ():
        rows[name] = np.frombuffer(columns, dtype[name], count, at)
        at += count * dtype[name].itemsize
    return rows


def insert_numbers(conn: Connection, numbers: Numbers, names: Sequence[str]) -> None:
    """Leave the numbers of a batch to be followed: one row, however many messages."""
    if len(numbers):
        conn.execute(
            "INSERT INTO sequence_batch (numbers, names) VALUES (%s, %s)",
            (pack(numbers), list(names) or None),
        )


def claim_numbers(conn: Connection) -> tuple[Numbers, set[str]] | None:
    """What was not followed yet, with the names in it; None if somebody else is at it. They are
    gone with the caller's transaction."""
    row = conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (FOLLOW_LOCK,)).fetchone()
    if row is None or not row[0]:
        return None
    rows = conn.execute(
        """
        DELETE FROM sequence_batch WHERE id IN (
            SELECT id FROM sequence_batch ORDER BY id LIMIT %s)
        RETURNING numbers, names
        """,
        (BATCHES_AT_ONCE,),
    ).fetchall()
    numbers = [unpack(packed, NUMBER_DTYPE) for packed, _ in rows]
    names = {name for _, listed in rows for name in listed or ()}
    return np.concatenate([np.empty(0, NUMBER_DTYPE), *numbers]), names


def load_sources(conn: Connection, sources: NDArray[np.int64]) -> Sources:
    """All sources of the chunks that these are in, in order."""
    chunks = np.unique(_chunks(sources)).tolist()
    rows = conn.execute(
        "SELECT sources FROM sequence_state WHERE chunk = ANY(%s)", (chunks,)
    ).fetchall()
    found = [unpack(packed, SOURCE_DTYPE) for (packed,) in rows]
    known = np.concatenate([np.empty(0, SOURCE_DTYPE), *found])
    return known[np.argsort(known["source"], kind="stable")]


def save_sources(conn: Connection, sources: Sources, summary: Mapping[int, Any]) -> None:
    """Write them, each chunk as a whole; `summary` by chunk."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO sequence_state (chunk, sources, summary) VALUES (%s, %s, %s)
            ON CONFLICT (chunk) DO UPDATE
            SET sources = excluded.sources, summary = excluded.summary
            """,
            [
                (chunk, pack(rows), Jsonb(summary[chunk]))
                for chunk, rows in by_chunk(sources).items()
            ],
        )


def by_chunk(sources: Sources) -> dict[int, Sources]:
    """The rows that they are stored in."""
    chunks = _chunks(sources["source"])
    return {chunk: sources[chunks == chunk] for chunk in np.unique(chunks).tolist()}


def _chunks(sources: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(sources < 0, NAMED_CHUNK, sources // CHUNK)


def list_summaries(conn: Connection) -> list[dict[str, Any]]:
    """What every chunk says of its sources."""
    rows = conn.execute("SELECT summary FROM sequence_state ORDER BY chunk").fetchall()
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class GatewayShare:
    """A gateway, and the share of their messages that the devices lose which it hears."""

    gateway: str
    feed: str
    devices: int
    share: float


def list_gateway_shares(conn: Connection, now: datetime, limit: int) -> list[GatewayShare]:
    """Gateways behind which most is lost, by the last thousand messages of each device that was
    heard through them within a day. A device that several hear counts for each."""
    rows = conn.execute(
        "SELECT sources FROM sequence_state WHERE summary->'feeds' ?| %s", (list(RADIO_FEEDS),)
    ).fetchall()
    packed = [unpack(sources, SOURCE_DTYPE) for (sources,) in rows]
    sources = np.concatenate([np.empty(0, SOURCE_DTYPE), *packed])
    sources = sources[np.isin(sources["feed"], [FEEDS.index(feed) for feed in RADIO_FEEDS])]
    with conn.cursor(row_factory=class_row(GatewayShare)) as cursor:
        return cursor.execute(
            """
            SELECT g.identity AS gateway, g.format AS feed, count(*) AS devices,
                   (sum(lost) / nullif(sum(lost) + sum(seen), 0))::float8 AS share
            FROM unnest(%s::bigint[], %s::float8[], %s::float8[]) AS said (source, seen, lost)
            JOIN device_gateway pair ON pair.device_id = said.source AND pair.heard_at > %s
            JOIN gateway g ON g.id = pair.gateway_id AND g.kind <> 'network_server'
            GROUP BY g.id HAVING sum(lost) >= 1
            ORDER BY share DESC, gateway LIMIT %s
            """,
            (
                sources["source"].tolist(), sources["seen"].tolist(), sources["lost"].tolist(),
                now - timedelta(days=1), limit,
            ),
        ).fetchall()  # fmt: skip


def insert_names(conn: Connection, names: Mapping[int, str]) -> None:
    """What sources that are no devices are called."""
    conn.execute(
        """
        INSERT INTO sequence_name (source, name)
        SELECT * FROM unnest(%s::bigint[], %s::text[]) ON CONFLICT (source) DO NOTHING
        """,
        (list(names), list(names.values())),
    )


def find_names(conn: Connection, sources: Iterable[int]) -> dict[int, str]:
    """Codes of devices and names of what is none; who is gone has no name."""
    rows = conn.execute(
        """
        SELECT id::bigint, code FROM device WHERE id = ANY(%(sources)s::bigint[])
        UNION ALL
        SELECT source, name FROM sequence_name WHERE source = ANY(%(sources)s::bigint[])
        """,
        {"sources": sorted(set(sources))},
    ).fetchall()
    return dict(rows)


def find_gaps(conn: Connection, sources: Sequence[int]) -> list[StoredGap]:
    """Gaps of these sources that a late message may still close, newest first."""
    with conn.cursor(row_factory=class_row(StoredGap)) as cursor:
        return cursor.execute(
            """
            SELECT id, source, feed, epoch, first, last, after_at, before_at, usual
            FROM sequence_gap WHERE source = ANY(%s) ORDER BY id DESC LIMIT %s
            """,
            (list(sources), GAPS_MAX),
        ).fetchall()


def replace_gaps(
    conn: Connection, gone: Sequence[int], gaps: Sequence[StoredGap], now: datetime
) -> None:
    """Take these out and put those in, found `now`."""
    conn.execute("DELETE FROM sequence_gap WHERE id = ANY(%s)", (list(gone),))
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO sequence_gap
                (source, feed, epoch, first, last, after_at, before_at, usual, found_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (g.source, g.feed, g.epoch, g.first, g.last, g.after_at, g.before_at, g.usual, now)
                for g in gaps
            ],
        )


def list_gaps(conn: Connection, from_: datetime, to: datetime, *, usual: bool) -> list[Gap]:
    """Gaps that ended from `from_` to `to`, oldest first; of too many the newest."""
    with conn.cursor(row_factory=class_row(Gap)) as cursor:
        return cursor.execute(
            """
            SELECT source, feed, (last - first + 1) AS missing, after_at, before_at
            FROM (
                SELECT * FROM sequence_gap
                WHERE before_at >= %s AND before_at < %s AND usual = %s
                ORDER BY before_at DESC LIMIT %s) AS newest
            ORDER BY before_at
            """,
            (from_, to, usual, GAPS_MAX),
        ).fetchall()


def add_totals(conn: Connection, totals: Iterable[SequenceTotal]) -> None:
    """Add what was followed."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO sequence_total AS total (feed, followed, missing, late, restarts)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (feed) DO UPDATE
            SET followed = total.followed + excluded.followed,
                missing = total.missing + excluded.missing,
                late = total.late + excluded.late,
                restarts = total.restarts + excluded.restarts
            """,
            [(t.feed, t.followed, t.missing, t.late, t.restarts) for t in totals],
        )


def list_totals(conn: Connection) -> list[SequenceTotal]:
    """The sums as they stand, by feed."""
    with conn.cursor(row_factory=class_row(SequenceTotal)) as cursor:
        return cursor.execute(
            "SELECT feed, followed, missing, late, restarts FROM sequence_total ORDER BY feed"
        ).fetchall()


def forget(conn: Connection, now: datetime) -> None:
    """Gaps too old for anybody, and numbers that nobody followed."""
    conn.execute(
        "DELETE FROM sequence_gap WHERE before_at < %s OR (usual AND before_at < %s)",
        (now - KEEP_GAPS, now - KEEP_USUAL),
    )
    conn.execute("DELETE FROM sequence_batch WHERE stored_at < %s", (now - KEEP_BATCHES,))
