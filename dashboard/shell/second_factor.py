"""The page of one's own second factor. Works without scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import segno
from flask import Flask, Response, g, render_template, request

from city.errors import Conflict, Forbidden, InvalidInput
from city.person import Caller
from dashboard.shell import i18n, theme
from dashboard.shell.auth import CSRF_COOKIE, current_caller
from dashboard.shell.gate import SessionKey
from dashboard.shell.i18n.times import day_and_clock
from dashboard.shell.parts import parts
from dashboard.shell.second_factor_texts import TEXTS
from dashboard.shell.sign_in import (
    CODE_WINDOW_S,
    LANGUAGES,
    THEMES,
    choice,
    code_limits,
    safe_target,
)
from db import second_factors
from db.live import Redis
from db.pool import transaction
from db.rate_limit import Attempts

PATH = "/second-factor"


def add_second_factor(server: Flask, redis: Redis) -> None:
    """`/second-factor`, limited like the code of a sign-in."""
    codes = Attempts(redis, CODE_WINDOW_S)
    server.add_url_rule(
        PATH, "second_factor", lambda: second_factor(codes), methods=["GET", "POST"]
    )


def second_factor(codes: Attempts) -> Any:
    """What there is; set one, renew its recovery codes, take it away."""
    caller = current_caller()
    if not isinstance(g.key, SessionKey):
        raise Forbidden("a token has no second factor")
    if any(login.name == caller.name for login in parts().demo_logins):
        return _page(HTTPStatus.OK, state="demo")
    if request.method == "GET":
        return _present(caller)
    limits = code_limits(caller.name)
    if not codes.begin(limits):
        response = _present(caller, HTTPStatus.TOO_MANY_REQUESTS, "too_many")
        response.headers["Retry-After"] = str(CODE_WINDOW_S)
        return response
    try:
        shown = _change(caller, request.form.get("do", ""), request.form.get("code", ""))
    except InvalidInput as error:
        if error.field != "code":
            raise
        return _present(caller, HTTPStatus.UNPROCESSABLE_ENTITY, "wrong")
    except Conflict:  # another tab was faster
        return _present(caller, HTTPStatus.CONFLICT)
    codes.take_back(list(limits))
    if shown:
        return _page(HTTPStatus.OK, state="codes", codes=shown)
    return _present(caller, problem="off")


def _change(caller: Caller, what: str, code: str) -> list[str]:
    """Recovery codes to show, if there are new ones."""
    people, key, now = parts().ports.people, parts().gate.secret_key, datetime.now(UTC)
    with transaction(parts().pool) as conn:
        if what == "set":
            return people.set_second_factor(
                conn, caller, request.form.get("secret", ""), code, key, now
            )
        if what == "renew":
            return people.renew_recovery_codes(conn, caller, code, key, now)
        if what == "remove":
            people.remove_second_factor(conn, caller, code, key, now)
            return []
    raise InvalidInput("do", what, "must be one of set, renew, remove")


def _present(caller: Caller, status: int = HTTPStatus.OK, problem: str = "") -> Response:
    with transaction(parts().pool) as conn:
        at = second_factors.enrolled_at(conn, caller.name)
        left = second_factors.count_recovery_codes(conn, caller.name)
    if at is not None:
        return _page(status, state="on", problem=problem, time=day_and_clock(at), left=left)
    # The secret that an authenticator has scanned stays, where only the code was wrong.
    secret, address = parts().ports.people.offer_second_factor(
        caller.name, f"Gridwarden {caller.district}", request.form.get("secret", "")
    )
    picture = segno.make(address, error="m", micro=False).svg_inline(
        omitsize=True, border=4, dark="#000", light="#fff"
    )
    groups = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return _page(
        status, state="off", problem=problem, secret=secret, groups=groups, picture=picture
    )


def _page(status: int, **shown: Any) -> Response:
    lang, shade = choice("lang", LANGUAGES), choice("theme", THEMES)
    page = render_template(
        "second_factor.html", t=TEXTS[lang], words=i18n.texts(lang), theme=shade,
        variables=theme.css_variables(shade), csrf_name=CSRF_COOKIE,
        csrf=parts().gate.csrf_token(g.key), first="first" in request.values,
        next=safe_target(request.values.get("next", "")), **shown,
    )  # fmt: skip
    response = Response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response
