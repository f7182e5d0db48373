"""What administrators do to tokens: make one for a script, make it worthless."""

from __future__ import annotations

from datetime import datetime

from city.errors import Conflict, NotFound
from city.person import Caller
from city.requests import TokenRequest
from db import users
from db.pool import Connection
from db.users import Token
from people.rights import check_administrator, tell


def create_token(conn: Connection, caller: Caller, request: TokenRequest, now: datetime) -> str:
    """A token for a script of the caller's district; its text is known only now."""
    check_administrator(caller)
    name, role, squad = request.name, request.role, request.squad or None
    bounds = request.divisions
    secret = users.create_token(
        conn, name, role, caller.district, now, squad=squad, divisions=bounds
    )
    tell(
        conn, caller, now, "token.created", name, role=role, squad=squad,
        divisions=sorted({*bounds}) or None,
    )  # fmt: skip
    return secret


def revoke_token(conn: Connection, caller: Caller, name: str, now: datetime) -> Token:
    """Make a token worthless, at once and for ever."""
    check_administrator(caller)
    token = _find_token(conn, caller, name)
    if not users.revoke_token(conn, name, now):
        raise Conflict(
            f"token {name} is revoked already",
            current={"name": name, "revoked_at": str(token.revoked_at), "refused": "revoked"},
        )
    tell(conn, caller, now, "token.revoked", name, role=token.role.value)
    return _find_token(conn, caller, name)


def _find_token(conn: Connection, caller: Caller, name: str) -> Token:
    for token in users.list_tokens(conn, caller.district):
        if token.name == name:
            return token
    raise NotFound("token", name)
