"""What waits for a second pair of eyes, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.approval import Approval, ApprovalState, CaseRequest, NewApproval
from city.lighting import LIGHT
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

# What a request is about lies within: its case, its alarm, or every lamp of its order. Rules and
# rosters are the district's.
_LAMP_OF = """
    SELECT FROM device d
    WHERE d.kind = %(light)s AND d.district = approval.district AND d.retired_at IS NULL
      AND d.out_of_service_since IS NULL
      AND CASE approval.change ->> 'target'
          WHEN 'street' THEN d.street = approval.change ->> 'code'
          WHEN 'cabinet' THEN d.attributes ->> 'cabinet' = approval.change ->> 'code'
          WHEN 'lamp' THEN d.code = approval.change ->> 'code'
          WHEN 'lamps' THEN approval.change -> 'lamps' ? d.code ELSE false END
"""
_INSIDE = f"""
    (%(within)s::text[] IS NULL
     OR EXISTS (SELECT FROM incident i
                WHERE i.id = (approval.change ->> 'incident')::bigint AND {inside("i")})
     OR EXISTS (SELECT FROM alarm a LEFT JOIN device ON device.id = a.device_id
                WHERE a.id = (approval.change ->> 'alarm')::bigint
                  AND {inside("device", cell="coalesce(a.unit_grid, device.unit_grid)")})
     OR EXISTS ({_LAMP_OF}) AND NOT EXISTS ({_LAMP_OF} AND NOT {inside("d")}))
"""


def insert_approval(
    conn: Connection,
    district: str,
    new: NewApproval,
    asked_by: str,
    why: str,
    now: datetime,
    expires_at: datetime,
) -> int | None:
    """Store a request; None where the very same one waits already."""
    row = conn.execute(
        """
        INSERT INTO approval (district, kind, what, change, before, shown, digest, asked_by,
                              asked_at, why, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (district, digest) WHERE state = 'waiting' DO NOTHING
        RETURNING id
        """,
        (district, new.kind, new.what, Jsonb(new.change), Jsonb(new.before), Jsonb(new.shown),
         new.digest, asked_by, now, why, expires_at),
    ).fetchone()  # fmt: skip
    return row[0] if row else None


def find_waiting(conn: Connection, district: str, digest: str) -> Approval | None:
    """The request of this digest that waits."""
    with conn.cursor(row_factory=class_row(Approval)) as cursor:
        return cursor.execute(
            """
            SELECT id, district, kind, what, change, before, shown, digest, asked_by, asked_at,
                   why, expires_at, state, decided_by, decided_at, decided_why
            FROM approval WHERE district = %s AND digest = %s AND state = 'waiting'
            """,
            (district, digest),
        ).fetchone()


def kind_of(conn: Connection, district: str, number: int) -> str | None:
    """What a request of a district is about; None: there is no such request."""
    row = conn.execute(
        "SELECT kind FROM approval WHERE district = %s AND id = %s", (district, number)
    ).fetchone()
    return row[0] if row else None


def lock_approval(conn: Connection, district: str, number: int) -> Approval | None:
    """A request of a district; nobody else decides it until the commit."""
    with conn.cursor(row_factory=class_row(Approval)) as cursor:
        return cursor.execute(
            """
            SELECT id, district, kind, what, change, before, shown, digest, asked_by, asked_at,
                   why, expires_at, state, decided_by, decided_at, decided_why
            FROM approval WHERE district = %s AND id = %s FOR UPDATE
            """,
            (district, number),
        ).fetchone()


def is_inside(conn: Connection, scope: Scope, number: int) -> bool:
    """Whether what a request of the district is about lies within."""
    row = conn.execute(
        f"SELECT {_INSIDE} FROM approval WHERE id = %(id)s",
        {"id": number, "within": scope.codes, "light": LIGHT},
    ).fetchone()
    return row == (True,)


def lock_kind(conn: Connection, kind: str) -> None:
    """Nobody else asks for, or decides, one of this kind until the commit."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtext('approval'), hashtext(%s))", (kind,))


def list_waiting_for_incident(
    conn: Connection, district: str, incident_id: int, now: datetime
) -> list[CaseRequest]:
    """What is asked for an incident and nobody has decided yet, oldest first."""
    with conn.cursor(row_factory=class_row(CaseRequest)) as cursor:
        return cursor.execute(
            """
            SELECT id, change ->> 'action' AS action, asked_by, asked_at, why, expires_at,
                   (change ->> 'until')::timestamptz AS until
            FROM approval
            WHERE district = %s AND state = 'waiting' AND expires_at > %s
              AND (change ->> 'incident')::bigint = %s
            ORDER BY id
            """,
            (district, now, incident_id),
        ).fetchall()


def list_approvals(
    conn: Connection,
    district: str,
    *,
    below: int | None,
    limit: int,
    kinds: Sequence[str] | None = None,
    or_asked_by: str = "",
    within: Sequence[str] | None = None,
) -> list[Approval]:
    """Requests of a district, newest first, with numbers below `below`; `kinds`: of these alone,
    `within`: about what lies in these divisions alone; and those that `or_asked_by` asked for."""
    with conn.cursor(row_factory=class_row(Approval)) as cursor:
        return cursor.execute(
            f"""
            SELECT id, district, kind, what, change, before, shown, digest, asked_by, asked_at,
                   why, expires_at, state, decided_by, decided_at, decided_why
            FROM approval
            WHERE district = %(district)s AND (%(below)s::bigint IS NULL OR id < %(below)s)
              AND (asked_by = %(asked_by)s
                   OR (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s)) AND {_INSIDE})
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {
                "district": district,
                "below": below,
                "limit": limit,
                "kinds": None if kinds is None else list(kinds),
                "asked_by": or_asked_by,
                "within": within,
                "light": LIGHT,
            },
        ).fetchall()


def decide(
    conn: Connection, number: int, state: ApprovalState, by: str, why: str, now: datetime
) -> None:
    conn.execute(
        """
        UPDATE approval SET state = %s, decided_by = %s, decided_why = %s, decided_at = %s
        WHERE id = %s
        """,
        (state.value, by, why, now, number),
    )


def expire(conn: Connection, district: str, now: datetime) -> list[tuple[int, str]]:
    """Write down that nobody decided these in time: number and what was asked for."""
    return conn.execute(
        """
        UPDATE approval SET state = 'expired', decided_at = expires_at
        WHERE district = %s AND state = 'waiting' AND expires_at <= %s
        RETURNING id, what
        """,
        (district, now),
    ).fetchall()
