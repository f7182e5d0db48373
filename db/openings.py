"""Before an incident is opened: is the matter open already, and who else is opening it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.place import LonLat
from db.pool import Connection

# Namespace of the advisory locks that serialise the opening of incidents.
OPENING_LOCK = 0x6F70_656E
# Half the height of the box in which neighbours are looked for, about 110 m; it is twice as
# wide, since a degree of longitude is shorter. The exact distance is judged by the caller.
NEAR_DEG = 0.001


def find_open_by_condition(conn: Connection, condition: str) -> int | None:
    """The open incident of a condition, not locked."""
    row = conn.execute(
        """
        SELECT id FROM incident
        WHERE condition = %s AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        """,
        (condition,),
    ).fetchone()
    return None if row is None else int(row[0])


@dataclass(frozen=True)
class Neighbour:
    """An open incident that might be the same matter."""

    id: int
    number: str
    category: str
    family: str
    device_id: int | None
    lon: float
    lat: float
    opened_at: datetime
    needs_release: bool  # closes only with a gas engineer's release


def list_neighbours(
    conn: Connection,
    district: str,
    family: str,
    since: datetime,
    at: LonLat,
    device_id: int | None,
) -> list[Neighbour]:
    """Open incidents of a family, opened since then, near a point or of the same device."""
    with conn.cursor(row_factory=class_row(Neighbour)) as cursor:
        return cursor.execute(
            """
            SELECT i.id, i.number, i.category, c.family, i.device_id, i.lon, i.lat, i.opened_at,
                   'gas_release' = ANY(c.closing_evidence) AS needs_release
            FROM incident i
            JOIN incident_category c ON c.code = i.category AND c.version = i.category_version
            WHERE i.district = %(district)s AND c.family = %(family)s
              AND i.opened_at >= %(since)s
              AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
              AND (i.device_id = %(device)s
                   OR i.lat BETWEEN %(lat)s - %(box)s AND %(lat)s + %(box)s
                  AND i.lon BETWEEN %(lon)s - 2 * %(box)s AND %(lon)s + 2 * %(box)s)
            ORDER BY i.id
            """,
            {
                "district": district,
                "family": family,
                "since": since,
                "device": device_id,
                "lat": at.lat,
                "lon": at.lon,
                "box": NEAR_DEG,
            },
        ).fetchall()


def lock_opening(conn: Connection, district: str, family: str) -> None:
    """Queue behind other openings of this family, so that two similar ones become one."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (OPENING_LOCK, f"{district}/{family}")
    )
