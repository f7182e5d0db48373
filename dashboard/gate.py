"""Who comes in: sessions and tokens checked against the database, remembered for seconds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from city.person import Caller
from db import users
from db.pool import Pool, transaction

# A session or token is looked up again after this time: so long may a sign-out in another
# process go unnoticed here.
REMEMBER_S = 5.0
# Sessions remembered at once; beyond it the oldest are forgotten and looked up again.
REMEMBERED = 2_000
# argon2 takes 64 MiB each time: this many sign-ins are checked at once, the rest wait.
CHECKED_AT_ONCE = 2

# Names inside the signed session cookie.
SID, NAME, ISSUED = "sid", "name", "iat"


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What the signed cookie says: which session, whose, and since when."""

    sid: str
    name: str
    issued: float

    @classmethod
    def of(cls, cookie: Any) -> SessionKey | None:
        sid, name, issued = cookie.get(SID), cookie.get(NAME), cookie.get(ISSUED)
        if isinstance(sid, str) and isinstance(name, str) and isinstance(issued, int | float):
            return cls(sid, name, float(issued))
        return None


Key = SessionKey | str  # a session, or the text of a token


class Gate:
    """Answers who a session or a token belongs to."""

    def __init__(self, pool: Pool, secret_key: str) -> None:
        self._pool = pool
        self._secret = secret_key.encode()
        self._known: dict[Key, tuple[float, Caller | None]] = {}
        self._lock = threading.Lock()
        self._checking = threading.BoundedSemaphore(CHECKED_AT_ONCE)

    def sign_in(self, name: str, password: str) -> SessionKey | None:
        """A new session if name and password fit."""
        with self._checking, transaction(self._pool) as conn:
            user = users.verify(conn, name, password)
        if user is None:
            return None
        return SessionKey(secrets.token_urlsafe(18), user.name, time.time())

    def sign_out(self, key: SessionKey) -> None:
        """End the session everywhere; here at once, in other processes within seconds."""
        with transaction(self._pool) as conn:
            users.end_session(conn, key.sid, key.name, datetime.now(UTC))
        with self._lock:
            self._known[key] = (time.monotonic() + REMEMBER_S, None)

    def caller(self, key: Key) -> Caller | None:
        """Whom a session or token stands for, None if it is worth nothing (any more)."""
        with self._lock:
            known = self._known.get(key)
        if known and time.monotonic() < known[0]:
            return known[1]
        with transaction(self._pool) as conn:
            if isinstance(key, str):
                found = users.find_token(conn, key)
            else:
                issued = datetime.fromtimestamp(key.issued, UTC)
                user = users.find_session(conn, key.sid, key.name, issued)
                found = user.caller if user else None
        with self._lock:
            while len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = (time.monotonic() + REMEMBER_S, found)
        return found

    def csrf_token(self, key: SessionKey) -> str:
        """Bound to the session: a token of one session is worth nothing in another."""
        return hmac.new(self._secret, b"csrf:" + key.sid.encode(), hashlib.sha256).hexdigest()

    def forget(self) -> None:
        """Look everybody up again."""
        with self._lock:
            self._known.clear()
