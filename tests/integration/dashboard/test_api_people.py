"""People and tokens over the API: what is refused, what is written down, how soon it counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from city.incident import Role
from dashboard.api.openapi import OPERATIONS
from db import users

PASSWORD = "a long enough password"
# "Within a second", and what a loaded machine takes to notice.
AT_ONCE_S = 1.5


def add(site, name: str, role: str = "viewer", **more: Any) -> dict[str, Any]:
    with site.client() as client:
        body = {"name": name, "role": role, "password": PASSWORD, **more}
        answer = client.post("/api/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


def change(site, name: str, verb: str, **body: Any) -> httpx.Response:
    with site.client() as client:
        version = next(
            u["version"] for u in client.get("/api/v1/users").json()["items"] if u["name"] == name
        )
        return client.post(f"/api/v1/users/{name}/{verb}", json={"version": version, **body})


@contextmanager
def signed_in(site, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    with site.client(None) as client:
        answer = client.post("/login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.status_code
        yield client


class Follower:
    """An open event stream, and when and how it ended."""

    def __init__(self, client: httpx.Client, path: str) -> None:
        self.lines: list[str] = []
        self.ended_at = 0.0
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(client, path), daemon=True)
        self._thread.start()
        assert self._begun.wait(10)

    def _read(self, client: httpx.Client, path: str) -> None:
        headers = {"Accept": "text/event-stream"}
        with client.stream("GET", path, headers=headers, timeout=30) as stream:
            assert stream.status_code == 200
            for line in stream.iter_lines():
                self.lines.append(line)
                self._begun.set()
        self.ended_at = time.monotonic()

    def end_after(self, moment: float) -> float:
        """Seconds from a moment to the end of the stream."""
        self._thread.join(15)
        assert self.ended_at, "the stream goes on"
        return self.ended_at - moment


def test_only_administrators_come_to_these_paths(site) -> None:
    paths = [op for op in OPERATIONS if op.path.startswith(("/users", "/tokens"))]
    assert len(paths) == 10
    for role in users.PEOPLE - {Role.ADMIN}:
        with site.client(role) as client:
            for op in paths:
                path = "/api/v1" + op.path.replace("{name}", "viewer")
                answer = client.request(op.method, path, json={} if op.method == "post" else None)
                assert answer.status_code == 403, (role, op.path)


def test_somebody_new_signs_in_and_is_in_the_log(site) -> None:
    account = add(site, "new.person", "dispatcher", display_name="符先生")
    assert (account["role"], account["display_name"], account["version"]) == (
        "dispatcher",
        "符先生",
        1,
    )
    assert "password" not in str(account)
    with signed_in(site, "new.person") as client:
        assert client.get("/api/v1/squads").status_code == 200
    events = site.sql(
        "SELECT kind, actor, payload->>'role' FROM event WHERE subject = 'user:new.person'"
    )
    assert events == [("user.added", "token:admin", "dispatcher")]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"name": "viewer"}, "name", "name_taken"),
        ({"name": "a b"}, "name", "account_name"),
        ({"name": "a/b"}, "name", "account_name"),
        ({"password": "short"}, "password", "password_length"),
        ({"role": "system"}, "role", None),
        ({"role": "squad_leader"}, "squad", "squad_needed"),
        ({"role": "squad_leader", "squad": "NOPE"}, "squad", "no_such_squad"),
    ],
)
def test_a_person_that_cannot_be_is_refused_by_field(site, body, field, code) -> None:
    whole = {"name": "nobody", "role": "viewer", "password": PASSWORD, **body}
    with site.client() as client:
        answer = client.post("/api/v1/users", json=whole)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json().get("code") == code
    assert PASSWORD not in answer.text


@pytest.mark.parametrize("path", ["/events", "/api/v1/events"])
def test_a_disabled_person_is_out_within_a_second(site, path: str) -> None:
    name = "leaving." + path.strip("/").replace("/", ".")
    add(site, name)
    with signed_in(site, name) as client:
        follower = Follower(client, path)
        assert change(site, name, "disable").status_code == 200
        assert follower.end_after(time.monotonic()) < AT_ONCE_S
        assert "event: leave" in follower.lines, "the page is told to ask who it is for"
        refused = client.get("/live/snapshot")
        assert refused.status_code == 401
        assert client.get("/wall", headers={"Accept": "text/html"}).status_code == 302
    with site.client(None) as client:
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 401


def test_a_change_made_by_another_program_counts_as_soon(site) -> None:
    add(site, "by.hand")
    with signed_in(site, "by.hand") as client:
        follower = Follower(client, "/events")
        site.sql("UPDATE app_user SET disabled_at = now() WHERE name = 'by.hand'")
        assert follower.end_after(time.monotonic()) < AT_ONCE_S


def test_old_sessions_stay_ended_when_a_person_is_let_in_again(site) -> None:
    add(site, "coming.back")
    with signed_in(site, "coming.back") as client:
        session = client.cookies["session"]
        assert client.get("/api/v1/squads").status_code == 200
        assert change(site, "coming.back", "disable").status_code == 200
        assert change(site, "coming.back", "enable").status_code == 200
        time.sleep(AT_ONCE_S)
        client.cookies.clear()
        client.cookies.set("session", session)
        assert client.get("/api/v1/squads").status_code == 401
    with signed_in(site, "coming.back") as client:
        assert client.get("/api/v1/squads").status_code == 200
    kinds = site.sql("SELECT kind FROM event WHERE subject = 'user:coming.back' ORDER BY seq")
    assert [kind for (kind,) in kinds] == ["user.added", "user.disabled", "user.enabled"]


def test_another_role_ends_the_stream_and_counts_within_a_second(site) -> None:
    add(site, "promoted")
    with signed_in(site, "promoted") as client:
        assert client.get("/api/v1/rejects").status_code == 403
        follower = Follower(client, "/events")
        assert change(site, "promoted", "role", role="dispatcher").json()["role"] == "dispatcher"
        assert follower.end_after(time.monotonic()) < AT_ONCE_S
        assert client.get("/api/v1/rejects").status_code == 200, "the session goes on"
    payload = site.sql("SELECT payload FROM event WHERE kind = 'user.role_changed'")[-1][0]
    assert payload == {"role": "dispatcher", "before": {"role": "viewer", "squad": None}}


def test_a_new_password_ends_the_stream_of_the_old_one(site) -> None:
    add(site, "forgetful")
    with signed_in(site, "forgetful") as client:
        follower = Follower(client, "/events")
        answer = change(site, "forgetful", "password", password="another long password")
        assert answer.status_code == 200
        assert follower.end_after(time.monotonic()) < AT_ONCE_S
    with signed_in(site, "forgetful", "another long password") as client:
        assert client.get("/live/snapshot").status_code == 200
    kept = site.sql("SELECT payload::text FROM event WHERE subject = 'user:forgetful'")
    assert "another long password" not in str(kept)


def test_a_stale_version_is_refused_with_the_state_as_it_is(site) -> None:
    add(site, "contested")
    with site.client() as client:
        for expected in (200, 409):
            answer = client.post(
                "/api/v1/users/contested/role", json={"role": "leader", "version": 1}
            )
            assert answer.status_code == expected
        assert answer.json()["current"]["version"] == 2
        assert answer.json()["current"]["refused"] == "changed"
        missing = client.post("/api/v1/users/contested/disable", json={})
        assert (missing.status_code, missing.json()["field"]) == (422, "version")
        assert client.post("/api/v1/users/nobody/enable", json={"version": 1}).status_code == 404


def test_nobody_shuts_themselves_out_and_the_last_administrator_stays(site) -> None:
    add(site, "boss", "admin")
    with signed_in(site, "boss") as client:
        headers = {"X-CSRFToken": client.cookies["_csrf_token"]}
        for verb, more in (("disable", {}), ("role", {"role": "viewer"})):
            body = {"version": 1, **more}
            answer = client.post(f"/api/v1/users/boss/{verb}", json=body, headers=headers)
            assert answer.status_code == 409
            assert answer.json()["current"]["refused"] == "own_account"
    for verb, more in (("disable", {}), ("role", {"role": "viewer"})):
        answer = change(site, "boss", verb, **more)
        assert answer.status_code == 409
        assert answer.json()["current"]["refused"] == "last_admin"
    add(site, "second.boss", "admin")
    assert change(site, "boss", "disable").status_code == 200


def test_two_administrators_are_not_taken_away_at_once(site) -> None:
    site.sql("UPDATE app_user SET disabled_at = now() WHERE role = 'admin'")
    for name in ("left.hand", "right.hand"):
        add(site, name, "admin")
    codes: list[int] = []
    start = threading.Barrier(2)

    def disable(name: str) -> None:
        start.wait()
        codes.append(change(site, name, "disable").status_code)

    threads = [threading.Thread(target=disable, args=(n,)) for n in ("left.hand", "right.hand")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(codes) == [200, 409]


def test_a_token_is_shown_once_and_worthless_within_a_second_of_its_end(site) -> None:
    with site.client() as client:
        body = {"name": "gauge", "role": "viewer"}
        made = client.post("/api/v1/tokens", json=body, headers={"Idempotency-Key": "gauge"})
        assert made.status_code == 201
        secret = made.json()["token"]
        again = client.post("/api/v1/tokens", json=body, headers={"Idempotency-Key": "gauge"})
        assert (again.status_code, again.json()["code"]) == (422, "name_taken")
        assert secret not in client.get("/api/v1/tokens").text
        with httpx.Client(
            base_url=site.url, headers={"Authorization": f"Bearer {secret}"}, timeout=30
        ) as script:
            follower = Follower(script, "/api/v1/events")
            assert client.post("/api/v1/tokens/gauge/revoke").json()["revoked_at"]
            assert follower.end_after(time.monotonic()) < AT_ONCE_S
            assert script.get("/api/v1/squads").status_code == 401
        assert client.post("/api/v1/tokens/gauge/revoke").status_code == 409
    kept = site.sql("SELECT kind, payload::text FROM event WHERE subject = 'token:gauge'")
    assert [kind for kind, _ in kept] == ["token.created", "token.revoked"]
    stored = str(kept) + str(site.sql("SELECT body::text FROM idempotency"))
    assert secret not in stored


def test_another_district_has_people_of_its_own(site) -> None:
    site.sql(
        "INSERT INTO district SELECT (d).* FROM (SELECT jsonb_populate_record(d, "
        "'{\"code\": \"460999\"}') AS d FROM district d WHERE code = '460107') x"
    )
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        users.add_user(conn, "neighbour", PASSWORD, Role.VIEWER, "460999", now)
    with site.client() as client:
        names = [user["name"] for user in client.get("/api/v1/users").json()["items"]]
        assert "neighbour" not in names
        answer = client.post("/api/v1/users/neighbour/disable", json={"version": 1})
        assert answer.status_code == 404
