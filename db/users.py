"""Who may sign in: users with argon2 passwords, ended sessions, and API tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from psycopg.rows import class_row

from city.errors import InvalidInput
from city.incident import Role
from city.person import UNBOUNDED, Caller
from db.pool import Connection
from db.scopes import check_divisions, read_within

# Short passwords fall to guessing, very long ones only cost hashing time.
PASSWORD_LENGTH = range(8, 257)
NAME_LENGTH = range(1, 65)
TOKEN_PREFIX = "gw_"
TOKEN_BYTES = 32
PEOPLE = frozenset(Role) - {Role.SYSTEM}

_HASHER = PasswordHasher()
# For passwords that were drawn: nobody guesses one of 72 random bits, whatever a guess costs, and
# a city has thousands of people on its first day.
_QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
_QUICK_COST = "m=64,t=1,p=1"
DRAWN_BYTES = 9


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in; `district` bounds everything they see, and so do `divisions` where
    there are any."""

    name: str
    role: Role
    squad: str | None
    district: str
    display_name: str
    divisions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True)
class Account:
    """A user as administrators see them, shut out or not."""

    name: str
    role: Role
    squad: str | None
    district: str
    display_name: str
    created_at: datetime
    disabled_at: datetime | None
    second_factor_at: datetime | None
    version: int
    divisions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its secret, which nobody keeps."""

    name: str
    role: Role
    squad: str | None
    created_at: datetime
    revoked_at: datetime | None
    divisions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


def add_user(
    conn: Connection,
    name: str,
    password: str,
    role: str,
    district: str,
    now: datetime,
    *,
    squad: str | None = None,
    display_name: str = "",
    divisions: Sequence[str] = (),
) -> User:
    """Create a user; raises `InvalidInput` naming the field that is not acceptable."""
    wanted = _check_new(conn, name, role, squad, district)
    bounds = _checked_divisions(conn, wanted, district, divisions)
    user = User(name, wanted, squad, district, display_name, bounds)
    return _insert(conn, user, hash_password(password), now)


def add_hashed_user(
    conn: Connection,
    name: str,
    digest: str,
    role: str,
    district: str,
    now: datetime,
    *,
    squad: str | None = None,
    display_name: str = "",
    divisions: Sequence[str] = (),
) -> User:
    """The same with the answer of `hash_password`, for whoever holds locks that others wait for."""
    wanted = _check_new(conn, name, role, squad, district)
    bounds = _checked_divisions(conn, wanted, district, divisions)
    return _insert(conn, User(name, wanted, squad, district, display_name, bounds), digest, now)


def _insert(conn: Connection, user: User, digest: str, now: datetime) -> User:
    row = conn.execute(
        """
        INSERT INTO app_user
            (name, password_hash, role, squad, district, display_name, divisions, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (name) DO NOTHING
        RETURNING name
        """,
        (
            user.name,
            digest,
            user.role,
            user.squad,
            user.district,
            user.display_name,
            list(user.divisions),
            now,
        ),
    ).fetchone()
    if row is None:
        raise InvalidInput("name", user.name, "is taken", code="name_taken")
    return user


def set_password(conn: Connection, name: str, password: str, now: datetime) -> bool:
    """Change a password and end every session of its owner; False if there is no such user."""
    changed = conn.execute(
        """
        UPDATE app_user SET password_hash = %s, sessions_from = %s, version = version + 1
        WHERE name = %s
        """,
        (hash_password(password), now, name),
    )
    return changed.rowcount == 1


def end_sessions(conn: Connection, name: str, now: datetime) -> None:
    """End every session of a person."""
    conn.execute(
        "UPDATE app_user SET sessions_from = %s, version = version + 1 WHERE name = %s",
        (now, name),
    )


def disable_user(conn: Connection, name: str, now: datetime) -> bool:
    """Shut a user out; the sessions of before stay ended when they are let in again."""
    changed = conn.execute(
        """
        UPDATE app_user SET disabled_at = %(now)s, sessions_from = %(now)s, version = version + 1
        WHERE name = %(name)s AND disabled_at IS NULL
        """,
        {"now": now, "name": name},
    )
    return changed.rowcount == 1


def enable_user(conn: Connection, name: str) -> bool:
    """Let a user in again, with the password they had."""
    changed = conn.execute(
        """
        UPDATE app_user SET disabled_at = NULL, version = version + 1
        WHERE name = %s AND disabled_at IS NOT NULL
        """,
        (name,),
    )
    return changed.rowcount == 1


def set_role(
    conn: Connection,
    name: str,
    role: str,
    squad: str | None,
    district: str,
    divisions: Sequence[str] | None,
) -> bool:
    """Give a user another role, a squad leader another squad, or either other divisions; None:
    those that they have, as far as the role has any."""
    wanted = _checked_role(conn, role, squad)
    bounds: list[str] | None = [] if wanted in UNBOUNDED else None
    if divisions is not None:
        bounds = _checked_divisions(conn, wanted, district, divisions)
    changed = conn.execute(
        """
        UPDATE app_user
        SET role = %s, squad = %s, divisions = coalesce(%s, divisions), version = version + 1
        WHERE name = %s
        """,
        (wanted, squad, bounds, name),
    )
    return changed.rowcount == 1


def set_display_name(conn: Connection, name: str, display_name: str) -> bool:
    """What screens call a person."""
    changed = conn.execute(
        "UPDATE app_user SET display_name = %s, version = version + 1 WHERE name = %s",
        (display_name, name),
    )
    return changed.rowcount == 1


def list_taken(conn: Connection, names: Sequence[str]) -> list[tuple[str, str, bool]]:
    """Those of these names that somebody has: name, district, and whether they are shut out."""
    return conn.execute(
        """
        SELECT name, district, disabled_at IS NOT NULL FROM app_user WHERE name = ANY(%s)
        ORDER BY name
        """,
        (list(names),),
    ).fetchall()


def lock_account(conn: Connection, district: str, name: str) -> Account | None:
    """One account of a district, locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(
            """
            SELECT name, role, squad, district, display_name, created_at, disabled_at,
                   second_factor_at, version, divisions
            FROM app_user WHERE name = %s AND district = %s FOR UPDATE
            """,
            (name, district),
        ).fetchone()


ADMINS = """
    SELECT name FROM app_user
    WHERE district = %s AND role = 'admin' AND disabled_at IS NULL
    ORDER BY name
    """


def list_admins(conn: Connection, district: str) -> list[str]:
    """Names of the administrators who may sign in."""
    return [name for (name,) in conn.execute(ADMINS, (district,))]


def lock_admins(conn: Connection, district: str) -> list[str]:
    """The same, locked: nobody takes the last two at once."""
    return [name for (name,) in conn.execute(ADMINS + "FOR UPDATE", (district,))]


def lock_people(conn: Connection) -> None:
    """Wait until nobody else changes people, or is about to (holds rows of them); held until the
    commit. Readers go on."""
    conn.execute("LOCK TABLE app_user IN EXCLUSIVE MODE")


def list_accounts(conn: Connection, district: str) -> list[Account]:
    """Everybody, those who are shut out last."""
    with conn.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(
            """
            SELECT name, role, squad, district, display_name, created_at, disabled_at,
                   second_factor_at, version, divisions
            FROM app_user WHERE district = %s ORDER BY disabled_at IS NOT NULL, name
            """,
            (district,),
        ).fetchall()


def access_version(conn: Connection) -> int:
    """Grows with every change of who may come in (users, tokens, sign-outs)."""
    row = conn.execute("SELECT version FROM access_change").fetchone()
    assert row is not None, "migration 0017 puts the row there"
    return int(row[0])


def find_user(conn: Connection, name: str) -> User | None:
    """The user of this name who may sign in."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(
            """
            SELECT name, role, squad, district, display_name, divisions FROM app_user
            WHERE name = %s AND disabled_at IS NULL
            """,
            (name,),
        ).fetchone()


def list_users(conn: Connection, district: str) -> list[User]:
    """Everybody who may sign in, by name."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(
            """
            SELECT name, role, squad, district, display_name, divisions FROM app_user
            WHERE district = %s AND disabled_at IS NULL ORDER BY name
            """,
            (district,),
        ).fetchall()


def verify(conn: Connection, name: str, password: str) -> User | None:
    """The user if name and password fit; takes as long for an unknown name."""
    row = conn.execute(
        "SELECT password_hash FROM app_user WHERE name = %s AND disabled_at IS NULL",
        (name,),
    ).fetchone()
    digest = row[0] if row else _nobody()
    fits = password_fits(digest, password)
    if is_quick(digest):
        password_fits(_nobody(), password)  # as slow as for everybody else
    if not fits or row is None:
        return None
    return find_user(conn, name)


@cache
def _nobody() -> str:
    """A hash nobody's password fits: an unknown name takes as long as a known one."""
    return _HASHER.hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """argon2id with the library's parameters; refuses lengths that make no sense."""
    if len(password) not in PASSWORD_LENGTH:
        raise InvalidInput(
            "password",
            "…",
            f"must have {PASSWORD_LENGTH.start} to {PASSWORD_LENGTH.stop - 1} characters",
            code="password_length",
            facts={"least": PASSWORD_LENGTH.start, "most": PASSWORD_LENGTH.stop - 1},
        )
    return _HASHER.hash(password)


class Password(NamedTuple):
    """A password and what is kept of it."""

    text: str
    digest: str


def draw_password() -> Password:
    """A new one of 72 random bits."""
    text = secrets.token_urlsafe(DRAWN_BYTES)
    return Password(text, _QUICK.hash(text))


def is_quick(digest: str) -> bool:
    """Whether this hash is of a drawn password."""
    return f"${_QUICK_COST}$" in digest


def password_fits(digest: str, password: str) -> bool:
    """True if the password made this hash; an unreadable hash fits nothing."""
    if len(password) not in PASSWORD_LENGTH:
        return False
    try:
        return _HASHER.verify(digest, password)
    except (Argon2Error, InvalidHashError):
        return False


def find_session(conn: Connection, sid: str, name: str, issued_at: datetime) -> User | None:
    """The owner of a session that has not been ended, disabled or outdated by a new password."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(
            """
            SELECT name, role, squad, district, display_name, divisions FROM app_user
            WHERE name = %(name)s
              AND disabled_at IS NULL
              AND (sessions_from IS NULL OR sessions_from <= %(issued_at)s)
              AND NOT EXISTS (SELECT FROM session_end WHERE sid = %(sid)s)
            """,
            {"name": name, "sid": sid, "issued_at": issued_at},
        ).fetchone()


def caller_of(conn: Connection, user: User) -> Caller:
    """A user as the one who asks, with what they see."""
    within = read_within(conn, user.divisions)
    return Caller(user.name, user.role, user.district, user.squad, within)


def end_session(conn: Connection, sid: str, name: str, now: datetime) -> None:
    """Sign out: the cookie is worth nothing from now on, wherever a copy of it is."""
    conn.execute(
        """
        INSERT INTO session_end (sid, name, ended_at) VALUES (%s, %s, %s)
        ON CONFLICT (sid) DO NOTHING
        """,
        (sid, name, now),
    )


def forget_ended_sessions(conn: Connection, before: datetime) -> int:
    """Drop sign-outs so old that their cookies have run out anyway."""
    return conn.execute("DELETE FROM session_end WHERE ended_at < %s", (before,)).rowcount


def create_token(
    conn: Connection,
    name: str,
    role: str,
    district: str,
    now: datetime,
    *,
    squad: str | None = None,
    divisions: Sequence[str] = (),
) -> str:
    """Create an API token and return it; only its SHA-256 is kept."""
    _check_name(name)
    _check_district(conn, district)
    wanted = _checked_role(conn, role, squad)
    bounds = _checked_divisions(conn, wanted, district, divisions)
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    row = conn.execute(
        """
        INSERT INTO api_token (name, role, squad, district, divisions, token_sha256, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (name) DO NOTHING
        RETURNING name
        """,
        (name, wanted, squad, district, bounds, _token_digest(token), now),
    ).fetchone()
    if row is None:
        raise InvalidInput("name", name, "is taken", code="name_taken")
    return token


def revoke_token(conn: Connection, name: str, now: datetime) -> bool:
    """Make a token worthless; False if there is no live one of that name."""
    changed = conn.execute(
        "UPDATE api_token SET revoked_at = %s WHERE name = %s AND revoked_at IS NULL",
        (now, name),
    )
    return changed.rowcount == 1


def list_tokens(conn: Connection, district: str) -> list[Token]:
    """Every token of a district, revoked ones last."""
    with conn.cursor(row_factory=class_row(Token)) as cursor:
        return cursor.execute(
            """
            SELECT name, role, squad, created_at, revoked_at, divisions FROM api_token
            WHERE district = %s ORDER BY revoked_at IS NOT NULL, name
            """,
            (district,),
        ).fetchall()


def find_token(conn: Connection, token: str) -> Caller | None:
    """Whoever holds this token, or None."""
    row = conn.execute(
        """
        SELECT name, role, district, squad, divisions FROM api_token
        WHERE token_sha256 = %s AND revoked_at IS NULL
        """,
        (_token_digest(token),),
    ).fetchone()
    if row is None:
        return None
    return Caller(f"token:{row[0]}", Role(row[1]), row[2], row[3], read_within(conn, row[4]))


def _token_digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _check_new(conn: Connection, name: str, role: str, squad: str | None, district: str) -> Role:
    _check_name(name)
    _check_district(conn, district)
    return _checked_role(conn, role, squad)


def _check_name(name: str) -> None:
    if len(name) not in NAME_LENGTH or not name.isprintable() or set(name) & set(" :/"):
        raise InvalidInput(
            "name", name, "must have 1 to 64 printable characters without space, colon or slash",
            code="account_name",
        )  # fmt: skip


def _check_district(conn: Connection, district: str) -> None:
    known = [code for (code,) in conn.execute("SELECT code FROM district ORDER BY code")]
    if district not in known:
        none = "there is none yet: `gridwarden city apply` founds one"
        there = f"there are {', '.join(known)}" if known else none
        raise InvalidInput(
            "district", district,
            f"is no district of this installation; {there} (GRIDWARDEN_DISTRICT names another)",
        )  # fmt: skip


def _checked_divisions(
    conn: Connection, role: Role, district: str, divisions: Sequence[str]
) -> list[str]:
    wanted = check_divisions(conn, district, divisions)
    if wanted and role in UNBOUNDED:
        raise InvalidInput(
            "divisions", ";".join(wanted), f"a person with role {role.value} answers for the "
            "whole district", code="role_of_district",
        )  # fmt: skip
    return wanted


def _checked_role(conn: Connection, role: str, squad: str | None) -> Role:
    if role not in PEOPLE:
        raise InvalidInput("role", role, "must be one of " + ", ".join(sorted(PEOPLE)))
    wanted = Role(role)
    if wanted is Role.SQUAD_LEADER and not squad:
        raise InvalidInput("squad", squad, "a squad leader needs a squad", code="squad_needed")
    known = "SELECT 1 FROM squad WHERE code = %s"
    if squad and conn.execute(known, (squad,)).fetchone() is None:
        raise InvalidInput("squad", squad, "there is no such squad", code="no_such_squad")
    return wanted
