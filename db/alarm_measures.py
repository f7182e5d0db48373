"""How many alarms there were, and which of them are bad: counted over alarms and their changes.

An alarm is announced when it is raised, becomes worse and comes back. `alarm_change` has a row
`raised` for every hand-over, also repeated ones, so the first is counted by the alarm itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

# ISA-18.2: so many announcements in a minute; another implementation counts transitions.
CHATTER_ANNOUNCED, CHATTER_IN = 3, timedelta(minutes=1)
CHATTER_MOVES, CHATTER_MOVES_IN = 6, timedelta(minutes=5)
FLEETING = timedelta(seconds=10)
STALE_AFTER = timedelta(hours=24)
# Whoever was seen so lately is signed in.
PRESENT = timedelta(minutes=3)
# What somebody counts for who was seen once: until the next look at who is there.
FIRST_SEEN_S = 60
TOP = 10

# Of an alarm `a` and its device `d`.
SEEN = inside("d", cell="coalesce(a.unit_grid, d.unit_grid)")
TOLD = f"""
    SELECT a.id, a.condition, a.rule_code, a.device_id, a.raised_at AS at
    FROM alarm a LEFT JOIN device d ON d.id = a.device_id
    WHERE a.district = %(district)s AND {SEEN}
      AND a.raised_at >= %(from)s AND a.raised_at < %(to)s
    UNION ALL
    SELECT a.id, a.condition, a.rule_code, a.device_id, c.at
    FROM alarm_change c JOIN alarm a ON a.id = c.alarm_id
    LEFT JOIN device d ON d.id = a.device_id
    WHERE a.district = %(district)s AND {SEEN} AND c.at >= %(from)s AND c.at < %(to)s
      AND c.kind IN ('escalated', 'retripped')
"""


@dataclass(frozen=True, slots=True)
class BadActor:
    """A condition and how often it was announced; `spots` counts the moments at which it
    chattered."""

    condition: str
    rule: str
    device: str | None
    device_name: str | None
    kind: str | None
    announced: int
    spots: int


@dataclass(frozen=True, slots=True)
class LongAlarm:
    """An alarm that is not over."""

    id: int
    condition: str
    rule: str
    device: str | None
    severity: int
    state: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """`by_severity` of what was raised, from red to blue; `standing` and `stale` are not over at
    the end of the period."""

    raised: int
    by_severity: list[int]
    fleeting: int
    shelved: int
    standing: int
    stale: int


def list_announced(
    conn: Connection, scope: Scope, from_: datetime, to: datetime
) -> list[tuple[datetime, int]]:
    """Announcements of [from_, to) in order, each with the alarm's id."""
    with conn.cursor(binary=True) as cursor:
        return cursor.execute(
            f"SELECT at, id FROM ({TOLD}) told ORDER BY at, id",
            {"district": scope.district, "within": scope.codes, "from": from_, "to": to},
        ).fetchall()


def list_bad_actors(
    conn: Connection, scope: Scope, from_: datetime, to: datetime, limit: int = TOP
) -> tuple[list[BadActor], list[BadActor]]:
    """Those that were announced most, and those that chattered, most first."""
    with conn.cursor(row_factory=class_row(BadActor)) as cursor:
        found = cursor.execute(
            f"""
            WITH told AS ({TOLD}), moves AS (
                SELECT condition, at FROM told
                UNION ALL
                SELECT a.condition, c.at
                FROM alarm_change c JOIN alarm a ON a.id = c.alarm_id
                LEFT JOIN device d ON d.id = a.device_id
                WHERE a.district = %(district)s AND {SEEN}
                  AND c.at >= %(from)s AND c.at < %(to)s
                  AND c.kind IN ('cleared', 'latched')
            ), quick AS (
                SELECT condition, count(*) AS spots FROM (
                    SELECT condition,
                           at - lag(at, {CHATTER_ANNOUNCED - 1}) OVER one <= %(told_in)s AS is_quick
                    FROM told WINDOW one AS (PARTITION BY condition ORDER BY at)
                    UNION ALL
                    SELECT condition,
                           at - lag(at, {CHATTER_MOVES - 1}) OVER one <= %(moves_in)s
                    FROM moves WINDOW one AS (PARTITION BY condition ORDER BY at)
                ) spot WHERE is_quick GROUP BY condition
            ), counted AS (
                SELECT condition, count(*) AS announced, max(rule_code) AS rule,
                       max(device_id) AS device_id
                FROM told GROUP BY condition
            ), ranked AS (
                SELECT counted.*, coalesce(spots, 0) AS spots,
                       row_number() OVER (ORDER BY announced DESC, condition) AS place,
                       row_number() OVER (ORDER BY coalesce(spots, 0) DESC, condition) AS quick
                FROM counted LEFT JOIN quick USING (condition)
            )
            SELECT condition, rule, d.code AS device, d.name AS device_name, d.kind, announced,
                   spots
            FROM ranked LEFT JOIN device d ON d.id = ranked.device_id
            WHERE place <= %(limit)s OR (spots > 0 AND quick <= %(limit)s)
            ORDER BY announced DESC, condition
            """,
            {
                "district": scope.district, "within": scope.codes, "from": from_, "to": to,
                "limit": limit,
                "told_in": CHATTER_IN, "moves_in": CHATTER_MOVES_IN,
            },
        ).fetchall()  # fmt: skip
    chattering = sorted((a for a in found if a.spots), key=lambda a: (-a.spots, a.condition))
    return found[:limit], chattering[:limit]


def count_alarms(conn: Connection, scope: Scope, from_: datetime, to: datetime) -> Counts:
    """What was raised in [from_, to), and what is not over at its end."""
    with conn.cursor(row_factory=class_row(Counts)) as cursor:
        row = cursor.execute(
            f"""
            WITH seen AS (
                SELECT a.* FROM alarm a LEFT JOIN device d ON d.id = a.device_id
                WHERE a.district = %(district)s AND {SEEN}
            )
            SELECT raised.*, standing.*, (
                SELECT count(*) FROM alarm_change c JOIN seen ON seen.id = c.alarm_id
                WHERE c.at >= %(from)s AND c.at < %(to)s
                  AND c.kind = 'shelved') AS shelved
            FROM (
                SELECT count(*) AS raised,
                       ARRAY[count(*) FILTER (WHERE severity = 1),
                             count(*) FILTER (WHERE severity = 2),
                             count(*) FILTER (WHERE severity = 3),
                             count(*) FILTER (WHERE severity = 4)] AS by_severity,
                       count(*) FILTER (WHERE cleared_at - sensed_at < %(fleeting)s) AS fleeting
                FROM seen
                WHERE raised_at >= %(from)s AND raised_at < %(to)s
            ) raised, (
                SELECT count(*) AS standing,
                       count(*) FILTER (WHERE raised_at < %(to)s - %(stale)s) AS stale
                FROM seen
                WHERE raised_at < %(to)s
                  AND (state <> 'normal' OR ended_at >= %(to)s)
            ) standing
            """,
            {
                "district": scope.district, "within": scope.codes, "from": from_, "to": to,
                "fleeting": FLEETING, "stale": STALE_AFTER,
            },
        ).fetchone()  # fmt: skip
    assert row is not None, "aggregates give one row"
    return row


def list_stale(conn: Connection, scope: Scope, to: datetime, limit: int = 50) -> list[LongAlarm]:
    """Not over at `to` although they were raised a day before, oldest first."""
    with conn.cursor(row_factory=class_row(LongAlarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT a.id, a.condition, a.rule_code AS rule, d.code AS device, a.severity, a.state,
                   a.raised_at
            FROM alarm a LEFT JOIN device d ON d.id = a.device_id
            WHERE a.district = %(district)s AND {SEEN} AND a.raised_at < %(to)s - %(stale)s
              AND (a.state <> 'normal' OR a.ended_at >= %(to)s)
            ORDER BY a.raised_at LIMIT %(limit)s
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "to": to,
                "stale": STALE_AFTER,
                "limit": limit,
            },
        ).fetchall()


# Who is there to look at alarms


def note_operators(conn: Connection, district: str, names: Collection[str], now: datetime) -> None:
    """These people have a screen open: since they were last noted, unless that is long ago."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO operator_hour AS known (district, name, hour, seen_at, seen_s)
            VALUES (%(district)s, %(name)s, date_trunc('hour', %(now)s, 'UTC'), %(now)s,
                    %(first)s)
            ON CONFLICT (district, hour, name) DO UPDATE SET
                seen_at = greatest(known.seen_at, excluded.seen_at),
                seen_s = least(3600, coalesce(known.seen_s, 3600) + CASE
                    WHEN excluded.seen_at > known.seen_at + %(present)s THEN %(first)s
                    ELSE greatest(0, extract(epoch FROM excluded.seen_at - known.seen_at)) END)
            """,
            [
                {
                    "district": district, "name": name, "now": now, "present": PRESENT,
                    "first": FIRST_SEEN_S,
                }
                for name in sorted(names)
            ],
        )  # fmt: skip


def count_operators(conn: Connection, district: str, now: datetime) -> int:
    """How many are signed in now."""
    row = conn.execute(
        """
        SELECT count(DISTINCT name) FROM operator_hour
        WHERE district = %(district)s AND hour >= %(now)s - interval '2 hours'
          AND seen_at > %(now)s - %(present)s
        """,
        {"district": district, "now": now, "present": PRESENT},
    ).fetchone()
    return int(row[0]) if row else 0


def operators_by_hour(
    conn: Connection, district: str, from_: datetime, to: datetime, now: datetime
) -> dict[datetime, float]:
    """How many were signed in on average, by the beginning of the hour, of the present one as far
    as it has gone; an hour with nobody is left out."""
    rows = conn.execute(
        """
        SELECT hour, sum(least(1, coalesce(seen_s / greatest(%(first)s, extract(
                   epoch FROM least(hour + interval '1 hour', %(now)s) - hour)), 1)))::float8
        FROM operator_hour
        WHERE district = %(district)s AND hour > %(from)s - interval '1 hour' AND hour < %(to)s
        GROUP BY hour
        """,
        {"district": district, "from": from_, "to": to, "now": now, "first": FIRST_SEEN_S},
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def operators_counted_since(conn: Connection, district: str) -> datetime | None:
    """The first hour in which somebody was seen at a screen; None: nobody ever was."""
    row = conn.execute(
        "SELECT min(hour) FROM operator_hour WHERE district = %s", (district,)
    ).fetchone()
    return row[0] if row else None


# What alarms have in common


@dataclass(frozen=True, slots=True)
class Kinship:
    """What a device shares with others; '' where that is not known."""

    device_id: int
    place: str
    gateway: str
    cabinet: str
    pipe: str


def list_kin(conn: Connection, device_ids: Sequence[int]) -> dict[int, Kinship]:
    """By device: its street or community, the gateway that heard it last, and what its attributes
    name of cabinet and pipe."""
    with conn.cursor(row_factory=class_row(Kinship)) as cursor:
        rows: list[Any] = cursor.execute(
            """
            SELECT d.id AS device_id, coalesce(place.name, d.unit_grid, '') AS place,
                   coalesce((SELECT coalesce(nullif(g.name, ''), g.identity)
                             FROM device_gateway h JOIN gateway g ON g.id = h.gateway_id
                             WHERE h.device_id = d.id ORDER BY h.heard_at DESC LIMIT 1), '')
                       AS gateway,
                   coalesce(d.attributes ->> 'cabinet', '') AS cabinet,
                   coalesce(d.attributes ->> 'pipe_section', '') AS pipe
            FROM device d
            LEFT JOIN division place ON place.code = coalesce(d.community, d.street)
            WHERE d.id = ANY(%s)
            """,
            (list(device_ids),),
        ).fetchall()
    return {row.device_id: row for row in rows}
