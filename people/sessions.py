"""How sessions end and sign-ins are shut for a while, each with its row in the event log."""

from __future__ import annotations

from datetime import datetime

from city.person import Caller, system_caller
from db import contacts, users
from db.pool import Connection
from people.rights import tell


def sign_in(conn: Connection, name: str, sid: str, now: datetime) -> None:
    """Somebody is here: a session of theirs has begun."""
    contacts.begin_session(conn, sid, name, now)


def sign_out(conn: Connection, caller: Caller, sid: str, now: datetime) -> None:
    """End one session of the caller, wherever a copy of its cookie is."""
    users.end_session(conn, sid, caller.name, now)
    contacts.end_session(conn, sid, caller.name)
    tell(conn, caller, now, "user.signed_out", caller.name)


def note_lock_out(conn: Connection, name: str, address: str, now: datetime) -> None:
    """Too many wrong passwords for somebody from an address.

    What was typed is kept only where it is the name of an account: it may be a password.
    """
    user = users.find_user(conn, name)
    if user is not None:
        system = system_caller(user.district)
        tell(conn, system, now, "user.locked_out", user.name, address=address)
