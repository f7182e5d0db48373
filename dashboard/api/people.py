"""`/users` and `/tokens`: who may come in, for administrators."""

from __future__ import annotations

from datetime import datetime

import msgspec
from flask import Blueprint, Response

from city.person import ADMINISTRATORS
from city.requests import (
    PasswordRequest,
    RoleRequest,
    TokenRequest,
    UserRequest,
    VersionRequest,
)
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import read_args
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import CREATED, Work, change
from dashboard.shell.parts import parts
from dashboard.shell.ports import PeopleSteps
from db import users
from db.pool import Connection, transaction
from db.users import Account

people = Blueprint("people", __name__)


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
    wanted, caller = read_body(UserRequest), current_caller()

    def add(conn: Connection, now: datetime) -> Account:
        return _steps().add_user(conn, caller, wanted, now)

    # The key's fingerprint of a request is kept: not of one with a password in it.
    response = stored_answer(change(caller, add, status=CREATED))
    response.headers["Location"] = "/api/v1/users"
    return response


@people.post("/users/<name>/disable")
@requires(*ADMINISTRATORS)
def disable_user(name: str) -> Response:
    version, caller = read_body(VersionRequest).version, current_caller()
    who = check_text("name", name)
    return _change(lambda conn, now: _steps().disable_user(conn, caller, who, version, now))


@people.post("/users/<name>/enable")
@requires(*ADMINISTRATORS)
def enable_user(name: str) -> Response:
    version, caller = read_body(VersionRequest).version, current_caller()
    who = check_text("name", name)
    return _change(lambda conn, now: _steps().enable_user(conn, caller, who, version, now))


@people.post("/users/<name>/role")
@requires(*ADMINISTRATORS)
def set_role(name: str) -> Response:
    wanted, caller = read_body(RoleRequest), current_caller()
    who = check_text("name", name)
    return _change(lambda conn, now: _steps().set_role(conn, caller, who, wanted, now))


@people.post("/users/<name>/password")
@requires(*ADMINISTRATORS)
def set_password(name: str) -> Response:
    wanted, caller = read_body(PasswordRequest), current_caller()
    who = check_text("name", name)

    def work(conn: Connection, now: datetime) -> Account:
        return _steps().set_password(conn, caller, who, wanted, now)

    # As with a new user: no fingerprint of a password is kept.
    return stored_answer(change(caller, work))


@people.post("/users/<name>/second-factor/reset")
@requires(*ADMINISTRATORS)
def reset_second_factor(name: str) -> Response:
    version, caller = read_body(VersionRequest).version, current_caller()
    who = check_text("name", name)
    return _change(lambda conn, now: _steps().reset_second_factor(conn, caller, who, version, now))


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
    wanted, caller = read_body(TokenRequest), current_caller()

    def create(conn: Connection, now: datetime) -> NewToken:
        return NewToken(name=wanted.name, token=_steps().create_token(conn, caller, wanted, now))

    # Answers under a key are kept: not one with a secret in it.
    return stored_answer(change(caller, create, status=CREATED))


@people.post("/tokens/<name>/revoke")
@requires(*ADMINISTRATORS)
def revoke_token(name: str) -> Response:
    caller, which = current_caller(), check_text("name", name)
    return _change(lambda conn, now: _steps().revoke_token(conn, caller, which, now))


def _steps() -> PeopleSteps:
    return parts().ports.people


def _change(work: Work) -> Response:
    return stored_answer(change(current_caller(), work, once=read_once()))
