"""Incident categories and the limits of the stages, as versioned rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from psycopg.rows import class_row

from city.category import Category
from city.clock import ClockKind, Limit, LimitUnit
from city.errors import InvalidInput, NotFound
from db.pool import Connection
from db.row_columns import select_list

# Allowed time of a stage that has no row of its own (domain.md 8, [S8] weak source).
DEFAULT_LIMIT = Limit(4, LimitUnit.WORK_HOUR)
COLUMNS = select_list(Category, "incident_category", class_="incident_category.class")


def insert_category(conn: Connection, category: Category) -> bool:
    """Store a version once; False if that version is already there."""
    inserted = conn.execute(
        """
        INSERT INTO incident_category (
            code, version, code_system, class, family, name_zh, name_en,
            filing_condition_zh, filing_condition_en, handle_limit, handle_unit, severity,
            skill, closing_evidence, gas_free_minutes, source, valid_from, valid_to)
        VALUES (
            %(code)s, %(version)s, %(code_system)s, %(class_)s, %(family)s, %(name_zh)s,
            %(name_en)s, %(filing_condition_zh)s, %(filing_condition_en)s, %(handle_limit)s,
            %(handle_unit)s, %(severity)s, %(skill)s, %(closing_evidence)s,
            %(gas_free_minutes)s, %(source)s, %(valid_from)s, %(valid_to)s)
        ON CONFLICT (code, version) DO NOTHING
        """,
        vars(category),
    )
    return inserted.rowcount == 1


def put_in_force(conn: Connection, category: Category, today: date, *, new: bool) -> int:
    """Store the next version of a category; the one before it ends today. Answers its number.
    One that is not `new` is in force from today on, whatever it says."""
    row = conn.execute(
        "SELECT max(version) FROM incident_category WHERE code = %s", (category.code,)
    ).fetchone()
    newest = row[0] if row and row[0] else 0
    retire_categories(conn, [category.code], today)
    begins = category.valid_from if new else today
    insert_category(conn, replace(category, version=newest + 1, valid_from=begins, valid_to=None))
    return int(newest) + 1


def retire_categories(conn: Connection, codes: Sequence[str], today: date) -> None:
    """Nobody files anything under these from now on; what was filed keeps its version."""
    conn.execute(
        """
        UPDATE incident_category SET valid_to = %s WHERE code = ANY(%s) AND valid_to IS NULL
        """,
        (today, list(codes)),
    )


def find_in_force(conn: Connection, code: str) -> Category:
    """The version that new incidents of this category get."""
    found = _list(conn, code=code)
    if not found:
        raise InvalidInput("category", code, "is not a category in force")
    return found[0]


def find(conn: Connection, code: str, version: int) -> Category:
    """The version that an incident was filed under."""
    found = _list(conn, code=code, version=version)
    if not found:
        raise NotFound("category", f"{code} version {version}")
    return found[0]


def list_in_force(conn: Connection) -> list[Category]:
    """Every category a person may choose, by family and code."""
    return _list(conn)


def _list(conn: Connection, code: str | None = None, version: int | None = None) -> list[Category]:
    with conn.cursor(row_factory=class_row(Category)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS}
            FROM incident_category
            WHERE (%(code)s::text IS NULL OR code = %(code)s)
              AND CASE WHEN %(version)s::int IS NULL THEN valid_to IS NULL
                       ELSE version = %(version)s END
            ORDER BY family, code
            """,
            {"code": code, "version": version},
        ).fetchall()


def insert_stage_limit(
    conn: Connection, clock: ClockKind, version: int, limit: Limit, source: str, valid_from: date
) -> bool:
    """Store a version once; False if that version is already there."""
    inserted = conn.execute(
        """
        INSERT INTO stage_limit (clock, version, amount, unit, source, valid_from)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (clock, version) DO NOTHING
        """,
        (clock.value, version, limit.amount, limit.unit.value, source, valid_from),
    )
    return inserted.rowcount == 1


def stage_limits(conn: Connection) -> dict[ClockKind, Limit]:
    """Allowed time of every clock that does not depend on the category."""
    limits = dict.fromkeys(ClockKind, DEFAULT_LIMIT)
    del limits[ClockKind.HANDLE]
    rows = conn.execute(
        "SELECT clock, amount, unit FROM stage_limit WHERE valid_to IS NULL ORDER BY version"
    )
    limits.update({ClockKind(c): Limit(amount, LimitUnit(unit)) for c, amount, unit in rows})
    return limits


def list_stage_limits(conn: Connection) -> list[tuple[str, Limit, str]]:
    """Clock, limit and source of every limit in force, by clock."""
    rows = conn.execute(
        """
        SELECT DISTINCT ON (clock) clock, amount, unit, source FROM stage_limit
        WHERE valid_to IS NULL ORDER BY clock, version DESC
        """
    )
    return [(clock, Limit(amount, LimitUnit(unit)), source) for clock, amount, unit, source in rows]


def put_stage_limit(
    conn: Connection, clock: ClockKind, limit: Limit, source: str, today: date
) -> int:
    """Store the next version of a limit; the one before it ends today. Answers its number."""
    row = conn.execute(
        "SELECT max(version) FROM stage_limit WHERE clock = %s", (clock.value,)
    ).fetchone()
    version = int(row[0] if row and row[0] else 0) + 1
    conn.execute(
        "UPDATE stage_limit SET valid_to = %s WHERE clock = %s AND valid_to IS NULL",
        (today, clock.value),
    )
    insert_stage_limit(conn, clock, version, limit, source, today)
    return version
