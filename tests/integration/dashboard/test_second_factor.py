"""A second factor from enrolment to a lost telephone, at the doors of a real server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pyotp
import pytest

from city.incident import Role
from dashboard.shell.sign_in import WRONG_CODES
from db import second_factors, users
from db.rate_limit import KEY
from people import one_time

PASSWORD = "a long enough password"


@pytest.fixture
def person(site) -> Iterator[str]:
    name = f"p{datetime.now(UTC).timestamp():.6f}"
    with site.pool.connection() as conn:
        users.add_user(conn, name, PASSWORD, Role.VIEWER, "460107", datetime.now(UTC))
    yield name
    for key in site.parts.redis.scan_iter(f"{KEY}*"):
        site.parts.redis.delete(key)


def step_one(client: httpx.Client, name: str, **more: str) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": PASSWORD, "next": "/kpi", **more})


def step_two(client: httpx.Client, halfway: httpx.Response, code: str) -> httpx.Response:
    found = re.search(r'name="ticket" value="([^"]+)"', halfway.text)
    assert found, halfway.text
    return client.post("/login", data={"ticket": found[1], "code": code, "next": "/kpi"})


def post(client: httpx.Client, **fields: str) -> httpx.Response:
    token = client.cookies["_csrf_token"]
    return client.post("/second-factor", data={"_csrf_token": token, **fields})


def enrol(site, name: str) -> tuple[str, list[str]]:
    """The secret and the recovery codes."""
    with site.client(None) as client:
        assert step_one(client, name).status_code == 303
        page = client.get("/second-factor")
        assert "<svg" in page.text
        secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page.text)
        assert secret
        wrong = post(client, do="set", secret=secret[1], code="000000")
        assert wrong.status_code == 422
        assert secret[1] in wrong.text
        done = post(client, do="set", secret=secret[1], code=pyotp.TOTP(secret[1]).now())
        codes = re.findall(r"<code>([a-z2-7-]{19})</code>", done.text)
        assert len(codes) == 10
        assert done.headers["Cache-Control"] == "no-store"
        return secret[1], codes


def next_code(site, name: str, secret: str) -> str:
    """A code that was not used: the one of now, else half a minute ahead."""
    with site.pool.connection() as conn:
        factor = second_factors.lock_factor(conn, name)
    assert factor
    now = int(datetime.now(UTC).timestamp()) // 30
    return pyotp.TOTP(secret).generate_otp(max(now, factor.last_step + 1))


def events_of(site, name: str) -> list[str]:
    kinds = site.sql(
        "SELECT kind FROM event WHERE subject = %s AND kind <> 'row.changed' ORDER BY seq",
        (f"user:{name}",),
    )
    return [kind for (kind,) in kinds]


def test_the_password_alone_is_not_enough_any_more(site, person: str) -> None:
    secret, _ = enrol(site, person)
    with site.client(None) as client:
        halfway = step_one(client, person)
        assert (halfway.status_code, "session" in client.cookies) == (200, False)
        assert client.get("/live/snapshot").status_code == 401
        code = next_code(site, person, secret)
        entered = step_two(client, halfway, code)
        assert (entered.status_code, entered.headers["Location"]) == (303, "/kpi")
        assert client.get("/live/snapshot").status_code == 200
    with site.client(None) as thief:
        assert step_two(thief, step_one(thief, person), code).status_code == 401
        assert step_two(thief, halfway, code).status_code == 401


def test_one_code_at_once_from_two_browsers_lets_one_in(site, person: str) -> None:
    secret, _ = enrol(site, person)
    with site.client(None) as one, site.client(None) as other:
        pages = [(one, step_one(one, person)), (other, step_one(other, person))]
        code = next_code(site, person, secret)
        answers: list[int] = []
        threads = [
            threading.Thread(
                target=lambda c=c, p=p: answers.append(step_two(c, p, code).status_code)
            )
            for c, p in pages
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [303, 401]


def test_a_recovery_code_lets_in_once_and_is_written_down(site, person: str) -> None:
    _, codes = enrol(site, person)
    with site.client(None) as client:
        assert step_two(client, step_one(client, person), codes[3].upper()).status_code == 303
    with site.client(None) as client:
        assert step_two(client, step_one(client, person), codes[3]).status_code == 401
        assert step_two(client, step_one(client, person), codes[4]).status_code == 303
        assert "8 个" in client.get("/second-factor").text
    assert events_of(site, person)[-2:] == ["user.recovery_code_used"] * 2


def test_guessing_codes_is_limited_for_the_person_from_anywhere(site, person: str) -> None:
    secret, _ = enrol(site, person)
    with site.client(None) as client:
        halfway = step_one(client, person)
        for _ in range(WRONG_CODES - 1):  # one was tried when the factor was set
            assert step_two(client, halfway, "000000").status_code == 401
        answer = step_two(client, halfway, next_code(site, person, secret))
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "600")
    assert events_of(site, person)[-1] == "user.locked_out"


def test_a_forged_or_outdated_ticket_leads_nowhere(site, person: str) -> None:
    secret, _ = enrol(site, person)
    with site.client(None) as client:
        halfway = step_one(client, person)
        forged = client.post("/login", data={"ticket": "Wyd4JywgMV0.x.y", "code": "1"})
        assert forged.status_code == 401
        assert 'name="password"' in forged.text
        with site.pool.connection() as conn:
            users.set_password(conn, person, "quite another one", datetime.now(UTC))
        late = step_two(client, halfway, next_code(site, person, secret))
        assert late.status_code == 401


def test_an_administrator_takes_a_lost_factor_away(site, person: str) -> None:
    enrol(site, person)
    with site.client(None) as client:
        with site.client() as admin:
            row = find(admin, person)
            assert row["second_factor_at"]
            path = f"/api/v1/users/{person}/second-factor/reset"
            done = admin.post(path, json={"version": row["version"]})
            assert (done.status_code, done.json()["second_factor_at"]) == (200, None)
            again = admin.post(path, json={"version": done.json()["version"]})
            assert (again.status_code, again.json()["current"]["refused"]) == (
                409,
                "second_factor_off",
            )
        assert step_one(client, person).status_code == 303
    with site.client(Role.DISPATCHER) as client:
        assert client.post(path, json={"version": 1}).status_code == 403
    assert events_of(site, person)[-1] == "user.second_factor_reset"


def find(admin: httpx.Client, name: str) -> dict:
    return next(u for u in admin.get("/api/v1/users").json()["items"] if u["name"] == name)


def test_changing_it_needs_a_code_and_not_just_an_open_browser(site, person: str) -> None:
    secret, codes = enrol(site, person)
    with site.client(None) as client:
        step_two(client, step_one(client, person), codes[0])
        assert post(client, do="remove", code="111111").status_code == 422
        renewed = post(client, do="renew", code=codes[1])
        fresh = re.findall(r"<code>([a-z2-7-]{19})</code>", renewed.text)
        assert len(fresh) == 10
        assert post(client, do="remove", code=codes[2]).status_code == 422
        again = post(client, do="set", secret=secret, code=next_code(site, person, secret))
        assert again.status_code == 409
        assert post(client, do="remove", code=fresh[0]).status_code == 200
        assert post(client, do="something", code="1").status_code == 422
    with site.client(None) as client:
        assert step_one(client, person).status_code == 303


def test_nothing_in_the_database_or_the_log_is_enough_to_make_a_code(site, person: str) -> None:
    secret, codes = enrol(site, person)
    kept = repr(site.sql("SELECT * FROM second_factor"))
    kept += repr(site.sql("SELECT * FROM recovery_code"))
    kept += repr(site.sql("SELECT payload, rows FROM event"))
    for text in (secret, codes[0], codes[0].replace("-", "")):
        assert text not in kept
    rows = site.sql("SELECT rows FROM event WHERE kind = 'user.second_factor_set' ORDER BY seq")
    assert rows[-1][0][0]["row"]["second_factor_at"]


def test_tokens_go_on_without_and_have_none(site, person: str) -> None:
    enrol(site, person)
    with site.client(Role.VIEWER) as client:
        assert client.get("/api/v1/squads").status_code == 200
        assert client.get("/second-factor").status_code == 403


def test_another_key_of_the_installation_leaves_the_recovery_codes(site, person: str) -> None:
    secret, codes = enrol(site, person)
    with site.pool.connection() as conn:
        sealed = one_time.seal(secret, person, "the key before")
        conn.execute("UPDATE second_factor SET sealed = %s WHERE name = %s", (sealed, person))
    with site.client(None) as client:
        code = next_code(site, person, secret)
        assert step_two(client, step_one(client, person), code).status_code == 401
        assert step_two(client, step_one(client, person), codes[0]).status_code == 303
