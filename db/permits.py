"""Work permits, the devices they are about, and what was open under them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.permit import GRACE, Candidate, NewPermit, Noted, Span
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside


@dataclass(frozen=True, slots=True)
class PermitRow:
    """A permit as it is; `open_devices` are those of its notes."""

    id: int
    district: str
    code: str
    who: str
    why: str
    place: dict[str, Any]
    from_at: datetime
    until_at: datetime
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_why: str
    due_at: datetime | None
    version: int
    devices: list[str]
    noted: list[dict[str, Any]]


_COLUMNS = """
    p.id, p.district, p.code, p.who, p.why, p.place, p.from_at, p.until_at, p.made_by, p.made_at,
    p.ended_by, p.ended_why, p.due_at, p.version,
    ARRAY(SELECT d.code FROM work_permit_device w JOIN device d ON d.id = w.device_id
          WHERE w.permit_id = p.id ORDER BY d.code) AS devices,
    COALESCE((SELECT jsonb_agg(jsonb_build_object(
                  'device', d.code, 'condition', n.condition,
                  'first_at', n.first_at, 'last_at', n.last_at) ORDER BY n.first_at)
              FROM work_permit_note n JOIN device d ON d.id = n.device_id
              WHERE n.permit_id = p.id), '[]') AS noted
"""


_INSIDE = f"""
    (%(within)s::text[] IS NULL
     OR EXISTS (SELECT FROM work_permit_device w JOIN device d ON d.id = w.device_id
                WHERE w.permit_id = p.id AND {inside("d")}))
"""


def list_candidates(
    conn: Connection, district: str, cover_metrics: Sequence[int]
) -> list[Candidate]:
    """The devices of a district, and which of them have a cover: manholes, and what has reported
    one of these metrics."""
    with conn.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(
            """
            SELECT id, code, lon, lat, street,
                   kind = 'manhole' OR EXISTS (
                       SELECT FROM device_latest l
                       WHERE l.device_id = device.id AND l.metric_id = ANY(%s)) AS has_cover
            FROM device WHERE district = %s AND retired_at IS NULL ORDER BY code
            """,
            (list(cover_metrics), district),
        ).fetchall()


def next_number(conn: Connection) -> int:
    """A number that no permit has, for those that come without one."""
    row = conn.execute("SELECT COALESCE(max(id), 0) + 1 FROM work_permit").fetchone()
    assert row is not None, "an aggregate"
    return int(row[0])


def insert_permit(
    conn: Connection,
    district: str,
    new: NewPermit,
    device_ids: Sequence[int],
    made_by: str,
    now: datetime,
) -> int | None:
    """Store a permit; None: its code is there already."""
    row = conn.execute(
        """
        INSERT INTO work_permit
            (district, code, who, why, place, from_at, until_at, made_by, made_at, due_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (district, code) DO NOTHING RETURNING id
        """,
        (
            district, new.code, new.who, new.why, Jsonb(new.place.as_json()), new.from_at,
            new.until_at, made_by, now, new.until_at + GRACE,
        ),
    ).fetchone()  # fmt: skip
    if row is None:
        return None
    conn.execute(
        """
        INSERT INTO work_permit_device (permit_id, device_id)
        SELECT %s, device_id FROM unnest(%s::int[]) AS of (device_id)
        """,
        (row[0], list(device_ids)),
    )
    return int(row[0])


def find_permit(
    conn: Connection, district: str, code: str, *, lock: bool = False
) -> PermitRow | None:
    if lock:
        conn.execute(
            "SELECT FROM work_permit WHERE district = %s AND code = %s FOR UPDATE",
            (district, code),
        )
    with conn.cursor(row_factory=class_row(PermitRow)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM work_permit p WHERE p.district = %s AND p.code = %s",
            (district, code),
        ).fetchone()


def list_permits(
    conn: Connection,
    scope: Scope,
    *,
    open_at: datetime | None = None,
    device: str | None = None,
    below: int | None = None,
    limit: int = 100,
) -> list[PermitRow]:
    """Newest first. `open_at`: those that are not over then; `device`: those about it; within
    divisions: those about a device there, whole."""
    with conn.cursor(row_factory=class_row(PermitRow)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_COLUMNS} FROM work_permit p
            WHERE p.district = %(district)s AND {_INSIDE}
              AND (%(below)s::bigint IS NULL OR p.id < %(below)s)
              AND (%(open_at)s::timestamptz IS NULL OR p.until_at > %(open_at)s)
              AND (%(device)s::text IS NULL OR EXISTS (
                  SELECT FROM work_permit_device w JOIN device d ON d.id = w.device_id
                  WHERE w.permit_id = p.id AND d.code = %(device)s))
            ORDER BY p.id DESC LIMIT %(limit)s
            """,
            {
                "district": scope.district, "within": scope.codes, "open_at": open_at,
                "device": device, "below": below, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def is_inside(conn: Connection, scope: Scope, permit_id: int) -> bool:
    """Whether a permit of the district is about a device within."""
    row = conn.execute(
        f"SELECT {_INSIDE} FROM work_permit p WHERE p.id = %(id)s",
        {"id": permit_id, "within": scope.codes},
    ).fetchone()
    return row == (True,)


def end_permit(conn: Connection, permit_id: int, by: str, why: str, now: datetime) -> None:
    """End a permit before its time. One that had not begun was never in force."""
    conn.execute(
        """
        UPDATE work_permit
        SET until_at = greatest(%(now)s, from_at + interval '1 microsecond'), ended_by = %(by)s,
            ended_why = %(why)s, due_at = CASE WHEN from_at < %(now)s THEN %(due)s END,
            version = version + 1
        WHERE id = %(id)s
        """,
        {"now": now, "by": by, "why": why, "due": now + GRACE, "id": permit_id},
    )


def list_due_districts(conn: Connection, now: datetime) -> list[str]:
    """Districts in which a permit has been over for a minute."""
    rows = conn.execute("SELECT DISTINCT district FROM work_permit WHERE due_at <= %s", (now,))
    return [district for (district,) in rows]


def claim_due(conn: Connection, district: str, now: datetime) -> dict[int, str]:
    """Permits of a district that are over, by id; each is answered once."""
    rows = conn.execute(
        """
        UPDATE work_permit SET due_at = NULL, version = version + 1
        WHERE district = %s AND due_at <= %s RETURNING id, code
        """,
        (district, now),
    ).fetchall()
    return dict(sorted(rows))


def list_devices_of(conn: Connection, permit_ids: Collection[int]) -> dict[int, list[int]]:
    """Devices by permit."""
    found: dict[int, list[int]] = defaultdict(list)
    for permit_id, device_id in conn.execute(
        """
        SELECT permit_id, device_id FROM work_permit_device
        WHERE permit_id = ANY(%s) ORDER BY permit_id, device_id
        """,
        (list(permit_ids),),
    ):
        found[permit_id].append(device_id)
    return found


def list_spans(
    conn: Connection, device_ids: Sequence[int], from_: datetime, to: datetime
) -> Mapping[int, Sequence[Span]]:
    """When permits counted for these devices, as far as that touches [from_, to]."""
    found: dict[int, list[Span]] = defaultdict(list)
    rows = conn.execute(
        """
        SELECT w.device_id, p.id, p.code, p.from_at, p.until_at + %(grace)s
        FROM work_permit_device w JOIN work_permit p ON p.id = w.permit_id
        WHERE w.device_id = ANY(%(ids)s) AND p.from_at <= %(to)s
          AND p.until_at + %(grace)s > %(from)s
        """,
        {"ids": list(device_ids), "from": from_, "to": to, "grace": GRACE},
    )
    for device_id, permit_id, code, from_at, over_at in rows:
        found[device_id].append(Span(permit_id, code, from_at, over_at))
    return found


def list_spans_of_district(
    conn: Connection, district: str, from_: datetime, to: datetime
) -> Mapping[int, Sequence[Span]]:
    """The same of all devices of a district."""
    ids = conn.execute(
        """
        SELECT DISTINCT w.device_id FROM work_permit p
        JOIN work_permit_device w ON w.permit_id = p.id
        WHERE p.district = %s AND p.from_at <= %s AND p.until_at + %s > %s
        """,
        (district, to, GRACE, from_),
    ).fetchall()
    return list_spans(conn, [i for (i,) in ids], from_, to) if ids else {}


def list_spans_by_code(
    conn: Connection, from_: datetime, to: datetime
) -> Mapping[str, Sequence[Span]]:
    """When permits counted, as far as that touches [from_, to], by the codes of their devices."""
    found: dict[str, list[Span]] = defaultdict(list)
    rows = conn.execute(
        """
        SELECT d.code, p.id, p.code, p.from_at, p.until_at + %(grace)s
        FROM work_permit p JOIN work_permit_device w ON w.permit_id = p.id
        JOIN device d ON d.id = w.device_id
        WHERE p.from_at <= %(to)s AND p.until_at + %(grace)s > %(from)s
        """,
        {"from": from_, "to": to, "grace": GRACE},
    )
    for device, permit_id, code, from_at, over_at in rows:
        found[device].append(Span(permit_id, code, from_at, over_at))
    return found


def save_notes(conn: Connection, noted: Sequence[Noted]) -> list[Noted]:
    """Store what was open under permits; answers with what nobody had been told of."""
    new = []
    for note in noted:
        row = conn.execute(
            """
            INSERT INTO work_permit_note
                (permit_id, device_id, condition, first_at, last_at, reason)
            VALUES (%(permit)s, %(device)s, %(condition)s, %(at)s, %(at)s, %(reason)s)
            ON CONFLICT (permit_id, condition) DO UPDATE
            SET first_at = least(work_permit_note.first_at, excluded.first_at),
                last_at = greatest(work_permit_note.last_at, excluded.last_at)
            RETURNING (xmax = 0)
            """,
            {
                "permit": note.span.permit_id, "device": note.device_id,
                "condition": note.condition, "at": note.sensed_at, "reason": Jsonb(note.reason),
            },
        ).fetchone()  # fmt: skip
        if row is not None and row[0]:
            new.append(note)
    return new
