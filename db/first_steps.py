"""What an installation has of that which a founded city still needs, for the tour."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from city.person import Caller
from db.pool import Connection

# A setting of the district: the tour is not offered any more.
DISMISSED = "tour.dismissed"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """`rules`: somebody has applied or retired one; `heard`: a reading of a device was stored."""

    second_factor: bool
    unit_grid: bool
    devices: bool
    heard: bool
    squads: bool
    people: bool
    rules: bool
    dismissed: bool


def find_first_steps(conn: Connection, caller: Caller) -> FirstSteps:
    """What is there already, of the caller and of their district."""
    with conn.cursor(row_factory=class_row(FirstSteps)) as cursor:
        found = cursor.execute(
            """
            SELECT EXISTS (SELECT FROM app_user
                           WHERE name = %(name)s AND second_factor_at IS NOT NULL) AS second_factor,
                   EXISTS (SELECT FROM unit_grid WHERE district = %(district)s) AS unit_grid,
                   EXISTS (SELECT FROM device WHERE district = %(district)s) AS devices,
                   EXISTS (SELECT FROM device_latest l JOIN device d ON d.id = l.device_id
                           WHERE d.district = %(district)s) AS heard,
                   EXISTS (SELECT FROM squad
                           WHERE district = %(district)s AND active) AS squads,
                   (SELECT count(*) > 1 FROM app_user
                    WHERE district = %(district)s AND disabled_at IS NULL) AS people,
                   EXISTS (SELECT FROM rule
                           WHERE applied_by <> 'system' OR retired_at IS NOT NULL) AS rules,
                   EXISTS (SELECT FROM setting
                           WHERE district = %(district)s AND key = %(key)s) AS dismissed
            """,
            {"name": caller.name, "district": caller.district, "key": DISMISSED},
        ).fetchone()
    assert found is not None, "a SELECT without FROM has one row"
    return found
