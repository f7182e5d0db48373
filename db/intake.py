"""Calls and orders, and the reply and the call back that each is owed."""

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.clock import ClockKind, Deadline, LimitUnit
from city.delivery import DEFAULT_LADDER
from city.errors import NotFound
from city.intake import Intake, ListedIntake
from city.scope import Scope
from db.pool import Connection
from db.row_columns import assignments, insert_list, names_of, placeholders, select_list, values_of
from db.scopes import inside

# Namespace of the advisory locks that make one order one intake.
EXTERNAL_LOCK = 0x696E_746B
COLUMNS = select_list(Intake, "intake")
INSERTED = names_of(Intake, without=frozenset({"id", "version"}))
CHANGING = (
    "replied_at", "replied_by", "reply", "call_back_due_at", "call_back_tries", "called_back_at",
    "called_back_by", "satisfaction",
)  # fmt: skip
LISTED_COLUMNS = select_list(
    ListedIntake, "t",
    number="i.number", state="i.state", title_zh="i.title_zh", title_en="i.title_en",
)  # fmt: skip


def lock_external(conn: Connection, district: str, channel: str, external_number: str) -> None:
    """Queue behind others who bring the same order."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(%s))",
        (EXTERNAL_LOCK, f"{district}/{channel}/{external_number}"),
    )


def find_external(
    conn: Connection, district: str, channel: str, external_number: str
) -> Intake | None:
    """What a number of a channel became, if it came before."""
    with conn.cursor(row_factory=class_row(Intake)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM intake
            WHERE district = %s AND channel = %s AND external_number = %s
            """,
            (district, channel, external_number),
        ).fetchone()


def insert_intake(conn: Connection, new: Intake) -> int:
    """Keep a call; gives its id."""
    values = values_of(new) | {"polygon": None if new.polygon is None else Jsonb(new.polygon)}
    row = conn.execute(
        f"INSERT INTO intake ({insert_list(INSERTED)}) VALUES ({placeholders(INSERTED)})"
        " RETURNING id",
        values,
    ).fetchone()
    assert row is not None, "RETURNING of one row"
    return int(row[0])


def lock_intake(conn: Connection, district: str, intake_id: int) -> Intake:
    """One call, locked until the commit."""
    with conn.cursor(row_factory=class_row(Intake)) as cursor:
        found = cursor.execute(
            f"SELECT {COLUMNS} FROM intake WHERE id = %s AND district = %s FOR UPDATE",
            (intake_id, district),
        ).fetchone()
    if found is None:
        raise NotFound("intake", intake_id)
    return found


def update_intake(conn: Connection, intake: Intake) -> None:
    """Write what may change; the version goes up by one. The row is locked by the caller."""
    conn.execute(
        f"UPDATE intake SET {assignments(CHANGING)}, version = version + 1 WHERE id = %(id)s",
        values_of(intake),
    )


def claim_late_replies(conn: Connection, now: datetime, limit: int) -> list[Intake]:
    """Lock some calls whose reply has become due soon, or late, and of which that was not said;
    others' locks are passed over."""
    with conn.cursor(row_factory=class_row(Intake)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM intake
            LEFT JOIN escalation_step e ON e.district = intake.district AND e.step = 'reminder'
            WHERE reply_due_at IS NOT NULL AND replied_at IS NULL AND reply_overdue_at IS NULL
              AND (reply_due_at < %(now)s
                   OR reply_warned_at IS NULL
                   AND received_at + (reply_due_at - received_at)
                       * coalesce(e.at_percent / 100.0, %(remind)s) <= %(now)s)
            ORDER BY intake.id LIMIT %(limit)s
            FOR UPDATE OF intake SKIP LOCKED
            """,
            {"now": now, "limit": limit, "remind": DEFAULT_LADDER.remind},
        ).fetchall()


def mark_late_reply(conn: Connection, intake: Intake) -> None:
    """Keep that it was said; whoever has the call open is not disturbed, so its version stays."""
    conn.execute(
        """
        UPDATE intake SET reply_warned_at = %s, reply_overdue_at = %s WHERE id = %s
        """,
        (intake.reply_warned_at, intake.reply_overdue_at, intake.id),
    )


def list_reply_clocks(conn: Connection, incident_id: int) -> list[Deadline]:
    """What the callers of a case wait for, as clocks; `attempt` is the call."""
    with conn.cursor(row_factory=class_row(Intake)) as cursor:
        rows = cursor.execute(
            f"""
            SELECT {COLUMNS} FROM intake
            WHERE incident_id = %s AND reply_due_at IS NOT NULL ORDER BY id
            """,
            (incident_id,),
        ).fetchall()
    return [_as_clock(row) for row in rows]


def _as_clock(intake: Intake) -> Deadline:
    """Its limit is what lay between the call and the promise; it is in no calendar."""
    assert intake.reply_due_at is not None, "asked for with one"
    allowed = intake.reply_due_at - intake.received_at
    return Deadline(
        id=0,
        district=intake.district,
        incident_id=intake.incident_id,
        clock=ClockKind.REPLY,
        attempt=intake.id,
        started_at=intake.received_at,
        limit_amount=allowed / timedelta(days=1),
        limit_unit=LimitUnit.NATURAL_DAY,
        calendar="",
        calendar_version=0,
        due_at=intake.reply_due_at,
        beyond_calendar=False,
        counted=[],
        warn_at=intake.received_at + DEFAULT_LADDER.remind * allowed,
        warned_at=intake.reply_warned_at,
        overdue_at=intake.reply_overdue_at,
        met_at=intake.replied_at,
    )


def move_to(conn: Connection, merged: int, into: int) -> int:
    """The callers of a case that was merged are callers of the other one; gives how many."""
    return conn.execute(
        """
        UPDATE intake SET incident_id = %(into)s, moved_from = moved_from || %(merged)s::bigint,
               version = version + 1
        WHERE incident_id = %(merged)s
        """,
        {"into": into, "merged": merged},
    ).rowcount


def move_back(conn: Connection, merged: int) -> int:
    """A merge was taken back, and so are the callers that it moved; gives how many."""
    return conn.execute(
        """
        UPDATE intake SET incident_id = %(merged)s, moved_from = trim_array(moved_from, 1),
               version = version + 1
        WHERE moved_from[cardinality(moved_from)] = %(merged)s
        """,
        {"merged": merged},
    ).rowcount


def start_call_backs(conn: Connection, incident_id: int, due_at: datetime | None) -> int:
    """The case is over: whoever wants to be called is called by then; None: it goes on. Gives how
    many those are."""
    return conn.execute(
        """
        UPDATE intake SET call_back_due_at = %s, version = version + 1
        WHERE incident_id = %s AND wants_call_back AND called_back_at IS NULL
        """,
        (due_at, incident_id),
    ).rowcount


def list_intake(
    conn: Connection,
    scope: Scope,
    *,
    owed: bool = False,
    incident_id: int | None = None,
    intake_id: int | None = None,
    channel: str | None = None,
    since: datetime | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[ListedIntake]:
    """Calls about cases of a scope, newest first; `owed`: those that wait for a reply or a call
    back, soonest due first."""
    order = "least(t.reply_due_at, t.call_back_due_at), t.id" if owed else "t.id DESC"
    with conn.cursor(row_factory=class_row(ListedIntake)) as cursor:
        return cursor.execute(
            f"""
            SELECT {LISTED_COLUMNS}
            FROM intake t JOIN incident i ON i.id = t.incident_id
            WHERE t.district = %(district)s AND {inside("i")}
              AND (NOT %(owed)s OR (t.reply_due_at IS NOT NULL AND t.replied_at IS NULL)
                   OR (t.call_back_due_at IS NOT NULL AND t.called_back_at IS NULL))
              AND (%(incident)s::bigint IS NULL OR t.incident_id = %(incident)s)
              AND (%(id)s::bigint IS NULL OR t.id = %(id)s)
              AND (%(channel)s::text IS NULL OR t.channel = %(channel)s)
              AND (%(since)s::timestamptz IS NULL OR t.received_at >= %(since)s)
              AND (%(before)s::bigint IS NULL OR t.id < %(before)s)
            ORDER BY {order} LIMIT %(limit)s
            """,
            {
                "district": scope.district, "within": scope.codes, "owed": owed,
                "incident": incident_id, "id": intake_id, "channel": channel, "since": since,
                "before": before_id, "limit": limit,
            },
        ).fetchall()  # fmt: skip
