"""Which video events wait for a person, who looks at which, and how verdicts have turned out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.scope import Scope
from city.video import LookedEvent, Near
from db.listings import SEEN_UNTIL
from db.pool import Connection
from db.scopes import inside

# So many are judged in one transaction.
LOOKED_MAX = 500
# Metres of a degree of latitude, for the box in which similar events are looked for.
DEGREE_M = 111_000.0
NEAR_MAX = 50
RECENT_MAX = 20_000
OVER = ("closed", "rejected", "cancelled", "merged")

_CAMERA_INSIDE = f"""
    (%(within)s::text[] IS NULL
     OR EXISTS (SELECT FROM device d WHERE d.id = v.camera_id AND {inside("d")}))
"""
_LOOKED = f"""
    SELECT v.camera_id, d.code AS camera, v.event_id, v.type, v.phase, v.start_at,
           v.end_at, {SEEN_UNTIL} AS seen_until,
           v.confidence, d.lon, d.lat, v.standing, v.held_why, v.held_area,
           coalesce(d.attributes ->> 'snapshot_url', '') AS snapshot_url
"""


def list_districts_to_look(conn: Connection, now: datetime) -> list[str]:
    """Districts with events to judge, or with verdicts that hold from now on."""
    rows = conn.execute(
        """
        SELECT district FROM video_event WHERE look_at <= %(now)s
        UNION
        SELECT v.district FROM video_claim c JOIN video_event v USING (camera_id, event_id)
        WHERE c.due_at <= %(now)s
        """,
        {"now": now},
    ).fetchall()
    return [row[0] for row in rows]


def list_to_look(conn: Connection, district: str, now: datetime) -> list[LookedEvent]:
    """Events to judge, locked until the commit; those that ingest holds come next time."""
    with conn.cursor(row_factory=class_row(LookedEvent)) as cursor:
        return cursor.execute(
            f"""
            {_LOOKED}
            FROM video_event v JOIN device d ON d.id = v.camera_id
            WHERE v.district = %(district)s AND v.look_at <= %(now)s
            ORDER BY v.look_at LIMIT %(limit)s
            FOR UPDATE OF v SKIP LOCKED
            """,
            {"district": district, "now": now, "limit": LOOKED_MAX},
        ).fetchall()


def list_recent(
    conn: Connection, district: str, back: timedelta
) -> tuple[list[LookedEvent], datetime]:
    """The newest events of the last time, judged or not, and what time it is."""
    row = conn.execute("SELECT now()").fetchone()
    assert row is not None
    with conn.cursor(row_factory=class_row(LookedEvent)) as cursor:
        found = cursor.execute(
            f"""
            {_LOOKED}
            FROM video_event v JOIN device d ON d.id = v.camera_id
            WHERE v.district = %(district)s AND v.start_at >= %(since)s
            ORDER BY v.start_at DESC LIMIT %(limit)s
            """,
            {"district": district, "since": row[0] - back, "limit": RECENT_MAX},
        ).fetchall()
    return found, row[0]


# (camera id, event id, standing, why, area, priority, look_at)
StandingRow = tuple[int, str, str, str, str, int, datetime | None]


def set_standings(conn: Connection, rows: Sequence[StandingRow]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE video_event
            SET standing = %s, held_why = %s, held_area = %s, priority = %s, look_at = %s
            WHERE camera_id = %s AND event_id = %s
            """,
            [(*row[2:], row[0], row[1]) for row in rows],
        )


# Claims and verdicts that can still be taken back


@dataclass(frozen=True, slots=True)
class Claim:
    """`verdict` is None while the reviewer only looks."""

    camera_id: int
    event_id: str
    reviewer: str
    until: datetime
    verdict: dict[str, Any] | None
    due_at: datetime | None


def claim_events(
    conn: Connection,
    scope: Scope,
    reviewer: str,
    count: int,
    now: datetime,
    until: datetime,
    not_these: Sequence[tuple[str, str]] = (),
) -> list[tuple[int, str]]:
    """The next events for a reviewer, those they have already first; (camera id, event id). Nobody
    else gets them until `until`. Waits for nobody: who asks at the same time gets others.
    `not_these`, by camera and event, come last."""
    conn.execute(
        """
        DELETE FROM video_claim WHERE (camera_id, event_id) IN (
            SELECT c.camera_id, c.event_id
            FROM video_claim c JOIN video_event v USING (camera_id, event_id)
            WHERE v.district = %s AND c.until < %s AND c.verdict IS NULL
            FOR UPDATE OF c SKIP LOCKED)
        """,
        (scope.district, now),
    )
    rows = conn.execute(
        f"""
        WITH skipped AS (
            SELECT d.id AS camera_id, s.event_id
            FROM unnest(%(cameras)s::text[], %(events)s::text[]) AS s (camera, event_id)
            JOIN device d ON d.code = s.camera AND d.district = %(district)s
        ), wanted AS (
            SELECT v.camera_id, v.event_id, v.priority, v.start_at
            FROM video_event v
            WHERE v.district = %(district)s AND v.review = 'pending' AND v.standing = 'review'
              AND {_CAMERA_INSIDE}
              AND NOT EXISTS (
                  SELECT FROM video_claim c
                  WHERE c.camera_id = v.camera_id AND c.event_id = v.event_id
                    AND (c.reviewer <> %(reviewer)s OR c.verdict IS NOT NULL))
            ORDER BY EXISTS (SELECT FROM skipped s WHERE s.camera_id = v.camera_id
                             AND s.event_id = v.event_id),
                     EXISTS (SELECT FROM video_claim c WHERE c.camera_id = v.camera_id
                             AND c.event_id = v.event_id) DESC,
                     v.priority DESC, v.start_at
            LIMIT %(count)s
            FOR UPDATE OF v SKIP LOCKED
        ), claimed AS (
            INSERT INTO video_claim AS known (camera_id, event_id, reviewer, until)
            SELECT camera_id, event_id, %(reviewer)s, %(until)s FROM wanted
            ON CONFLICT (camera_id, event_id) DO UPDATE SET until = excluded.until
            WHERE known.reviewer = excluded.reviewer AND known.verdict IS NULL
            RETURNING camera_id, event_id
        )
        SELECT w.camera_id, w.event_id
        FROM wanted w JOIN claimed USING (camera_id, event_id)
        ORDER BY EXISTS (SELECT FROM skipped s WHERE s.camera_id = w.camera_id
                         AND s.event_id = w.event_id),
                 w.priority DESC, w.start_at
        """,
        {
            "district": scope.district, "within": scope.codes, "reviewer": reviewer,
            "count": count, "until": until,
            "cameras": [camera for camera, _ in not_these],
            "events": [event for _, event in not_these],
        },
    ).fetchall()  # fmt: skip
    return [(row[0], row[1]) for row in rows]


def find_claim(conn: Connection, camera_id: int, event_id: str, now: datetime) -> Claim | None:
    """Who has an event now, locked until the commit."""
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            SELECT camera_id, event_id, reviewer, until, verdict, due_at FROM video_claim
            WHERE camera_id = %s AND event_id = %s AND (until >= %s OR verdict IS NOT NULL)
            FOR UPDATE
            """,
            (camera_id, event_id, now),
        ).fetchone()


def keep_verdict(
    conn: Connection,
    camera_id: int,
    event_id: str,
    reviewer: str,
    verdict: Mapping[str, Any],
    due_at: datetime,
) -> None:
    """What a reviewer has said, to hold from `due_at` on."""
    conn.execute(
        """
        INSERT INTO video_claim (camera_id, event_id, reviewer, until, verdict, due_at)
        VALUES (%(camera_id)s, %(event_id)s, %(reviewer)s, %(due_at)s, %(verdict)s, %(due_at)s)
        ON CONFLICT (camera_id, event_id) DO UPDATE
        SET reviewer = excluded.reviewer, until = excluded.until, verdict = excluded.verdict,
            due_at = excluded.due_at
        """,
        {
            "camera_id": camera_id, "event_id": event_id, "reviewer": reviewer,
            "verdict": Jsonb(dict(verdict)), "due_at": due_at,
        },
    )  # fmt: skip


def take_back(conn: Connection, camera_id: int, event_id: str, until: datetime) -> None:
    """A verdict that does not hold yet is none; its reviewer has the event again."""
    conn.execute(
        """
        UPDATE video_claim SET verdict = NULL, due_at = NULL, until = %s
        WHERE camera_id = %s AND event_id = %s
        """,
        (until, camera_id, event_id),
    )


def drop_claim(conn: Connection, camera_id: int, event_id: str) -> None:
    conn.execute(
        "DELETE FROM video_claim WHERE camera_id = %s AND event_id = %s", (camera_id, event_id)
    )


def drop_claims_of(conn: Connection, district: str, reviewer: str) -> None:
    """Whoever leaves the page gives back what they only looked at."""
    conn.execute(
        """
        DELETE FROM video_claim c USING video_event v
        WHERE v.camera_id = c.camera_id AND v.event_id = c.event_id AND v.district = %s
          AND c.reviewer = %s AND c.verdict IS NULL
        """,
        (district, reviewer),
    )


def list_due_verdicts(conn: Connection, district: str, now: datetime) -> list[Claim]:
    """Verdicts that hold from now on, in the order in which they were given."""
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            SELECT c.camera_id, c.event_id, c.reviewer, c.until, c.verdict, c.due_at
            FROM video_claim c JOIN video_event v USING (camera_id, event_id)
            WHERE v.district = %s AND c.due_at <= %s
            ORDER BY c.due_at LIMIT 200
            """,
            (district, now),
        ).fetchall()


# What the page shows


@dataclass(frozen=True, slots=True)
class Counts:
    """Events that nobody has judged. `held` are counted by reason, those of the last days."""

    review: int
    stay: int
    others: int  # of those to review, looked at by somebody else
    held: dict[str, int]
    oldest: datetime | None


def count_waiting(
    conn: Connection, scope: Scope, reviewer: str, now: datetime, held_since: datetime
) -> Counts:
    row = conn.execute(
        f"""
        SELECT count(*) FILTER (WHERE v.standing = 'review' AND c.verdict IS NULL),
               count(*) FILTER (WHERE v.standing IN ('stay', 'new')),
               count(*) FILTER (WHERE v.standing = 'review' AND c.reviewer <> %(reviewer)s
                                AND c.verdict IS NULL AND c.until >= %(now)s),
               min(v.start_at) FILTER (WHERE v.standing = 'review' AND c.verdict IS NULL)
        FROM video_event v LEFT JOIN video_claim c USING (camera_id, event_id)
        WHERE v.district = %(district)s AND v.review = 'pending' AND v.standing <> 'held'
          AND {_CAMERA_INSIDE}
        """,
        {
            "district": scope.district,
            "within": scope.codes,
            "reviewer": reviewer,
            "now": now,
        },
    ).fetchone()
    held = conn.execute(
        f"""
        SELECT held_why, count(*) FROM video_event v
        WHERE district = %(district)s AND review = 'pending' AND standing = 'held'
          AND start_at >= %(since)s AND {_CAMERA_INSIDE}
        GROUP BY held_why
        """,
        {"district": scope.district, "within": scope.codes, "since": held_since},
    ).fetchall()
    review, stay, others, oldest = row or (0, 0, 0, None)
    return Counts(review, stay, others, dict(held), oldest)


def list_near(
    conn: Connection,
    scope: Scope,
    lon: float,
    lat: float,
    at: datetime,
    *,
    types: Sequence[str],
    category: str,
    metres: float,
    within: timedelta,
    not_this: tuple[int, str],
) -> list[Near]:
    """Other events of these types and open cases of this category that may be near enough."""
    span_lat = metres / DEGREE_M * 1.1
    span_lon = span_lat * 2  # up to 60 degrees of latitude
    with conn.cursor(row_factory=class_row(Near)) as cursor:
        return cursor.execute(
            f"""
            WITH near AS (
                SELECT id, code, lon, lat FROM device
                WHERE district = %(district)s AND kind = 'camera' AND {inside("device")}
                  AND lon BETWEEN %(west)s AND %(east)s AND lat BETWEEN %(south)s AND %(north)s
            )
            (SELECT 'incident:' || i.id AS subject, i.number, coalesce(d.code, '') AS camera,
                    i.opened_at AS start_at, i.lon, i.lat, true AS open
             FROM incident i LEFT JOIN device d ON d.id = i.device_id
             WHERE i.district = %(district)s AND i.category = %(category)s AND {inside("i")}
               AND i.state <> ALL(%(over)s)
               AND i.lon BETWEEN %(west)s AND %(east)s AND i.lat BETWEEN %(south)s AND %(north)s
               AND i.opened_at BETWEEN %(from)s AND %(to)s
             ORDER BY i.opened_at DESC LIMIT %(limit)s)
            UNION ALL
            (SELECT 'video:' || near.code || '/' || v.event_id, '', near.code, v.start_at,
                    near.lon, near.lat, false
             FROM video_event v JOIN near ON near.id = v.camera_id
             LEFT JOIN video_claim c ON c.camera_id = v.camera_id AND c.event_id = v.event_id
             WHERE v.district = %(district)s AND v.review = 'pending' AND v.standing = 'review'
               AND c.verdict IS NULL
               AND replace(replace(lower(trim(v.type)), '-', '_'), ' ', '_') = ANY(%(types)s)
               AND v.start_at BETWEEN %(from)s AND %(to)s
               AND (v.camera_id, v.event_id) <> (%(camera_id)s, %(event_id)s)
             ORDER BY v.start_at DESC LIMIT %(limit)s)
            """,
            {
                "district": scope.district, "within": scope.codes, "types": list(types),
                "category": category,
                "west": lon - span_lon, "east": lon + span_lon,
                "south": lat - span_lat, "north": lat + span_lat,
                "from": at - within, "to": at + within, "over": list(OVER),
                "camera_id": not_this[0], "event_id": not_this[1], "limit": NEAR_MAX,
            },
        ).fetchall()  # fmt: skip


def count_verdicts(
    conn: Connection, scope: Scope, since: datetime, camera_ids: Sequence[int] | None = None
) -> list[tuple[str, str, str, str, str, int]]:
    """People's verdicts by camera, type, verdict and reason. What was merged into another event
    counts as that one does; what the installation filed by itself counts for nothing."""
    return conn.execute(
        f"""
        SELECT d.code, d.name, v.type,
               coalesce(CASE WHEN v.review = 'merged' THEN nullif(t.review, 'pending') END,
                        v.review) AS verdict,
               CASE WHEN v.review = 'merged' THEN coalesce(t.dismiss_reason, '')
                    ELSE v.dismiss_reason END AS reason, count(*)
        FROM video_event v
        JOIN device d ON d.id = v.camera_id
        LEFT JOIN LATERAL (
            SELECT o.review, o.dismiss_reason
            FROM video_event o JOIN device od ON od.id = o.camera_id
            WHERE v.review = 'merged' AND v.merged_into LIKE 'video:%%'
              AND od.code = split_part(substr(v.merged_into, 7), '/', 1)
              AND o.event_id = substr(v.merged_into, 8 + length(od.code))
            LIMIT 1
        ) AS t ON true
        WHERE v.district = %(district)s AND v.review <> 'pending' AND v.reviewed_by <> 'system'
          AND v.reviewed_at >= %(since)s AND {inside("d")}
          AND (%(ids)s::int[] IS NULL OR v.camera_id = ANY(%(ids)s))
        GROUP BY 1, 2, 3, 4, 5
        """,
        {
            "district": scope.district, "within": scope.codes, "since": since,
            "ids": None if camera_ids is None else list(camera_ids),
        },
    ).fetchall()  # fmt: skip
