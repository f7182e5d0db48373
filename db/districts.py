"""Districts and their settings, as a city folder puts them in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.act_time import DEFAULT_PHONE_HOURS
from db.pool import Connection

PHONE_HOURS_SETTING = "phone_hours"


@dataclass(frozen=True, slots=True)
class DistrictRow:
    code: str
    name_zh: str
    name_en: str
    timezone: str
    outline: dict[str, Any]


def lock_districts(conn: Connection) -> None:
    """Wait until nobody else puts a city in force; held until the commit. Readers go on, and so
    does whoever stores what refers to a district."""
    conn.execute("LOCK TABLE district IN SHARE ROW EXCLUSIVE MODE")


def list_codes(conn: Connection) -> list[str]:
    """Codes of all districts of the installation."""
    return [code for (code,) in conn.execute("SELECT code FROM district ORDER BY code")]


def find_district(conn: Connection, code: str) -> DistrictRow | None:
    with conn.cursor(row_factory=class_row(DistrictRow)) as cursor:
        return cursor.execute(
            "SELECT code, name_zh, name_en, timezone, outline FROM district WHERE code = %s",
            (code,),
        ).fetchone()


def save_district(
    conn: Connection,
    code: str,
    name_zh: str,
    name_en: str,
    timezone: str,
    outline: Mapping[str, Any],
) -> None:
    """Put a district in, or give it another name, zone or outline (GeoJSON geometry)."""
    conn.execute(
        """
        INSERT INTO district (code, name_zh, name_en, timezone, outline)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (code) DO UPDATE
        SET name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en,
            timezone = EXCLUDED.timezone, outline = EXCLUDED.outline
        """,
        (code, name_zh, name_en, timezone, Jsonb(outline)),
    )


def find_settings(conn: Connection, district: str, keys: Sequence[str]) -> dict[str, Any]:
    """Those of these settings that a district has."""
    rows = conn.execute(
        "SELECT key, value FROM setting WHERE district = %s AND key = ANY(%s)",
        (district, list(keys)),
    )
    return dict(rows.fetchall())


def list_where(conn: Connection, key: str, value: object) -> list[str]:
    """Codes of the districts in which a setting has this value."""
    rows = conn.execute(
        "SELECT district FROM setting WHERE key = %s AND value = %s ORDER BY district",
        (key, Jsonb(value)),
    )
    return [code for (code,) in rows]


def save_setting(conn: Connection, district: str, key: str, value: object, now: datetime) -> None:
    conn.execute(
        """
        INSERT INTO setting (district, key, value, updated_at) VALUES (%s, %s, %s, %s)
        ON CONFLICT (district, key) DO UPDATE
        SET value = EXCLUDED.value, updated_at = EXCLUDED.updated_at
        WHERE setting.value <> EXCLUDED.value
        """,
        (district, key, Jsonb(value), now),
    )


def longest_phone_wait(conn: Connection, district: str) -> timedelta:
    """How long ago a phone without signal may have been used and still be believed when."""
    found = find_settings(conn, district, [PHONE_HOURS_SETTING])
    return timedelta(hours=found.get(PHONE_HOURS_SETTING, DEFAULT_PHONE_HOURS))
