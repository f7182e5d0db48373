"""Signing in with a password or a token, and everything that is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from city.incident import Role
from db import users

PASSWORD = "a long enough password"


def sign_in(site, client: httpx.Client, name: str = "dispatcher", password: str = PASSWORD):
    return client.post("/login", data={"name": name, "password": password, "next": "/kpi"})


def test_anonymous_people_get_the_sign_in_page_and_programs_get_401(site) -> None:
    with site.client(None) as client:
        page = client.get("/wall", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["Location"]) == (302, "/login?next=/wall")
        for path in ("/api/v1/incidents", "/live/snapshot", "/events", "/_dash-layout"):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert client.post("/_dash-update-component", json={}).status_code == 401


def test_a_token_opens_the_api_and_a_revoked_one_does_not(site) -> None:
    with site.client(Role.VIEWER) as client:
        assert client.get("/api/v1/squads").status_code == 200
        client.headers["Authorization"] = "Bearer gw_nobody"
        answer = client.get("/api/v1/squads")
        assert answer.status_code == 401
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        token = users.create_token(conn, "short-lived", Role.VIEWER, "460107", now)
        assert users.revoke_token(conn, "short-lived", now)
    with site.client(
        None,
    ) as client:
        answer = client.get("/api/v1/squads", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


def test_signing_in_leads_where_the_person_wanted_to_go(site) -> None:
    with site.client(None) as client:
        answer = sign_in(site, client)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/kpi")
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert client.get("/live/snapshot").status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "login", "/login"]
)
def test_the_sign_in_page_never_leads_away(site, target: str) -> None:
    with site.client(None) as client:
        answer = client.post(
            "/login", data={"name": "viewer", "password": PASSWORD, "next": target}
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_change_in_a_session_needs_the_csrf_token_of_that_session(site) -> None:
    with site.client(None) as client:
        sign_in(site, client)
        token = client.cookies["_csrf_token"]
        path, body = "/api/v1/incidents", {"category": "nothing", "lon": 1, "lat": 2}
        assert client.post(path, json=body).status_code == 403
        assert client.post(path, json=body, headers={"X-CSRFToken": "0" * 64}).status_code == 403
        allowed = client.post(path, json=body, headers={"X-CSRFToken": token})
        assert allowed.status_code == 422
        cross = {"X-CSRFToken": token, "Sec-Fetch-Site": "cross-site"}
        assert client.post(path, json=body, headers=cross).status_code == 403
        foreign = {"X-CSRFToken": token, "Origin": "https://evil.example"}
        assert client.post(path, json=body, headers=foreign).status_code == 403


def test_a_foreign_page_cannot_sign_anybody_in(site) -> None:
    with site.client(None) as client:
        answer = client.post(
            "/login",
            data={"name": "viewer", "password": PASSWORD},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert answer.status_code == 403


def test_signing_out_ends_every_copy_of_the_session(site) -> None:
    with site.client(None) as client, site.client(None) as thief:
        sign_in(site, client)
        thief.cookies.set("session", client.cookies["session"])
        assert thief.get("/live/snapshot").status_code == 200
        out = client.post("/logout", headers={"X-CSRFToken": client.cookies["_csrf_token"]})
        assert out.status_code == 303
        assert thief.get("/live/snapshot").status_code == 401


def test_a_tampered_cookie_is_worth_nothing(site) -> None:
    with site.client(None) as client:
        sign_in(site, client)
        session = client.cookies["session"]
        client.cookies.clear()
        client.cookies.set("session", session[:-3] + "abc")
        assert client.get("/live/snapshot").status_code == 401


def test_a_new_password_ends_the_sessions_of_the_old_one(site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        users.add_user(conn, "moving", PASSWORD, Role.VIEWER, "460107", now)
    with site.client(None) as client:
        sign_in(site, client, "moving")
        session = client.cookies["session"]
        with site.pool.connection() as conn:
            assert users.set_password(conn, "moving", "another long one", datetime.now(UTC))
        site.parts.gate.forget()  # as after a few seconds
        client.cookies.clear()
        client.cookies.set("session", session)
        assert client.get("/live/snapshot").status_code == 401
        assert sign_in(site, client, "moving").status_code == 401
        assert sign_in(site, client, "moving", "another long one").status_code == 303


def test_the_sixth_wrong_password_in_a_minute_is_not_looked_at(site) -> None:
    with site.client(None) as client:
        codes = [sign_in(site, client, "guessed", f"wrong {n} password").status_code
                 for n in range(7)]  # fmt: skip
        assert codes == [401] * 5 + [429] * 2
        assert sign_in(site, client, "viewer").status_code == 303, "others still get in"


def test_the_page_speaks_both_languages_and_runs_no_script(site) -> None:
    with site.client(None, follow_redirects=True) as client:
        chinese = client.get("/login").text
        english = client.get("/login?lang=en&theme=light").text
        assert 'lang="zh-CN"' in chinese
        assert "用户名" in chinese
        assert 'lang="en"' in english
        assert 'data-theme="light"' in english
        assert "<script" not in chinese + english
        policy = client.get("/login").headers["Content-Security-Policy"]
        assert "unsafe-eval" not in policy
        assert "script-src 'self' 'sha256-" in policy


def test_a_role_that_may_not_is_refused(site) -> None:
    with site.client(Role.VIEWER) as client:
        for path in ("/api/v1/alarms/1/acknowledge", "/api/v1/alarms/1/reset"):
            answer = client.post(path, json={"version": 1})
            assert (answer.status_code, answer.json()["title"]) == (403, "Not allowed")
        assert client.get("/api/v1/rejects").status_code == 403


def test_users_and_tokens_refuse_nonsense(site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        with pytest.raises(users.InvalidInput, match="password"):
            users.add_user(conn, "short", "1234567", Role.VIEWER, "460107", now)
        with pytest.raises(users.InvalidInput, match="role"):
            users.add_user(conn, "god", PASSWORD, "system", "460107", now)
        with pytest.raises(users.InvalidInput, match="squad"):
            users.add_user(conn, "lost", PASSWORD, Role.SQUAD_LEADER, "460107", now)
        with pytest.raises(users.InvalidInput, match="taken"):
            users.create_token(conn, "viewer", Role.VIEWER, "460107", now)
        conn.rollback()
