"""The registry over HTTP: strangers, absences, exchanged hardware, device files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jsonschema
import pytest

from city.datum import Datum, from_wgs84
from city.device import Stranger
from city.incident import Role
from city.place import LonLat
from city.reject import NewReject
from db.discovery import note_strangers
from db.pool import transaction
from db.rejects import insert_rejects

NOW = datetime.now(UTC).replace(microsecond=0)
HEAD = "code,kind,name,lon,lat\n"


def a_place(site, shift: float) -> tuple[float, float]:
    """A free spot of the district; every test takes another one."""
    lon, lat = site.sql("SELECT west, south FROM unit_grid ORDER BY code LIMIT 1 OFFSET 80")[0]
    return lon + shift * 1e-5, lat + 1e-5


def meet(site, identity: str, format: str = "native") -> int:
    topic = f"city/v1/460107/gas/{identity}/telemetry"
    ts = int(NOW.timestamp() * 1000)
    body = json.dumps({"ts": ts, "readings": {"ch4_pct_lel": 2.5}}).encode()
    detail = f"no {format} device {identity!r}"
    with transaction(site.pool) as conn:
        note_strangers(conn, [Stranger(format, identity, "gas", NOW, NOW, 1, topic, body)])
        insert_rejects(
            conn, [NewReject(NOW, format, topic, identity, "device_unknown", detail, body, True)]
        )
    query = "SELECT id FROM discovered_device WHERE identity = %s"
    return int(site.sql(query, (identity,))[0][0])


def approval(site, shift: float, **other: Any) -> dict[str, Any]:
    lon, lat = a_place(site, shift)
    return {"code": "N-1", "kind": "gas", "name": "Gate", "lon": lon, "lat": lat} | other


def version_of(client: httpx.Client, code: str) -> int:
    return int(client.get(f"/api/v1/devices/{code}").json()["version"])


def test_a_stranger_is_listed_approved_and_its_messages_taken_in(site) -> None:
    number = meet(site, "HTTP-1")
    with site.client(Role.GAS_ENGINEER) as client:
        listed = client.get("/api/v1/discovered?format=native").json()["items"]
        assert "HTTP-1" in [item["identity"] for item in listed]

        body = approval(site, 1, code="HTTP-1")
        answer = client.post(f"/api/v1/discovered/{number}/approve", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == "/api/v1/devices/HTTP-1"
        assert answer.json()["device"]["unit_grid"]
        assert answer.json()["rejects_waiting"] == 1

        replayed = client.post("/api/v1/devices/HTTP-1/replay", json={}).json()
        assert (replayed["replayed"], replayed["refused"], replayed["remaining"]) == (1, 0, 0)
        assert client.get("/api/v1/devices/HTTP-1").json()["latest"][0]["value"] == 2.5
        again = client.post("/api/v1/devices/HTTP-1/replay", json={}).json()
        assert again["replayed"] == 0
        listed = client.get("/api/v1/discovered").json()["items"]
        assert "HTTP-1" not in [item["identity"] for item in listed]
    events = site.sql("SELECT kind, actor FROM event WHERE subject = 'device:HTTP-1'")
    assert events == [("device.registered", "token:gas_engineer")]


def test_a_wrong_approval_names_the_field_and_says_why_in_a_code(site) -> None:
    number = meet(site, "HTTP-2")
    with site.client() as client:
        body = approval(site, 2, code="HTTP-2", kind="volcano")
        answer = client.post(f"/api/v1/discovered/{number}/approve", json=body)
        assert answer.status_code == 422
        found = answer.json()
        assert (found["field"], found["code"]) == ("kind", "one_of")
        assert "gas" in found["facts"]["allowed"]
        assert client.post("/api/v1/discovered/987654/approve", json=body).status_code == 404


def test_an_ignored_stranger_leaves_the_list(site) -> None:
    number = meet(site, "HTTP-3")
    with site.client() as client:
        answer = client.post(f"/api/v1/discovered/{number}/ignore")
        assert (answer.status_code, answer.json()["state"]) == (200, "ignored")
        assert client.post(f"/api/v1/discovered/{number}/ignore").status_code == 409
        shown = client.get("/api/v1/discovered?state=ignored").json()["items"]
        assert "HTTP-3" in [item["identity"] for item in shown]
        assert client.get("/api/v1/discovered?state=lost").status_code == 422


def test_strangers_are_given_in_pages(site) -> None:
    for number in range(3):
        meet(site, f"PAGE-{number}", "tasmota")
    seen: list[str] = []
    with site.client() as client:
        cursor = ""
        while cursor is not None:
            page = client.get(f"/api/v1/discovered?format=tasmota&limit=2{cursor}").json()
            seen += [item["identity"] for item in page["items"]]
            cursor = f"&cursor={page['next']}" if page["next"] else None
    assert seen == ["PAGE-2", "PAGE-1", "PAGE-0"]


def test_a_device_goes_out_of_service_and_comes_back(site) -> None:
    due = (NOW + timedelta(days=3)).isoformat()
    with site.client() as client:
        body = {"reason": "calibration", "return_due_at": due}
        url = "/api/v1/devices/GAS-000010/out-of-service"
        assert client.post(url, json=body).status_code == 422  # no version
        answer = client.post(url, json={**body, "version": 1})
        assert answer.status_code == 200, answer.text
        assert answer.json()["out_of_service_reason"] == "calibration"
        assert answer.headers["ETag"] == '"2"'
        stale = client.post(url, json={**body, "version": 1})
        assert (stale.status_code, stale.json()["current"]["version"]) == (409, 2)
        listed = client.get("/api/v1/devices?out_of_service=true").json()["items"]
        assert [item["code"] for item in listed] == ["GAS-000010"]

        back = client.post(
            "/api/v1/devices/GAS-000010/return", json={}, headers={"If-Match": '"2"'}
        )
        assert (back.status_code, back.json()["out_of_service_since"]) == (200, None)
        gone = client.post("/api/v1/devices/NOBODY/return", json={"version": 1})
        assert gone.status_code == 404


def test_a_repeated_request_is_one_change(site) -> None:
    body = {
        "reason": "calibration",
        "return_due_at": (NOW + timedelta(days=3)).isoformat(),
        "version": 1,
    }
    with site.client() as client:
        url, key = "/api/v1/devices/GAS-000011/out-of-service", {"Idempotency-Key": "abc"}
        answers = [client.post(url, json=body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_exchanged_hardware_is_in_the_history(site) -> None:
    with site.client() as client:
        url = "/api/v1/devices/GAS-000012/replace"
        body = {
            "external_id": "24E124136B00BB01",
            "format": "chirpstack",
            "reason": "water inside",
            "model": "milesight-gs101",
            "version": version_of(client, "GAS-000012"),
        }
        answer = client.post(url, json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["device"]["external_id"] == "24e124136b00bb01"
        found = client.get("/api/v1/devices/GAS-000012/identities").json()["items"]
        assert [item["identity"] for item in found] == ["24e124136b00bb01", "GAS-000012"]
        assert found[0]["to"] is None
        assert client.get("/api/v1/devices/NOBODY/identities").status_code == 404


def upload(client: httpx.Client, text: str | bytes, query: str = "") -> httpx.Response:
    file = ("devices.csv", text.encode() if isinstance(text, str) else text, "text/csv")
    return client.post(f"/api/v1/devices/import{query}", files={"file": file})


def test_a_file_is_tried_then_imported(site) -> None:
    lon, lat = a_place(site, 30)
    text = HEAD + f"IMP-1,gas,Gate,{lon},{lat}\nIMP-2,gas,Gate,{lat},{lon}\n"
    with site.client() as client:
        tried = upload(client, text, "?dry_run=true").json()
        assert (tried["rows"], tried["imported"], tried["faulty_rows"]) == (2, 1, 1)
        assert (tried["faults"][0]["row"], tried["faults"][0]["code"]) == (3, "place_swapped")
        assert client.get("/api/v1/devices/IMP-1").status_code == 404

        done = upload(client, text).json()
        assert (done["imported"], done["dry_run"]) == (1, False)
        assert client.get("/api/v1/devices/IMP-1").status_code == 200
    kind, payload = site.sql("SELECT kind, payload FROM event ORDER BY seq DESC LIMIT 1")[0]
    assert kind == "device.imported"
    assert payload["first"] == ["IMP-1"]


def test_a_file_that_cannot_be_read_is_refused_as_a_whole(site) -> None:
    with site.client() as client:
        answer = upload(client, "code,kind\nA,gas\n")
        assert (answer.status_code, answer.json()["code"]) == (422, "header_missing")
        assert upload(client, b"\xff\xff\x80").json()["code"] == "file_encoding"
        assert client.post("/api/v1/devices/import").status_code == 422
        assert upload(client, HEAD, "?dry_run=perhaps").status_code == 422


def shifted_file(site, prefix: str) -> str:
    """New devices beside a hundred of the district, written in GCJ-02."""
    rows = site.sql(
        "SELECT lon, lat FROM device WHERE kind = 'manhole' ORDER BY md5(code) LIMIT 100"
    )
    there = [from_wgs84(LonLat(lon, lat), Datum.GCJ02) for lon, lat in rows]
    lines = [f"{prefix}-{n},gas,Gate,{p.lon},{p.lat}\n" for n, p in enumerate(there)]
    return HEAD + "".join(lines)


def test_a_shifted_file_is_asked_about_and_the_answer_is_heeded(site) -> None:
    text = shifted_file(site, "GCJ")
    with site.client() as client:
        for query in ("?dry_run=true", ""):
            answer = upload(client, text, query)
            assert answer.status_code == 409, answer.text
            question = answer.json()["current"]["datum_question"]
            assert (question["suspected"], question["points"]) == ("gcj02", 100)
            assert client.get("/api/v1/devices/GCJ-0").status_code == 404
        done = upload(client, text, "?datum=gcj02").json()
        assert (done["imported"], done["datums"]) == (100, ["gcj02"])
        kept = site.sql("SELECT attributes FROM device WHERE code = 'GCJ-0'")[0][0]
        assert kept["position_given"]["datum"] == "gcj02"
        refused = upload(client, text, "?datum=mercator")
        assert (refused.status_code, refused.json()["field"]) == (422, "datum")


def test_a_file_of_another_district_is_not_ours(site) -> None:
    with site.client() as client:
        answer = upload(client, HEAD + "B-1,gas,Beijing,116.4,39.9\n", "?dry_run=1").json()
    assert answer["faults"][0]["code"] == "place_outside"


CHANGES = (
    "discovered/1/approve",
    "discovered/1/ignore",
    "devices/GAS-000001/out-of-service",
    "devices/GAS-000001/return",
    "devices/GAS-000001/replace",
    "devices/GAS-000001/replay",
    "devices/import",
)


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "role", [Role.DISPATCHER, Role.VIEWER, Role.SQUAD_LEADER, Role.CHECKER, Role.LEADER]
)
def test_others_may_not_change_the_registry(site, path: str, role: Role) -> None:
    with site.client(role) as client:
        assert client.post(f"/api/v1/{path}", json={}).status_code == 403


def test_strangers_are_shown_to_those_who_work_with_devices(site) -> None:
    for role, status in ((Role.DISPATCHER, 200), (Role.GAS_ENGINEER, 200), (Role.VIEWER, 403)):
        with site.client(role) as client:
            assert client.get("/api/v1/discovered").status_code == status


def test_answers_are_as_described(site) -> None:
    meet(site, "SHAPE-1")
    with site.client() as client:
        document = client.get("/api/v1/openapi.json").json()
        report = upload(client, HEAD + ",gas,A,0,0\n", "?dry_run=1").json()
        found = client.get("/api/v1/discovered").json()["items"][0]
        replayed = client.post("/api/v1/devices/GAS-000001/replay", json={}).json()
        identity = client.get("/api/v1/devices/GAS-000001/identities").json()["items"][0]
    for body, name in (
        (report, "ImportAnswer"),
        (found, "DiscoveredDevice"),
        (replayed, "ReplayAnswer"),
        (identity, "IdentityItem"),
    ):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(body)
