"""Every error of a request is one problem document that says what, where and what now."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from city import errors
from dashboard.shell.problems import Malformed, Unauthenticated, register_problems


def answer_of(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    server = Flask("test")
    register_problems(server)

    @server.get("/api/v1/thing")
    def thing() -> str:
        raise error

    answer = server.test_client().get("/api/v1/thing")
    assert answer.content_type == "application/problem+json"
    body = answer.get_json()
    assert body["status"] == answer.status_code
    assert body["instance"] == "/api/v1/thing"
    return answer.status_code, body, dict(answer.headers)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.InvalidInput("lon", 200, "must be a longitude"), 422, "invalid-input"),
        (errors.NotFound("incident", 7), 404, "not-found"),
        (errors.Conflict("was changed", current={"state": "filed"}), 409, "conflict"),
        (errors.Forbidden("a viewer may not"), 403, "forbidden"),
        (errors.Unavailable("database does not answer"), 503, "unavailable"),
        (Unauthenticated("nobody is signed in"), 401, "unauthenticated"),
        (Malformed("not JSON"), 400, "malformed"),
        (NotFound(), 404, "not-found"),
        (RequestEntityTooLarge(), 413, "request-entity-too-large"),
    ],
)
def test_an_error_has_its_status_and_kind(error: Exception, status: int, kind: str) -> None:
    code, body, _ = answer_of(error)
    assert (code, body["type"]) == (status, f"urn:gridwarden:problem:{kind}")
    if not isinstance(error, HTTPException):
        assert str(error) in body["detail"]


def test_a_bad_field_is_named_with_its_value_but_not_a_novel_of_it() -> None:
    _, body, _ = answer_of(errors.InvalidInput("note", "x" * 5000, "is too long"))
    assert (body["field"], body["problem"]) == ("note", "is too long")
    assert len(body["value"]) == 200
    assert len(body["detail"]) == 500
    _, body, _ = answer_of(errors.InvalidInput("limit", 0, "must be above 0"))
    assert body["value"] == 0


def test_a_conflict_shows_the_state_and_what_it_allows() -> None:
    error = errors.Conflict("no", current={"state": "filed", "version": 3}, allowed=["dispatch"])
    _, body, _ = answer_of(error)
    assert body["current"] == {"state": "filed", "version": 3}
    assert body["allowed"] == ["dispatch"]


def test_headers_say_what_to_do_next() -> None:
    assert answer_of(errors.Unavailable("away"))[2]["Retry-After"] == "5"
    assert "Bearer" in answer_of(Unauthenticated("who"))[2]["WWW-Authenticate"]
    assert answer_of(MethodNotAllowed(["GET"]))[2]["Allow"] == "GET"


def test_our_own_fault_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        code, body, _ = answer_of(RuntimeError("secret of the database"))
    assert code == 500
    assert "secret" not in str(body)
    assert "secret of the database" in caplog.text
