"""Where squads said they are: a stream beside the event log, its newest found by the index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from city.squad import SquadPlace
from db.pool import Connection


def insert_positions(conn: Connection, places: Sequence[SquadPlace]) -> set[str]:
    """Move squads forward in time, never back; codes of those that moved."""
    if not places:
        return set()
    ordered = sorted({(place.squad, place.at): place for place in places}.items())
    rows = conn.execute(
        """
        WITH told AS (
            SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::float8[], %s::float8[])
                AS place (squad, at, lon, lat)
            WHERE EXISTS (SELECT FROM squad WHERE code = place.squad)
        ), known AS (
            SELECT squad, (SELECT max(at) FROM squad_position WHERE squad = told.squad) AS at
            FROM told GROUP BY squad
        )
        INSERT INTO squad_position (squad, at, lon, lat)
        SELECT squad, told.at, lon, lat FROM told JOIN known USING (squad)
        WHERE known.at IS NULL OR told.at > known.at
        ORDER BY squad, told.at
        ON CONFLICT DO NOTHING
        RETURNING squad
        """,
        (
            [place.squad for _, place in ordered],
            [place.at for _, place in ordered],
            [place.lon for _, place in ordered],
            [place.lat for _, place in ordered],
        ),
    )
    return {row[0] for row in rows}


def list_newest(conn: Connection, district: str) -> dict[str, SquadPlace]:
    """The newest place of every squad of a district that has said where it is."""
    with conn.cursor(row_factory=class_row(SquadPlace)) as cursor:
        found = cursor.execute(
            """
            SELECT s.code AS squad, newest.lon, newest.lat, newest.at
            FROM squad s
            CROSS JOIN LATERAL (
                SELECT lon, lat, at FROM squad_position WHERE squad = s.code
                ORDER BY at DESC LIMIT 1
            ) newest
            WHERE s.district = %s
            """,
            (district,),
        ).fetchall()
    return {place.squad: place for place in found}


def forget(conn: Connection, before: datetime) -> int:
    """Drop what is older, but for the newest of each squad."""
    return conn.execute(
        """
        DELETE FROM squad_position old
        WHERE at < %s AND EXISTS (
            SELECT FROM squad_position newer WHERE newer.squad = old.squad AND newer.at > old.at)
        """,
        (before,),
    ).rowcount
