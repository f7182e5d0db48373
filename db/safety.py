"""Check-ins of whoever works alone, and calls for help."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from psycopg.rows import class_row

from city.errors import NotFound
from city.safety import CheckIn, DistressCall
from db.pool import Connection

_CHECK_IN = """id, district, person, squad, incident_id, every_minutes, started_at, heard_at,
    due_at, lon, lat, ended_at"""
_CALL = """c.id, c.district, c.kind, c.person, c.squad, c.incident_id, c.check_in_id, c.acted_at,
    c.raised_at, c.heard_at, c.lon, c.lat, c.acknowledged_by, c.acknowledged_at, c.note,
    i.number, s.name_zh, s.name_en"""
_CALLS = f"""SELECT {_CALL} FROM distress_call c JOIN squad s ON s.code = c.squad
    LEFT JOIN incident i ON i.id = c.incident_id"""


def insert_check_in(conn: Connection, new: CheckIn) -> CheckIn | None:
    """Begin; None where the person has one that runs."""
    with conn.cursor(row_factory=class_row(CheckIn)) as cursor:
        return cursor.execute(
            f"""
            INSERT INTO check_in (district, person, squad, incident_id, every_minutes, started_at,
                                  heard_at, due_at, lon, lat)
            VALUES (%(district)s, %(person)s, %(squad)s, %(incident_id)s, %(every_minutes)s,
                    %(started_at)s, %(heard_at)s, %(due_at)s, %(lon)s, %(lat)s)
            ON CONFLICT (district, person) WHERE ended_at IS NULL DO NOTHING
            RETURNING {_CHECK_IN}
            """,
            asdict(new),
        ).fetchone()


def find_running(
    conn: Connection, district: str, person: str, *, lock: bool = False
) -> CheckIn | None:
    """The check-in of a person that has not ended."""
    with conn.cursor(row_factory=class_row(CheckIn)) as cursor:
        return cursor.execute(
            f"SELECT {_CHECK_IN} FROM check_in"
            " WHERE district = %s AND person = %s AND ended_at IS NULL"
            + (" FOR UPDATE" if lock else ""),
            (district, person),
        ).fetchone()


def claim_due(conn: Connection, now: datetime, limit: int) -> list[CheckIn]:
    """Lock check-ins whose minutes are over and of which nothing was said yet."""
    with conn.cursor(row_factory=class_row(CheckIn)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_CHECK_IN} FROM check_in WHERE due_at < %s
            ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            (now, limit),
        ).fetchall()


def update_check_in(conn: Connection, row: CheckIn) -> None:
    conn.execute(
        """
        UPDATE check_in SET heard_at = %(heard_at)s, due_at = %(due_at)s, ended_at = %(ended_at)s,
                            lon = %(lon)s, lat = %(lat)s
        WHERE id = %(id)s
        """,
        asdict(row),
    )


def insert_call(conn: Connection, new: DistressCall) -> int:
    row = conn.execute(
        """
        INSERT INTO distress_call (district, kind, person, squad, incident_id, check_in_id,
                                   acted_at, raised_at, lon, lat)
        VALUES (%(district)s, %(kind)s, %(person)s, %(squad)s, %(incident_id)s, %(check_in_id)s,
                %(acted_at)s, %(raised_at)s, %(lon)s, %(lat)s)
        RETURNING id
        """,
        asdict(new),
    ).fetchone()
    assert row is not None, "an insert without a conflict"
    return int(row[0])


def find_call(conn: Connection, district: str, call_id: int, *, lock: bool = False) -> DistressCall:
    with conn.cursor(row_factory=class_row(DistressCall)) as cursor:
        found = cursor.execute(
            f"{_CALLS} WHERE c.district = %s AND c.id = %s" + (" FOR UPDATE OF c" if lock else ""),
            (district, call_id),
        ).fetchone()
    if found is None:
        raise NotFound("distress call", call_id)
    return found


def list_calls(
    conn: Connection,
    district: str,
    *,
    only_open: bool,
    since: datetime | None,
    below: int | None,
    limit: int,
) -> list[DistressCall]:
    """Newest first."""
    with conn.cursor(row_factory=class_row(DistressCall)) as cursor:
        return cursor.execute(
            f"""
            {_CALLS} WHERE c.district = %s AND (%s::bigint IS NULL OR c.id < %s)
              AND (NOT %s OR c.acknowledged_at IS NULL)
              AND (%s::timestamptz IS NULL OR c.raised_at >= %s)
            ORDER BY c.id DESC LIMIT %s
            """,
            (district, below, below, only_open, since, since, limit),
        ).fetchall()


def mark_heard(conn: Connection, check_in_id: int, at: datetime) -> list[int]:
    """The person of a missed check-in spoke again; ids of the open calls that learned it."""
    rows = conn.execute(
        """
        UPDATE distress_call SET heard_at = %s
        WHERE check_in_id = %s AND acknowledged_at IS NULL AND heard_at IS NULL
        RETURNING id
        """,
        (at, check_in_id),
    )
    return [row[0] for row in rows]


def acknowledge_call(conn: Connection, call_id: int, by: str, note: str, now: datetime) -> None:
    conn.execute(
        """
        UPDATE distress_call SET acknowledged_by = %s, acknowledged_at = %s, note = %s
        WHERE id = %s
        """,
        (by, now, note, call_id),
    )
