"""Before an incident is opened: is the matter open already, and who else is opening it."""

from __future__ import annotations

from datetime import datetime

from psycopg.rows import class_row

from city.incident import Neighbour, SimilarIncident
from city.place import LonLat
from db.pool import Connection
from db.row_columns import select_list

# Namespace of the advisory locks that serialise the opening of incidents.
OPENING_LOCK = 0x6F70_656E
# Half the height of the box in which neighbours are looked for, about 110 m; it is twice as
# wide, since a degree of longitude is shorter. The exact distance is judged by the caller.
NEAR_DEG = 0.001

NEIGHBOUR_COLUMNS = select_list(
    Neighbour, "i", family="c.family", needs_release="'gas_release' = ANY(c.closing_evidence)"
)
SIMILAR_COLUMNS = select_list(SimilarIncident, "i", because="s.because", distance_m="s.distance_m")


def find_open_holding(conn: Connection, condition: str) -> int | None:
    """The open incident that the newest alarm of a condition belongs to, or that the condition
    opened; not locked."""
    row = conn.execute(
        """
        SELECT i.id FROM incident i
        JOIN (
            SELECT link.incident_id FROM alarm a JOIN incident_alarm link ON link.alarm_id = a.id
            WHERE a.condition = %s ORDER BY a.id DESC LIMIT 1
        ) newest ON newest.incident_id = i.id
        WHERE i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        """,
        (condition,),
    ).fetchone()
    return find_open_by_condition(conn, condition) if row is None else int(row[0])


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
            f"""
            SELECT {NEIGHBOUR_COLUMNS}
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


def insert_similar(
    conn: Connection, incident_id: int, similar_to: int, because: str, distance_m: float
) -> None:
    """Remember that a new incident may be the same matter as an older one."""
    conn.execute(
        """
        INSERT INTO incident_similar (incident_id, similar_to, because, distance_m)
        VALUES (%s, %s, %s, %s)
        """,
        (incident_id, similar_to, because, distance_m),
    )


def list_similar(conn: Connection, incident_id: int) -> list[SimilarIncident]:
    """The incidents that this one was found similar to, and those that were found similar to
    it; oldest first."""
    with conn.cursor(row_factory=class_row(SimilarIncident)) as cursor:
        return cursor.execute(
            f"""
            SELECT {SIMILAR_COLUMNS}
            FROM (
                SELECT similar_to AS other, because, distance_m FROM incident_similar
                WHERE incident_id = %(id)s
                UNION ALL
                SELECT incident_id, because, distance_m FROM incident_similar
                WHERE similar_to = %(id)s
            ) s
            JOIN incident i ON i.id = s.other
            ORDER BY i.id
            """,
            {"id": incident_id},
        ).fetchall()
