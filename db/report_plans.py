"""Figures that people are sent by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """`every`: day, week, month or quarter; `recipients`: names of people; `told_until`: the end of
    the last period that they were sent."""

    district: str
    name: str
    every: str
    grouping: str
    recipients: list[str]
    told_until: datetime


def save_plan(conn: Connection, plan: ReportPlan) -> None:
    """A new plan, or another one in its place."""
    conn.execute(
        """
        INSERT INTO report_plan (district, name, every, grouping, recipients, told_until)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (district, name) DO UPDATE SET
            every = excluded.every, grouping = excluded.grouping,
            recipients = excluded.recipients, told_until = excluded.told_until
        """,
        (
            plan.district,
            plan.name,
            plan.every,
            plan.grouping,
            plan.recipients,
            plan.told_until,
        ),
    )


def delete_plan(conn: Connection, district: str, name: str) -> bool:
    """False where there is none."""
    done = conn.execute(
        "DELETE FROM report_plan WHERE district = %s AND name = %s", (district, name)
    )
    return done.rowcount > 0


def list_plans(conn: Connection, district: str | None = None) -> list[ReportPlan]:
    """Plans of a district, or of all."""
    with conn.cursor(row_factory=class_row(ReportPlan)) as cursor:
        return cursor.execute(
            """
            SELECT district, name, every, grouping, recipients, told_until FROM report_plan
            WHERE %(district)s::text IS NULL OR district = %(district)s
            ORDER BY district, name
            """,
            {"district": district},
        ).fetchall()


def move_plan(conn: Connection, plan: ReportPlan, end: datetime) -> bool:
    """It was sent up to then; False where somebody else has sent it, or changed it."""
    done = conn.execute(
        """
        UPDATE report_plan SET told_until = %s
        WHERE district = %s AND name = %s AND told_until = %s
        """,
        (end, plan.district, plan.name, plan.told_until),
    )
    return done.rowcount > 0
