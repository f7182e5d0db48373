"""What waits for a second person, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from alerts.steps import apply_rules, default_rules
from app import four_eyes
from app.four_eyes import RuleChange
from city.incident import Role
from city.person import Caller
from db import districts, users
from db.events import append_events
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD
from tests.integration.dashboard.test_api_people import signed_in

API = "/api/v1/approvals"
ASKER = Caller("anna", Role.GAS_ENGINEER, DISTRICT)


@pytest.fixture(scope="module")
def people(site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        apply_rules(conn, "system", default_rules(), now)
        districts.save_setting(conn, DISTRICT, "four_eyes", True, now)
        users.add_user(conn, "anna", PASSWORD, Role.GAS_ENGINEER, DISTRICT, now)
        users.add_user(conn, "bo", PASSWORD, Role.ADMIN, DISTRICT, now)


@pytest.fixture
def waiting(site, people) -> dict[str, Any]:
    """A request of anna's, another one each time."""
    now = datetime.now(UTC)
    text = default_rules()["gas-lel.toml"] + f"# {now.isoformat()}\n"
    with site.pool.connection() as conn:
        wanted = RuleChange({"gas-lel": text})
        foreseen = four_eyes.foreseen_json(four_eyes.foresee(conn, wanted.put, (), now))
        asked = four_eyes.ask(conn, ASKER, wanted, foreseen, "a comment", now)
        append_events(conn, asked.events)
    return {"id": asked.approval.id, "digest": asked.approval.digest}


@pytest.fixture
def anna(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "anna") as client:
        yield with_csrf(client)


@pytest.fixture
def bo(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "bo") as client:
        yield with_csrf(client)


def with_csrf(client: httpx.Client) -> httpx.Client:
    client.get("/api/v1/devices?limit=1")
    client.headers["X-CSRFToken"] = client.cookies["_csrf_token"]
    return client


def decide(client: httpx.Client, number: int, verb: str, **body: str) -> httpx.Response:
    return client.post(f"{API}/{number}/{verb}", json=body)


def test_a_request_is_listed_with_what_it_would_change(anna, bo, waiting) -> None:
    found = bo.get(f"{API}/{waiting['id']}").json()
    assert found == bo.get(API, params={"limit": 1}).json()["items"][0]
    rule = found["shown"]["rules"][0]
    assert (rule["code"], rule["after"].startswith(rule["before"][:100])) == ("gas-lel", True)
    assert {"from", "to", "gained", "lost", "levels"} <= found["shown"]["alarms"].keys()
    assert (found["may_approve"], found["may_refuse"]) == (True, True)
    own = anna.get(f"{API}/{waiting['id']}").json()
    assert (own["may_approve"], own["may_refuse"]) == (False, True)


def test_who_asked_and_tokens_and_other_digests_are_refused(site, anna, bo, waiting) -> None:
    number, digest = waiting["id"], waiting["digest"]
    assert decide(anna, number, "approve", digest=digest, why="mine").status_code == 403
    with site.client(Role.ADMIN) as script:
        answer = decide(script, number, "approve", digest=digest, why="by itself")
        assert (answer.status_code, "a token is nobody" in answer.text) == (403, True)
    with site.client(Role.DISPATCHER) as dispatcher:
        assert dispatcher.get(API).json()["items"] == []  # gas rules are not theirs
        assert decide(dispatcher, number, "refuse", why="x").status_code == 403
    assert decide(bo, number, "approve", digest="0" * 64, why="x").status_code == 409
    assert decide(bo, number, "approve", digest=digest, why=" ").status_code == 422
    assert decide(bo, 10_000, "approve", digest=digest, why="x").status_code == 404
    assert bo.get(f"{API}/{number}").json()["state"] == "waiting"


def test_an_approval_is_done_once_and_the_rest_is_overtaken(site, bo, waiting, anna) -> None:
    number, digest = waiting["id"], waiting["digest"]
    done = decide(bo, number, "approve", digest=digest, why="fine")
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    applied = site.sql("SELECT applied_by FROM rule WHERE code = 'gas-lel' AND retired_at IS NULL")
    assert applied == [("bo",)]
    again = decide(bo, number, "approve", digest=digest, why="fine")
    assert again.json()["current"]["refused"] == "decided"
    for older in bo.get(API).json()["items"]:
        if older["state"] == "waiting":
            late = decide(bo, older["id"], "approve", digest=older["digest"], why="this too")
            assert late.json()["current"]["refused"] == "overtaken"
            assert late.json()["current"]["changed"][0]["actor"] == "bo"
            taken = decide(anna, older["id"], "refuse", why="it is done already")
            assert taken.json()["state"] == "withdrawn"
