"""What an operator looks at when data stopped: feeds, workers, backlog, sizes, running sums."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import class_row

from city.errors import Unavailable
from db.ledger import REPLAY_WORKER
from db.pool import Connection, connect, first_line

# A batch is counted this long after it was written: by then its transaction has ended. One that
# takes longer is missing from the sums for /metrics, never from the ledger.
SETTLE = timedelta(seconds=20)


@contextmanager
def examining(url: str) -> Iterator[Connection]:
    """A connection to look at a database in any state: what it refuses is `Unavailable`, too."""
    with connect(url, application="gridwarden doctor") as conn:
        try:
            yield conn
        except psycopg.Error as error:
            raise Unavailable(f"database: {first_line(error)}") from error


@dataclass(frozen=True, slots=True)
class Server:
    """A database server: its versions, its edition, and what time it thinks it is."""

    version: str
    timescale: str | None  # None: the extension is missing
    licence: str | None
    now: datetime


def look_at_server(conn: Connection) -> Server:
    """What server this is; works before any migration."""
    with conn.cursor(row_factory=class_row(Server)) as cursor:
        found = cursor.execute(
            """
            SELECT current_setting('server_version') AS version,
                   (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale,
                   current_setting('timescaledb.license', true) AS licence,
                   clock_timestamp() AS now
            """
        ).fetchone()
    assert found is not None, "a SELECT without FROM gives one row"
    return found


@dataclass(frozen=True, slots=True)
class FeedFigures:
    """One wire format: the last hour in sums, the last day in how often it spoke.

    A lag is in seconds, None where it was not measured: `store` from receipt to commit,
    `sense` from measurement to receipt. `newest_at` is exact to the minute where `is_exact`
    is false.
    """

    feed: str
    received: int
    stored: int
    duplicate: int
    rejected: int
    without_values: int
    readings_stored: int
    newest_at: datetime
    is_exact: bool
    first_minute: datetime | None
    active_minutes: int
    store_lag_avg_s: float | None
    store_lag_max_s: float | None
    sense_lag_avg_s: float | None
    sense_lag_max_s: float | None


def list_feeds(conn: Connection, now: datetime) -> list[FeedFigures]:
    """Every feed that was ever heard of, by name."""
    with conn.cursor(row_factory=class_row(FeedFigures)) as cursor:
        return cursor.execute(
            """
            WITH minutes AS MATERIALIZED (
                SELECT feed, minute, sum(received)::bigint AS received,
                       sum(stored)::bigint AS stored, sum(duplicate)::bigint AS duplicate,
                       sum(rejected)::bigint AS rejected,
                       sum(without_values)::bigint AS without_values,
                       sum(readings_stored)::bigint AS readings_stored,
                       max(newest_at) AS newest_at,
                       sum(store_n) AS store_n, sum(store_s_sum) AS store_s_sum,
                       max(store_s_max) AS store_s_max,
                       sum(sense_n) AS sense_n, sum(sense_s_sum) AS sense_s_sum,
                       max(sense_s_max) AS sense_s_max
                FROM ingest_ledger WHERE minute >= %(day_ago)s GROUP BY feed, minute
            ), hour AS (
                SELECT feed, sum(received)::bigint AS received, sum(stored)::bigint AS stored,
                       sum(duplicate)::bigint AS duplicate, sum(rejected)::bigint AS rejected,
                       sum(without_values)::bigint AS without_values,
                       sum(readings_stored)::bigint AS readings_stored,
                       (sum(store_s_sum) / nullif(sum(store_n), 0))::float8 AS store_lag_avg_s,
                       max(store_s_max) AS store_lag_max_s,
                       (sum(sense_s_sum) / nullif(sum(sense_n), 0))::float8 AS sense_lag_avg_s,
                       max(sense_s_max) AS sense_lag_max_s
                FROM minutes WHERE minute >= %(hour_ago)s GROUP BY feed
            ), day AS (
                SELECT feed, max(minute) AS newest_minute, max(newest_at) AS newest_at,
                       min(minute) AS first_minute, count(*) AS active_minutes
                FROM minutes WHERE received > 0 GROUP BY feed
            )
            SELECT feed, coalesce(hour.received, 0) AS received,
                   coalesce(hour.stored, 0) AS stored, coalesce(hour.duplicate, 0) AS duplicate,
                   coalesce(hour.rejected, 0) AS rejected,
                   coalesce(hour.without_values, 0) AS without_values,
                   coalesce(hour.readings_stored, 0) AS readings_stored,
                   greatest(day.newest_minute, day.newest_at, total.newest_at) AS newest_at,
                   coalesce(greatest(day.newest_at, total.newest_at)
                            >= greatest(day.newest_minute, total.newest_at), false) AS is_exact,
                   day.first_minute, coalesce(day.active_minutes, 0) AS active_minutes,
                   hour.store_lag_avg_s, hour.store_lag_max_s, hour.sense_lag_avg_s,
                   hour.sense_lag_max_s
            FROM day FULL JOIN ingest_total AS total USING (feed) LEFT JOIN hour USING (feed)
            ORDER BY feed
            """,
            {
                "hour_ago": (now - timedelta(hours=1)).replace(second=0, microsecond=0),
                "day_ago": now - timedelta(days=1),
            },
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Worker:
    """An ingest worker that is expected to run: its last sign of life and its last batch."""

    worker: str
    seen_at: datetime
    last_at: datetime | None
    received: int  # messages of the last hour


def list_workers(conn: Connection, now: datetime) -> list[Worker]:
    """Workers that have not said good-bye, by name."""
    with conn.cursor(row_factory=class_row(Worker)) as cursor:
        return cursor.execute(
            """
            SELECT name AS worker, seen_at, batch.last_at, coalesce(batch.received, 0) AS received
            FROM ingest_worker LEFT JOIN (
                SELECT worker, max(committed_at) AS last_at,
                       sum(received) FILTER (WHERE committed_at >= %(hour_ago)s) AS received
                FROM ingest_batch
                WHERE committed_at >= %(day_ago)s AND received > 0
                GROUP BY worker
            ) AS batch ON batch.worker = name
            ORDER BY name
            """,
            {"hour_ago": now - timedelta(hours=1), "day_ago": now - timedelta(days=1)},
        ).fetchall()


def count_processes(conn: Connection) -> dict[str, int]:
    """How many connections each of our programs holds to this database."""
    rows = conn.execute(
        """
        SELECT application_name, count(*)
        FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user
        GROUP BY application_name
        """
    )
    return dict(rows.fetchall())


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """Bytes on the database server's disk."""

    total: int
    readings: int
    rejects: int
    ledger: int


def database_size(conn: Connection) -> DatabaseSize:
    """The whole database and the parts of it that grow."""
    with conn.cursor(row_factory=class_row(DatabaseSize)) as cursor:
        found = cursor.execute(
            """
            SELECT pg_database_size(current_database()) AS total,
                   coalesce(hypertable_size('reading'), 0) AS readings,
                   pg_total_relation_size('reject') AS rejects,
                   pg_total_relation_size('ingest_ledger')
                       + pg_total_relation_size('ingest_batch') AS ledger
            """
        ).fetchone()
    assert found is not None, "a SELECT without FROM has one row"
    return found


@dataclass(frozen=True, slots=True)
class FeedTotal:
    """Sums of a feed since the installation began; they only grow."""

    feed: str
    received: int
    stored: int
    duplicate: int
    rejected: int
    readings_stored: int
    newest_at: datetime
    store_n: int
    store_s_sum: float
    sense_n: int
    sense_s_sum: float


def add_totals(conn: Connection, now: datetime) -> None:
    """Take the batches committed since the last call into the sums. What a replay corrects in
    an old minute is left out, because a counter must not fall."""
    since = conn.execute("SELECT until FROM ingest_total_state FOR UPDATE").fetchone()
    until = now - SETTLE
    if since is None or since[0] >= until:
        return
    conn.execute(
        """
        INSERT INTO ingest_total AS total
            (feed, received, stored, duplicate, rejected, readings_stored, newest_at,
             store_n, store_s_sum, sense_n, sense_s_sum)
        SELECT feed, sum(ledger.received), sum(ledger.stored), sum(ledger.duplicate),
               sum(ledger.rejected), sum(ledger.readings_stored),
               max(coalesce(newest_at, least(received_to, minute + interval '1 minute'))),
               coalesce(sum(store_n), 0), coalesce(sum(store_s_sum), 0),
               coalesce(sum(sense_n), 0), coalesce(sum(sense_s_sum), 0)
        FROM ingest_batch AS batch JOIN ingest_ledger AS ledger ON batch_id = batch.id
        WHERE committed_at >= %(since)s AND committed_at < %(until)s
          AND worker <> %(replay)s AND ledger.received > 0
        GROUP BY feed
        ON CONFLICT (feed) DO UPDATE
        SET received = total.received + excluded.received,
            stored = total.stored + excluded.stored,
            duplicate = total.duplicate + excluded.duplicate,
            rejected = total.rejected + excluded.rejected,
            readings_stored = total.readings_stored + excluded.readings_stored,
            newest_at = greatest(total.newest_at, excluded.newest_at),
            store_n = total.store_n + excluded.store_n,
            store_s_sum = total.store_s_sum + excluded.store_s_sum,
            sense_n = total.sense_n + excluded.sense_n,
            sense_s_sum = total.sense_s_sum + excluded.sense_s_sum
        """,
        {"since": since[0], "until": until, "replay": REPLAY_WORKER},
    )
    conn.execute("UPDATE ingest_total_state SET until = %s", (until,))


def list_totals(conn: Connection) -> list[FeedTotal]:
    """The sums as they stand, by feed."""
    with conn.cursor(row_factory=class_row(FeedTotal)) as cursor:
        return cursor.execute(
            """
            SELECT feed, received, stored, duplicate, rejected, readings_stored, newest_at,
                   store_n, store_s_sum, sense_n, sense_s_sum
            FROM ingest_total ORDER BY feed
            """
        ).fetchall()
