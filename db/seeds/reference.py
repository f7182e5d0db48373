"""Reference rows that every installation needs: metrics, categories, stage limits, calendar.

Every row carries its source and a version. A version that is already there is left alone, so
what people changed stays changed.
"""

from __future__ import annotations

import csv
import tomllib
from datetime import date, datetime
from pathlib import Path

from city.category import Category
from city.clock import ClockKind, Limit, LimitUnit
from city.errors import InvalidInput
from city.reading import METRICS
from db import calendars
from db.categories import insert_category, insert_stage_limit
from db.pool import Connection

TABLES = Path(__file__).parent / "tables"
FIRST_VERSION = 1
STAGE_LIMITS_VALID_FROM = date(2025, 1, 1)


def seed_reference(conn: Connection, now: datetime) -> None:
    """Put in what is missing; the caller commits."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO metric (id, name, unit) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(metric.id, metric.name, metric.unit) for metric in METRICS.values()],
        )
    for category in read_categories():
        insert_category(conn, category)
    for clock, limit, source in read_stage_limits():
        insert_stage_limit(conn, clock, FIRST_VERSION, limit, source, STAGE_LIMITS_VALID_FROM)
    calendar = calendars.build_china_calendar()
    calendars.insert_calendar(conn, calendar, calendars.CHINA_SOURCE, now)


def read_categories() -> list[Category]:
    """The category table that ships with the product."""
    with (TABLES / "categories.csv").open(encoding="utf-8", newline="") as rows:
        return [_category(row) for row in csv.DictReader(rows)]


def read_stage_limits() -> list[tuple[ClockKind, Limit, str]]:
    """Clock, limit in urgent hours, source."""
    table = tomllib.loads((TABLES / "stage_limits.toml").read_text(encoding="utf-8"))
    return [
        (ClockKind(name), Limit(row["minutes"] / 60, LimitUnit.URGENT_HOUR), row["source"])
        for name, row in table.items()
    ]


def parse_limit(text: str) -> Limit:
    """`2 urgent_hour` as a limit."""
    amount, _, unit = text.partition(" ")
    try:
        return Limit(float(amount), LimitUnit(unit))
    except ValueError as error:
        raise InvalidInput("limit", text, "must be an amount and a unit") from error


def _category(row: dict[str, str]) -> Category:
    limit = parse_limit(row["limit"])
    return Category(
        code=row["code"],
        version=FIRST_VERSION,
        code_system=row["code_system"],
        class_=row["class"],
        family=row["family"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        filing_condition_zh=row["filing_condition_zh"],
        filing_condition_en=row["filing_condition_en"],
        handle_limit=limit.amount,
        handle_unit=limit.unit.value,
        severity=int(row["severity"]),
        skill=row["skill"],
        closing_evidence=row["closing_evidence"].split(";"),
        gas_free_minutes=int(row["gas_free_minutes"]),
        source=row["source"],
        valid_from=date.fromisoformat(row["valid_from"]),
    )
