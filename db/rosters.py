"""Rosters: who of a squad is on duty on which day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from psycopg.rows import class_row

from city.roster import Duty, days_around
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class _Row:
    """A duty, or a squad that has none around the moment that was asked for."""

    squad: str
    day: str | None
    start_at: time | None
    end_at: time | None
    person: str | None
    phone: str | None
    called: str

    def as_duty(self) -> Duty | None:
        if self.day is None or self.start_at is None or self.end_at is None:
            return None
        who, phone = self.person or "", self.phone or ""
        return Duty(self.day, self.start_at, self.end_at, who, phone, self.called)


def list_rosters(
    conn: Connection, district: str, code: str | None = None, *, near: datetime | None = None
) -> dict[str, tuple[Duty, ...]]:
    """The duties of every active squad of a district that has a roster, by squad, in the order of
    days and hours; those of the days around `near` if it is given."""
    first, last = days_around(near) if near else ("", "")
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            """
            SELECT r.squad, d.day, d.start_at, d.end_at, d.person, d.phone,
                   coalesce(nullif(u.display_name, ''), d.person, '') AS called
            FROM (SELECT DISTINCT squad FROM squad_roster) r
            JOIN squad s ON s.code = r.squad
            LEFT JOIN squad_roster d ON d.squad = r.squad
                AND (%(first)s = '' OR d.day !~ '-' OR d.day BETWEEN %(first)s AND %(last)s)
            LEFT JOIN app_user u ON u.name = d.person
            WHERE s.district = %(district)s AND s.active
              AND (%(code)s::text IS NULL OR s.code = %(code)s)
            ORDER BY r.squad, d.day, d.start_at
            """,
            {"district": district, "code": code, "first": first, "last": last},
        ).fetchall()
    found: dict[str, list[Duty]] = {}
    for row in rows:
        mine = found.setdefault(row.squad, [])
        if duty := row.as_duty():
            mine.append(duty)
    return {squad: tuple(duties) for squad, duties in found.items()}


def list_last_dates(conn: Connection) -> list[tuple[str, date]]:
    """Of the active squads whose roster names dates alone the last one, the earliest first."""
    rows = conn.execute(
        """
        SELECT r.squad, max(r.day) FROM squad_roster r JOIN squad s ON s.code = r.squad
        WHERE s.active GROUP BY r.squad HAVING bool_and(r.day ~ '-') ORDER BY 2, 1
        """
    ).fetchall()
    return [(squad, date.fromisoformat(day)) for squad, day in rows]


def lock_rosters(conn: Connection) -> None:
    """Nobody else writes rosters until the commit."""
    conn.execute("LOCK TABLE squad_roster IN SHARE ROW EXCLUSIVE MODE")


def replace_roster(conn: Connection, squad: str, duties: Sequence[Duty]) -> None:
    """Give a squad these duties and no others; none: it is on duty by its weekly shifts."""
    conn.execute("DELETE FROM squad_roster WHERE squad = %s", (squad,))
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO squad_roster (squad, day, start_at, end_at, person, phone)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            [(squad, d.day, d.start, d.end, d.person, d.phone) for d in duties],
        )
