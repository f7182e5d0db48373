"""`/users` and `/tokens`: who may come in, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from flask import Blueprint, Response

from city.person import ADMINISTRATORS
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.bodies import Body, VersionBody, check_text, required_version
from dashboard.api.params import read_args
from dashboard.shell import load
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.parts import parts
from dashboard.shell.ports import PeopleSteps
from db import users
from db.idempotency import StoredAnswer
from db.pool import Connection, transaction

people = Blueprint("people", __name__)


class UserBody(Body):
    """Somebody new. A repeated request is refused: the name is taken."""

    name: str
    password: str
    role: str
    squad: str | None = None
    display_name: str = ""


class RoleBody(Body):
    """Another role, and the squad of a squad leader."""

    role: str
    squad: str | None = None
    version: int | None = None


class PasswordBody(Body):
    """Another password; it ends every session of its owner."""

    password: str
    version: int | None = None


class TokenBody(Body):
    """A token for a script. A repeated request is refused: the name is taken."""

    name: str
    role: str
    squad: str | None = None


class NewToken(msgspec.Struct, kw_only=True):
    """The text of a token, shown this once."""

    name: str
    token: str


@people.get("/users")
@requires(*ADMINISTRATORS)
def list_users() -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        rows = users.list_accounts(conn, current_caller().district)
    return json_answer({"items": rows, "next": None})


@people.post("/users")
@requires(*ADMINISTRATORS)
def add_user() -> Response:
    body = read_body(UserBody)

    def add(conn: Connection, now: datetime) -> Any:
        return _steps().add_user(
            conn, current_caller(), body.name, body.password, body.role, now,
            squad=body.squad, display_name=body.display_name.strip(),
        )  # fmt: skip

    # The key's fingerprint of a request is kept: not of one with a password in it.
    response = stored_answer(load.change(current_caller(), add, status=load.CREATED))
    response.headers["Location"] = "/api/v1/users"
    return response


@people.post("/users/<name>/disable")
@requires(*ADMINISTRATORS)
def disable_user(name: str) -> Response:
    version = required_version(read_body(VersionBody).version)
    return stored_answer(_change(_steps().disable_user, check_text("name", name), version))


@people.post("/users/<name>/enable")
@requires(*ADMINISTRATORS)
def enable_user(name: str) -> Response:
    version = required_version(read_body(VersionBody).version)
    return stored_answer(_change(_steps().enable_user, check_text("name", name), version))


@people.post("/users/<name>/role")
@requires(*ADMINISTRATORS)
def set_role(name: str) -> Response:
    body = read_body(RoleBody)
    version = required_version(body.version)
    wanted = check_text("name", name)
    return stored_answer(_change(_steps().set_role, wanted, body.role, body.squad or None, version))


@people.post("/users/<name>/password")
@requires(*ADMINISTRATORS)
def set_password(name: str) -> Response:
    body = read_body(PasswordBody)
    version = required_version(body.version)
    wanted = check_text("name", name)

    def change(conn: Connection, now: datetime) -> Any:
        return _steps().set_password(conn, current_caller(), wanted, body.password, version, now)

    return stored_answer(load.change(current_caller(), change))


@people.get("/tokens")
@requires(*ADMINISTRATORS)
def list_tokens() -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        rows = users.list_tokens(conn, current_caller().district)
    return json_answer({"items": rows, "next": None})


@people.post("/tokens")
@requires(*ADMINISTRATORS)
def create_token() -> Response:
    body = read_body(TokenBody)

    def create(conn: Connection, now: datetime) -> Any:
        secret = _steps().create_token(
            conn, current_caller(), body.name, body.role, now, squad=body.squad or None
        )
        return NewToken(name=body.name, token=secret)

    # Answers under a key are kept: not one with a secret in it.
    return stored_answer(load.change(current_caller(), create, status=load.CREATED))


@people.post("/tokens/<name>/revoke")
@requires(*ADMINISTRATORS)
def revoke_token(name: str) -> Response:
    return stored_answer(_change(_steps().revoke_token, check_text("name", name)))


def _steps() -> PeopleSteps:
    return parts().ports.people


def _change(step: Any, *arguments: Any) -> StoredAnswer:
    caller = current_caller()
    return load.change(
        caller, lambda conn, now: step(conn, caller, *arguments, now), once=read_once()
    )
