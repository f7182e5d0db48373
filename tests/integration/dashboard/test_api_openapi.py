"""The description of the API is valid, complete, and true of the answers."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from city.incident import Role

REPORT = {"category": "0101", "lon": 110.36, "lat": 20.0, "description": "The cover is missing"}


@pytest.fixture(scope="module")
def document(site) -> dict[str, Any]:
    with site.client(None) as client:
        body: dict[str, Any] = client.get("/api/v1/openapi.json").json()
        return body


def test_it_is_valid_openapi(document) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_describes_every_route_and_no_other(site, document) -> None:
    served = {
        (method.lower(), re.sub(r"<(?:any\([^>]*\):|[a-z]+:)?([a-z_]+)>", r"{\1}", rule.rule))
        for rule in site.server.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.rule != "/api/v1/openapi.json"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {
        (method, "/api/v1" + path) for path, item in document["paths"].items() for method in item
    }
    ids = {"{device}": "{id}", "{alarm_id}": "{id}", "{incident_id}": "{id}", "{reject_id}": "{id}"}
    ids["{discovered_id}"] = ids["{draw_id}"] = ids["{call_id}"] = "{id}"
    plain = set()
    for method, path in served:
        for name, other in ids.items():
            path = path.replace(name, other)
        if path.endswith("{verb}"):
            plain |= {
                (method, path.replace("{verb}", verb))
                for verb in ("acknowledge", "unshelve", "reset")
            }
        else:
            plain.add((method, path))
    assert plain == described


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/api/v1/devices?limit=3", "/devices"),
        ("/api/v1/discovered", "/discovered"),
        ("/api/v1/gateways", "/gateways"),
        ("/api/v1/inhibitions", "/inhibitions"),
        ("/api/v1/alarms", "/alarms"),
        ("/api/v1/incidents", "/incidents"),
        ("/api/v1/incidents/{incident}", "/incidents/{id}"),
        ("/api/v1/incidents/{incident}/recommendations", "/incidents/{id}/recommendations"),
        ("/api/v1/incidents/{incident}/evidence", "/incidents/{id}/evidence"),
        ("/api/v1/squads", "/squads"),
        ("/api/v1/categories", "/categories"),
        ("/api/v1/kpi?by=category", "/kpi"),
        ("/api/v1/events", "/events"),
        ("/api/v1/ledger", "/ledger"),
        ("/api/v1/operations", "/operations"),
        ("/api/v1/rejects", "/rejects"),
        ("/api/v1/rejects/counts?by=reason", "/rejects/counts"),
        ("/api/v1/video-events", "/video-events"),
    ],
)
def test_answers_fit_their_description(site, document, path: str, operation: str) -> None:
    with site.client(Role.DISPATCHER) as client:
        incident = client.post("/api/v1/incidents", json=REPORT).json()
        act = {"action": "file", "version": incident["version"]}
        client.post(f"/api/v1/incidents/{incident['id']}/actions", json=act)
        answer = client.get(path.format(incident=incident["id"]))
        assert answer.status_code == 200, answer.text
    described = document["paths"][operation]["get"]["responses"]["200"]
    check(answer.json(), described["content"]["application/json"]["schema"], document)


def test_problems_fit_their_description(site, document) -> None:
    schema = {"$ref": "#/components/schemas/Problem"}
    with site.client(Role.DISPATCHER) as client:
        for path in ("/api/v1/incidents?limit=x", "/api/v1/incidents/987654321", "/api/v1/nowhere"):
            check(client.get(path).json(), schema, document)
        incident = client.post("/api/v1/incidents", json=REPORT).json()
        stale = {"action": "file", "version": 77}
        answer = client.post(f"/api/v1/incidents/{incident['id']}/actions", json=stale)
        check(answer.json(), schema, document)


def test_what_an_incident_and_the_accounts_say_is_described_by_name(site, document) -> None:
    schemas = document["components"]["schemas"]
    with site.client(Role.DISPATCHER) as client:
        incident = client.post("/api/v1/incidents", json=REPORT).json()
        ledger = client.get("/api/v1/ledger").json()
    assert set(incident) - set(schemas["IncidentAnswer"]["properties"]) == set()
    assert {"district", "device_id"} <= set(schemas["IncidentAnswer"]["properties"])
    assert set(ledger) == set(schemas["LedgerAnswer"]["properties"])


def test_what_can_be_wrong_with_a_body_is_described(document) -> None:
    for path, item in document["paths"].items():
        described = {"400", "413", "415"} & set(item.get("post", {}).get("responses", {}))
        assert described == ({"400", "413", "415"} if "post" in item else set()), path


def test_a_verdict_is_one_of_three_words(document) -> None:
    verdict = document["components"]["schemas"]["ReviewBody"]["properties"]["verdict"]
    assert set(verdict["enum"]) == {"confirmed", "dismissed", "merged"}


def check(body: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(body)
