"""Time that a squad or the centre asks for, over HTTP: asked, decided by a duty chief, and done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from city.incident import Role
from db import users
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD
from tests.integration.dashboard.test_api_approvals import decide, with_csrf
from tests.integration.dashboard.test_api_people import signed_in

API = "/api/v1"
COVER = "0123"


@pytest.fixture(scope="module")
def people(site) -> str:
    """A dispatcher, a duty chief and the leader of a squad; answers the squad."""
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        row = conn.execute("SELECT code FROM squad WHERE active ORDER BY code LIMIT 1").fetchone()
        for name, role, squad in (
            ("fang", Role.DISPATCHER, None),
            ("gao", Role.LEADER, None),
            ("chen", Role.SQUAD_LEADER, row[0]),
        ):
            users.add_user(conn, name, PASSWORD, role, DISTRICT, now, squad=squad)
    return str(row[0])


@pytest.fixture
def fang(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "fang") as client:
        yield with_csrf(client)


@pytest.fixture
def gao(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "gao") as client:
        yield with_csrf(client)


@pytest.fixture
def chen(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "chen") as client:
        yield with_csrf(client)


def act(client: httpx.Client, case: int, action: str, **more: Any) -> httpx.Response:
    version = client.get(f"{API}/incidents/{case}").json()["version"]
    body = {"action": action, "version": version, **more}
    return client.post(f"{API}/incidents/{case}/actions", json=body)


@pytest.fixture
def case(fang, people) -> int:
    """A case that a squad is sent to."""
    report = {"category": COVER, "lon": 110.36, "lat": 20.0, "description": "a cover is loose"}
    number = fang.post(f"{API}/incidents", json=report).json()["id"]
    assert act(fang, number, "file").status_code == 200
    sent = act(fang, number, "dispatch", squad=people, note="go")
    assert sent.status_code == 200, sent.text
    return int(number)


def test_a_squad_asks_and_a_duty_chief_lets_it_happen(fang, gao, chen, case, people) -> None:
    answer = act(chen, case, "return_back", reason="not our street")
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["waiting"], asked["asked_by"]) == (True, "chen")
    seen = chen.get(f"{API}/incidents/{case}").json()
    assert seen["state"] == "dispatched", "the clock does not wait"
    (waiting,) = seen["requests"]
    assert (waiting["action"], waiting["id"], waiting["why"]) == (
        "return_back", asked["approval"], "not our street",
    )  # fmt: skip
    assert act(chen, case, "return_back", reason="not our street").json() == asked
    found = gao.get(f"{API}/approvals/{asked['approval']}").json()
    assert found["shown"]["case"]["squad"] == people
    assert (found["may_approve"], found["kind"]) == (True, "case_step")
    assert not fang.get(f"{API}/approvals/{asked['approval']}").json()["may_approve"]
    refused = decide(fang, asked["approval"], "approve", digest=asked["digest"], why="yes")
    assert refused.status_code == 403
    done = decide(gao, asked["approval"], "approve", digest=asked["digest"], why="true")
    assert done.status_code == 200, done.text
    after = fang.get(f"{API}/incidents/{case}").json()
    assert (after["state"], after["squad"], after["requests"]) == ("filed", None, [])
    told = next(e for e in after["events"] if e["kind"] == "incident.returned")
    assert (told["actor"], told["payload"]["approved_by"]) == ("chen", "gao")
    (attempt,) = after["attempts"]
    assert (attempt["squad"], attempt["end"], attempt["missed"]) == (people, "return_back", False)


def test_whoever_asks_does_not_decide_and_may_take_it_back(gao, chen, case) -> None:
    asked = act(chen, case, "postpone", reason="the part comes tomorrow").json()
    taken = decide(chen, asked["approval"], "refuse", why="it is here")
    assert (taken.status_code, taken.json()["state"]) == (200, "withdrawn")
    late = decide(gao, asked["approval"], "approve", digest=asked["digest"], why="yes")
    assert late.status_code == 409


def test_what_has_become_another_attempt_is_asked_for_anew(fang, gao, case) -> None:
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    first = act(fang, case, "postpone", reason="rain").json()
    second = act(fang, case, "suspend", reason="rain", until=until).json()
    decide(gao, first["approval"], "approve", digest=first["digest"], why="yes")
    answer = decide(gao, second["approval"], "approve", digest=second["digest"], why="yes")
    assert (answer.status_code, answer.json()["current"]["refused"]) == (409, "overtaken")
    again = act(fang, case, "suspend", reason="rain", until=until).json()
    done = decide(gao, again["approval"], "approve", digest=again["digest"], why="yes")
    assert done.status_code == 200, done.text
    seen = fang.get(f"{API}/incidents/{case}").json()
    assert (seen["state"], seen["pauses"][0]["approved_by"]) == ("suspended", "gao")


def test_what_cannot_be_done_is_refused_when_it_is_asked_for(fang, site, case) -> None:
    site.sql("UPDATE incident SET severity = 1, category = '05-02' WHERE id = %s", [case])
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    answer = act(fang, case, "suspend", reason="rain", until=until)
    assert (answer.status_code, answer.json()["current"]["refused"]) == (409, "red_gas")


def test_a_token_asks_for_no_time(site, case) -> None:
    with site.client(Role.DISPATCHER) as script:
        answer = act(script, case, "return_back", reason="not ours")
    assert answer.status_code == 403
    assert "a token is nobody" in answer.json()["detail"]


def test_a_published_month_is_shown_as_it_was_published(gao, fang, site) -> None:
    month = {"from": "2026-01-01T00:00:00+08:00", "to": "2026-02-01T00:00:00+08:00"}
    live = fang.get(f"{API}/kpi", params=month).json()
    assert (live["edition"], live["editions"]) == (None, [])
    body = {"period": "2026-01"}
    assert fang.post(f"{API}/kpi/publications", json=body).status_code == 403
    first = gao.post(f"{API}/kpi/publications", json=body)
    assert (first.status_code, first.json()["published_by"]) == (201, "gao"), first.text
    again = gao.post(f"{API}/kpi/publications", json=body)
    assert (again.status_code, again.json()["current"]["refused"]) == (409, "published")
    same = gao.post(f"{API}/kpi/publications/2026-01/restate", json={"why": "to be sure"})
    assert same.json()["current"]["refused"] == "nothing_differs"
    case = site.sql("SELECT max(id) FROM incident")[0][0]
    site.sql(
        "INSERT INTO case_fact (seq, kind, at, district, incident_id) VALUES (-1, 'filed',"
        " '2026-01-15T00:00:00+08:00', %s, %s) RETURNING seq", [DISTRICT, case],
    )  # fmt: skip
    assert fang.get(f"{API}/kpi", params=month).json()["total"] is None, "published: it stands"
    restated = gao.post(f"{API}/kpi/publications/2026-01/restate", json={"why": "one was missing"})
    assert (restated.status_code, restated.json()["edition"]) == (201, 2), restated.text
    shown = fang.get(f"{API}/kpi", params=month).json()
    assert (shown["edition"], shown["total"]["filed"]) == (2, 1)
    assert [e["reason"] for e in shown["editions"]] == ["", "one was missing"]
    before = fang.get(f"{API}/kpi", params={**month, "edition": 1}).json()
    assert (before["edition"], before["total"]) == (1, None)
    listed = fang.get(f"{API}/kpi/publications").json()["items"]
    assert [e["edition"] for e in listed if e["period"] == "2026-01"] == [1, 2]
    unknown = fang.get(f"{API}/kpi", params={**month, "edition": 7})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "edition")


@pytest.mark.parametrize("period", ["2026-13", "2026-7", "26", "2026-Q5", "2099"])
def test_a_period_that_is_none_or_not_over_is_named(gao, period: str) -> None:
    answer = gao.post(f"{API}/kpi/publications", json={"period": period})
    assert (answer.status_code, answer.json()["field"]) == (422, "period")
