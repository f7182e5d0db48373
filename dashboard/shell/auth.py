"""The guard in front of every request, and the headers behind it."""

from __future__ import annotations

import functools
import hmac
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, unquote, urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from city.errors import Forbidden, NotFound, Unavailable
from city.incident import Role
from city.person import Caller
from dashboard.shell.bounded import check_open
from dashboard.shell.doorway import COLLECTED_BODY_BYTES, UPLOAD_S, leave_line
from dashboard.shell.gate import SESSION_LIFETIME, Key, SessionKey
from dashboard.shell.parts import parts
from dashboard.shell.problems import MACHINE_PATHS, Unauthenticated, wants_page
from dashboard.shell.streams import this_visitor

# A cookie that nobody uses ends before its session does. A screen that only listens is heard of
# twice a day (`live.js`).
SESSION_IDLE = timedelta(days=7)
SESSION_COOKIE = "session"
CSRF_COOKIE = "_csrf_token"
CSRF_HEADER = "X-CSRFToken"
SENDER_HEADER = "Sent-As"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset(
    {
        "/login",
        "/setup",
        "/report",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/openapi.json",
        "/squad/manifest.webmanifest",
        "/squad/worker.js",
    }
)
OPEN_FOLDERS = ("/assets/", "/_dash-component-suites/", "/report/", "/notify/")
# What a browser says of a message that it has; the link in the message is its right to.
ARRIVED = re.compile(r"/m/[\w-]+/arrived")
# Dash's rule for its pages.
ANY_PAGE = "/<path:path>"
P = ParamSpec("P")
R = TypeVar("R")


def current_caller() -> Caller:
    """Who asks; only behind the guard."""
    caller: Caller | None = g.get("caller")
    if caller is None:
        raise Unauthenticated("nobody is signed in")
    return caller


def requires(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """For a view or a Dash callback: other roles are refused."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            require_role(current_caller(), roles)
            return function(*args, **kwargs)

        return guarded

    return decorate


def require_role(caller: Caller, roles: Iterable[Role]) -> None:
    """Raises `Forbidden` naming the roles that may."""
    if caller.role not in roles:
        allowed = ", ".join(sorted(role.value for role in roles))
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: {allowed}")


def still_welcome() -> Callable[[], bool]:
    """A check for streams that outlive their request: is the session or token still good, and
    still for the same role?

    While the database is away nobody can know, and the screens stay on.
    """
    key: Key = g.key
    caller: Caller = g.caller
    gate = parts().gate

    def check() -> bool:
        try:
            return gate.caller(key) == caller
        except Unavailable:
            return True

    return check


def install(server: Flask, csp_hashes: Callable[[], Iterable[str]]) -> None:
    """Guard every request of this server and put the security headers behind it."""
    server.config.update(
        SESSION_COOKIE_NAME=SESSION_COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=SESSION_IDLE,
    )
    server.session_interface = _SessionCookie()
    server.before_request(guard)
    server.after_request(_add_csrf_cookie)
    server.teardown_request(_give_upload_place_back)

    @functools.cache
    def policy() -> str:
        return content_security_policy(csp_hashes(), server.config.get("TILE_URL") or "")

    server.after_request(lambda response: _add_headers(response, policy()))


class _SessionCookie(SecureCookieSessionInterface):
    """Secure wherever the connection is; a wall on a plain intranet address still signs in."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return cookies_are_secure()

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Only a session that was found good is prolonged."""
        return session.modified or isinstance(g.get("key"), SessionKey)


def cookies_are_secure() -> bool:
    """The browser came over TLS, as far as we or a trusted proxy know, or the settings say so."""
    return request.is_secure or bool(current_app.config.get("SECURE_COOKIES"))


def guard() -> Any:
    """Before every request: who is it, and did they mean to send it?"""
    g.caller = g.key = None
    if request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDERS):
        return None
    if ARRIVED.fullmatch(request.path):
        return None
    header = request.headers.get("Authorization", "")
    if header:
        _check_sender(_guard_token(header))
        _take_upload_place()
        check_open(g.caller)
        return _refuse_unknown_path()
    key = SessionKey.of(session)
    caller = parts().gate.caller(key) if key else None
    if key is None or caller is None:
        _clear_cookies()
        return _turn_away()
    g.caller, g.key = caller, key
    if request.method not in SAFE_METHODS:
        refuse_foreign_origin()
        _take_upload_place()
        _check_csrf(key)
    _check_sender(caller)
    check_open(caller)
    return _refuse_unknown_path()


def _check_sender(caller: Caller) -> None:
    """What one person has done on a phone is never sent in the session of another."""
    sender = request.headers.get(SENDER_HEADER)
    if sender is not None and unquote(sender) != caller.name:
        raise Unauthenticated(f"{unquote(sender)} did this, and {caller.name} is signed in")


def _take_upload_place() -> None:
    """A body that is read while it comes may take long: it has places of its own."""
    length = request.content_length
    if request.method in SAFE_METHODS or (length is not None and length <= COLLECTED_BODY_BYTES):
        return
    if length is None and "Transfer-Encoding" not in request.headers:
        return
    visitor = this_visitor()
    parts().uploads.take(visitor)
    g.uploading = visitor
    leave_line(UPLOAD_S)


def _give_upload_place_back(_error: BaseException | None) -> None:
    visitor = g.pop("uploading", None)
    if visitor is not None:
        parts().uploads.give_back(visitor)


def _clear_cookies() -> None:
    """A cookie that is worth nothing is not kept, prolonged or sent again."""
    if SESSION_COOKIE in request.cookies:
        session.clear()
        session.modified = True
        g.clear_csrf = True


def _guard_token(header: str) -> Caller:
    scheme, _, token = header.partition(" ")
    caller = parts().gate.caller(token.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise Unauthenticated("this token is not known or was revoked")
    g.caller, g.key = caller, token.strip()
    return caller


def _refuse_unknown_path() -> None:
    """Dash answers every path that nobody else wants with a page; a program wants a 404."""
    rule = request.url_rule
    if rule is not None and rule.rule == ANY_PAGE and request.path.startswith(MACHINE_PATHS):
        raise NotFound("path", request.path)


def _turn_away() -> Any:
    if wants_page():
        target = request.full_path.rstrip("?")
        return redirect("/login" if target == "/" else f"/login?next={quote(target, safe='/')}")
    raise Unauthenticated("nobody is signed in")


def refuse_foreign_origin() -> None:
    """Browsers say where a request comes from; other clients say nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        raise Forbidden("the request comes from another site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and urlsplit(origin).netloc != request.host:
        raise Forbidden("the request comes from another site")


def _check_csrf(key: SessionKey) -> None:
    sent = request.headers.get(CSRF_HEADER) or ""
    if not sent and request.mimetype == "application/x-www-form-urlencoded":
        sent = request.form.get(CSRF_COOKIE, "")
    if not hmac.compare_digest(sent.encode(), parts().gate.csrf_token(key).encode()):
        raise Forbidden(f"header {CSRF_HEADER} is missing or does not belong to this session")


def _add_csrf_cookie(response: Response) -> Response:
    key = g.get("key")
    if isinstance(key, SessionKey):
        token = parts().gate.csrf_token(key)
        if request.cookies.get(CSRF_COOKIE) != token:
            response.set_cookie(
                CSRF_COOKIE, token, max_age=SESSION_LIFETIME, samesite="Strict",
                secure=cookies_are_secure(),
            )  # fmt: skip
    elif g.get("clear_csrf"):
        response.delete_cookie(CSRF_COOKIE)
    return response


def content_security_policy(script_hashes: Iterable[str], tile_url: str) -> str:
    """Nothing runs here but our own scripts; pictures may also come from the map's tile server."""
    scripts = " ".join(["'self'", *script_hashes])
    tiles = urlsplit(tile_url)
    tile_server = f" {tiles.scheme}://{tiles.netloc}" if tiles.netloc else ""
    return (
        f"default-src 'self'; script-src {scripts}; "
        "style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob:{tile_server}; font-src 'self' data:; "
        "media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
    )


def _add_headers(response: Response, policy: str) -> Response:
    """Nobody frames us, nobody guesses types, nothing private is kept by a cache."""
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if g.get("key") is not None and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
