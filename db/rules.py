"""Alarm rules: versions that were applied, and those in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from db.pool import Connection

DEFAULTS = Path(__file__).parent / "seeds" / "rules"


@dataclass(frozen=True, slots=True)
class RuleRow:
    code: str
    version: int
    definition: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewestVersion:
    version: int
    source: str
    applied_by: str
    retired: bool  # by a person: no other version took its place


def default_texts() -> dict[str, str]:
    """The rule files that ship with the product, by file name."""
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(DEFAULTS.glob("*.toml"))}


def is_any(conn: Connection) -> bool:
    """Whether a rule was ever put in force: the last of what a new installation is given."""
    row = conn.execute("SELECT EXISTS (SELECT FROM rule)").fetchone()
    return row == (True,)


def list_in_force(conn: Connection, now: datetime) -> list[RuleRow]:
    """Rules that judge readings at `now`."""
    with conn.cursor(row_factory=class_row(RuleRow)) as cursor:
        return cursor.execute(
            """
            SELECT code, version, definition FROM rule
            WHERE valid_from <= %(now)s AND (retired_at IS NULL OR retired_at > %(now)s)
            ORDER BY code
            """,
            {"now": now},
        ).fetchall()


def list_versions_in_force(conn: Connection, now: datetime) -> frozenset[tuple[str, int]]:
    """Code and version of each rule in force: cheap enough to ask before every batch."""
    rows = conn.execute(
        """
        SELECT code, version FROM rule
        WHERE valid_from <= %(now)s AND (retired_at IS NULL OR retired_at > %(now)s)
        """,
        {"now": now},
    ).fetchall()
    return frozenset((row[0], row[1]) for row in rows)


@dataclass(frozen=True, slots=True)
class RuleText:
    """The file of the newest version of a rule, and who applied it."""

    code: str
    source: str
    applied_by: str
    version: int


def list_texts(conn: Connection) -> list[RuleText]:
    """Rules that are in force or will be; those that were retired are left out."""
    with conn.cursor(row_factory=class_row(RuleText)) as cursor:
        return cursor.execute(
            """
            SELECT DISTINCT ON (code) code, source, applied_by, version FROM rule
            WHERE retired_at IS NULL ORDER BY code, version DESC
            """
        ).fetchall()


def find_newest(conn: Connection, code: str) -> NewestVersion | None:
    """The newest version of a rule, in force or not."""
    with conn.cursor(row_factory=class_row(NewestVersion)) as cursor:
        return cursor.execute(
            """
            SELECT version, source, applied_by, retired_at IS NOT NULL AS retired FROM rule
            WHERE code = %s ORDER BY version DESC LIMIT 1
            """,
            (code,),
        ).fetchone()


def insert_version(
    conn: Connection,
    *,
    code: str,
    version: int,
    source: str,
    definition: dict[str, Any],
    valid_from: datetime,
    applied_by: str,
) -> None:
    """Put a version in force from `valid_from`; the one before it ends at that moment."""
    conn.execute(
        """
        UPDATE rule SET retired_at = %(at)s
        WHERE code = %(code)s AND (retired_at IS NULL OR retired_at > %(at)s)
        """,
        {"at": valid_from, "code": code},
    )
    conn.execute(
        """
        INSERT INTO rule (code, version, source, definition, valid_from, applied_by)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (code, version, source, Jsonb(definition), valid_from, applied_by),
    )


def retire(conn: Connection, code: str, now: datetime) -> None:
    """Take a rule out of force from now on."""
    conn.execute(
        """
        UPDATE rule SET retired_at = %(now)s
        WHERE code = %(code)s AND (retired_at IS NULL OR retired_at > %(now)s)
        """,
        {"now": now, "code": code},
    )
