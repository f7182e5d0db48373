"""The guard in front of every request, and the headers behind it."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from flask import Flask, Response, g, redirect, request, session
from flask.sessions import SecureCookieSessionInterface

from city.errors import Forbidden, NotFound, Unavailable
from city.incident import Role
from city.person import Caller
from dashboard.gate import Key, SessionKey
from dashboard.parts import parts
from dashboard.problems import MACHINE_PATHS, Unauthenticated, wants_page

# Wall screens stay signed in; every visit renews the cookie.
SESSION_LIFETIME = timedelta(days=30)
CSRF_COOKIE = "_csrf_token"
CSRF_HEADER = "X-CSRFToken"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/login", "/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"})
OPEN_FOLDERS = ("/assets/", "/_dash-component-suites/")
# Dash's rule for its pages.
ANY_PAGE = "/<path:path>"
F = TypeVar("F", bound=Callable[..., Any])


def current_caller() -> Caller:
    """Who asks; only behind the guard."""
    caller: Caller | None = g.get("caller")
    if caller is None:
        raise Unauthenticated("nobody is signed in")
    return caller


def requires(*roles: Role) -> Callable[[F], F]:
    """For a view or a Dash callback: other roles are refused."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            require_role(current_caller(), roles)
            return function(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def require_role(caller: Caller, roles: Iterable[Role]) -> None:
    """Raises `Forbidden` naming the roles that may."""
    if caller.role not in roles:
        allowed = ", ".join(sorted(role.value for role in roles))
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: {allowed}")


def still_welcome() -> Callable[[], bool]:
    """A check for streams that outlive their request: is the session or token still good?

    While the database is away nobody can know, and the screens stay on.
    """
    key: Key = g.key
    gate = parts().gate

    def check() -> bool:
        try:
            return gate.caller(key) is not None
        except Unavailable:
            return True

    return check


def install(server: Flask, csp_hashes: Callable[[], Iterable[str]]) -> None:
    """Guard every request of this server and put the security headers behind it."""
    server.config.update(
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
    )
    server.session_interface = _SessionCookie()
    server.before_request(guard)
    server.after_request(_add_csrf_cookie)

    @functools.cache
    def policy() -> str:
        return content_security_policy(csp_hashes(), server.config.get("TILE_URL") or "")

    server.after_request(lambda response: _add_headers(response, policy()))


class _SessionCookie(SecureCookieSessionInterface):
    """Secure wherever the connection is; a wall on a plain intranet address still signs in."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def guard() -> Any:
    """Before every request: who is it, and did they mean to send it?"""
    g.caller = g.key = None
    if request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDERS):
        return None
    header = request.headers.get("Authorization", "")
    if header:
        _guard_token(header)
        return _refuse_unknown_path()
    key = SessionKey.of(session)
    caller = parts().gate.caller(key) if key else None
    if key is None or caller is None:
        return _turn_away()
    g.caller, g.key = caller, key
    if request.method not in SAFE_METHODS:
        refuse_foreign_origin()
        _check_csrf(key)
    return _refuse_unknown_path()


def _guard_token(header: str) -> None:
    scheme, _, token = header.partition(" ")
    caller = parts().gate.caller(token.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise Unauthenticated("this token is not known or was revoked")
    g.caller, g.key = caller, token.strip()


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
                secure=request.is_secure,
            )  # fmt: skip
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
        "worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; "
        "form-action 'self'; object-src 'none'"
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
