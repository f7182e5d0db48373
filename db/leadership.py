"""Which scheduler leads: an advisory lock that lasts as long as the session that took it."""

from __future__ import annotations

from db.pool import Connection

LEADER_LOCK = 0x6772_6965


def try_lead(conn: Connection) -> bool:
    """Take the lead for as long as this session lasts; False while another session has it."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", (LEADER_LOCK,)).fetchone()
    return bool(row and row[0])


def check_lead(conn: Connection) -> None:
    """Raise an error that `db.pool.is_away` knows if the session, and with it the lead, is gone."""
    conn.execute("SELECT 1")
