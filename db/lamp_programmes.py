"""Lighting programmes by version, who follows which, and when the next step of each is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.lamp_due import Followed
from city.lamp_programme import parse_programme
from city.lighting import LIGHT, FollowingLamp
from db import calendars
from db.pool import Connection
from db.scopes import inside


@dataclass(frozen=True, slots=True)
class ProgrammeRow:
    """One version; `source` is its TOML."""

    code: str
    version: int
    source: str
    retired: bool
    actor: str
    why: str
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """Lamps that follow a programme: a lamp, a cabinet, a street, or the whole district ("")."""

    target_kind: str
    target: str
    programme: str


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """The same with what people are shown; `step_at` is its next step."""

    target_kind: str
    target: str
    target_name: str | None
    programme: str
    actor: str
    assigned_at: datetime
    step_at: datetime | None


@dataclass(frozen=True, slots=True)
class DueStep:
    district: str
    target_kind: str
    target: str
    step_at: datetime


def list_programmes(conn: Connection, district: str) -> list[ProgrammeRow]:
    """The newest version of each that is not retired, by code."""
    return [row for row in _newest(conn, district, None) if not row.retired]


def find_programme(conn: Connection, district: str, code: str) -> ProgrammeRow | None:
    """The newest version, retired or not."""
    return next(iter(_newest(conn, district, code)), None)


def _newest(conn: Connection, district: str, code: str | None) -> list[ProgrammeRow]:
    with conn.cursor(row_factory=class_row(ProgrammeRow)) as cursor:
        return cursor.execute(
            """
            SELECT DISTINCT ON (code) code, version, source, retired, actor, why, valid_from
            FROM lamp_programme
            WHERE district = %(district)s AND (%(code)s::text IS NULL OR code = %(code)s)
            ORDER BY code, version DESC
            """,
            {"district": district, "code": code},
        ).fetchall()


def load_followed(conn: Connection, district: str) -> Followed:
    """What the lamps of a district should do."""
    programmes = {row.code: parse_programme(row.source) for row in list_programmes(conn, district)}
    assigned = {
        (row.target_kind, row.target): row.programme for row in list_assignments(conn, district)
    }
    return Followed(programmes, assigned, calendars.calendar_of(conn, district))


def is_any_followed(conn: Connection) -> bool:
    """Whether any lamp of the city is to follow a programme."""
    row = conn.execute("SELECT EXISTS (SELECT FROM lamp_assignment)").fetchone()
    return row == (True,)


def lock_programmes(conn: Connection, district: str) -> None:
    """Nobody else changes programmes of this district until the commit."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(hashtext('lamp_programme'), hashtext(%s))", (district,)
    )


def insert_programme(conn: Connection, district: str, row: ProgrammeRow) -> None:
    conn.execute(
        """
        INSERT INTO lamp_programme
            (district, code, version, source, retired, actor, why, valid_from)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            district, row.code, row.version, row.source, row.retired, row.actor, row.why,
            row.valid_from,
        ),
    )  # fmt: skip


# Who follows which


def list_assignments(
    conn: Connection, district: str, within: Sequence[str] | None = None
) -> list[AssignmentRow]:
    """`within` divisions: those of the whole district, and those that a lamp there has."""
    with conn.cursor(row_factory=class_row(AssignmentRow)) as cursor:
        return cursor.execute(
            f"""
            SELECT a.target_kind, a.target, v.name AS target_name, a.programme, a.actor,
                   a.assigned_at, s.step_at
            FROM lamp_assignment a
            LEFT JOIN lamp_step_due s USING (district, target_kind, target)
            LEFT JOIN division v ON a.target_kind = 'street' AND v.code = a.target
            WHERE a.district = %(district)s
              AND (%(within)s::text[] IS NULL OR a.target_kind = 'district' OR EXISTS (
                  SELECT FROM device d
                  WHERE d.kind = %(kind)s AND d.district = a.district AND {inside("d")}
                    AND a.target = CASE a.target_kind WHEN 'street' THEN d.street
                        WHEN 'lamp' THEN d.code ELSE d.attributes ->> 'cabinet' END))
            ORDER BY array_position(ARRAY['district', 'street', 'cabinet', 'lamp'], a.target_kind),
                     a.target
            """,
            {
                "district": district, "kind": LIGHT,
                "within": None if within is None else list(within),
            },
        ).fetchall()  # fmt: skip


def put_assignment(
    conn: Connection, district: str, new: Assignment, actor: str, now: datetime
) -> None:
    conn.execute(
        """
        INSERT INTO lamp_assignment (district, target_kind, target, programme, actor, assigned_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (district, target_kind, target) DO UPDATE
        SET programme = excluded.programme, actor = excluded.actor,
            assigned_at = excluded.assigned_at
        """,
        (district, new.target_kind, new.target, new.programme, actor, now),
    )


def delete_assignment(conn: Connection, district: str, target_kind: str, target: str) -> str | None:
    """The programme that was followed; None if there was none."""
    key = (district, target_kind, target)
    conn.execute(
        "DELETE FROM lamp_step_due WHERE district = %s AND target_kind = %s AND target = %s", key
    )
    row = conn.execute(
        """
        DELETE FROM lamp_assignment WHERE district = %s AND target_kind = %s AND target = %s
        RETURNING programme
        """,
        key,
    ).fetchone()
    return None if row is None else str(row[0])


def list_following_lamps(
    conn: Connection, district: str, ids: Sequence[int] | None = None
) -> list[FollowingLamp]:
    """Every lamp in service of the district, or those of these devices."""
    with conn.cursor(row_factory=class_row(FollowingLamp)) as cursor:
        return cursor.execute(
            """
            SELECT id, code, coalesce(attributes ->> 'cabinet', '') AS cabinet,
                   coalesce(street, '') AS street, lon, lat
            FROM device
            WHERE kind = %(kind)s AND district = %(district)s AND retired_at IS NULL
              AND out_of_service_since IS NULL
              AND (%(ids)s::int[] IS NULL OR id = ANY(%(ids)s))
            ORDER BY code
            """,
            {"kind": LIGHT, "district": district, "ids": None if ids is None else list(ids)},
        ).fetchall()


# Steps


def claim_due_steps(conn: Connection, now: datetime, limit: int) -> list[DueStep]:
    """Steps whose time has come; locked, and nobody else has them."""
    with conn.cursor(row_factory=class_row(DueStep)) as cursor:
        return cursor.execute(
            """
            SELECT district, target_kind, target, step_at FROM lamp_step_due
            WHERE step_at <= %s ORDER BY step_at, district, target_kind, target LIMIT %s
            FOR UPDATE SKIP LOCKED
            """,
            (now, limit),
        ).fetchall()


def list_unscheduled(conn: Connection, now: datetime) -> list[DueStep]:
    """Assignments without a next step, locked: nobody else has them."""
    with conn.cursor(row_factory=class_row(DueStep)) as cursor:
        return cursor.execute(
            """
            SELECT a.district, a.target_kind, a.target, %s::timestamptz AS step_at
            FROM lamp_assignment a
            WHERE NOT EXISTS (
                SELECT FROM lamp_step_due s
                WHERE s.district = a.district AND s.target_kind = a.target_kind
                  AND s.target = a.target)
            ORDER BY a.district, a.target_kind, a.target
            FOR UPDATE SKIP LOCKED
            """,
            (now,),
        ).fetchall()


def put_step(conn: Connection, step: DueStep, at: datetime | None) -> None:
    """When the next step of this assignment is due; None: none comes."""
    key = (step.district, step.target_kind, step.target)
    if at is None:
        conn.execute(
            "DELETE FROM lamp_step_due WHERE district = %s AND target_kind = %s AND target = %s",
            key,
        )
        return
    conn.execute(
        """
        INSERT INTO lamp_step_due (district, target_kind, target, step_at)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (district, target_kind, target) DO UPDATE SET step_at = excluded.step_at
        """,
        (*key, at),
    )


def list_districts(conn: Connection) -> Sequence[str]:
    """Districts that have lamps in service."""
    rows = conn.execute(
        """
        SELECT DISTINCT district FROM device
        WHERE kind = %s AND retired_at IS NULL
              AND out_of_service_since IS NULL
        """,
        (LIGHT,),
    )
    return sorted(code for (code,) in rows)
