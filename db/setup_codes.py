"""The code of the first run: who holds it may found the city, while there is nobody yet."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from db.pool import Connection


def is_prepared(conn: Connection) -> bool:
    """Whether the database has the tables of this; a web server may start before they are made."""
    row = conn.execute("SELECT to_regclass('setup_code') IS NOT NULL").fetchone()
    return bool(row and row[0])


def has_people(conn: Connection) -> bool:
    """Whether anybody was ever added, also somebody who is shut out now."""
    row = conn.execute("SELECT EXISTS (SELECT FROM app_user)").fetchone()
    return bool(row and row[0])


def has_code(conn: Connection) -> bool:
    """Whether there is a code; nobody knows its text any more but whoever was told."""
    return conn.execute("SELECT FROM setup_code").fetchone() is not None


def put_code(conn: Connection, code: str, now: datetime) -> None:
    """Take the place of the code before; only the digest is kept."""
    conn.execute(
        """
        INSERT INTO setup_code (sha256, made_at) VALUES (%s, %s)
        ON CONFLICT (only_row) DO UPDATE SET sha256 = EXCLUDED.sha256, made_at = EXCLUDED.made_at
        """,
        (_digest(code), now),
    )


def lock_code(conn: Connection, code: str) -> bool:
    """Whether this is the code; compared in constant time, and held until the commit."""
    row = conn.execute("SELECT sha256 FROM setup_code FOR UPDATE").fetchone()
    return hmac.compare_digest(bytes(row[0]) if row else b"", _digest(code))


def delete_code(conn: Connection) -> None:
    """The code is worth nothing any more."""
    conn.execute("DELETE FROM setup_code")


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
