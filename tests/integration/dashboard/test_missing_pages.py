"""An address that nobody serves, or not for this person, is answered as what it is."""

from __future__ import annotations

import pytest

from city.incident import Role
from tests.integration.dashboard.conftest import Site

BROWSER = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (Role.VIEWER, "/wall", 200),
        (Role.VIEWER, "/manual/dispatcher", 200),
        (Role.VIEWER, "/devices", 404),
        (Role.VIEWER, "/nowhere", 404),
        (Role.DISPATCHER, "/devices", 200),
        (Role.DISPATCHER, "/people", 404),
        (Role.ADMIN, "/people", 200),
        (Role.ADMIN, "/people/nowhere", 404),
    ],
)
def test_only_pages_that_are_there_are_answered_with_200(
    site: Site, role: Role, path: str, status: int
) -> None:
    with site.client(role) as client:
        answer = client.get(path, headers=BROWSER)
    assert answer.status_code == status
    assert "react-entry-point" in answer.text  # a page in either case, which says what there is
