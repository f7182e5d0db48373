"""Roll-ups of readings by minute and hour, and what is thrown away when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from db import squad_positions
from db.editions import edition_of, has_background_workers
from db.ledger import KEPT_SINCE
from db.pool import Connection
from db.reject_counts import drop_rejects

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept. Readings: a year to compare with and a month to spare."""

    readings: timedelta = timedelta(days=400)
    # How old a reading may be when it comes (`wire.quality.HISTORY_LIMIT`).
    history: timedelta = timedelta(days=370)
    minutes: timedelta = timedelta(days=1100)  # three years
    hours: timedelta = timedelta(days=3660)  # ten years
    rejects: timedelta = timedelta(days=90)  # time to find the fault and replay


KEEP = Retention()


def refresh(conn: Connection, now: datetime, keep: Retention = KEEP) -> int:
    """Bring the roll-ups up to the last full minute; how many minutes were made (again).

    Readings that came late for an old minute make that minute, and its hour, again. Community
    servers do this by themselves; one without background workers is refreshed by hand. The
    connection must be in autocommit, for such a refresh must not run inside a transaction.
    """
    if edition_of(conn) == "community":
        return 0 if has_background_workers(conn) else _refresh_aggregates(conn, now, keep)
    with conn.transaction():
        return _make_due(conn, now.replace(second=0, microsecond=0), now - keep.readings)


def _make_due(conn: Connection, until: datetime, oldest: datetime) -> int:
    minutes = [m for m in _take_due(conn, until) if m >= oldest]
    for start, end in _spans(minutes, MINUTE):
        _make_minutes(conn, start, end)
    for start, end in _spans(_hours_to_make(conn, minutes, until), HOUR):
        _make_hours(conn, start, end)
    _set_until(conn, "reading_1m", until)
    _set_until(conn, "reading_1h", until.replace(minute=0))
    return len(minutes)


def mark_due(conn: Connection, from_: datetime, to: datetime) -> None:
    """Have the roll-ups of a range made again, after readings were loaded by other ways."""
    conn.execute(
        """
        INSERT INTO rollup_due (minute)
        SELECT DISTINCT time_bucket('1 minute', ts) FROM reading
        WHERE ts >= %s AND ts < %s AND current_setting('timescaledb.license') <> 'timescale'
        """,
        (from_, to),
    )


def insert_due(conn: Connection, minutes: Iterable[datetime]) -> None:
    """Note minutes that got readings, for the edition whose roll-ups we make. Rows are only ever
    added here, never shared: a row that the refreshing transaction sees was committed together
    with its readings."""
    conn.execute(
        """
        INSERT INTO rollup_due (minute)
        SELECT minute FROM unnest(%s::timestamptz[]) AS due (minute)
        WHERE current_setting('timescaledb.license') <> 'timescale'
        """,
        (list(minutes),),
    )


def drop_old(conn: Connection, now: datetime, keep: Retention = KEEP) -> None:
    """Drop chunks and rejects that are older than what is kept, and note for the ledger that
    earlier minutes can no longer be compared."""
    relations = {"reading": keep.readings, "reading_1m": keep.minutes, "reading_1h": keep.hours}
    stored = "" if edition_of(conn) == "community" else "_stored"
    for relation, age in relations.items():
        name = relation if relation == "reading" else relation + stored
        conn.execute("SELECT drop_chunks(%s::regclass, %s::timestamptz)", (name, now - age))
    if not stored:  # left from before the server became one that makes roll-ups by itself
        conn.execute("DELETE FROM rollup_due")
    drop_rejects(conn, now - keep.rejects)
    squad_positions.forget(conn, now - keep.readings)
    conn.execute(
        """
        INSERT INTO setting (district, key, value, updated_at)
        VALUES ('', %(key)s, %(since)s, %(now)s)
        ON CONFLICT (district, key) DO UPDATE
        SET value = excluded.value, updated_at = excluded.updated_at
        """,
        {
            "key": KEPT_SINCE,
            "since": Jsonb(
                {
                    "reading": (now - keep.readings).isoformat(),
                    "whole": (now - keep.readings + keep.history).isoformat(),
                    "reject": (now - keep.rejects).isoformat(),
                }
            ),
            "now": now,
        },
    )


def _take_due(conn: Connection, until: datetime) -> list[datetime]:
    rows = conn.execute(
        "WITH taken AS (DELETE FROM rollup_due WHERE minute < %s RETURNING minute)"
        " SELECT DISTINCT minute FROM taken ORDER BY minute",
        (until,),
    )
    return [row[0] for row in rows]


def _spans(moments: Iterable[datetime], step: timedelta) -> list[tuple[datetime, datetime]]:
    """Neighbouring minutes or hours joined into ranges, the end excluded."""
    spans: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        if spans and spans[-1][1] == moment:
            spans[-1] = (spans[-1][0], moment + step)
        else:
            spans.append((moment, moment + step))
    return spans


def _make_minutes(conn: Connection, start: datetime, end: datetime) -> None:
    conn.execute(
        """
        INSERT INTO reading_1m_stored AS stored (bucket, device_id, metric_id, min, max, avg, n)
        SELECT time_bucket('1 minute', ts), device_id, metric_id,
               min(value), max(value), avg(value), count(*)
        FROM reading
        WHERE ts >= %s AND ts < %s
        GROUP BY 1, 2, 3
        ON CONFLICT (device_id, metric_id, bucket) DO UPDATE
        SET min = excluded.min, max = excluded.max, avg = excluded.avg, n = excluded.n
        WHERE stored.n <> excluded.n
        """,
        (start, end),
    )


def _make_hours(conn: Connection, start: datetime, end: datetime) -> None:
    conn.execute(
        """
        INSERT INTO reading_1h_stored AS stored (bucket, device_id, metric_id, min, max, avg, n)
        SELECT time_bucket('1 hour', bucket), device_id, metric_id,
               min(min), max(max), sum(avg * n) / sum(n), sum(n)::bigint
        FROM reading_1m_stored
        WHERE bucket >= %s AND bucket < %s
        GROUP BY 1, 2, 3
        ON CONFLICT (device_id, metric_id, bucket) DO UPDATE
        SET min = excluded.min, max = excluded.max, avg = excluded.avg, n = excluded.n
        WHERE stored.n <> excluded.n
        """,
        (start, end),
    )


def _hours_to_make(conn: Connection, minutes: Iterable[datetime], until: datetime) -> set[datetime]:
    """Full hours only: those that closed since the last refresh, and those that changed since."""
    closed = conn.execute(
        """
        SELECT DISTINCT time_bucket('1 hour', bucket)
        FROM reading_1m_stored
        WHERE bucket >= rollup_until('reading_1h') AND bucket < date_trunc('hour', %s::timestamptz)
        """,
        (until,),
    )
    changed = {minute.replace(minute=0) for minute in minutes}
    return {row[0] for row in closed} | {h for h in changed if h < until.replace(minute=0)}


def _set_until(conn: Connection, name: str, until: datetime) -> None:
    conn.execute(
        "UPDATE rollup_state SET until = %s WHERE name = %s AND until < %s", (until, name, until)
    )


def _refresh_aggregates(conn: Connection, now: datetime, keep: Retention) -> int:
    # Takes its range as literals of the call.
    oldest = now - keep.readings + timedelta(days=1)
    conn.execute(
        "CALL refresh_continuous_aggregate('reading_1m', %s::timestamptz, %s::timestamptz)",
        (oldest, now.replace(second=0, microsecond=0)),
    )
    conn.execute(
        "CALL refresh_continuous_aggregate('reading_1h', %s::timestamptz, %s::timestamptz)",
        (oldest + timedelta(days=1), now.replace(minute=0, second=0, microsecond=0)),
    )
    return 0
