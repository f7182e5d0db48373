"""Key figures as they were published: one edition after the other, none is ever changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from db.kpi import KpiRow
from db.pool import Connection

Figures = Mapping[str, Sequence[KpiRow]]  # by grouping


@dataclass(frozen=True, slots=True)
class Edition:
    """What was published of a period; the first edition has no reason."""

    id: int
    district: str
    period: str
    start_at: datetime
    end_at: datetime
    edition: int
    published_at: datetime
    published_by: str
    reason: str
    figures: dict[str, list[dict[str, Any]]]

    def rows(self, by: str) -> list[KpiRow]:
        """The figures of a grouping; what was not counted yet when they were published is 0."""
        return [KpiRow(**{"returned_late": 0, **row}) for row in self.figures.get(by, [])]


def figures_json(figures: Figures) -> dict[str, list[dict[str, Any]]]:
    """Figures as they are stored."""
    return {by: [asdict(row) for row in rows] for by, rows in figures.items()}


def insert_edition(
    conn: Connection,
    district: str,
    period: str,
    start: datetime,
    end: datetime,
    edition: int,
    by: str,
    reason: str,
    figures: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Publish; False where this edition is there already."""
    row = conn.execute(
        """
        INSERT INTO kpi_publication (district, period, start_at, end_at, edition, published_at,
                                     published_by, reason, figures)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (district, period, edition) DO NOTHING
        RETURNING id
        """,
        (district, period, start, end, edition, now, by, reason, Jsonb(figures)),
    ).fetchone()
    return row is not None


def list_editions(conn: Connection, district: str, period: str | None = None) -> list[Edition]:
    """All editions of a period or of every period, the newest period first, its editions in their
    order."""
    with conn.cursor(row_factory=class_row(Edition)) as cursor:
        return cursor.execute(
            """
            SELECT id, district, period, start_at, end_at, edition, published_at, published_by,
                   reason, figures
            FROM kpi_publication
            WHERE district = %(district)s
              AND (%(period)s::text IS NULL OR period = %(period)s)
            ORDER BY end_at DESC, start_at DESC, edition
            """,
            {"district": district, "period": period},
        ).fetchall()


def list_editions_of(
    conn: Connection, district: str, start: datetime, end: datetime
) -> list[Edition]:
    """Editions of exactly these days, in their order."""
    row = conn.execute(
        "SELECT period FROM kpi_publication WHERE district = %s AND start_at = %s AND end_at = %s"
        " LIMIT 1",
        (district, start, end),
    ).fetchone()
    return list_editions(conn, district, row[0]) if row else []


def has_facts(conn: Connection, district: str, start: datetime, end: datetime) -> bool:
    """Whether anything is said of cases in a period."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM case_fact WHERE district = %s AND at >= %s AND at < %s)",
        (district, start, end),
    ).fetchone()
    return bool(row and row[0])
