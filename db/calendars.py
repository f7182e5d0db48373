"""Working calendars: built from the statutory holidays, extended from files, kept by version."""

from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from chinese_calendar import constants
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.clock import WorkCalendar
from city.errors import InvalidInput, NotFound
from db.pool import Connection

# The calendar a district uses unless its setting `calendar` names another.
DEFAULT_CODE = "CN"
# Where build_china_calendar takes the days from; stored with the calendar.
CHINA_SOURCE = "chinesecalendar (State Council notices on holidays and swapped working days)"

Window = tuple[time, time]


def build_china_calendar() -> WorkCalendar:
    """Mainland China's working days; its version is the last year that has been announced."""
    last_year = max(constants.holidays).year
    days = dict.fromkeys(constants.holidays, False) | dict.fromkeys(constants.workdays, True)
    return WorkCalendar(
        code=DEFAULT_CODE,
        version=last_year,
        exceptions=differing(days),
        known_until=date(last_year, 12, 31),
    )


def differing(days: dict[date, bool]) -> dict[date, bool]:
    """Only the days that differ from Monday to Friday."""
    return {day: works for day, works in days.items() if works != (day.weekday() < 5)}


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """What a calendar file says: days, and optionally windows and how far it is complete."""

    days: dict[date, bool]
    known_until: date
    windows: tuple[Window, ...] | None = None


def parse_calendar_file(text: str, suffix: str) -> CalendarFile:
    """Read a `.toml` or `.csv` file with `date`, `working` and `note` for each day."""
    if suffix.lstrip(".") == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        days = _days(rows)
        return CalendarFile(days, _end_of_last_year(days))
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("calendar", text[:80], f"is not TOML: {error}") from error
    days = _days(document.get("day", []))
    known_until = _day(document["known_until"]) if "known_until" in document else None
    windows = document.get("windows")
    return CalendarFile(
        days,
        known_until or _end_of_last_year(days),
        parse_windows(windows) if windows is not None else None,
    )


def extend_calendar(base: WorkCalendar, file: CalendarFile) -> WorkCalendar:
    """The next version: the file's days replace the base's of the same date."""
    if file.known_until <= base.known_until and file.windows is None and not file.days:
        raise InvalidInput("calendar", file.known_until, "adds nothing to the version in force")
    merged = {**base.exceptions, **file.days}
    return replace(
        base,
        version=base.version + 1,
        exceptions=differing(merged),
        known_until=max(base.known_until, file.known_until),
        windows=file.windows or base.windows,
    )


def parse_windows(raw: Any) -> tuple[Window, ...]:
    """`[["08:00", "12:00"], …]` in ascending order, not overlapping."""
    try:
        windows = tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in raw)
    except (TypeError, ValueError) as error:
        raise InvalidInput("windows", raw, "must be pairs of HH:MM") from error
    edges = [edge for window in windows for edge in window]
    if not windows or edges != sorted(set(edges)):
        raise InvalidInput("windows", raw, "must ascend and not overlap")
    return windows


def _days(rows: list[dict[str, Any]]) -> dict[date, bool]:
    if not rows:
        raise InvalidInput("calendar", "", "names no day")
    return {_day(row.get("date")): _working(row.get("working")) for row in rows}


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise InvalidInput("date", value, "must be YYYY-MM-DD") from error


def _working(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in ("true", "1", "yes"):
        return True
    if text in ("false", "0", "no"):
        return False
    raise InvalidInput("working", value, "must be true or false")


def _end_of_last_year(days: dict[date, bool]) -> date:
    return date(max(days).year, 12, 31)


def insert_calendar(conn: Connection, calendar: WorkCalendar, source: str, now: datetime) -> bool:
    """Store a version once; False if that version is already there."""
    stored = conn.execute(
        """
        INSERT INTO work_calendar
            (code, version, timezone, windows, known_until, source, valid_from)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (code, version) DO NOTHING
        """,
        (
            calendar.code,
            calendar.version,
            calendar.timezone,
            Jsonb([[f"{a:%H:%M}", f"{b:%H:%M}"] for a, b in calendar.windows]),
            calendar.known_until,
            source,
            now,
        ),
    )
    if stored.rowcount == 0:
        return False
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO work_calendar_day (code, version, day, working) VALUES (%s, %s, %s, %s)",
            [(calendar.code, calendar.version, d, w) for d, w in calendar.exceptions.items()],
        )
    return True


@dataclass(frozen=True)
class _CalendarRow:
    code: str
    version: int
    timezone: str
    windows: list[list[str]]
    known_until: date
    days: list[date]
    working: list[bool]


def find_calendar(conn: Connection, code: str, version: int | None = None) -> WorkCalendar:
    """One version of a calendar, the newest when none is named."""
    with conn.cursor(row_factory=class_row(_CalendarRow)) as cursor:
        row = cursor.execute(
            """
            SELECT c.code, c.version, c.timezone, c.windows, c.known_until,
                   coalesce(d.days, '{}') AS days, coalesce(d.working, '{}') AS working
            FROM work_calendar c
            LEFT JOIN LATERAL (
                SELECT array_agg(day ORDER BY day) AS days,
                       array_agg(working ORDER BY day) AS working
                FROM work_calendar_day
                WHERE code = c.code AND version = c.version
            ) d ON true
            WHERE c.code = %(code)s AND (%(version)s::int IS NULL OR c.version = %(version)s)
            ORDER BY c.version DESC
            LIMIT 1
            """,
            {"code": code, "version": version},
        ).fetchone()
    if row is None:
        raise NotFound("calendar", code if version is None else f"{code} version {version}")
    return WorkCalendar(
        code=row.code,
        version=row.version,
        exceptions=dict(zip(row.days, row.working, strict=True)),
        known_until=row.known_until,
        timezone=row.timezone,
        windows=tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in row.windows),
    )


def calendar_of(conn: Connection, district: str) -> WorkCalendar:
    """The newest version of the calendar that a district's clocks obey."""
    row = conn.execute(
        "SELECT value #>> '{}' FROM setting WHERE district = %s AND key = 'calendar'", (district,)
    ).fetchone()
    return find_calendar(conn, row[0] if row else DEFAULT_CODE)
