"""Signing in with a password or a token, and everything that is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.process.serve import build_ports
from city.incident import Role
from dashboard.shell.gate import ISSUED, NAME, SESSION_LIFETIME, SID
from dashboard.shell.proxies import parse_networks
from dashboard.shell.server import create_server
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
    told = site.sql("SELECT subject, actor, payload FROM event WHERE kind = 'user.signed_out'")
    assert told == [("user:dispatcher", "dispatcher", {})]


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
        time.sleep(1.0)
        client.cookies.clear()
        client.cookies.set("session", session)
        assert client.get("/live/snapshot").status_code == 401
        assert sign_in(site, client, "moving").status_code == 401
        assert sign_in(site, client, "moving", "another long one").status_code == 303


def test_the_sixth_wrong_password_in_a_minute_is_not_looked_at(site) -> None:
    with site.client(None) as client:
        codes = [
            sign_in(site, client, "guessed", f"wrong {n} password").status_code for n in range(7)
        ]
        assert codes == [401] * 5 + [429] * 2
        assert sign_in(site, client, "viewer").status_code == 303, "others still get in"


def test_who_is_shut_out_for_guessing_is_in_the_log_and_what_else_was_typed_is_not(site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        users.add_user(conn, "besieged", PASSWORD, Role.VIEWER, "460107", now)
    with site.client(None) as client:
        for name in ("besieged", "my-password-by-mistake"):
            for n in range(8):
                sign_in(site, client, name, f"wrong {n} password")
    told = site.sql("SELECT subject, actor, payload FROM event WHERE kind = 'user.locked_out'")
    assert told == [("user:besieged", "system", {"address": "127.0.0.1"})]


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


def test_wrong_passwords_at_the_same_time_count_one_by_one(site) -> None:
    def guess(n: int) -> int:
        with site.client(None) as client:
            return sign_in(site, client, "rushed", f"wrong {n} password").status_code

    with ThreadPoolExecutor(25) as pool:
        codes = list(pool.map(guess, range(25)))
    assert (codes.count(401), codes.count(429)) == (5, 20)


def test_right_passwords_count_against_nobody(site) -> None:
    for _ in range(8):
        with site.client(None) as client:
            assert sign_in(site, client, "viewer").status_code == 303


def test_a_form_that_is_no_sign_in_is_not_read(site) -> None:
    with site.client(None) as client:
        answer = client.post("/login", data={"name": "viewer", "password": "x" * 20_000})
        assert answer.status_code == 413
        chunks = iter([b"name=viewer"])
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/login", content=chunks, headers=form).status_code == 413


def cookie(site, name: str, age: timedelta) -> str:
    """The cookie of a session of this age, signed as the server signs it."""
    signer = site.server.session_interface.get_signing_serializer(site.server)
    issued = time.time() - age.total_seconds()
    text: str = signer.dumps(
        {SID: "an old session", NAME: name, ISSUED: issued, "_permanent": True}
    )
    return text


def test_a_session_ends_for_good_however_much_it_is_used(site) -> None:
    with site.client(None) as client:
        client.cookies.set("session", cookie(site, "viewer", SESSION_LIFETIME - timedelta(hours=1)))
        assert client.get("/live/snapshot").status_code == 200
    with site.client(None) as client:
        client.cookies.set("session", cookie(site, "viewer", SESSION_LIFETIME + timedelta(hours=1)))
        assert client.get("/live/snapshot").status_code == 401


def test_a_dead_sessions_cookies_are_cleared_and_never_sent_again(site) -> None:
    dead = cookie(site, "viewer", SESSION_LIFETIME + timedelta(hours=1))
    for worthless in (dead, "nonsense", cookie(site, "nobody", timedelta(hours=1))):
        for path, headers in (("/live/snapshot", {}), ("/wall", {"Accept": "text/html"})):
            with site.client(None) as client:
                client.cookies.set("session", worthless)
                answer = client.get(path, headers=headers)
            sent = answer.headers.get_list("Set-Cookie")
            assert sorted(text.partition("=")[0] for text in sent) == ["_csrf_token", "session"]
            assert all("Max-Age=0" in text for text in sent), sent


def test_pages_for_everybody_prolong_no_session(site) -> None:
    dead = cookie(site, "viewer", SESSION_LIFETIME + timedelta(hours=1))
    for kept in (dead, cookie(site, "viewer", timedelta(hours=1))):
        with site.client(None) as client:
            client.cookies.set("session", kept)
            for path in ("/assets/icon.svg", "/login", "/healthz"):
                assert "Set-Cookie" not in client.get(path).headers, path


def test_cookies_are_secure_behind_tls_of_a_named_proxy_or_by_the_setting(site) -> None:
    login = {"name": "viewer", "password": PASSWORD}
    https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

    def cookies(headers: dict[str, str], **options: object) -> list[str]:
        server = create_server(
            site.pool,
            site.parts.redis,
            build_ports(),
            "secret",
            **options,  # type: ignore[arg-type]
        )
        answer = server.test_client().post("/login", data=login, headers=headers)
        assert answer.status_code == 303
        return answer.headers.getlist("Set-Cookie")

    named = {"trusted_proxies": parse_networks("X", "127.0.0.1")}
    assert all("Secure" in text for text in cookies(https, **named))
    assert not any("Secure" in text for text in cookies(https))
    assert all("Secure" in text for text in cookies({}, secure_cookies=True))
