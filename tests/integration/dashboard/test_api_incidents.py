"""Incidents over HTTP: reported, acted on, refused, repeated, photographed."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from PIL import Image

from city.incident import Role
from dispatch.steps import write_case_texts
from tests.integration.dashboard.conftest import Site

REPORT = {
    "category": "0101",
    "lon": 110.36,
    "lat": 20.0,
    "description": "The cover is missing",
    "source": "patrol",
}


def reported(client: httpx.Client, **more: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/incidents", json={**REPORT, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def act(client: httpx.Client, incident: dict[str, Any], action: str, **more: Any) -> httpx.Response:
    body = {"action": action, "version": incident["version"], **more}
    return client.post(f"/api/v1/incidents/{incident['id']}/actions", json=body)


def filed(client: httpx.Client) -> dict[str, Any]:
    incident = reported(client)
    answer = act(client, incident, "file")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def photo(shade: int = 0) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(out, "JPEG")
    return out.getvalue()


def assert_problem(answer: httpx.Response, status: int, **members: Any) -> dict[str, Any]:
    """The answer is a problem document with these members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:gridwarden:problem:")
    assert "Traceback" not in answer.text
    for name, value in members.items():
        assert body[name] == value, (name, body)
    return body


def test_a_reported_matter_is_filed_and_dispatched(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
        assert incident["state"] == "reported"
        assert "file" in incident["actions"]
        assert {clock["clock"] for clock in incident["clocks"]} >= {"file"}
        found = act(client, incident, "file").json()
        assert (found["state"], found["version"]) == ("filed", incident["version"] + 1)
        ranked = client.get(f"/api/v1/incidents/{incident['id']}/recommendations").json()["items"]
        assert ranked[0]["score"] >= ranked[-1]["score"]
        assert set(ranked[0]["parts"]) == {"travel", "grid", "workload"}
        sent = act(client, found, "dispatch", squad=ranked[0]["squad"], note="please").json()
        assert (sent["state"], sent["squad"]) == ("dispatched", ranked[0]["squad"])
        clocks = {clock["clock"]: clock for clock in sent["clocks"]}
        assert clocks["handle"]["due_at"] > clocks["handle"]["started_at"]
        assert clocks["handle"]["limit_unit"] == "urgent_hour"
        assert [event["kind"] for event in sent["events"]][-1] == "incident.dispatched"


def test_the_version_may_come_as_if_match(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
        path = f"/api/v1/incidents/{incident['id']}"
        answer = client.get(path)
        tag = answer.headers["ETag"]
        assert tag == f'"{incident["version"]}"'
        done = client.post(f"{path}/actions", json={"action": "file"}, headers={"If-Match": tag})
        assert done.status_code == 200
        both = client.post(
            f"{path}/actions", json={"action": "verify", "version": 9}, headers={"If-Match": '"2"'}
        )
        assert_problem(both, 422, field="version")
        odd = client.post(f"{path}/actions", json={"action": "file"}, headers={"If-Match": "new"})
        assert_problem(odd, 422, field="If-Match")


def test_a_change_without_a_version_is_refused_and_names_it(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
        answer = client.post(f"/api/v1/incidents/{incident['id']}/actions", json={"action": "file"})
        assert_problem(answer, 422, field="version")


def test_a_stale_version_is_a_conflict_that_shows_the_state(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
        act(client, incident, "file")
        body = assert_problem(act(client, incident, "file"), 409)
        assert body["current"]["state"] == "filed"
        assert body["current"]["version"] == incident["version"] + 1
        assert "dispatch" in body["allowed"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "fly", "version": 1}, "action"),
        ({"version": 1}, "action"),
        ({"action": "file", "version": "1"}, "version"),
        ({"action": "file", "version": 2**40}, "version"),
        ({"action": "file", "version": 1, "colour": "red"}, "colour"),
        ({"action": "suspend", "version": 1, "until": "tomorrow"}, "until"),
        ({"action": "suspend", "version": 1, "until": "2026-11-22T08:00:00"}, "until"),
        ({"action": "file", "version": 1, "note": "a\0b"}, "note"),
        ({"action": "dispatch", "version": 1, "squad": 7}, "squad"),
        ([1, 2], "body"),
    ],
)
def test_a_bad_field_is_named(site, body: Any, field: str) -> None:
    with site.client(Role.DISPATCHER) as client:
        answer = client.post("/api/v1/incidents/1/actions", json=body)
        assert_problem(answer, 422, field=field)


def test_an_unknown_squad_is_a_bad_field_and_changes_nothing(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = filed(client)
        before = site.last_seq()
        assert_problem(act(client, incident, "dispatch", squad="NOBODY"), 422, field="squad")
        assert_problem(act(client, incident, "dispatch"), 422, field="squad")
        assert site.last_seq() == before
        again = client.get(f"/api/v1/incidents/{incident['id']}").json()
        assert again["version"] == incident["version"]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b'{"action": "file" "version": 1}'])
def test_what_is_not_json_is_400(site, raw: bytes) -> None:
    with site.client(Role.DISPATCHER) as client:
        answer = client.post(
            "/api/v1/incidents/1/actions",
            content=raw,
            headers={"Content-Type": "application/json"},
        )
        assert_problem(answer, 400)


def test_other_content_types_methods_and_paths_are_problems_too(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        form = client.post("/api/v1/incidents/1/actions", data={"action": "file"})
        assert_problem(form, 415)
        wrong = client.put("/api/v1/incidents/1", json={})
        assert_problem(wrong, 405)
        assert "GET" in wrong.headers["Allow"]
        assert_problem(client.get("/api/v1/nothing"), 404)
        assert_problem(client.get("/api/v1/incidents/987654321"), 404)
        assert_problem(client.get("/api/v1/incidents/99999999999999999999999"), 404)
        assert_problem(client.get("/api/v1/alarms/987654321"), 404)
        assert_problem(client.get("/api/v1/devices/NOBODY"), 404)
        assert_problem(client.get("/api/v1/incidents/1/evidence/987654321"), 404)


def test_what_a_role_may_not_do_is_403(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
    with site.client(Role.VIEWER) as viewer:
        assert_problem(viewer.post("/api/v1/incidents", json=REPORT), 403)
        assert_problem(act(viewer, incident, "file"), 403)
        assert viewer.get(f"/api/v1/incidents/{incident['id']}").json()["actions"] == []


def test_a_repeated_key_is_one_change(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        key = {"Idempotency-Key": "report-1"}
        first = client.post("/api/v1/incidents", json=REPORT, headers=key)
        second = client.post("/api/v1/incidents", json=REPORT, headers=key)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        other = client.post("/api/v1/incidents", json={**REPORT, "lat": 20.1}, headers=key)
        assert_problem(other, 422, field="Idempotency-Key")
        incident = first.json()
        path = f"/api/v1/incidents/{incident['id']}/actions"
        body = {"action": "file", "version": incident["version"]}
        answers = [
            client.post(path, json=body, headers={"Idempotency-Key": "file-1"}) for _ in range(3)
        ]
        assert [a.status_code for a in answers] == [200] * 3
        assert {a.json()["version"] for a in answers} == {incident["version"] + 1}


def test_two_requests_with_one_key_at_once_are_one_change(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        headers = {"Idempotency-Key": "at-once"}

        def post(_: int) -> httpx.Response:
            return client.post("/api/v1/incidents", json=REPORT, headers=headers)

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(post, range(4)))
        assert [a.status_code for a in answers] == [201] * 4
        assert len({a.json()["id"] for a in answers}) == 1


def test_a_refused_request_may_be_repeated_with_its_key(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
        path = f"/api/v1/incidents/{incident['id']}/actions"
        headers = {"Idempotency-Key": "retry-me"}
        stale = {"action": "file", "version": 99}
        assert_problem(client.post(path, json=stale, headers=headers), 409)
        right = {"action": "file", "version": incident["version"]}
        assert client.post(path, json=right, headers=headers).status_code == 200


def test_two_people_act_at_once_and_one_of_them_is_told(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = reported(client)
        with ThreadPoolExecutor(2) as threads:
            codes = sorted(
                answer.status_code
                for answer in threads.map(lambda _: act(client, incident, "file"), range(2))
            )
        assert codes == [200, 409]


def test_evidence_is_kept_as_it_came(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = filed(client)
        path = f"/api/v1/incidents/{incident['id']}/evidence"
        content = photo(3)
        files = {"file": ("现场 before.jpg", content, "image/jpeg")}
        headers = {"Idempotency-Key": "photo-1"}
        first = client.post(path, data={"stage": "photo_before"}, files=files, headers=headers)
        again = client.post(path, data={"stage": "photo_before"}, files=files, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json()["evidence_id"] == again.json()["evidence_id"]
        items = client.get(path).json()["items"]
        assert [item["filename"] for item in items] == ["现场 before.jpg"]
        file = client.get(f"{path}/{items[0]['id']}")
        assert file.content == content
        assert file.headers["Content-Type"] == "image/jpeg"
        assert "sandbox" in file.headers["Content-Security-Policy"]
        assert file.headers["ETag"] == f'"{items[0]["sha256"]}"'


def test_evidence_that_is_none_is_refused(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        path = f"/api/v1/incidents/{filed(client)['id']}/evidence"
        file = {"file": ("a.jpg", photo(), "image/jpeg")}
        assert_problem(client.post(path, files=file), 422, field="stage")
        assert_problem(client.post(path, data={"stage": "photo_before"}), 422, field="file")
        selfie = client.post(path, data={"stage": "selfie"}, files=file)
        assert_problem(selfie, 422, field="stage")
        page = {"file": ("a.jpg", b"<script>alert(1)</script>", "image/jpeg")}
        answer = client.post(path, data={"stage": "photo_before"}, files=page)
        assert answer.status_code == 422
        huge = {"file": ("a.jpg", b"\0" * (26 * 1024 * 1024), "image/jpeg")}
        assert_problem(client.post(path, data={"stage": "photo_before"}, files=huge), 413)


def test_the_list_is_paged_filtered_and_strict(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        ids = [reported(client, lat=20.0 + n / 1000)["id"] for n in range(3)]
        page = client.get("/api/v1/incidents?limit=2&state=reported").json()
        assert [item["id"] for item in page["items"]] == ids[:0:-1]
        rest = client.get(
            "/api/v1/incidents", params={"limit": 2, "state": "reported", "cursor": page["next"]}
        ).json()
        assert rest["items"][0]["id"] == ids[0]
        assert client.get("/api/v1/incidents?state=closed").json() == {"items": [], "next": None}
        assert client.get("/api/v1/incidents?since=2999-01-01T00:00:00Z").json()["items"] == []
        for query, field in (
            ("colour=red", "colour"),
            ("limit=0", "limit"),
            ("limit=x", "limit"),
            ("cursor=abc", "cursor"),
            ("cursor=WyJhIl0", "cursor"),
            ("since=noon", "since"),
            ("since=2026-01-01", "since"),
            ("severity=bad", "severity"),
            ("state=odd", "state"),
            ("open=perhaps", "open"),
            ("limit=1&limit=2", "limit"),
            ("squad=%00", "squad"),
        ):
            assert_problem(client.get(f"/api/v1/incidents?{query}"), 422, field=field)


def test_cases_are_searched_page_by_page_with_the_states_alone(site: Site) -> None:
    with site.client() as client:
        ids = [reported(client, description=f"海龟 {n} 号在人行道上")["id"] for n in range(3)]
        with site.pool.connection() as conn:
            write_case_texts(conn, datetime.now(UTC))
        first = client.get("/api/v1/incidents", params={"q": "haigui", "limit": 2}).json()
        assert [item["id"] for item in first["items"]] == ids[:0:-1]
        more = {"q": "haigui", "limit": 2, "cursor": first["next"]}
        rest = client.get("/api/v1/incidents", params=more).json()
        assert [item["id"] for item in rest["items"]] == ids[:1]
        assert rest["next"] is None
        for state, found in (("open=true", 3), ("open=false", 0), ("state=reported", 3)):
            items = client.get(f"/api/v1/incidents?q=海龟&{state}").json()["items"]
            assert len(items) == found, state
        for query, field in (("q=", "q"), ("q=x", "q"), ("q=海龟&squad=SQ-1", "squad")):
            assert_problem(client.get(f"/api/v1/incidents?{query}"), 422, field=field)


def test_several_cases_have_one_answer_each_and_a_repeated_key_the_first_one(site) -> None:
    with site.client(Role.DISPATCHER) as client:
        into, case = filed(client), filed(client)
        body = {
            "action": "merge",
            "into": into["id"],
            "reason": "the same cover",
            "incidents": [
                {"id": case["id"], "version": case["version"]},
                {"id": into["id"], "version": into["version"]},
                {"id": 2**40, "version": 1},
            ],
        }
        headers = {"Idempotency-Key": "together-1"}
        answer = client.post("/api/v1/incidents/actions", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        merged, itself, unknown = answer.json()["items"]
        assert (merged["status"], merged["state"], merged["problem"]) == (200, "merged", None)
        assert (itself["status"], itself["problem"]["field"]) == (422, "into")
        assert (unknown["status"], unknown["number"]) == (404, None)
        again = client.post("/api/v1/incidents/actions", json=body, headers=headers)
        assert again.json() == answer.json()
        bad = client.post("/api/v1/incidents/actions", json={**body, "action": "dispatch"})
        assert_problem(bad, 422, field="action")
