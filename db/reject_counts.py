"""The quarantine as a whole: who is refused why and how often, and what is given up of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from psycopg.rows import class_row

from db.pool import Connection
from db.reject_limits import LIMITS, ROW_BYTES, Limits
from db.rejects import EVERY, Which

# Hours of the trend, the present one included.
TREND_HOURS = 24
# Accounts of minutes in which everything was kept are needed for the limit of the hour only.
SETTLED = timedelta(hours=2)


@dataclass(slots=True)
class RejectCount:
    """Refused messages of one format, reason and device, or of all its devices together.

    `waiting` are kept and not replayed; of these `replayable` are kept whole. `counted` were
    too many to keep. `hours` are the last 24 of both, the present one last.
    """

    format: str
    device: str
    reason: str
    devices: int
    waiting: int
    replayable: int
    counted: int
    oldest_at: datetime
    newest_at: datetime
    hours: list[int] = field(default_factory=list)


def count_rejects(
    conn: Connection,
    now: datetime,
    which: Which = EVERY,
    *,
    by_device: bool = True,
    limit: int = 200,
) -> list[RejectCount]:
    """Groups with most messages first."""
    with conn.cursor(row_factory=class_row(RejectCount)) as cursor:
        counts = cursor.execute(
            """
            WITH kept AS (
                SELECT format, device, reason, count(*) AS waiting,
                       count(*) FILTER (WHERE octet_length(raw) = raw_size) AS replayable,
                       0::bigint AS counted, min(received_at) AS oldest_at,
                       max(received_at) AS newest_at
                FROM reject
                WHERE replayed_at IS NULL
                  AND (%(format)s::text IS NULL OR format = %(format)s)
                  AND (%(device)s::text IS NULL OR device = %(device)s)
                  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
                  AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
                GROUP BY format, device, reason
            ), flood AS (
                SELECT format, device, reason, 0::bigint, 0::bigint, sum(counted)::bigint,
                       min(hour), max(newest_at)
                FROM reject_flood
                WHERE (%(format)s::text IS NULL OR format = %(format)s)
                  AND (%(device)s::text IS NULL OR device = %(device)s)
                  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
                  AND (%(since)s::timestamptz IS NULL OR newest_at >= %(since)s)
                GROUP BY format, device, reason
            ), both_kinds AS (SELECT * FROM kept UNION ALL SELECT * FROM flood)
            SELECT format, CASE WHEN %(by_device)s THEN device ELSE '' END AS device, reason,
                   count(DISTINCT nullif(device, '')) AS devices,
                   sum(waiting)::bigint AS waiting, sum(replayable)::bigint AS replayable,
                   sum(counted)::bigint AS counted, min(oldest_at) AS oldest_at,
                   max(newest_at) AS newest_at
            FROM both_kinds
            GROUP BY 1, 2, 3
            ORDER BY sum(waiting) + sum(counted) DESC, max(newest_at) DESC, 1, 2, 3
            LIMIT %(limit)s
            """,
            which.as_parameters() | {"by_device": by_device, "limit": limit},
        ).fetchall()
    _add_trend(conn, counts, now, by_device)
    return counts


def _add_trend(
    conn: Connection, counts: Iterable[RejectCount], now: datetime, by_device: bool
) -> None:
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=TREND_HOURS - 1)
    groups = {(count.format, count.device, count.reason): count for count in counts}
    for count in groups.values():
        count.hours = [0] * TREND_HOURS
    rows = conn.execute(
        """
        WITH arrived AS (
            SELECT format, device, reason, date_trunc('hour', received_at) AS hour,
                   count(*) AS messages
            FROM reject WHERE received_at >= %(first)s AND replayed_at IS NULL GROUP BY 1, 2, 3, 4
            UNION ALL
            SELECT format, device, reason, hour, counted FROM reject_flood WHERE hour >= %(first)s
        )
        SELECT format, CASE WHEN %(by_device)s THEN device ELSE '' END, reason, hour,
               sum(messages)::bigint
        FROM arrived GROUP BY 1, 2, 3, 4
        """,
        {"first": first, "by_device": by_device},
    )
    for format_, device, reason, hour, messages in rows:
        group = groups.get((format_, device, reason))
        place = int((hour - first) / timedelta(hours=1))
        if group is not None and place < TREND_HOURS:
            group.hours[place] += messages


@dataclass(frozen=True, slots=True)
class QuarantineSize:
    """What waits, what was only counted, and what the kept rows take up."""

    waiting: int
    counted: int
    newest_at: datetime | None
    last_hour: int
    bytes: int


def quarantine_size(conn: Connection, now: datetime) -> QuarantineSize:
    """The headline of the quarantine."""
    with conn.cursor(row_factory=class_row(QuarantineSize)) as cursor:
        found = cursor.execute(
            """
            SELECT kept.waiting, kept.newest_at, flood.counted,
                   kept.last_hour + flood.last_hour AS last_hour,
                   pg_total_relation_size('reject') AS bytes
            FROM (SELECT count(*) AS waiting, max(received_at) AS newest_at,
                         count(*) FILTER (WHERE received_at >= %(hour_ago)s) AS last_hour
                  FROM reject WHERE replayed_at IS NULL) kept,
                 (SELECT coalesce(sum(counted), 0)::bigint AS counted,
                         coalesce(sum(counted) FILTER (WHERE newest_at >= %(hour_ago)s), 0)::bigint
                             AS last_hour
                  FROM reject_flood) flood
            """,
            {"hour_ago": now - timedelta(hours=1)},
        ).fetchone()
    assert found is not None, "an aggregate has one row"
    return found


def trim_rejects(conn: Connection, now: datetime, limits: Limits = LIMITS) -> int:
    """Give up the oldest rows beyond the limit of the whole quarantine; they are counted from
    then on. Returns how many went."""
    conn.execute("DELETE FROM reject_minute WHERE counted = 0 AND minute < %s", (now - SETTLED,))
    if not _may_be_full(conn, limits):
        return 0
    newest = _newest_to_give_up(conn, limits)
    return 0 if newest is None else _give_up(conn, newest)


def _may_be_full(conn: Connection, limits: Limits) -> bool:
    """A guess that costs nothing: what the files hold is never less than the rows in them."""
    row = conn.execute(
        "SELECT pg_total_relation_size('reject'), (SELECT max(id) - min(id) + 1 FROM reject)"
    ).fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    return row[0] > limits.total_bytes or (row[1] or 0) > limits.total_rows


def _newest_to_give_up(conn: Connection, limits: Limits) -> int | None:
    row = conn.execute(
        """
        SELECT max(id) FROM (
            SELECT id, row_number() OVER newest AS rows,
                   sum(octet_length(raw) + octet_length(topic) + octet_length(device)
                       + octet_length(detail) + %(row_bytes)s) OVER newest AS bytes
            FROM reject
            WINDOW newest AS (ORDER BY id DESC ROWS UNBOUNDED PRECEDING)
        ) AS kept
        WHERE rows > %(total_rows)s OR bytes > %(total_bytes)s
        """,
        {
            "row_bytes": ROW_BYTES,
            "total_rows": limits.total_rows,
            "total_bytes": limits.total_bytes,
        },
    ).fetchone()
    return row[0] if row else None


def _give_up(conn: Connection, newest: int) -> int:
    """Rows that somebody is replaying at this moment stay until next time."""
    rows = conn.execute(
        """
        WITH chosen AS (
            SELECT id FROM reject WHERE id <= %s FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM reject USING chosen WHERE reject.id = chosen.id
            RETURNING received_at, format, device, reason, raw_size, whole_message, replayed_at
        ), counted AS (
            INSERT INTO reject_minute (minute, format, counted)
            SELECT date_trunc('minute', received_at), format, count(*)
            FROM gone WHERE replayed_at IS NULL AND whole_message
            GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (minute, format) DO UPDATE
            SET counted = reject_minute.counted + excluded.counted
        ), flood AS (
            INSERT INTO reject_flood (hour, format, device, reason, counted, bytes, newest_at)
            SELECT date_trunc('hour', received_at), format, '', reason, count(*),
                   sum(raw_size), max(received_at)
            FROM gone WHERE replayed_at IS NULL
            GROUP BY 1, 2, 4 ORDER BY 1, 2, 4
            ON CONFLICT (hour, format, device, reason) DO UPDATE
            SET counted = reject_flood.counted + excluded.counted,
                bytes = reject_flood.bytes + excluded.bytes,
                newest_at = greatest(reject_flood.newest_at, excluded.newest_at)
        )
        SELECT count(*) FROM gone
        """,
        (newest,),
    ).fetchone()
    return int(rows[0]) if rows else 0


def drop_rejects(conn: Connection, before: datetime) -> None:
    """Forget what was refused before; the ledger no longer compares such minutes."""
    conn.execute("DELETE FROM reject WHERE received_at < %s", (before,))
    conn.execute("DELETE FROM reject_minute WHERE minute < %s", (before,))
    conn.execute("DELETE FROM reject_flood WHERE hour < %s", (before,))
