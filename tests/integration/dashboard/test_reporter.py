"""A caller's telephone number over every role and every door: only who works the case sees it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from city.incident import Role
from dashboard.api.openapi import OPERATIONS
from db import users

NUMBER = "13900001234"
COVER = "0101"
DOORS = [
    "/api/v1" + op.path for op in OPERATIONS if op.method == "get" and "evidence_id" not in op.path
]


@pytest.fixture(scope="module")
def reported(site) -> dict[str, Any]:
    """A matter that a citizen called in; nobody is sent yet."""
    return report(site)


def report(site) -> dict[str, Any]:
    body = {
        "category": COVER,
        "lon": 110.36,
        "lat": 20.0,
        "description": "The cover is missing",
        "reporter": f"Mr Fu {NUMBER}",
    }
    with site.client(Role.DISPATCHER) as client:
        answer = client.post("/api/v1/incidents", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


def act(client: httpx.Client, incident: int, action: str, **more: Any) -> dict[str, Any]:
    version = client.get(f"/api/v1/incidents/{incident}").json()["version"]
    answer = client.post(
        f"/api/v1/incidents/{incident}/actions",
        json={"action": action, "version": version, **more},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def what_is_seen(site, role: Role, incident: dict[str, Any]) -> str:
    """Everything that this role gets from any door about anything."""
    seen = []
    with site.client(role) as client:
        for path in DOORS:
            # `subject`: the log is longer than a page.
            params = {"subject": f"incident:{incident['id']}"} if path.endswith("events") else {}
            answer = client.get(path.replace("{id}", str(incident["id"])), params=params)
            seen.append(answer.text)
        seen.append(client.get("/live/snapshot").text)
        seen.append(followed(client, "/events", {"last": "0"}))
        seen.append(followed(client, "/api/v1/events", {"subject": f"incident:{incident['id']}"}))
    return "\n".join(seen)


def followed(client: httpx.Client, path: str, params: dict[str, str]) -> str:
    """The first frame of data of an event stream."""
    lines = []
    headers = {"Accept": "text/event-stream"}
    with client.stream("GET", path, params=params, headers=headers) as stream:
        for line in stream.iter_lines():
            lines.append(line)
            if line.startswith("data:"):
                break
    return "\n".join(lines)


@pytest.mark.parametrize("role", sorted(users.PEOPLE))
def test_a_report_shows_its_caller_to_the_centre_and_the_checkers(site, reported, role) -> None:
    works_it = role in (Role.ADMIN, Role.DISPATCHER, Role.CHECKER)
    seen = what_is_seen(site, role, reported)
    assert (NUMBER in seen) == works_it
    assert ('"withheld":["reporter"]' in seen) != works_it, "it is said that something is left out"


def test_the_squad_that_is_sent_sees_it_until_the_case_is_closed(site) -> None:
    own = site.sql("SELECT squad FROM api_token WHERE name = 'squad_leader'")[0][0]
    other = site.sql("SELECT code FROM squad WHERE code <> %s AND active LIMIT 1", [own])[0][0]
    incident = report(site)
    with site.client(Role.DISPATCHER) as centre, site.client(Role.SQUAD_LEADER) as squad:
        act(centre, incident["id"], "file")
        act(centre, incident["id"], "dispatch", squad=other, note="near")
        assert NUMBER not in what_is_seen(site, Role.SQUAD_LEADER, incident)
        incident = report(site)
        act(centre, incident["id"], "file")
        act(centre, incident["id"], "dispatch", squad=own, note="near")
        assert NUMBER in what_is_seen(site, Role.SQUAD_LEADER, incident)
        assert NUMBER in act(squad, incident["id"], "acknowledge")["reporter"]
        act(centre, incident["id"], "cancel", reason="false")
        assert NUMBER not in what_is_seen(site, Role.SQUAD_LEADER, incident)
        assert NUMBER not in what_is_seen(site, Role.CHECKER, incident)
        assert NUMBER in what_is_seen(site, Role.DISPATCHER, incident)


def test_a_gas_engineer_sees_the_callers_of_gas_cases(site) -> None:
    gas = site.sql(
        "SELECT code FROM incident_category WHERE 'gas_release' = ANY (closing_evidence)"
        " AND valid_to IS NULL LIMIT 1"
    )[0][0]
    body = {
        "category": gas,
        "lon": 110.37,
        "lat": 20.01,
        "description": "It smells of gas",
        "reporter": NUMBER,
    }
    with site.client(Role.DISPATCHER) as client:
        incident = client.post("/api/v1/incidents", json=body).json()
    assert NUMBER in what_is_seen(site, Role.GAS_ENGINEER, incident)
    assert NUMBER not in what_is_seen(site, Role.LEADER, incident)


def test_whoever_may_not_see_it_does_not_get_it_back_from_their_own_report(site) -> None:
    body = {
        "category": COVER,
        "lon": 110.35,
        "lat": 20.0,
        "description": "Missing",
        "reporter": NUMBER,
        "source": "leader",
    }
    with site.client(Role.LEADER) as client:
        answer = client.post("/api/v1/incidents", json=body)
        assert answer.status_code == 201
        assert NUMBER not in answer.text


def test_rows_of_events_are_for_administrators_who_ask_and_have_no_number(site, reported) -> None:
    about = {"subject": f"incident:{reported['id']}"}
    for role in Role:
        if role is Role.SYSTEM:
            continue
        with site.client(role) as client:
            plain = client.get("/api/v1/events", params=about).json()["items"]
            assert plain
            assert all("rows" not in event for event in plain)
            assert '"rows"' not in followed(client, "/api/v1/events", about)
            asked = client.get("/api/v1/events", params={**about, "rows": "true"})
            if role is not Role.ADMIN:
                assert asked.status_code == 403
                continue
            opened = asked.json()["items"][0]
            tables = {found["table"]: found["row"] for found in opened["rows"]}
            assert tables["incident"]["id"] == reported["id"]
            assert tables["deadline"]["incident_id"] == reported["id"]
            assert NUMBER not in str(opened["rows"])
            assert '"rows"' in followed(client, "/api/v1/events", {**about, "rows": "true"})
