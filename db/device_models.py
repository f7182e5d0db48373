"""Device models of the cities' own, as their files say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class OwnModel:
    """`text` is TOML, `codec` JavaScript."""

    name: str
    district: str
    text: str
    codec: str


def list_models(conn: Connection, district: str | None = None) -> list[OwnModel]:
    """Those of a district, or all."""
    with conn.cursor(row_factory=class_row(OwnModel)) as cursor:
        return cursor.execute(
            """
            SELECT name, district, text, codec FROM device_model
            WHERE %(district)s::text IS NULL OR district = %(district)s ORDER BY name
            """,
            {"district": district},
        ).fetchall()


def list_texts(conn: Connection) -> dict[str, tuple[str, str]]:
    """Text and codec of all by name."""
    return {model.name: (model.text, model.codec) for model in list_models(conn)}


def save_model(conn: Connection, model: OwnModel) -> None:
    """Put a model in, in the place of the one of its name."""
    conn.execute(
        """
        INSERT INTO device_model (name, district, text, codec) VALUES (%s, %s, %s, %s)
        ON CONFLICT (name) DO UPDATE SET text = excluded.text, codec = excluded.codec
        """,
        (model.name, model.district, model.text, model.codec),
    )


def delete_models(conn: Connection, names: Sequence[str]) -> None:
    conn.execute("DELETE FROM device_model WHERE name = ANY(%s)", (list(names),))


def count_devices(conn: Connection, names: Sequence[str]) -> list[tuple[str, int]]:
    """Models that devices are registered with, and how many."""
    return conn.execute(
        """
        SELECT model, count(*)::int FROM device WHERE model = ANY(%s) GROUP BY model ORDER BY model
        """,
        (list(names),),
    ).fetchall()
