"""Second factors: the sealed secret of a person, the code used last, digests of recovery codes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """`sealed` is the encrypted secret, `last_step` the step of the newest code that was used."""

    sealed: bytes
    last_step: int


def enrolled_at(conn: Connection, name: str) -> datetime | None:
    """Since when a person has a second factor."""
    row = conn.execute("SELECT second_factor_at FROM app_user WHERE name = %s", (name,)).fetchone()
    return row[0] if row else None


def lacks_factor(conn: Connection, name: str) -> bool:
    """Whether this is a person, and one without a second factor."""
    known = "SELECT FROM app_user WHERE name = %s AND second_factor_at IS NULL"
    return conn.execute(known, (name,)).fetchone() is not None


def lock_factor(conn: Connection, name: str) -> SecondFactor | None:
    """What a code is compared with, held until the commit: a code is used once."""
    with conn.cursor(row_factory=class_row(SecondFactor)) as cursor:
        return cursor.execute(
            "SELECT sealed, last_step FROM second_factor WHERE name = %s FOR UPDATE", (name,)
        ).fetchone()


def put_factor(conn: Connection, name: str, sealed: bytes, step: int, now: datetime) -> None:
    """Take the place of the factor before, and of its recovery codes."""
    conn.execute("DELETE FROM second_factor WHERE name = %s", (name,))
    conn.execute(
        "INSERT INTO second_factor (name, sealed, last_step) VALUES (%s, %s, %s)",
        (name, sealed, step),
    )
    _mark_person(conn, name, now)


def delete_factor(conn: Connection, name: str) -> bool:
    """The password alone is enough again; False if it was already."""
    gone = conn.execute("DELETE FROM second_factor WHERE name = %s", (name,)).rowcount == 1
    if gone:
        _mark_person(conn, name, None)
    return gone


def _mark_person(conn: Connection, name: str, at: datetime | None) -> None:
    conn.execute(
        "UPDATE app_user SET second_factor_at = %s, version = version + 1 WHERE name = %s",
        (at, name),
    )


def mark_step_used(conn: Connection, name: str, step: int) -> None:
    """This code and all before it are worth nothing any more."""
    conn.execute("UPDATE second_factor SET last_step = %s WHERE name = %s", (step, name))


def put_recovery_codes(conn: Connection, name: str, codes: Sequence[str]) -> None:
    """Take the place of the recovery codes before; only digests are kept."""
    conn.execute("DELETE FROM recovery_code WHERE name = %s", (name,))
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO recovery_code (name, sha256) VALUES (%s, %s)",
            [(name, _digest(code)) for code in codes],
        )


def mark_recovery_code_used(conn: Connection, name: str, code: str, now: datetime) -> bool:
    """Use up a recovery code; False if it is none of this person or was used."""
    used = conn.execute(
        """
        UPDATE recovery_code SET used_at = %s
        WHERE name = %s AND sha256 = %s AND used_at IS NULL
        """,
        (now, name, _digest(code)),
    )
    return used.rowcount == 1


def count_recovery_codes(conn: Connection, name: str) -> int:
    """How many are left."""
    row = conn.execute(
        "SELECT count(*) FROM recovery_code WHERE name = %s AND used_at IS NULL", (name,)
    ).fetchone()
    return int(row[0]) if row else 0


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
