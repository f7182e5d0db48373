"""Who comes in: sessions and tokens checked against the database, remembered for seconds."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

from city.errors import Unavailable
from city.person import Caller
from dashboard.shell.ports import PeopleSteps
from db import second_factors, users
from db.pool import Connection, Pool, transaction

log = logging.getLogger(__name__)

# A session or token is looked up again after this time, and at once when the database says that
# somebody's access has changed; so often it is asked.
REMEMBER_S = 5.0
WATCH_S = 0.5
# A session ends so long after its sign-in, however much it is used: a copied cookie is worth
# nothing then. Whole days: it ends at the hour of the sign-in, when a shift begins, not within
# one. A wall is signed in anew once a month.
SESSION_LIFETIME = timedelta(days=30)
# Sessions remembered at once; beyond it the oldest are forgotten and looked up again.
REMEMBERED = 2_000
# argon2 takes 64 MiB each time: this many sign-ins are checked at once, the rest wait.
CHECKED_AT_ONCE = 2
CHECK_WAIT_S = 10.0
# Between the password and the code of the second factor.
HALFWAY_S = 300

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

    def has_run_out(self, now: float) -> bool:
        """Whether a session of this age is over, used or not."""
        return now - self.issued > SESSION_LIFETIME.total_seconds()


@dataclass(frozen=True, slots=True)
class Halfway:
    """The password was right; `ticket` and a code of the second factor make a session."""

    ticket: str


Key = SessionKey | str  # a session, or the text of a token


class Gate:
    """Answers who a session or a token belongs to.

    `changed` is called when anybody's access has changed, here or in another process.
    """

    def __init__(
        self,
        pool: Pool,
        secret_key: str,
        people: PeopleSteps,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool = pool
        self._people = people
        self._changed = changed
        self.secret_key = secret_key
        self._secret = secret_key.encode()
        self._tickets = URLSafeTimedSerializer(secret_key, salt="halfway")
        self._known: dict[Key, tuple[float, Caller | None]] = {}
        self._generation = 0  # of what is remembered; an answer from before counts no more
        self._watching = False
        self._lock = threading.Lock()
        self._checking = threading.BoundedSemaphore(CHECKED_AT_ONCE)

    def sign_in(self, name: str, password: str) -> SessionKey | Halfway | None:
        """A new session if name and password fit and that is enough."""
        if not self._checking.acquire(timeout=CHECK_WAIT_S):
            raise Unavailable("too many people sign in at once")
        try:
            return self._sign_in(name, password)
        finally:
            self._checking.release()

    def _sign_in(self, name: str, password: str) -> SessionKey | Halfway | None:
        with transaction(self._pool) as conn:
            user = users.verify(conn, name, password)
            if user is None:
                return None
            if second_factors.enrolled_at(conn, user.name):
                return Halfway(str(self._tickets.dumps([user.name, time.time()])))
            return self._begin(conn, user.name)

    def name_of(self, ticket: str) -> str | None:
        """Who stands halfway with this ticket; None: nobody, or too long."""
        return self._read_ticket(ticket)[0] or None

    def finish(self, ticket: str, code: str) -> SessionKey | None:
        """The session of whoever stands halfway and has this code of the second factor, unless
        they were shut out or got another password since."""
        name, since = self._read_ticket(ticket)
        with transaction(self._pool) as conn:
            user = users.find_session(conn, "", name, datetime.fromtimestamp(since, UTC))
            fits = user is not None and self._people.check_second_factor(
                conn, name, user.district, code, self.secret_key, datetime.now(UTC)
            )
            return self._begin(conn, name) if fits else None

    def _begin(self, conn: Connection, name: str) -> SessionKey:
        key = _new_session(name)
        self._people.sign_in(conn, name, key.sid, datetime.now(UTC))
        return key

    def _read_ticket(self, ticket: str) -> tuple[str, float]:
        try:
            name, since = self._tickets.loads(ticket, max_age=HALFWAY_S)
        except BadData:
            return "", 0.0
        return str(name), float(since)

    def sign_out(self, key: SessionKey, caller: Caller) -> None:
        """End the session everywhere; here at once, in other processes within a second."""
        with transaction(self._pool) as conn:
            self._people.sign_out(conn, caller, key.sid, datetime.now(UTC))
        with self._lock:
            self._known[key] = (time.monotonic() + REMEMBER_S, None)

    def note_lock_out(self, name: str, address: str) -> None:
        """Write down that somebody may not try again for a while."""
        with transaction(self._pool) as conn:
            self._people.note_lock_out(conn, name, address, datetime.now(UTC))

    def caller(self, key: Key) -> Caller | None:
        """Whom a session or token stands for, None if it is worth nothing (any more)."""
        if isinstance(key, SessionKey) and key.has_run_out(time.time()):
            return None
        with self._lock:
            self._watch_from_now_on()
            generation = self._generation
            known = self._known.get(key)
        if known and time.monotonic() < known[0]:
            return known[1]
        with transaction(self._pool) as conn:
            if isinstance(key, str):
                found = users.find_token(conn, key)
            else:
                issued = datetime.fromtimestamp(key.issued, UTC)
                user = users.find_session(conn, key.sid, key.name, issued)
                found = users.caller_of(conn, user) if user else None
        with self._lock:
            while len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)))
            if generation == self._generation:
                self._known[key] = (time.monotonic() + REMEMBER_S, found)
        return found

    def csrf_token(self, key: SessionKey) -> str:
        """Bound to the session: a token of one session is worth nothing in another."""
        return hmac.new(self._secret, b"csrf:" + key.sid.encode(), hashlib.sha256).hexdigest()

    def forget(self) -> None:
        """Look everybody up again."""
        with self._lock:
            self._generation += 1
            self._known.clear()

    def _watch_from_now_on(self) -> None:
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="gate-watch", daemon=True).start()

    def _watch(self) -> None:
        """Follow the changes of people, tokens and sign-outs for as long as the pool is open."""
        seen: int | None = None
        while not self._pool.closed:
            try:
                with transaction(self._pool) as conn:
                    version = users.access_version(conn)
            except Unavailable:
                seen = None  # what happened meanwhile is not known: look everybody up
            except Exception:
                seen = None
                log.exception("cannot follow who may come in")
            else:
                if version != seen:
                    seen = version
                    self.forget()
                    self._changed()
            time.sleep(WATCH_S)


def _new_session(name: str) -> SessionKey:
    return SessionKey(secrets.token_urlsafe(18), name, time.time())
