"""The phone's own addresses: what it keeps, in whose name it sends, calls for help over HTTP."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from city.incident import Role
from db import users
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD, Site, first_squad
from tests.integration.dashboard.test_api_incidents import act, assert_problem, filed


def sent(site: Site) -> dict[str, Any]:
    """A case that is with the squad of the squad leader."""
    with site.client(Role.DISPATCHER) as centre:
        with site.pool.connection() as conn:
            squad = first_squad(conn)
        answer = act(centre, filed(centre), "dispatch", squad=squad, note="test")
        assert answer.status_code == 200, answer.text
        case: dict[str, Any] = answer.json()
        return case


def test_the_phone_has_the_place_for_every_map_and_the_steps_of_its_leader(site: Site) -> None:
    case = sent(site)
    with site.client(Role.SQUAD_LEADER) as phone:
        picture = phone.get("/live/tasks").json()
    task = next(task for task in picture["tasks"] if task["id"] == case["id"])
    assert task["maps"]["wgs84"] == [case["lon"], case["lat"]]
    metres = [abs(task["maps"][d][0] - case["lon"]) * 104_000 for d in ("gcj02", "bd09")]
    assert 200 < metres[0] < 900 < metres[1] < 1900
    assert {(s["state"], s["action"], s["to"]) for s in picture["steps"]} >= {
        ("dispatched", "acknowledge", "acknowledged"), ("on_site", "handle", "handled"),
    }  # fmt: skip
    assert picture["person"] == "token:squad_leader"
    with site.client(Role.VIEWER) as viewer:
        assert_problem(viewer.get("/live/tasks"), 403)


def test_an_action_out_of_the_queue_counts_once_from_when_it_was_done(site: Site) -> None:
    case = sent(site)
    off = timedelta(days=-2)  # the phone's clock
    phone_now = datetime.now(UTC) + off
    body = {
        "action": "acknowledge",
        "version": case["version"],
        "acted_at": phone_now.isoformat(),
        "clock_offset_ms": 172_800_000,
    }
    path = f"/api/v1/incidents/{case['id']}/actions"
    with site.client(Role.SQUAD_LEADER) as phone:
        for late in (0.0, 1.5):  # the answer to the first was lost
            at = (phone_now + timedelta(seconds=late)).isoformat()
            headers = {"Idempotency-Key": "act-1", "Sent-At": at}
            answer = phone.post(path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
        stale = phone.post(path, json={**body, "clock_offset_ms": 5}, headers={"Sent-At": "x"})
        assert_problem(stale, 422, field="Sent-At")
    told = [e for e in answer.json()["events"] if e["kind"] == "incident.acknowledged"]
    assert len(told) == 1
    assert abs(told[0]["payload"]["phone_clock_off_s"] - 172_800) < 5
    assert "acted_at_doubt" not in told[0]["payload"]


def test_nothing_is_sent_in_the_name_of_another(site: Site) -> None:
    case = sent(site)
    body = {"action": "acknowledge", "version": case["version"]}
    path = f"/api/v1/incidents/{case['id']}/actions"
    with site.client(Role.SQUAD_LEADER) as phone:
        assert_problem(phone.post(path, json=body, headers={"Sent-As": "chen"}), 401)
        own = phone.post(path, json=body, headers={"Sent-As": "token%3Asquad_leader"})
        assert own.status_code == 200, own.text


def test_a_call_for_help_is_listed_until_the_centre_has_taken_it_on(site: Site) -> None:
    with site.client(Role.SQUAD_LEADER) as phone, site.client(Role.DISPATCHER) as centre:
        called = phone.post(
            "/api/v1/distress-calls", json={"lon": 110.36}, headers={"Idempotency-Key": "d1"}
        )
        again = phone.post(
            "/api/v1/distress-calls", json={"lon": 110.36}, headers={"Idempotency-Key": "d1"}
        )
        assert (called.status_code, again.json()) == (201, called.json())
        number = called.json()["id"]
        open_calls = "/api/v1/distress-calls?open=true"
        assert [c["id"] for c in centre.get(open_calls).json()["items"]] == [number]
        path = f"/api/v1/distress-calls/{number}/acknowledge"
        assert_problem(phone.post(path, json={}), 403)
        assert centre.post(path, json={"note": "car 3 is on its way"}).status_code == 200
        twice = assert_problem(centre.post(path, json={}), 409)
        assert twice["current"]["acknowledged_by"] == "token:dispatcher"
        assert centre.get(open_calls).json()["items"] == []
        wrong = phone.post("/api/v1/check-in", json={"every_minutes": 0})
        assert_problem(wrong, 422, field="every_minutes", value=0)
        assert_problem(phone.post("/api/v1/check-in/fine", json={}), 409)
        assert phone.post("/api/v1/check-in", json={"every_minutes": 5}).status_code == 201
        (running,) = phone.get("/api/v1/check-in").json()["items"]
        assert running["every_minutes"] == 5
        assert phone.post("/api/v1/check-in/end").status_code == 200


def test_the_page_names_files_that_never_change_and_its_worker_keeps_to_it(site: Site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        squad = first_squad(conn)
        users.add_user(conn, "chen", PASSWORD, Role.SQUAD_LEADER, DISTRICT, now, squad=squad)
    with httpx.Client(base_url=site.url, follow_redirects=True) as browser:
        form = {"name": "chen", "password": PASSWORD, "next": "/squad"}
        page = browser.post("/login", data=form)
        assert page.status_code == 200, page.text
        assert page.headers["Cache-Control"] == "no-store"
        named = re.findall(r"/assets/[\w.-]+\?v=[0-9a-f]+", page.text)
        assert len(named) > 20
        for address in set(named):
            found = browser.get(address)
            assert found.status_code == 200, address
            assert "immutable" in found.headers["Cache-Control"]
        assert "immutable" not in browser.get("/assets/squad.js?v=0").headers["Cache-Control"]
    with httpx.Client(base_url=site.url) as nobody:
        worker = nobody.get("/squad/worker.js")
        assert worker.headers["Service-Worker-Allowed"] == "/squad"
        assert worker.headers["Cache-Control"] == "no-cache"
        manifest = json.loads(nobody.get("/squad/manifest.webmanifest?lang=en").content)
        assert (manifest["start_url"], manifest["scope"]) == ("/squad", "/squad")
        for icon in manifest["icons"]:
            assert nobody.get(icon["src"]).headers["Content-Type"] == "image/png"
        assert nobody.get("/squad").status_code == 302
    with site.client(Role.VIEWER) as viewer:
        assert viewer.get("/squad").headers["Location"] == "/wall"
