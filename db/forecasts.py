"""How long handling took, which attempts run now, and what was forecast of those that are over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from city.forecast import STEPS, HandlingTimes, Tables
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

# History that is looked at, and outcomes that a calibration is made of.
HISTORY, CALIBRATED = timedelta(days=365), timedelta(days=90)


@dataclass(frozen=True, slots=True)
class RunningAttempt:
    """A squad at work whose handling clock runs; `hour` is the local one of its sending."""

    incident_id: int
    attempt: int
    district: str
    category: str
    squad: str
    hour: int
    started_at: datetime
    due_at: datetime


def refresh(conn: Connection, now: datetime) -> None:
    """Make the tables anew from the year before now."""
    shares = [step / STEPS for step in range(STEPS + 1)]
    conn.execute("DELETE FROM handling_time")
    conn.execute(
        """
        INSERT INTO handling_time (district, category, squad, hour, count, percentiles)
        SELECT district, category, coalesce(squad, ''), coalesce(hour, -1), count(*),
               percentile_cont(%(shares)s::float8[]) WITHIN GROUP (ORDER BY seconds)
        FROM (
            SELECT f.district, i.category, f.squad, f.seconds,
                   extract(hour FROM (f.at - make_interval(secs => f.seconds))
                           AT TIME ZONE d.timezone)::smallint AS hour
            FROM case_fact f
            JOIN incident i ON i.id = f.incident_id
            JOIN district d ON d.code = f.district
            WHERE f.kind = 'handled' AND f.seconds IS NOT NULL AND f.squad <> ''
              AND f.at >= %(since)s AND f.at < %(now)s
        ) AS took
        GROUP BY GROUPING SETS (
            (district, category, squad, hour), (district, category, squad), (district, category))
        """,
        {"shares": shares, "since": now - HISTORY, "now": now},
    )


def read_tables(conn: Connection, district: str) -> Tables:
    """The tables of a district by category, squad and hour."""
    rows = conn.execute(
        "SELECT category, squad, hour, count, percentiles FROM handling_time WHERE district = %s",
        (district,),
    ).fetchall()
    return {
        (category, squad, hour): HandlingTimes(count, tuple(percentiles))
        for category, squad, hour, count, percentiles in rows
    }


def list_running(
    conn: Connection, scope: Scope, *, without_forecast: bool = False
) -> list[RunningAttempt]:
    """Attempts that run now and are not over their time in the log."""
    with conn.cursor(row_factory=class_row(RunningAttempt)) as cursor:
        return cursor.execute(
            f"""
            SELECT i.id AS incident_id, d.attempt, i.district, i.category, i.squad,
                   extract(hour FROM d.started_at AT TIME ZONE place.timezone)::int AS hour,
                   d.started_at, d.due_at
            FROM incident i
            JOIN district place ON place.code = i.district
            JOIN deadline d ON d.incident_id = i.id AND d.clock = 'handle'
                           AND d.met_at IS NULL AND d.stopped_at IS NULL AND d.paused_at IS NULL
            WHERE i.district = %(district)s AND {inside("i")} AND i.squad IS NOT NULL
              AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
              AND (NOT %(without)s OR NOT EXISTS (
                  SELECT FROM breach_forecast b
                  WHERE b.incident_id = i.id AND b.attempt = d.attempt))
            ORDER BY i.id
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "without": without_forecast,
            },
        ).fetchall()


def insert_forecasts(
    conn: Connection, made: Sequence[tuple[RunningAttempt, float]], now: datetime
) -> None:
    """Keep what is expected of attempts; the first one of each stays."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO breach_forecast (incident_id, attempt, district, made_at, probability)
            VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [(a.incident_id, a.attempt, a.district, now, probability) for a, probability in made],
        )


def list_outcomes(conn: Connection, district: str, now: datetime) -> list[tuple[float, bool]]:
    """Forecasts of the last 90 days whose attempt is over, and whether it was late: its clock ran
    out and no merge excused it, or it was handled."""
    rows = conn.execute(
        """
        SELECT b.probability, bool_or(f.kind = 'ran_out' OR f.late)
        FROM breach_forecast b
        JOIN case_fact f ON f.incident_id = b.incident_id AND f.attempt = b.attempt
                        AND (f.kind = 'handled' OR (f.kind = 'ran_out' AND f.clock = 'handle'))
        WHERE b.district = %(district)s AND b.made_at >= %(since)s AND b.made_at <= %(now)s
          AND NOT EXISTS (
              SELECT FROM case_fact x
              WHERE x.incident_id = b.incident_id AND x.kind = 'excused' AND x.clock = 'handle'
                AND x.attempt = b.attempt)
        GROUP BY b.incident_id, b.attempt, b.probability
        """,
        {"district": district, "since": now - CALIBRATED, "now": now},
    ).fetchall()
    return [(float(probability), bool(late)) for probability, late in rows]
