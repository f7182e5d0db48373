"""The ingest accounts: every message is stored, a duplicate or rejected, and the sums agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row, dict_row

from city.ledger import Booked, LedgerEntry
from db.pool import Connection

# Readings carry no feed: their line stands for all.
ALL_FEEDS = "all"
# The setting that says since when readings and rejects are kept; before, nothing can be compared.
# `whole`: of minutes before, history that came late may have been dropped already.
KEPT_SINCE = "ledger.kept_since"
# The name under which a replay from quarantine is booked: how late it is says nothing of a feed.
REPLAY_WORKER = "replay"
NOT_MEASURED = dict.fromkeys(
    ("oldest_at", "newest_at", "received_s_sum", "sense_n", "sense_s_sum", "sense_s_max")
)


@dataclass(frozen=True, slots=True)
class LedgerLine(Booked):
    """What is booked of one feed and minute, and how late it was, in seconds: from receipt to
    commit (`store_lag`), from measurement to receipt (`sense_lag`)."""

    store_lag_avg_s: float | None
    store_lag_max_s: float | None
    sense_lag_avg_s: float | None
    sense_lag_max_s: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """What a batch hands over to the evaluation of one district: its new readings, packed."""

    district: str
    readings: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch about to be committed, and what it hands over, district by district."""

    worker: str
    received_from: datetime
    received_to: datetime
    work: Sequence[Work] = ()


def insert_batch(
    conn: Connection, batch: NewBatch, entries: Sequence[LedgerEntry], now: datetime
) -> int:
    """Write the batch and its ledger entries; a batch without readings counts as evaluated.

    One row for each district. The first one is the batch in the books, the others are work alone.
    """
    first = batch.work[0] if batch.work else Work("", 0, b"")
    row = conn.execute(
        """
        INSERT INTO ingest_batch
            (worker, received_from, received_to, received, stored, duplicate, rejected,
             readings_stored, payload, district, evaluated_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING id
        """,
        (
            batch.worker,
            batch.received_from,
            batch.received_to,
            sum(entry.received for entry in entries),
            sum(entry.stored for entry in entries),
            sum(entry.duplicate for entry in entries),
            sum(entry.rejected for entry in entries),
            first.readings,
            first.payload or None,
            first.district,
            None if first.payload else now,
        ),
    ).fetchone()
    assert row is not None, "INSERT RETURNING gives the row"
    _insert_work(conn, batch, batch.work[1:])
    is_replay = batch.worker == REPLAY_WORKER
    _insert_entries(conn, row[0], entries, NOT_MEASURED if is_replay else {})
    return int(row[0])


def _insert_work(conn: Connection, batch: NewBatch, rest: Sequence[Work]) -> None:
    if not rest:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ingest_batch
                (worker, received_from, received_to, received, stored, duplicate, rejected,
                 readings_stored, payload, district)
            VALUES (%s, %s, %s, 0, 0, 0, 0, %s, %s, %s)
            """,
            [
                (batch.worker, batch.received_from, batch.received_to, w.readings, w.payload,
                 w.district)
                for w in rest
            ],
        )  # fmt: skip


def _insert_entries(
    conn: Connection, batch_id: int, entries: Sequence[LedgerEntry], instead: Mapping[str, None]
) -> None:
    """The clock is read here, as close to the commit as can be: waiting is measured up to it."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ingest_ledger
                (batch_id, feed, minute, received, stored, duplicate, rejected, without_values,
                 readings_stored, readings_duplicate, newest_at, sense_n, sense_s_sum,
                 sense_s_max, store_n, store_s_sum, store_s_max)
            VALUES (%(batch)s, %(feed)s, %(minute)s, %(received)s, %(stored)s, %(duplicate)s,
                    %(rejected)s, %(without_values)s, %(readings_stored)s,
                    %(readings_duplicate)s, %(newest_at)s, %(sense_n)s, %(sense_s_sum)s,
                    %(sense_s_max)s,
                    CASE WHEN %(received_s_sum)s::float8 IS NOT NULL THEN %(received)s END,
                    %(received)s * extract(epoch FROM clock_timestamp()
                        - %(minute)s::timestamptz)::float8 - %(received_s_sum)s::float8,
                    extract(epoch FROM clock_timestamp() - %(oldest_at)s::timestamptz)::float8)
            """,
            [asdict(entry) | {"batch": batch_id, **instead} for entry in entries],
        )


@dataclass(frozen=True, slots=True)
class Imbalance:
    """A minute whose accounts do not agree with each other or with what is stored."""

    feed: str
    minute: datetime
    what: str  # messages, readings, rejects
    expected: int
    found: int

    def __str__(self) -> str:
        when = f"{self.minute:%Y-%m-%dT%H:%MZ}"
        return f"{when} {self.feed}: {self.what}: ledger {self.expected}, found {self.found}"


def verify(conn: Connection, from_: datetime, to: datetime) -> list[Imbalance]:
    """Minutes that do not balance: messages and rejects by feed, readings over all feeds.

    One statement, hence one moment: it holds while ingest goes on storing.
    """
    with conn.cursor(row_factory=class_row(Imbalance)) as cursor:
        return cursor.execute(
            """
            WITH kept_since AS (
                SELECT max((value->>'reading')::timestamptz) AS reading,
                       max((value->>'whole')::timestamptz) AS whole,
                       max((value->>'reject')::timestamptz) AS reject
                FROM setting WHERE district = '' AND key = %(kept_since)s
            ), kept AS (
                SELECT feed, minute, sum(received)::bigint AS received,
                       sum(stored + duplicate + rejected)::bigint AS accounted,
                       sum(rejected)::bigint AS rejected, sum(readings_stored)::bigint AS readings
                FROM ingest_ledger
                WHERE minute >= %(from)s AND minute < %(to)s
                GROUP BY feed, minute
            ), refused AS (
                SELECT format AS feed, date_trunc('minute', received_at) AS minute,
                       count(*) AS rejected
                FROM reject
                WHERE whole_message AND replayed_at IS NULL
                  AND received_at >= %(from)s AND received_at < %(to)s
                GROUP BY 1, 2
                UNION ALL
                SELECT format, minute, counted FROM reject_minute
                WHERE counted > 0 AND minute >= %(from)s AND minute < %(to)s
            ), quarantined AS (
                SELECT feed, minute, sum(rejected)::bigint AS rejected
                FROM refused GROUP BY feed, minute
            ), booked AS (
                SELECT minute, sum(readings)::bigint AS readings FROM kept GROUP BY minute
            ), seen AS (
                SELECT date_trunc('minute', received_at) AS minute, count(*) AS readings
                FROM reading
                WHERE received_at >= %(from)s AND received_at < %(to)s
                GROUP BY 1
            ), compared AS (
                SELECT feed, minute, 'messages' AS what, received AS expected, accounted AS found
                FROM kept
                UNION ALL
                SELECT feed, minute, 'rejects', coalesce(kept.rejected, 0),
                       coalesce(quarantined.rejected, 0)
                FROM kept FULL JOIN quarantined USING (feed, minute), kept_since
                WHERE minute >= coalesce(kept_since.reject, '-infinity')
                UNION ALL
                SELECT %(all)s, minute, 'readings', coalesce(booked.readings, 0),
                       coalesce(seen.readings, 0)
                FROM booked FULL JOIN seen USING (minute), kept_since
                WHERE minute >= coalesce(kept_since.reading, '-infinity')
                  AND (minute >= coalesce(kept_since.whole, '-infinity')
                       OR coalesce(seen.readings, 0) > coalesce(booked.readings, 0))
            )
            SELECT * FROM compared WHERE expected <> found ORDER BY minute, feed, what
            """,
            {
                "from": floor_minute(from_),
                "to": _ceil_minute(to),
                "all": ALL_FEEDS,
                "kept_since": KEPT_SINCE,
            },
        ).fetchall()


def totals(conn: Connection, from_: datetime, to: datetime) -> list[dict[str, Any]]:
    """Sums by feed over a range of minutes."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT feed, sum(received)::bigint AS received,
                   sum(stored)::bigint AS stored,
                   sum(duplicate)::bigint AS duplicate, sum(rejected)::bigint AS rejected,
                   sum(without_values)::bigint AS without_values,
                   sum(readings_stored)::bigint AS readings_stored,
                   sum(readings_duplicate)::bigint AS readings_duplicate
            FROM ingest_ledger
            WHERE minute >= %s AND minute < %s
            GROUP BY feed ORDER BY feed
            """,
            (floor_minute(from_), to),
        ).fetchall()


def count_received(conn: Connection, after: datetime, to: datetime) -> int:
    """Messages committed after `after` and up to `to`; where batches were folded, by the hour."""
    row = conn.execute(
        """
        SELECT coalesce(sum(received), 0)::bigint FROM ingest_batch
        WHERE committed_at > %s AND committed_at <= %s
        """,
        (after, to),
    ).fetchone()
    assert row is not None, "an aggregate has one row"
    return int(row[0])


def list_entries(
    conn: Connection,
    from_: datetime,
    to: datetime,
    *,
    feed: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 1000,
) -> list[LedgerLine]:
    """One line per feed and minute, newest first, from `after` (minute, feed) on."""
    after_minute, after_feed = after or (None, None)
    with conn.cursor(row_factory=class_row(LedgerLine)) as cursor:
        return cursor.execute(
            """
            SELECT feed, minute, sum(received)::bigint AS received,
                   sum(stored)::bigint AS stored,
                   sum(duplicate)::bigint AS duplicate, sum(rejected)::bigint AS rejected,
                   sum(without_values)::bigint AS without_values,
                   sum(readings_stored)::bigint AS readings_stored,
                   sum(readings_duplicate)::bigint AS readings_duplicate,
                   sum(store_s_sum) / nullif(sum(store_n), 0) AS store_lag_avg_s,
                   max(store_s_max) AS store_lag_max_s,
                   sum(sense_s_sum) / nullif(sum(sense_n), 0) AS sense_lag_avg_s,
                   max(sense_s_max) AS sense_lag_max_s
            FROM ingest_ledger
            WHERE minute >= %(from)s AND minute < %(to)s
              AND (%(feed)s::text IS NULL OR feed = %(feed)s)
              AND (%(after_minute)s::timestamptz IS NULL OR minute < %(after_minute)s
                   OR (minute = %(after_minute)s AND feed > %(after_feed)s))
            GROUP BY feed, minute
            ORDER BY minute DESC, feed
            LIMIT %(limit)s
            """,
            {
                "from": floor_minute(from_), "to": to, "feed": feed, "limit": limit,
                "after_minute": after_minute, "after_feed": after_feed,
            },
        ).fetchall()  # fmt: skip


def fold_batches(conn: Connection, before: datetime) -> int:
    """Replace evaluated batches by one a worker and hour; returns how many rows went.

    A busy worker commits forty batches a second. The sums per feed and minute stay; what is
    given up is which batch brought a message.
    """
    return conn.execute(
        """
        WITH old AS (
            SELECT id, worker, date_trunc('hour', received_from) AS hour
            FROM ingest_batch
            WHERE evaluated_at IS NOT NULL AND payload IS NULL AND committed_at < %s
        ), busy AS (
            SELECT worker, hour FROM old GROUP BY worker, hour HAVING count(*) > 1
        ), folded AS (
            INSERT INTO ingest_batch (worker, received_from, received_to, committed_at, received,
                                      stored, duplicate, rejected, readings_stored, evaluated_at)
            SELECT old.worker, min(received_from), max(received_to), max(committed_at),
                   sum(received), sum(stored), sum(duplicate), sum(rejected),
                   sum(readings_stored), max(evaluated_at)
            FROM old JOIN busy USING (worker, hour) JOIN ingest_batch AS batch ON batch.id = old.id
            GROUP BY old.worker, hour
            RETURNING id, worker, date_trunc('hour', received_from) AS hour
        ), entries AS (
            INSERT INTO ingest_ledger (batch_id, feed, minute, received, stored, duplicate,
                                       rejected, without_values, readings_stored,
                                       readings_duplicate, newest_at, store_n, store_s_sum,
                                       store_s_max, sense_n, sense_s_sum, sense_s_max)
            SELECT folded.id, feed, minute, sum(received), sum(stored), sum(duplicate),
                   sum(rejected), sum(without_values), sum(readings_stored),
                   sum(readings_duplicate), max(newest_at), sum(store_n), sum(store_s_sum),
                   max(store_s_max), sum(sense_n), sum(sense_s_sum), max(sense_s_max)
            FROM folded JOIN old USING (worker, hour) JOIN ingest_ledger ON batch_id = old.id
            GROUP BY folded.id, feed, minute
        )
        DELETE FROM ingest_batch USING old JOIN busy USING (worker, hour)
        WHERE ingest_batch.id = old.id
        """,
        (before,),
    ).rowcount


def floor_minute(moment: datetime) -> datetime:
    """The start of the minute."""
    return moment.replace(second=0, microsecond=0)


def _ceil_minute(moment: datetime) -> datetime:
    floor = floor_minute(moment)
    return floor if floor == moment else floor + timedelta(minutes=1)
