"""Lighting over HTTP: who may, what is refused by name, and the second person by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from app import lamps
from city.incident import Role
from city.lighting import NightOfStreet
from db import lamp_states, users
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD
from tests.integration.dashboard.test_api_approvals import decide, with_csrf
from tests.integration.dashboard.test_api_people import signed_in

API = "/api/v1/lighting"
STEPS = [{"at": "sunset-10", "level": 100}, {"at": "sunrise+10", "level": 0}]


@pytest.fixture(scope="module")
def people(site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        users.add_user(conn, "ding", PASSWORD, Role.DISPATCHER, DISTRICT, now)
        users.add_user(conn, "deng", PASSWORD, Role.DISPATCHER, DISTRICT, now)


@pytest.fixture
def ding(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "ding") as client:
        yield with_csrf(client)


@pytest.fixture
def deng(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "deng") as client:
        yield with_csrf(client)


@pytest.fixture
def by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lamps, "is_dark", lambda *_: False)


@pytest.fixture
def at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lamps, "is_dark", lambda *_: True)


def send(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post(f"{API}/commands", json={"level": 50, "why": "a test"} | body)


def test_everybody_reads_and_dispatchers_command(site, at_night) -> None:
    for role in (Role.VIEWER, Role.CHECKER, Role.LEADER):
        with site.client(role) as reader:
            found = reader.get(API).json()
            assert found["may_command"] is False
            assert found["picture"]["total"]["lamps"] == 1900
            assert send(reader, target="cabinet", code="CAB-001").status_code == 403
            assert reader.post(f"{API}/assignments", json={}).status_code == 403
    with site.client(Role.DISPATCHER) as script:
        key = {"Idempotency-Key": "once"}
        body = {"target": "cabinet", "code": "CAB-001", "level": 60, "why": "a feast"}
        first = script.post(f"{API}/commands", json=body, headers=key)
        again = script.post(f"{API}/commands", json=body, headers=key)
        assert (first.status_code, again.json()) == (201, first.json())
        number = first.json()["order"]
        order = script.get(f"{API}/commands/{number}").json()
        assert order["order"]["queued"] == 25
        assert {c["state"] for c in order["commands"]} == {"queued"}
        assert script.get(f"{API}/commands?state=open").json()["items"][0]["id"] == number
        assert script.get(f"{API}/commands?state=lost").json()["items"] == []
        lamp = script.get(f"{API}/lamps?cabinet=CAB-001").json()["items"][0]
        assert (lamp["command_state"], lamp["command_level"]) == ("queued", 60)
        done = script.post(f"{API}/commands/{number}/cancel", json={"why": "no feast"}).json()
        assert done["order"]["cancelled"] == 25
        twice = script.post(f"{API}/commands/{number}/cancel", json={"why": "no feast"})
        assert twice.status_code == 409


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"target": "cabinet", "code": "CAB-001", "level": 101}, 422, "level"),
        ({"target": "cabinet", "code": "CAB-001", "level": "50"}, 422, "level"),
        ({"target": "cabinet", "code": "CAB-001", "why": " "}, 422, "why"),
        ({"target": "cabinet"}, 422, "code"),
        ({"target": "galaxy", "code": "x"}, 422, "target"),
        ({"target": "lamps", "lamps": ["LT-000001", "GD-000001"]}, 422, "lamps"),
        ({"target": "lamp", "code": "LT-000001", "until": "2020-01-01T00:00:00Z"}, 422, "until"),
        ({"target": "lamp", "code": "LT-000001", "colour": "red"}, 422, "colour"),
        ({"target": "cabinet", "code": "CAB-999"}, 404, None),
    ],
)
def test_a_wrong_order_is_refused_by_field(site, body, status: int, field: str | None) -> None:
    with site.client(Role.DISPATCHER) as script:
        answer = send(script, **body)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert site.sql("SELECT count(*) FROM lamp_order WHERE why = 'a test'") == [(0,)]


def test_many_lamps_by_day_take_a_second_person(site, by_day, ding, deng) -> None:
    street = {"target": "street", "code": "460107001", "level": 0, "why": "eclipse"}
    with site.client(Role.DISPATCHER) as script:
        assert send(script, **street).status_code == 403  # a token is nobody
        assert send(script, target="cabinet", code="CAB-003").json()["order"] is not None
    asked = send(ding, **street).json()
    assert (asked["order"], asked["lamps"]) == (None, 278)
    number = asked["approval"]
    shown = deng.get(f"/api/v1/approvals/{number}").json()
    assert shown["shown"]["order"] == {
        "target": "street",
        "code": "460107001",
        "level": 0,
        "lamps": 278,
        "name": "国兴街道",
    }
    assert (shown["may_approve"], shown["asked_by"]) == (True, "ding")
    digest = shown["digest"]
    assert decide(ding, number, "approve", digest=digest, why="mine").status_code == 403
    assert site.sql("SELECT count(*) FROM lamp_order WHERE why = 'eclipse'") == [(0,)]
    assert decide(deng, number, "approve", digest=digest, why="seen").status_code == 200
    assert site.sql("SELECT actor, lamps, level FROM lamp_order WHERE why = 'eclipse'") == [
        ("ding", 278, 0)
    ]
    assert site.sql(
        "SELECT payload ->> 'approved_by', payload ->> 'approval' FROM event"
        " WHERE kind = 'lamps.ordered' AND payload ->> 'why' = 'eclipse'"
    ) == [("deng", str(number))]
    # Lamps that went away meanwhile, and an hour without an answer: it is asked for anew.
    other = send(ding, **(street | {"level": 1})).json()["approval"]
    digest = deng.get(f"/api/v1/approvals/{other}").json()["digest"]
    site.sql("UPDATE device SET out_of_service_since = now() WHERE code = 'LT-000169'")
    assert decide(deng, other, "approve", digest=digest, why="x").status_code == 409
    site.sql("UPDATE device SET out_of_service_since = NULL WHERE code = 'LT-000169'")
    site.sql("UPDATE approval SET asked_at = asked_at - interval '61 min' WHERE id = %s", (other,))
    late = decide(deng, other, "approve", digest=digest, why="x")
    assert (late.status_code, late.json()["current"]["refused"]) == (409, "too_old")


def test_programmes_by_form_and_their_versions(site) -> None:
    with site.client(Role.ADMIN) as script:
        body = {
            "code": "main",
            "name_zh": "主干道",
            "name_en": "Main",
            "steps": STEPS,
            "why": "new",
        }
        made = script.post(f"{API}/programmes", json=body | {"version": 0})
        assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
        stale = script.post(f"{API}/programmes", json=body | {"version": 0})
        assert (stale.status_code, stale.json()["current"]["version"]) == (409, 1)
        wrong = body | {"steps": [{"at": "noon", "level": 1}], "version": 1}
        answer = script.post(f"{API}/programmes", json=wrong)
        assert (answer.status_code, answer.json()["field"]) == (422, "step 1: at")
        given = script.post(
            f"{API}/assignments",
            json={"target": "cabinet", "code": "CAB-002", "programme": "main", "why": "pilot"},
        )
        assert given.json()["step_at"] > datetime.now(UTC).isoformat()
        (item,) = script.get(f"{API}/programmes").json()["items"]
        assert [a["code"] for a in item["assigned"]] == ["CAB-002"]
        assert [s["days"] for s in item["steps"]] == ["every", "every"]
        refused = script.post(f"{API}/programmes/main/retire", json={"why": "x", "version": 1})
        assert refused.status_code == 409


def test_nights_come_with_their_counts(site) -> None:
    today = datetime.now(UTC).date()
    nights = [today - timedelta(days=n) for n in (2, 3)]
    with site.pool.connection() as conn:
        for night in nights:
            row = NightOfStreet(night, "460107001", "", 10, 240, 200, 20, 20, 120, 10, 10)
            lamp_states.save_night(conn, DISTRICT, [row], datetime.now(UTC))
    with site.client(Role.VIEWER) as reader:
        items = reader.get(f"{API}/nights?from={nights[1]}&to={nights[0]}").json()["items"]
        assert [(i["night"], i["lit"], i["dark"], i["unknown"]) for i in items] == [
            (str(night), 200, 20, 20) for night in nights
        ]
        assert items[0]["name"] == "国兴街道"
        assert reader.get(f"{API}/nights?from=yesterday").status_code == 422
        assert reader.get(f"{API}/nights?from=1999-01-01").status_code == 422
        assert reader.post(f"{API}/nights/{today}/computation").status_code == 403
    with site.client(Role.ADMIN) as script:
        soon = date.fromisoformat(str(today)) + timedelta(days=1)
        answer = script.post(f"{API}/nights/{soon}/computation", json={"why": "x"})
        assert (answer.status_code, answer.json()["field"]) == (422, "night")
