"""Reading change requests and writing answers: versions, repeated requests, JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from city.errors import InvalidInput, NotFound
from dashboard.api.bodies import BIGINT_MAX, INT_MAX, T, decode_request, number_of
from dashboard.shell.changes import Once
from db.idempotency import StoredAnswer

KEY_LENGTH = range(1, 201)
# Time a screen may wait for its answer; longer bodies than this are no JSON of ours.
JSON_LIMIT = 256 * 1024


def json_answer(body: Any, status: int = 200) -> Response:
    """A JSON response; a version becomes its entity tag."""
    response = Response(msgspec.json.encode(body), status, content_type="application/json")
    if isinstance(body, dict) and isinstance(body.get("version"), int):
        response.headers["ETag"] = f'"{body["version"]}"'
    return response


def stored_answer(answer: StoredAnswer) -> Response:
    return json_answer(answer.body, answer.status)


def read_body(kind: type[T], most: int = JSON_LIMIT) -> T:
    """What the JSON body of at most so many bytes asks for, a value of `city.requests`, with
    `If-Match` as its version."""
    if request.mimetype not in ("application/json", ""):
        raise UnsupportedMediaType("send application/json")
    raw = request.get_data(cache=True)
    if len(raw) > most:
        raise InvalidInput("body", len(raw), f"must be at most {most} bytes")
    return decode_request(raw, kind, if_match())


def if_match() -> int | None:
    """The version in `If-Match`, with or without quotes."""
    text = request.headers.get("If-Match")
    if text is None:
        return None
    bare = text.strip().removeprefix("W/").strip('"')
    version = number_of(bare, INT_MAX)
    if version is None:
        raise InvalidInput("If-Match", text, "must be the version, a whole number")
    return version


def read_once(parts: Sequence[bytes] | None = None) -> Once | None:
    """The Idempotency-Key and what it stands for; `parts` replace the body of an upload."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if len(key) not in KEY_LENGTH or not key.isprintable():
        raise InvalidInput("Idempotency-Key", key, "must have 1 to 200 printable characters")
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode())
    digest.update(request.headers.get("If-Match", "").encode() + b"\n")
    for part in parts if parts is not None else [request.get_data(cache=True)]:
        digest.update(hashlib.sha256(part).digest())
    return Once(key, digest.digest())


def known_id(what: str, number: int) -> int:
    """A number no row can have is a row that does not exist."""
    if number > BIGINT_MAX:
        raise NotFound(what, number)
    return number
