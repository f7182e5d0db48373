"""A request and the JSON that is sent for it have one list of fields."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import pytest

from city import intake_requests, requests, safety_requests
from city.errors import InvalidInput
from city.incident import Action, Source
from city.requests import ActionRequest, ApproveRequest, ReportRequest, ReviewRequest
from dashboard.api.bodies import body_of, decode_request
from dashboard.api.openapi import OPERATIONS

REQUESTS = [
    kind
    for module in (requests, intake_requests, safety_requests)
    for _, kind in inspect.getmembers(module, is_dataclass)
]


def decoded(request: type[Any], matched: int | None = None, **sent: Any) -> Any:
    return decode_request(json.dumps(sent).encode(), request, matched)


def test_every_request_is_a_body_of_the_api() -> None:
    assert {op.body for op in OPERATIONS if op.body is not None} == set(REQUESTS)


@pytest.mark.parametrize("request_kind", REQUESTS)
def test_a_body_has_the_fields_of_its_request_and_its_words(request_kind: type[Any]) -> None:
    body = body_of(request_kind)
    assert set(body.__struct_fields__) == {field.name for field in fields(request_kind)}
    schema = msgspec.json.schema_components([body])[1][body.__name__]
    assert schema["description"] == inspect.getdoc(request_kind)
    assert schema["additionalProperties"] is False


def test_what_is_not_sent_is_as_the_request_says() -> None:
    report = decoded(ReportRequest, category="0101", lon=110.3, lat=20.0)
    assert report == ReportRequest("0101", 110.3, 20.0)
    assert report.source is Source.HOTLINE
    approved = [decoded(ApproveRequest, code="A", kind="gas", name="", lon=1, lat=2)] * 2
    assert approved[0].attributes == {}


def test_the_version_comes_with_the_body_or_the_header_and_never_not_at_all() -> None:
    for named, matched in ((3, None), (None, 3), (3, 3)):
        found = decoded(ActionRequest, matched, action="file", version=named)
        assert found == ActionRequest(Action.FILE, 3)
    with pytest.raises(InvalidInput, match="If-Match"):
        decoded(ActionRequest, action="file")
    with pytest.raises(InvalidInput, match="is not the If-Match of 4"):
        decoded(ActionRequest, 4, action="file", version=3)


@pytest.mark.parametrize(
    ("request_kind", "sent", "field", "problem"),
    [
        (ReviewRequest, {"verdict": "confirmed", "not": 1}, "not", "contains unknown field"),
        (ReviewRequest, {"note": ""}, "verdict", "missing required field"),
        (ReviewRequest, {"verdict": 7}, "verdict", "Expected `str`"),
        (ReviewRequest, {"verdict": "a\0b"}, "verdict", "must not contain NUL"),
        (ActionRequest, {"action": "dance", "version": 1}, "action", "must be one of verify, file"),
        (ActionRequest, {"action": "file", "version": 2**31}, "version", "is too large"),
        (
            ActionRequest,
            {"action": "suspend", "version": 1, "until": "2026-12-01T08:00:00"},
            "until",
            "needs a time zone offset",
        ),
    ],
)
def test_a_bad_field_is_named(
    request_kind: type[Any], sent: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        decoded(request_kind, **sent)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_a_password_is_not_shown_by_its_request() -> None:
    assert "secret" not in repr(requests.UserRequest("fu", "secret", "viewer"))
    assert "secret" not in repr(requests.PasswordRequest("secret"))
