"""Incident categories and the limits of the stages, as versioned rows: those of every district,
and those that one has in their place."""

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
SHARED = ""  # the district of rows that hold wherever a district has none of its own
DEFAULT_LIMIT = Limit(4, LimitUnit.WORK_HOUR)
COLUMNS = select_list(Category, "incident_category", class_="incident_category.class")


def insert_category(conn: Connection, category: Category, district: str = SHARED) -> bool:
    """Store a version once; False if that version is already there."""
    inserted = conn.execute(
        """
        INSERT INTO incident_category (
            code, version, code_system, class, family, name_zh, name_en,
            filing_condition_zh, filing_condition_en, handle_limit, handle_unit, severity,
            skill, closing_evidence, gas_free_minutes, source, valid_from, valid_to, district)
        VALUES (
            %(code)s, %(version)s, %(code_system)s, %(class_)s, %(family)s, %(name_zh)s,
            %(name_en)s, %(filing_condition_zh)s, %(filing_condition_en)s, %(handle_limit)s,
            %(handle_unit)s, %(severity)s, %(skill)s, %(closing_evidence)s,
            %(gas_free_minutes)s, %(source)s, %(valid_from)s, %(valid_to)s, %(district)s)
        ON CONFLICT (code, version) DO NOTHING
        """,
        {**vars(category), "district": district},
    )
    return inserted.rowcount == 1


def put_in_force(
    conn: Connection, district: str, category: Category, today: date, *, new: bool
) -> int:
    """Store the next version of a category for a district; its own one before ends today. Answers
    its number. One that is not `new` is in force from today on, whatever it says."""
    newest = _newest(conn, category.code)
    _end_own(conn, district, [category.code], today)
    begins = category.valid_from if new else today
    made = replace(category, version=newest + 1, valid_from=begins, valid_to=None)
    insert_category(conn, made, district)
    return newest + 1


def _newest(conn: Connection, code: str) -> int:
    row = conn.execute(
        "SELECT coalesce(max(version), 0) FROM incident_category WHERE code = %s", (code,)
    ).fetchone()
    return int(row[0]) if row else 0


def retire_categories(conn: Connection, district: str, codes: Sequence[str], today: date) -> None:
    """Nobody of a district files anything under these from now on; what was filed keeps its
    version. What every district shares is withdrawn from this one alone."""
    _end_own(conn, district, codes, today)
    conn.execute(
        """
        INSERT INTO incident_category (
            code, version, code_system, class, family, name_zh, name_en,
            filing_condition_zh, filing_condition_en, handle_limit, handle_unit, severity,
            skill, closing_evidence, gas_free_minutes, source, valid_from, district, withdrawn)
        SELECT code, (SELECT max(version) + 1 FROM incident_category WHERE code = c.code),
               code_system, class, family, name_zh, name_en, filing_condition_zh,
               filing_condition_en, handle_limit, handle_unit, severity, skill, closing_evidence,
               gas_free_minutes, source, %(today)s, %(district)s, true
        FROM incident_category c
        WHERE c.code = ANY(%(codes)s) AND c.district = '' AND c.valid_to IS NULL
        """,
        {"today": today, "district": district, "codes": list(codes)},
    )


def _end_own(conn: Connection, district: str, codes: Sequence[str], today: date) -> None:
    conn.execute(
        """
        UPDATE incident_category SET valid_to = %s
        WHERE code = ANY(%s) AND district = %s AND valid_to IS NULL
        """,
        (today, list(codes), district),
    )


def find_in_force(conn: Connection, code: str, district: str) -> Category:
    """The version that new incidents of this category get in a district."""
    found = _list_in_force(conn, district, code)
    if not found:
        raise InvalidInput("category", code, "is not a category in force")
    return found[0]


def find(conn: Connection, code: str, version: int) -> Category:
    """The version that an incident was filed under."""
    with conn.cursor(row_factory=class_row(Category)) as cursor:
        found = cursor.execute(
            f"SELECT {COLUMNS} FROM incident_category WHERE code = %s AND version = %s",
            (code, version),
        ).fetchone()
    if found is None:
        raise NotFound("category", f"{code} version {version}")
    return found


def list_in_force(conn: Connection, district: str) -> list[Category]:
    """Every category that a person of a district may choose, by family and code."""
    return _list_in_force(conn, district)


def _list_in_force(conn: Connection, district: str, code: str | None = None) -> list[Category]:
    with conn.cursor(row_factory=class_row(Category)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS}
            FROM (
                SELECT DISTINCT ON (code) * FROM incident_category
                WHERE valid_to IS NULL AND district IN ('', %(district)s)
                  AND (%(code)s::text IS NULL OR code = %(code)s)
                ORDER BY code, district DESC
            ) AS incident_category
            WHERE NOT withdrawn
            ORDER BY family, code
            """,
            {"district": district, "code": code},
        ).fetchall()


def insert_stage_limit(
    conn: Connection,
    clock: ClockKind,
    version: int,
    limit: Limit,
    source: str,
    valid_from: date,
    district: str = SHARED,
) -> bool:
    """Store a version once; False if that version is already there."""
    inserted = conn.execute(
        """
        INSERT INTO stage_limit (clock, version, amount, unit, source, valid_from, district)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (clock, version) DO NOTHING
        """,
        (clock.value, version, limit.amount, limit.unit.value, source, valid_from, district),
    )
    return inserted.rowcount == 1


def stage_limits(conn: Connection, district: str) -> dict[ClockKind, Limit]:
    """Allowed time of every clock that does not depend on the category, in a district."""
    limits = dict.fromkeys(ClockKind, DEFAULT_LIMIT)
    del limits[ClockKind.HANDLE]
    found = list_stage_limits(conn, district)
    limits.update({ClockKind(clock): limit for clock, limit, _ in found})
    return limits


def list_stage_limits(conn: Connection, district: str) -> list[tuple[str, Limit, str]]:
    """Clock, limit and source of every limit in force in a district, by clock."""
    rows = conn.execute(
        """
        SELECT DISTINCT ON (clock) clock, amount, unit, source FROM stage_limit
        WHERE valid_to IS NULL AND district IN ('', %s)
        ORDER BY clock, district DESC, version DESC
        """,
        (district,),
    )
    return [(clock, Limit(amount, LimitUnit(unit)), source) for clock, amount, unit, source in rows]


def put_stage_limit(
    conn: Connection, district: str, clock: ClockKind, limit: Limit, source: str, today: date
) -> int:
    """Store the next version of a limit for a district; its own one before ends today. Answers its
    number."""
    row = conn.execute(
        "SELECT coalesce(max(version), 0) + 1 FROM stage_limit WHERE clock = %s", (clock.value,)
    ).fetchone()
    version = int(row[0]) if row else 1
    conn.execute(
        """
        UPDATE stage_limit SET valid_to = %s
        WHERE clock = %s AND district = %s AND valid_to IS NULL
        """,
        (today, clock.value, district),
    )
    insert_stage_limit(conn, clock, version, limit, source, today, district)
    return version
