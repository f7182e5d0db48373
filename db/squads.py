"""Squads: who they are, when they are on duty, where they are and how much they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from psycopg.rows import class_row

from city.errors import InvalidInput
from city.place import LonLat
from city.roster import Duty
from city.squad import Shift, Squad, SquadPlace
from db.pool import Connection
from db.rosters import list_rosters
from db.squad_positions import insert_positions


@dataclass(frozen=True)
class _SquadRow:
    code: str
    district: str
    name_zh: str
    name_en: str
    kind: str
    skills: list[str]
    lon: float | None
    lat: float | None
    position_at: datetime | None
    open_incidents: int
    duty_grids: list[str]
    shifts: list[dict[str, Any]]
    brigade_zh: str
    brigade_en: str
    kit: list[str]

    def as_squad(self, roster: tuple[Duty, ...] | None) -> Squad:
        at = LonLat(self.lon, self.lat) if self.lon is not None and self.lat is not None else None
        return Squad(
            code=self.code,
            district=self.district,
            name_zh=self.name_zh,
            name_en=self.name_en,
            kind=self.kind,
            skills=frozenset(self.skills),
            duty_grids=frozenset(self.duty_grids),
            shifts=tuple(_shift(row) for row in self.shifts),
            position=at,
            position_at=self.position_at,
            open_incidents=self.open_incidents,
            roster=roster,
            brigade_zh=self.brigade_zh,
            brigade_en=self.brigade_en,
            kit=frozenset(self.kit),
        )


def _shift(row: dict[str, Any]) -> Shift:
    return Shift(
        frozenset(row["weekdays"]),
        time.fromisoformat(row["start_at"]),
        time.fromisoformat(row["end_at"]),
    )


def list_squads(
    conn: Connection, district: str, code: str | None = None, *, near: datetime | None = None
) -> list[Squad]:
    """Active squads of a district, with shifts, rosters, duty grids and the incidents they carry
    now; of the rosters, which may be long, only the days around `near` if it is given."""
    with conn.cursor(row_factory=class_row(_SquadRow)) as cursor:
        rows = cursor.execute(
            """
            SELECT s.code, s.district, s.name_zh, s.name_en, s.kind, s.skills, p.lon, p.lat,
                   p.at AS position_at, coalesce(o.open_incidents, 0) AS open_incidents,
                   coalesce(g.duty_grids, '{}') AS duty_grids, coalesce(t.shifts, '[]') AS shifts,
                   s.brigade_zh, s.brigade_en, s.kit
            FROM squad s
            LEFT JOIN LATERAL (
                SELECT lon, lat, at FROM squad_position WHERE squad = s.code
                ORDER BY at DESC LIMIT 1
            ) p ON true
            LEFT JOIN (
                SELECT squad, count(*) AS open_incidents FROM incident
                WHERE state IN ('dispatched', 'acknowledged', 'on_site') GROUP BY squad
            ) o ON o.squad = s.code
            LEFT JOIN (
                SELECT squad, array_agg(duty_grid) AS duty_grids FROM squad_duty_grid
                GROUP BY squad
            ) g ON g.squad = s.code
            LEFT JOIN (
                SELECT squad, jsonb_agg(jsonb_build_object(
                    'weekdays', weekdays, 'start_at', start_at, 'end_at', end_at)) AS shifts
                FROM squad_shift GROUP BY squad
            ) t ON t.squad = s.code
            WHERE s.district = %(district)s AND s.active
              AND (%(code)s::text IS NULL OR s.code = %(code)s)
            ORDER BY s.code
            """,
            {"district": district, "code": code},
        ).fetchall()
    rosters = list_rosters(conn, district, code, near=near)
    return [row.as_squad(rosters.get(row.code)) for row in rows]


def find_squad(conn: Connection, district: str, code: str) -> Squad:
    """One active squad of a district, by the code a person gave."""
    found = list_squads(conn, district, code)
    if not found:
        raise InvalidInput("squad", code, "is not an active squad of this district")
    return found[0]


def find_demo_squad(conn: Connection, skill: str) -> str | None:
    """Code of the first squad of the demonstration that has this skill."""
    row = conn.execute(
        "SELECT code FROM squad WHERE demo AND %s = ANY(skills) ORDER BY code LIMIT 1", (skill,)
    ).fetchone()
    return row[0] if row else None


def mark_demo(conn: Connection, codes: Sequence[str]) -> None:
    """These are of a demonstration."""
    conn.execute("UPDATE squad SET demo = true WHERE code = ANY(%s)", (list(codes),))


def insert_squad(conn: Connection, squad: Squad, *, phone: str = "") -> bool:
    """Store a squad with its shifts, duty grids and place once; False if it is already there."""
    inserted = conn.execute(
        """
        INSERT INTO squad (code, district, name_zh, name_en, kind, skills, phone, brigade_zh,
                           brigade_en, kit)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (code) DO NOTHING
        """,
        (squad.code, squad.district, squad.name_zh, squad.name_en, squad.kind,
         sorted(squad.skills), phone, squad.brigade_zh, squad.brigade_en, sorted(squad.kit)),
    )  # fmt: skip
    if inserted.rowcount == 0:
        return False
    _insert_duties(conn, squad)
    if squad.position is not None and squad.position_at is not None:
        at = squad.position
        insert_positions(conn, [SquadPlace(squad.code, at.lon, at.lat, squad.position_at)])
    return True


def _insert_duties(conn: Connection, squad: Squad) -> None:
    """When it is on duty, and for which duty grids it answers."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO squad_shift (squad, weekdays, start_at, end_at) VALUES (%s, %s, %s, %s)",
            [(squad.code, sorted(s.weekdays), s.start, s.end) for s in squad.shifts],
        )
        cursor.executemany(
            "INSERT INTO squad_duty_grid (squad, duty_grid) VALUES (%s, %s)",
            [(squad.code, grid) for grid in sorted(squad.duty_grids)],
        )


def save_squad(conn: Connection, squad: Squad, phone: str) -> None:
    """Put a squad in, or give the one that is there other names, skills, shifts and duty grids;
    one that was retired is active again. Where it is stays as it was told."""
    if insert_squad(conn, squad, phone=phone):
        return
    conn.execute(
        """
        UPDATE squad
        SET name_zh = %s, name_en = %s, kind = %s, skills = %s, phone = %s, brigade_zh = %s,
            brigade_en = %s, kit = %s, active = true, version = version + 1
        WHERE code = %s
        """,
        (squad.name_zh, squad.name_en, squad.kind, sorted(squad.skills), phone, squad.brigade_zh,
         squad.brigade_en, sorted(squad.kit), squad.code),
    )  # fmt: skip
    conn.execute("DELETE FROM squad_shift WHERE squad = %s", (squad.code,))
    conn.execute("DELETE FROM squad_duty_grid WHERE squad = %s", (squad.code,))
    _insert_duties(conn, squad)


def retire_squads(conn: Connection, codes: Sequence[str]) -> None:
    """Squads that exist no more: nobody sends them, what they did stays under their name."""
    conn.execute(
        "UPDATE squad SET active = false, version = version + 1 WHERE code = ANY(%s)",
        (list(codes),),
    )
    conn.execute("DELETE FROM squad_duty_grid WHERE squad = ANY(%s)", (list(codes),))
    conn.execute("DELETE FROM squad_roster WHERE squad = ANY(%s)", (list(codes),))


def list_phones(conn: Connection, district: str) -> dict[str, str]:
    """Telephone numbers of the squads of a district, by code."""
    rows = conn.execute("SELECT code, phone FROM squad WHERE district = %s", (district,))
    return dict(rows.fetchall())


def list_squads_at_work(conn: Connection, codes: Sequence[str]) -> list[tuple[str, int]]:
    """Those of these squads that have open incidents, and how many."""
    return conn.execute(
        """
        SELECT squad, count(*) FROM incident
        WHERE squad = ANY(%s) AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        GROUP BY squad ORDER BY squad
        """,
        (list(codes),),
    ).fetchall()


def list_squads_of_others(
    conn: Connection, district: str, codes: Sequence[str]
) -> list[tuple[str, str]]:
    """Those of these codes that squads of another district have, and which one."""
    return conn.execute(
        "SELECT code, district FROM squad WHERE code = ANY(%s) AND district <> %s ORDER BY code",
        (list(codes), district),
    ).fetchall()
