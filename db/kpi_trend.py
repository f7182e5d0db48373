"""How a district did week by week, and when and where its cases come up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

# Longest span of one question: 400 days of a demonstration, and the week around them.
SPAN_DAYS = 407


@dataclass(frozen=True, slots=True)
class WeekRow:
    """A week of local days from Monday on, counted as `db.kpi` counts a period: `due` handling
    clocks met in it or run out in it and not met by its end; of these `handled` were met and
    `overdue` not met by their due time."""

    week: date
    opened: int
    due: int
    handled: int
    overdue: int


@dataclass(frozen=True, slots=True)
class HeatRow:
    """Cases that were opened in an hour (0 to 23) of a local weekday (1 is Monday), by street;
    empty where a case has none."""

    street: str
    name: str
    weekday: int
    hour: int
    opened: int


def list_weeks(
    conn: Connection, scope: Scope, start: datetime, end: datetime, zone: str
) -> list[WeekRow]:
    """Every week in which something happened in [start, end), oldest first."""
    with conn.cursor(row_factory=class_row(WeekRow)) as cursor:
        return cursor.execute(
            f"""
            WITH said AS (
                SELECT f.*, date_trunc('week', f.at AT TIME ZONE %(zone)s) AS week
                FROM case_fact f JOIN incident i ON i.id = f.incident_id
                WHERE f.district = %(district)s AND {inside("i")}
                  AND f.at >= %(start)s AND f.at < %(end)s
            ), told AS (
                SELECT week, 0 AS opened, 1 AS due, 1 AS handled, late::int AS overdue
                FROM said WHERE kind = 'handled'
                UNION ALL
                SELECT f.week, 0, 1, 0, 1
                FROM said f
                WHERE f.kind = 'ran_out' AND f.clock = 'handle' AND NOT EXISTS (
                    SELECT FROM case_fact x
                    WHERE x.incident_id = f.incident_id AND x.kind IN ('handled', 'excused')
                      AND x.attempt = f.attempt
                      AND date_trunc('week', x.at AT TIME ZONE %(zone)s) <= f.week)
                UNION ALL
                SELECT week, 1, 0, 0, 0 FROM said WHERE kind = 'opened'
            )
            SELECT week::date AS week, sum(opened)::int AS opened, sum(due)::int AS due,
                   sum(handled)::int AS handled, sum(overdue)::int AS overdue
            FROM told GROUP BY week ORDER BY week
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "start": start,
                "end": end,
                "zone": zone,
            },
        ).fetchall()


def list_heat(
    conn: Connection, scope: Scope, start: datetime, end: datetime, zone: str
) -> list[HeatRow]:
    """Cases opened in [start, end) by street, weekday and hour."""
    with conn.cursor(row_factory=class_row(HeatRow)) as cursor:
        return cursor.execute(
            f"""
            SELECT g.street, coalesce(d.name, '') AS name, g.weekday, g.hour, g.opened
            FROM (
                SELECT coalesce(street, '') AS street,
                       extract(isodow FROM opened_at AT TIME ZONE %(zone)s)::int AS weekday,
                       extract(hour FROM opened_at AT TIME ZONE %(zone)s)::int AS hour,
                       count(*)::int AS opened
                FROM incident i
                WHERE district = %(district)s AND {inside("i")}
                  AND opened_at >= %(start)s AND opened_at < %(end)s
                GROUP BY 1, 2, 3
            ) AS g
            LEFT JOIN division d ON d.code = g.street
            ORDER BY g.street, g.weekday, g.hour
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "start": start,
                "end": end,
                "zone": zone,
            },
        ).fetchall()
