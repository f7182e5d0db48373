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
    """Every week in which something happened in [start, end), oldest first. Cancelled, rejected
    and merged cases count as opened only."""
    with conn.cursor(row_factory=class_row(WeekRow)) as cursor:
        return cursor.execute(
            f"""
            WITH clocked AS (
                SELECT DISTINCT ON (d.incident_id) d.due_at, d.met_at, d.paused_at,
                       date_trunc('week', d.due_at AT TIME ZONE %(zone)s) AS due_week,
                       date_trunc('week', d.met_at AT TIME ZONE %(zone)s) AS met_week
                FROM deadline d JOIN incident i ON i.id = d.incident_id
                WHERE i.district = %(district)s AND {inside("i")}
                  AND d.clock = 'handle' AND d.stopped_at IS NULL
                  AND i.state NOT IN ('rejected', 'cancelled', 'merged')
                  AND i.opened_at < %(end)s
                  AND (d.due_at >= %(start)s OR d.met_at >= %(start)s)
                ORDER BY d.incident_id, d.attempt DESC
            ), told AS (
                SELECT met_week AS week, 0 AS opened, 1 AS due, 1 AS handled,
                       (met_at > due_at)::int AS overdue
                FROM clocked WHERE met_at >= %(start)s AND met_at < %(end)s
                UNION ALL
                SELECT due_week, 0, 1, 0, 1
                FROM clocked
                WHERE paused_at IS NULL AND due_at >= %(start)s AND due_at < %(end)s
                  AND (met_week IS NULL OR met_week > due_week)
                UNION ALL
                SELECT date_trunc('week', opened_at AT TIME ZONE %(zone)s), 1, 0, 0, 0
                FROM incident i
                WHERE district = %(district)s AND {inside("i")}
                  AND opened_at >= %(start)s AND opened_at < %(end)s
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
