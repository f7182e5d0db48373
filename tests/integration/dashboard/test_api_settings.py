"""The tables of the city over HTTP: shown, planned, put in force, refused, told afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openpyxl import Workbook, load_workbook

from city.incident import Role
from dashboard.api.openapi import OPERATIONS
from db.users import PEOPLE

API = "/api/v1/settings"
WHY = "the squad has another telephone"


@pytest.fixture
def admin(site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def get(client: httpx.Client, part: str, rest: str = "") -> Any:
    answer = client.get(f"{API}/{part}{rest}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def plan(client: httpx.Client, sheet: dict[str, Any], **edit: Any) -> httpx.Response:
    seen = {"digest": sheet["digest"], "seq": sheet["seq"]}
    return client.post(f"{API}/{sheet['name']}/plan", json=seen | edit)


def planned(client: httpx.Client, sheet: dict[str, Any], **edit: Any) -> dict[str, Any]:
    answer = plan(client, sheet, **edit)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def upload(client: httpx.Client, part: str, content: bytes) -> dict[str, Any]:
    answer = client.post(f"{API}/{part}/upload", files={"file": ("table", content)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def apply(client: httpx.Client, made: dict[str, Any], why: str = WHY) -> httpx.Response:
    body = {name: made[name] for name in ("content", "digest", "seq")}
    return client.post(f"{API}/{made['name']}/apply", json=body | {"why": why})


def with_values(sheet: dict[str, Any], number: int = 0, **values: str) -> dict[str, Any]:
    row = sheet["rows"][number]["values"]
    return {"key": row[sheet["key"]], "put": {**row, **values}}


def test_every_part_can_be_read_and_a_file_that_comes_back_changes_nothing(admin) -> None:
    parts = admin.get(API).json()["items"]
    assert {"people", "squads", "categories", "limits", "divisions", "rules"} <= {
        part["name"] for part in parts
    }
    for part in parts:
        sheet = get(admin, part["name"])
        assert all(set(row["values"]) == {c["name"] for c in sheet["columns"]}
                   for row in sheet["rows"])  # fmt: skip
        if not part["editable"]:
            continue
        for kind in ("csv", "xlsx"):
            file = admin.get(f"{API}/{part['name']}/file", params={"format": kind})
            made = upload(admin, part["name"], file.content)
            assert made["faults"] == made["obstacles"] == [], made["faults"][:3]
            assert made["changes"] == [] or part["name"].endswith("2027"), made["changes"]
            assert made["rows"] == sheet["rows"]


def test_a_changed_row_is_planned_put_in_force_and_told(admin, site) -> None:
    sheet = get(admin, "squads")
    code, old = (sheet["rows"][0]["values"][name] for name in ("code", "phone"))
    made = planned(admin, sheet, **with_values(sheet, phone="0898-7654321"))
    assert [(c["what"], c["code"], c["how"], c["fields"]) for c in made["changes"]] == [
        ("squad", code, "changed", ["phone"])
    ]
    assert get(admin, "squads")["digest"] == sheet["digest"]  # nothing is written yet

    assert apply(admin, made, "   ").json()["field"] == "why"
    done = apply(admin, made).json()
    assert done["sheet"]["rows"][0]["values"]["phone"] == "0898-7654321"
    assert site.sql("SELECT phone FROM squad WHERE code = %s", (code,)) == [("0898-7654321",)]

    told = get(admin, "squads", f"/history?code={code}")["items"][0]
    assert (told["why"], told["code"], told["actor"]) == (WHY, code, "token:admin")
    assert told["fields"] == [{"name": "phone", "before": old, "after": "0898-7654321"}]


def test_a_stale_change_is_refused_with_what_was_changed_meanwhile(admin) -> None:
    sheet = get(admin, "squads")
    code = sheet["rows"][1]["values"]["code"]
    mine = planned(admin, sheet, **with_values(sheet, 0, phone="1"))
    theirs = planned(admin, sheet, **with_values(sheet, 1, phone="2"))
    assert apply(admin, theirs).status_code == 200
    for refused in (apply(admin, mine), plan(admin, sheet, **with_values(sheet, 0, phone="1"))):
        assert refused.status_code == 409
        (meanwhile,) = refused.json()["current"]["changed"]
        assert (meanwhile["code"], meanwhile["fields"][0]["after"]) == (code, "2")
    assert get(admin, "squads")["rows"][0]["values"]["phone"] != "1"
