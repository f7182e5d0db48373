"""The sign-in page: server-rendered, both languages and themes, works without scripts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, g, redirect, render_template, request, session
from werkzeug.exceptions import RequestEntityTooLarge

from city.errors import Unavailable
from dashboard.shell import i18n, theme
from dashboard.shell.auth import CSRF_COOKIE, cookies_are_secure, refuse_foreign_origin
from dashboard.shell.gate import ISSUED, NAME, SID, Halfway, SessionKey
from dashboard.shell.parts import parts
from dashboard.shell.proxies import subscriber_of
from dashboard.shell.sign_in_texts import TEXTS
from db.live import Redis
from db.rate_limit import Attempts

# Wrong passwords a window: for one name from one address, and for one address (an office shares
# one). An attempt counts before the password is looked at, and no more once it was right.
WINDOW_S = 60
WRONG_PER_NAME = 5
WRONG_PER_ADDRESS = 30
# Codes of a second factor, for one name from anywhere: whoever tries them knows the password, and
# six digits fall to guessing.
CODE_WINDOW_S = 600
WRONG_CODES = 5
# Whoever is shut out stands in the event log at most so often for one name: guessing for hours
# must not fill it.
TOLD_EVERY_S = 600
# Name, password and where to go, in any script; longer forms are not read.
FORM_BYTES = 16 * 1024
LANGUAGES = ("zh", "en")
THEMES = ("dark", "light")
# Choices of a person, not of a session.
CHOICE_LIFETIME = timedelta(days=365)


def add_sign_in(server: Flask, redis: Redis) -> None:
    """`/login` with its limits, and `/logout`; without Redis each process counts alone."""
    attempts, told = Attempts(redis, WINDOW_S), Attempts(redis, TOLD_EVERY_S)
    codes = Attempts(redis, CODE_WINDOW_S)
    server.add_url_rule(
        "/login", "sign_in", lambda: sign_in(attempts, codes, told), methods=["GET", "POST"]
    )
    server.add_url_rule("/logout", "sign_out", sign_out, methods=["POST"])


def sign_in(attempts: Attempts, codes: Attempts, told: Attempts) -> Any:
    """The sign-in page and what its two steps post to; works without scripts."""
    if request.method == "GET":
        return _choose() or _page(HTTPStatus.OK)
    refuse_foreign_origin()
    if request.content_length is None or request.content_length > FORM_BYTES:
        raise RequestEntityTooLarge(f"a sign-in form has at most {FORM_BYTES} bytes")
    if "ticket" in request.form:
        return _second_step(codes, told)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    limits = _limits(name)
    if not attempts.begin(limits):
        _tell_lock_out(told, name)
        return _too_many(WINDOW_S, name=name)
    try:
        key = None if "\0" in name else parts().gate.sign_in(name, password)
    except Unavailable:
        attempts.take_back(list(limits))
        return _page(HTTPStatus.SERVICE_UNAVAILABLE, problem="database_away", name=name)
    if key is None:
        return _page(HTTPStatus.UNAUTHORIZED, problem="wrong", name=name)
    attempts.take_back(list(limits))
    if isinstance(key, Halfway):
        return _page(HTTPStatus.OK, ticket=key.ticket)
    return enter(key, request.form.get("next", ""))


def _second_step(codes: Attempts, told: Attempts) -> Any:
    """The code of the second factor, after the password."""
    ticket, code = request.form["ticket"], request.form.get("code", "")
    name = parts().gate.name_of(ticket)
    if name is None:
        return _page(HTTPStatus.UNAUTHORIZED, problem="too_late")
    limits = code_limits(name)
    if not codes.begin(limits):
        _tell_lock_out(told, name)
        return _too_many(CODE_WINDOW_S, ticket=ticket)
    try:
        key = parts().gate.finish(ticket, code)
    except Unavailable:
        codes.take_back(list(limits))
        return _page(HTTPStatus.SERVICE_UNAVAILABLE, problem="database_away", ticket=ticket)
    if key is None:
        return _page(HTTPStatus.UNAUTHORIZED, problem="wrong_code", ticket=ticket)
    codes.take_back(list(limits))
    return enter(key, request.form.get("next", ""))


def enter(key: SessionKey, target: str) -> Any:
    """Begin the session and lead where the person wanted to go."""
    session.clear()  # a session never outlives the sign-in that made it
    session.permanent = True
    session.update({SID: key.sid, NAME: key.name, ISSUED: key.issued})
    g.key = key
    return redirect(safe_target(target), 303)


def code_limits(name: str) -> dict[str, int]:
    """What trying codes of somebody's second factor counts under."""
    return {f"code {name[:64]}": WRONG_CODES}


def _too_many(window_s: int, *, name: str = "", ticket: str = "") -> Response:
    problem = "too_many_codes" if ticket else "too_many"
    response = _page(HTTPStatus.TOO_MANY_REQUESTS, problem=problem, name=name, ticket=ticket)
    response.headers["Retry-After"] = str(window_s)
    return response


def sign_out() -> Any:
    """End the session and show the sign-in page; needs the CSRF token like every change."""
    if isinstance(g.key, SessionKey):
        parts().gate.sign_out(g.key, g.caller)
    session.clear()
    response = redirect("/login", 303)
    response.delete_cookie(CSRF_COOKIE)
    g.key = None
    return response


def safe_target(target: str) -> str:
    """A path of this server, else the start page: no sign-in link leads away from here."""
    split = urlsplit(target)
    if split.scheme or split.netloc or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return "/"
    return target if target.isprintable() and not target.startswith("/login") else "/"


def _choose() -> Any:
    """`/login?lang=en` and `?theme=light` store the choice and show the page again."""
    lang, shade = request.args.get("lang"), request.args.get("theme")
    if lang not in LANGUAGES and shade not in THEMES:
        return None
    target = request.args.get("next", "")
    response = redirect("/login" + (f"?next={_quoted(target)}" if target else ""), 303)
    for name, value, known in (("lang", lang, LANGUAGES), ("theme", shade, THEMES)):
        if value in known:
            keep_choice(response, name, value)
    return response


def keep_choice(response: Any, name: str, value: str) -> None:
    """Language or theme, for every page from now on."""
    response.set_cookie(
        name, value, max_age=CHOICE_LIFETIME, samesite="Lax", secure=cookies_are_secure()
    )


def _page(status: int, *, problem: str = "", name: str = "", ticket: str = "") -> Response:
    lang = choice("lang", LANGUAGES)
    shade = choice("theme", THEMES)
    page = render_template(
        "sign_in.html",
        t=TEXTS[lang],
        words=i18n.texts(lang),
        lang=lang,
        theme=shade,
        variables=theme.css_variables(shade),
        other_theme=THEMES[1 - THEMES.index(shade)],
        problem=problem,
        name=name,
        ticket=ticket,
        next=request.values.get("next", ""),
        demo_logins=[asdict(login) for login in parts().demo_logins],
    )
    response = Response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def choice(name: str, known: tuple[str, ...]) -> str:
    """What the browser was told before, else the first."""
    value = request.cookies.get(name, "")
    return value if value in known else known[0]


def _tell_lock_out(told: Attempts, name: str) -> None:
    """The refusal stands whether or not it can be written down."""
    if "\0" not in name and told.begin({f"told {name[:64]}": 1}):
        with suppress(Unavailable):
            parts().gate.note_lock_out(name, subscriber_of(request.remote_addr or ""))


def _limits(name: str) -> dict[str, int]:
    """What an attempt counts under, and how many each may have."""
    address = subscriber_of(request.remote_addr or "")
    return {f"{address} {name[:64]}": WRONG_PER_NAME, address: WRONG_PER_ADDRESS}


def _quoted(target: str) -> str:
    return quote(target, safe="/")
