"""Errors as RFC 9457 problem documents: one sentence, the field where there is one, no traces."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from city.errors import (
    Conflict,
    Forbidden,
    GridwardenError,
    InvalidInput,
    NotFound,
    Unavailable,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:gridwarden:problem:"
# When a client may try again after a dependency was away.
RETRY_AFTER_S = 5
# These answer programs: with a status and a document, never with a page.
MACHINE_PATHS = (
    "/api/", "/live/", "/events", "/_dash-", "/_reload-hash", "/healthz", "/readyz", "/metrics",
)  # fmt: skip
# A refused value is shown back, but not a novel of it.
SHOWN_VALUE_LENGTH = 200


class Unauthenticated(GridwardenError):
    """Nobody is signed in, or the token is worth nothing."""


class Malformed(GridwardenError):
    """The body is not JSON at all."""


def problem(status: int, kind: str, title: str, detail: str, **members: Any) -> Response:
    """A problem document; `kind` is the last part of its type."""
    body = {
        "type": TYPE_PREFIX + kind,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        **members,
    }
    response = Response(
        msgspec.json.encode(body, enc_hook=str), status=status, content_type=MEDIA_TYPE
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def members_of(error: GridwardenError) -> tuple[int, dict[str, Any]]:
    """Status and members of the problem document of one of several answers."""
    if isinstance(error, NotFound):
        return 404, {"detail": str(error)}
    if isinstance(error, Forbidden):
        return 403, {"detail": str(error)}
    if isinstance(error, Conflict):
        return 409, {"detail": str(error), "current": error.current, "allowed": error.allowed}
    if isinstance(error, InvalidInput):
        facts = {"field": error.field, "problem": error.problem}
        return 422, {"detail": str(error)[:500], **facts}
    raise error


def register_problems(server: Flask) -> None:
    """Turn every error of a request into a problem document."""
    server.register_error_handler(InvalidInput, _invalid_input)
    server.register_error_handler(NotFound, _not_found)
    server.register_error_handler(Conflict, _conflict)
    server.register_error_handler(Forbidden, _forbidden)
    server.register_error_handler(Unavailable, _unavailable)
    server.register_error_handler(Unauthenticated, _unauthenticated)
    server.register_error_handler(Malformed, _malformed)
    server.register_error_handler(HTTPException, _http)
    server.register_error_handler(Exception, _unexpected)


def _invalid_input(error: InvalidInput) -> Response:
    value = error.value
    if not isinstance(value, bool | int | float | None):
        value = str(value)[:SHOWN_VALUE_LENGTH]
    worded = {"code": error.code, "facts": error.facts} if error.code else {}
    return problem(
        422, "invalid-input", "A field is not acceptable", str(error)[:500],
        field=error.field, value=value, problem=error.problem, **worded,
    )  # fmt: skip


def _not_found(error: NotFound) -> Response:
    return problem(404, "not-found", "Not found", str(error))


def _conflict(error: Conflict) -> Response:
    return problem(
        409, "conflict", "The current state does not allow this", str(error),
        current=error.current, allowed=error.allowed,
    )  # fmt: skip


def _forbidden(error: Forbidden) -> Response:
    return problem(403, "forbidden", "Not allowed", str(error))


def wants_page() -> bool:
    """Whether a person's browser asks for a page."""
    is_page = not request.path.startswith(MACHINE_PATHS)
    return is_page and request.method == "GET" and request.accept_mimetypes.accept_html


def _unavailable(error: Unavailable) -> Response:
    if wants_page():
        # A wall screen has nobody to press a key: the page asks again by itself.
        page = render_template("away.html", seconds=RETRY_AFTER_S, detail=str(error))
        return Response(page, 503, headers={"Retry-After": str(RETRY_AFTER_S)})
    response = problem(503, "unavailable", "A server we need is away", str(error))
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _unauthenticated(error: Unauthenticated) -> Response:
    response = problem(401, "unauthenticated", "Sign in or send a token", str(error))
    response.headers["WWW-Authenticate"] = 'Bearer realm="gridwarden"'
    return response


def _malformed(error: Malformed) -> Response:
    return problem(400, "malformed", "The body cannot be read", str(error))


def _http(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    kind = error.name.lower().replace(" ", "-")
    response = problem(error.code, kind, error.name, error.description or error.name)
    for name, value in error.get_headers(request.environ):
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return problem(500, "internal", "Something broke on our side", "The fault has been logged.")
