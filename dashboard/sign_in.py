"""The sign-in page: server-rendered, both languages and themes, works without scripts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, g, redirect, render_template, request, session
from flask_limiter import Limiter
from werkzeug.exceptions import TooManyRequests

from city.errors import Unavailable
from dashboard import i18n, theme
from dashboard.auth import CSRF_COOKIE, refuse_foreign_origin
from dashboard.gate import ISSUED, NAME, SID, SessionKey
from dashboard.parts import parts
from dashboard.sign_in_texts import TEXTS
from db.live import Redis

# Wrong passwords: for one name from one address, and for one address (an office shares one).
WRONG_PER_NAME = "5 per minute"
WRONG_PER_ADDRESS = "30 per minute"
LANGUAGES = ("zh", "en")
THEMES = ("dark", "light")
# Choices of a person, not of a session.
CHOICE_LIFETIME = timedelta(days=365)


def add_sign_in(server: Flask, redis: Redis) -> None:
    """`/login` with its rate limits, and `/logout`; without Redis each process counts alone."""
    pool: dict[str, Any] = {"connection_pool": redis.connection_pool}
    limiter = Limiter(
        _address,
        app=server,
        storage_uri="redis://",
        storage_options=pool,
        in_memory_fallback_enabled=True,
        key_prefix="gw",
        headers_enabled=False,
    )
    per_address = limiter.limit(WRONG_PER_ADDRESS, methods=["POST"], deduct_when=_was_wrong)
    per_name = limiter.limit(
        WRONG_PER_NAME, key_func=_address_and_name, methods=["POST"], deduct_when=_was_wrong
    )
    server.add_url_rule(
        "/login", "sign_in", per_name(per_address(sign_in)), methods=["GET", "POST"]
    )
    server.add_url_rule("/logout", "sign_out", sign_out, methods=["POST"])
    server.register_error_handler(TooManyRequests, _too_many)


def sign_in() -> Any:
    """The sign-in page and what it posts to; works without scripts."""
    if request.method == "GET":
        return _choose() or _page(200)
    refuse_foreign_origin()
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    try:
        key = None if "\0" in name else parts().gate.sign_in(name, password)
    except Unavailable:
        return _page(503, problem="database_away", name=name)
    if key is None:
        return _page(401, problem="wrong", name=name)
    session.clear()  # a session never outlives the sign-in that made it
    session.permanent = True
    session.update({SID: key.sid, NAME: key.name, ISSUED: key.issued})
    g.key = key
    return redirect(safe_target(request.form.get("next", "")), 303)


def sign_out() -> Any:
    """End the session and show the sign-in page; needs the CSRF token like every change."""
    if isinstance(g.key, SessionKey):
        parts().gate.sign_out(g.key)
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
            response.set_cookie(name, value, max_age=CHOICE_LIFETIME, samesite="Lax")
    return response


def _page(status: int, *, problem: str = "", name: str = "") -> Response:
    lang = _choice("lang", LANGUAGES)
    shade = _choice("theme", THEMES)
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
        next=request.values.get("next", ""),
        demo_logins=[asdict(login) for login in parts().demo_logins],
    )
    response = Response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _choice(name: str, known: tuple[str, ...]) -> str:
    value = request.cookies.get(name, "")
    return value if value in known else known[0]


def _too_many(error: TooManyRequests) -> Response:
    response = _page(429, problem="too_many", name=request.form.get("name", ""))
    response.headers["Retry-After"] = "60"
    return response


def _address() -> str:
    return request.remote_addr or "unknown"


def _address_and_name() -> str:
    return f"{_address()} {request.form.get('name', '').strip()[:64]}"


def _quoted(target: str) -> str:
    return quote(target, safe="/")


def _was_wrong(response: Response) -> bool:
    return response.status_code == 401
