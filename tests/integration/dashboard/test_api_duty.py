"""Rosters, run cards and the past of devices over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from city.incident import Role
from tests.integration.dashboard.conftest import Site
from tests.integration.dashboard.test_api_incidents import act, assert_problem, reported
from tests.unit.city.test_run_card import GAS

GOOD = {"o2_pct_vol": 20.9, "ch4_pct_lel": 2.0}


def device_of(client: httpx.Client) -> dict[str, Any]:
    found = client.get("/api/v1/devices", params={"kind": "gas", "limit": 1}).json()["items"][0]
    answer: dict[str, Any] = client.get(f"/api/v1/devices/{found['code']}").json()
    return answer


def change(client: httpx.Client, code: str, verb: str, **body: Any) -> httpx.Response:
    return client.post(f"/api/v1/devices/{code}/{verb}", json=body)


def test_a_case_shows_what_its_device_is_now_and_was_when_it_opened(site: Site) -> None:
    with site.client(Role.ADMIN) as admin:
        device = device_of(admin)
        code, old = device["code"], device["name"]
        case = reported(admin, category="05-02", lon=device["lon"], lat=device["lat"], device=code)
        renamed = change(
            admin, code, "rename", name="North gate", reason="sign", version=device["version"]
        )
        assert renamed.json()["name"] == "North gate"
        away = change(
            admin,
            code,
            "out-of-service",
            reason="repair",
            return_due_at="2099-01-01T00:00:00Z",
            version=renamed.json()["version"],
        )
        assert away.status_code == 422, "a year at most"
        retired = change(admin, code, "retire", reason="gone", version=renamed.json()["version"])
        assert retired.json()["retired_reason"] == "gone"
        (shown,) = admin.get(f"/api/v1/incidents/{case['id']}").json()["devices"]
        assert (shown["name"], shown["then"]["name"]) == ("North gate", old)
        assert shown["states"][0] == "retired"
        told = admin.get(f"/api/v1/devices/{code}/history").json()
        assert [item["what"] for item in told["items"]] == ["retired", "renamed"]
        assert told["items"][1]["before"] == {"name": old}
        listed = admin.get("/api/v1/devices", params={"kind": "gas", "limit": 1}).json()["items"]
        assert listed[0]["code"] != code
        gone = admin.get("/api/v1/devices", params={"retired": "true"}).json()["items"]
        assert [item["code"] for item in gone] == [code]
        version = retired.json()["version"]
        assert_problem(change(admin, code, "rename", name="x", reason="y", version=version), 409)
        back = change(admin, code, "revive", reason="a mistake", version=version)
        assert back.json()["retired_at"] is None


def test_whoever_may_not_change_the_registry_reads_its_history_alone(site: Site) -> None:
    with site.client(Role.DISPATCHER) as client:
        code = device_of(client)["code"]
        assert client.get(f"/api/v1/devices/{code}/history").status_code == 200
        for verb in ("rename", "move", "correct", "retire", "revive"):
            assert_problem(change(client, code, verb, reason="x", version=1), 403)
    with site.client(Role.ADMIN) as admin:
        device = device_of(admin)
        here = {"lon": device["lat"], "lat": device["lon"], "version": device["version"]}
        swapped = change(admin, device["code"], "move", reason="x", **here)
        assert_problem(swapped, 422, field="lon, lat")
        stale = change(admin, device["code"], "retire", reason="x", version=99)
        assert_problem(stale, 409)


def test_changed_rows_of_an_uploaded_file_need_a_reason(site: Site) -> None:
    with site.client(Role.ADMIN) as admin:
        device = device_of(admin)
        text = "code,kind,name,lon,lat\n" + ",".join(
            str(part) for part in (device["code"], "gas", "New", device["lon"], device["lat"])
        )
        file = {"file": ("devices.csv", text.encode(), "text/csv")}
        plain = admin.post("/api/v1/devices/import?datum=wgs84", files=file).json()
        assert [fault["code"] for fault in plain["faults"]] == ["code_taken"]
        said = admin.post("/api/v1/devices/import?datum=wgs84&why=survey", files=file).json()
        assert (said["changed"], said["faults"]) == (1, [])
        assert admin.get(f"/api/v1/devices/{device['code']}").json()["name"] == "New"


def test_a_checklist_holds_the_action_back_that_it_names(site: Site) -> None:
    site.sql(
        "INSERT INTO run_card (district, code, version, text, valid_from)"
        " VALUES ('460107', 'gas-leak', 1, %s, now() - interval '1 day') RETURNING 1",
        (GAS,),
    )
    with site.client(Role.DISPATCHER) as client:
        case = reported(client, category="05-02")
        case = act(client, case, "file").json()
        squad = client.get(f"/api/v1/incidents/{case['id']}/recommendations").json()["items"][0]
        for action, more in (
            ("dispatch", {"squad": squad["squad"], "note": "x"}),
            ("acknowledge", {}),
            ("arrive", {}),
        ):
            case = act(client, case, action, **more).json()
        refused = assert_problem(act(client, case, "handle", note="done"), 409)
        assert refused["current"]["refused"] == "run_card"
        assert [step["code"] for step in refused["current"]["steps"]] == ["measured"]
        url = f"/api/v1/incidents/{case['id']}/checklist"
        body = {"step": "measured", "measured": GOOD, "version": case["version"]}
        wrong = {**body, "measured": {"o2_pct_vol": 20}}
        assert_problem(client.post(url, json=wrong), 422, field="measured.ch4_pct_lel")
        answered = client.post(url, json=body).json()
        assert answered["card"]["steps"][0]["passed"]
        waits = [w["code"] for s in answered["waiting"] for w in s["waiting_for"]]
        assert "run_card" not in waits


def test_who_is_on_duty_is_for_those_who_call(site: Site) -> None:
    with site.client(Role.DISPATCHER) as client:
        now = client.get("/api/v1/duty").json()
        assert now["seq"] > 0
        assert any(item["on_duty"] for item in now["items"])
        week = client.get("/api/v1/roster", params={"from": "2026-07-15"}).json()
        assert week["from"] == "2026-07-13"
        assert {len(item["days"]) for item in week["items"]} == {7}
        tree = [item["brigade_zh"] for item in week["items"]]
        assert len([n for n, name in enumerate(tree) if tree[n - 1 : n] != [name]]) == 3
        listed = client.get("/api/v1/squads").json()["items"]
        assert {"gas_detector"} <= {name for squad in listed for name in squad["kit"]}
        asked = {"squad": "SQ-14", "day": "2099-01-01", "start": "08:00"}
        by_shifts = client.get("/api/v1/roster/stand-ins", params=asked)
        assert_problem(by_shifts, 422, field="squad")
        assert_problem(client.get("/api/v1/roster?from=monday"), 422, field="from")
        assert_problem(client.get("/api/v1/duty?at=yesterday"), 422, field="at")
    with site.client(Role.LEADER) as client:
        assert_problem(client.get("/api/v1/duty"), 403)
        assert_problem(client.get("/api/v1/roster"), 403)
