"""Registers over HTTP: lists, an entry as its reader may see it, an inspection, a draw, a label."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from PIL import Image

from city.incident import Role
from city.register import INSPECTORS, READERS
from db.pool import connect
from db.registers import EntryRow, save_entries
from db.users import PEOPLE
from registers.entries import due_of, party_of, read_entry, short_code
from registers.shipped import shipped_registers
from tests.integration.dashboard.conftest import DISTRICT, Site

API = "/api/v1"
SHOPS = shipped_registers()["shopfronts"]
SHORT = short_code(DISTRICT, "shopfronts", "S-1")
OK = {item.code: "ok" for item in SHOPS.items}


@pytest.fixture(scope="module", autouse=True)
def shops(site: Site) -> None:
    """Three shops of two owners, stored as a city folder would store them."""
    rows = []
    for n, owner, due in (
        (1, "王小明", "2026-01-01"),
        (2, "李四", "2999-01-01"),
        (3, "王小明", ""),
    ):
        cells = {
            "code": f"S-{n}",
            "name": f"{n} 号店",
            "owner": owner,
            "phone": "13800138000",
            "licence": f"9146-{owner[0]}",
            "next_inspection": due,
            "lon": "110.36",
            "lat": "20.0",
        }
        entry = read_entry(SHOPS, cells, lambda *fault: pytest.fail(str(fault)))
        short = short_code(DISTRICT, "shopfronts", entry.code)
        rows.append(EntryRow(entry, short, party_of(SHOPS, entry), due_of(SHOPS, entry)))
    with connect(site.database_url) as conn:
        conn.execute("DELETE FROM register_entry")  # those of the demonstration
        save_entries(conn, DISTRICT, "shopfronts", rows, datetime.now(UTC))


def get(site: Site, path: str, role: Role = Role.CHECKER) -> Any:
    with site.client(role) as client:
        answer = client.get(API + path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_registers_are_listed_with_their_counts(site: Site) -> None:
    items = get(site, "/registers")["items"]
    assert items[0]["code"] == "shopfronts"
    assert items[0]["coverage"]["entries"] == 3
    assert len(items) == len(shipped_registers())


def test_a_list_is_searched_and_paged_what_is_overdue_first(site: Site) -> None:
    first = get(site, "/registers/shopfronts/entries?limit=2")
    assert [item["code"] for item in first["items"]] == ["S-1", "S-2"]
    rest = get(site, f"/registers/shopfronts/entries?limit=2&cursor={first['next']}")
    assert ([item["code"] for item in rest["items"]], rest["next"]) == (["S-3"], None)
    found = get(site, "/registers/shopfronts/entries?q=王小明 S-3")
    assert [item["code"] for item in found["items"]] == ["S-3"]
    late = get(site, "/registers/shopfronts/entries?due=overdue")
    assert [item["code"] for item in late["items"]] == ["S-1"]


@pytest.mark.parametrize(
    ("query", "field"), [("due=soon", "due"), ("colour=red", "colour"), ("cursor=x", "cursor")]
)
def test_a_wrong_parameter_is_named(site: Site, query: str, field: str) -> None:
    with site.client() as client:
        answer = client.get(f"{API}/registers/shopfronts/entries?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_who_does_not_inspect_sees_personal_fields_masked_and_cannot_search_them(
    site: Site,
) -> None:
    seen = get(site, f"/register-entries/{SHORT}")
    assert seen["entry"]["values"]["owner"] == "王小明"
    assert seen["offences"] == []
    masked = get(site, f"/register-entries/{SHORT}", Role.LEADER)
    assert masked["entry"]["values"]["owner"] == "王**"
    assert masked["entry"]["values"]["phone"] == "138******00"
    assert masked["entry"]["masked"] == ["owner", "phone"]
    assert (masked["offences"], masked["may_inspect"]) == (None, False)
    assert get(site, "/registers/shopfronts/entries?q=王小明", Role.LEADER)["items"] == []


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_roles_read_and_inspect_as_far_as_they_may(site: Site, role: Role) -> None:
    with site.client(role) as client:
        read = client.get(f"{API}/registers")
        inspected = client.post(f"{API}/register-entries/{SHORT}/inspections", json={"answers": {}})
    assert read.status_code == (200 if role in READERS else 403)
    assert inspected.status_code == (422 if role in INSPECTORS else 403)


def test_an_inspection_that_fails_is_a_case_once_and_an_offence(site: Site) -> None:
    answers = {**OK, "clean": "fail"}
    with site.client(Role.SQUAD_LEADER) as client:
        url = f"{API}/register-entries/{SHORT}/inspections"
        key = {"Idempotency-Key": "inspection-1"}
        first = client.post(url, json={"answers": answers, "note": "门口有垃圾"}, headers=key)
        again = client.post(url, json={"answers": answers, "note": "门口有垃圾"}, headers=key)
        assert first.status_code == 201, first.text
        assert again.json() == first.json()
        done = first.json()
        assert (done["passed"], done["score"], done["earlier"]) == (False, 75, [])
        case = client.get(f"{API}/incidents/{done['incident_id']}").json()
        assert (case["number"], case["category"]) == (done["incident"], "04-05")
        assert "门口有垃圾" in case["description"]
        offences = client.post(f"{API}/offences", json={"party": "9146王"}).json()["items"]
        assert [(o["entry"], o["incident_id"]) for o in offences] == [("S-1", case["id"])]
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "JPEG")
        file = {"file": ("front.jpg", picture.getvalue(), "image/jpeg")}
        for stage, status in (("photo_before", 201), ("photo_after", 403)):
            sent = client.post(
                f"{API}/incidents/{case['id']}/evidence", data={"stage": stage}, files=file
            )
            assert sent.status_code == status, sent.text
    other = get(site, f"/register-entries/{short_code(DISTRICT, 'shopfronts', 'S-3')}")
    assert [o["entry"] for o in other["offences"]] == ["S-1"]
    entry = get(site, f"/register-entries/{SHORT}")
    assert (entry["inspections"][0]["incident"], entry["entry"]["passed"]) == (
        case["number"],
        False,
    )
    assert entry["history"][0]["kind"] == "register_entry.inspected"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"answers": {"clean": "ok"}}, "answers.trade"),
        ({"answers": {**OK, "clean": "so-so"}}, "answers.clean"),
        ({"answers": OK, "note": "x" * 2_001}, "note"),
        ({"answers": OK, "lon": 110.0}, "lon"),
        ({"answers": OK, "colour": "red"}, "colour"),
    ],
)
def test_a_bad_inspection_names_the_field_and_writes_nothing(
    site: Site, body: dict[str, Any], field: str
) -> None:
    before = site.last_seq()
    with site.client(Role.CHECKER) as client:
        answer = client.post(f"{API}/register-entries/{SHORT}/inspections", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert site.last_seq() == before


def test_a_draw_is_told_with_its_seed_and_comes_out_again(site: Site) -> None:
    body = {
        "objects": 2,
        "each": 1,
        "seed": "2026-12",
        "why": "双随机",
        "inspectors": ["dispatcher"],
    }
    with site.client(Role.DISPATCHER) as client:
        made = client.post(f"{API}/registers/shopfronts/draws", json=body)
        assert made.status_code == 201, made.text
        number = made.json()["id"]
        listed = client.get(f"{API}/registers/shopfronts/draws").json()["items"]
        assert [(d["id"], d["seed"], d["population"]) for d in listed] == [(number, "2026-12", 3)]
        verified = client.get(f"{API}/register-draws/{number}/verification").json()
        assert verified == {"draw_id": number, "same": True, "problem": ""}
        refused = client.post(f"{API}/registers/shopfronts/draws", json={**body, "objects": 4})
        assert (refused.status_code, refused.json()["field"]) == (422, "objects")
    with site.client(Role.CHECKER) as client:
        assert client.post(f"{API}/registers/shopfronts/draws", json=body).status_code == 403


def test_a_label_has_a_code_and_nothing_personal(site: Site) -> None:
    with site.client(Role.CHECKER) as client:
        answer = client.get(f"{API}/register-entries/{SHORT}/label")
        scanned = client.get(f"/r/{SHORT}")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    root = ET.fromstring(answer.text)
    assert root.get("width") == "60mm"
    texts = "".join(root.itertext())
    assert SHORT in texts
    assert "S-1" in texts
    assert "号店" not in texts
    assert scanned.headers["Location"] == f"/registers?entry={SHORT}"
    with site.client(None) as nobody:
        sent = nobody.get(f"/r/{SHORT}", headers={"Accept": "text/html"})
        assert (sent.status_code, sent.headers["Location"]) == (302, f"/login?next=/r/{SHORT}")


def test_what_is_not_there_is_not_found(site: Site) -> None:
    with site.client() as client:
        for path in (
            "/registers/boats",
            "/register-entries/nothing",
            "/registers/boats/entries",
            "/register-draws/999/verification",
            "/register-entries/nothing/label",
        ):
            assert client.get(API + path).status_code == 404, path


def test_answers_fit_their_description(site: Site) -> None:
    with site.client(None) as client:
        document = client.get(f"{API}/openapi.json").json()
    for path, described in (
        ("/registers", "/registers"),
        ("/registers/shopfronts", "/registers/{code}"),
        ("/registers/shopfronts/entries", "/registers/{code}/entries"),
        ("/registers/shopfronts/draws", "/registers/{code}/draws"),
        (f"/register-entries/{SHORT}", "/register-entries/{short}"),
    ):
        answers = document["paths"][described]["get"]["responses"]["200"]["content"]
        schema = answers["application/json"]["schema"]
        jsonschema.validate(get(site, path), {**schema, "components": document["components"]})


def post(site: Site, path: str, body: dict[str, Any], role: Role = Role.DISPATCHER) -> Any:
    with site.client(role) as client:
        return client.post(API + path, json=body)


def test_an_entry_is_kept_on_its_page_with_who_and_why(site: Site) -> None:
    cells = {"code": "S-9", "name": "九号店", "owner": "赵九", "lon": "110.36", "lat": "20.0"}
    path = "/registers/shopfronts/entries"
    new = {"cells": cells, "why": "opened"}
    assert post(site, path, new, Role.CHECKER).status_code == 403
    for wrong, field in (
        ({"lon": "1", "lat": "1"}, "cells.lon, lat"),
        ({"credit": "Z"}, "cells.credit"),
        ({"phone": "none"}, "cells.phone"),
        ({"colour": "red"}, "cells.colour"),
        ({"code": "S-1"}, "cells.code"),
        ({"name": ""}, "cells.name"),
    ):
        refused = post(site, path, {**new, "cells": {**cells, **wrong}})
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert post(site, path, {**new, "why": " "}).json()["field"] == "why"
    made = post(site, path, new)
    assert made.status_code == 201, made.text
    entry = made.json()
    one = f"/register-entries/{entry['short']}"
    other = {"version": entry["version"], "cells": {**cells, "owner": "钱十"}, "why": "sold"}
    changed = post(site, f"{one}/change", other).json()
    assert changed["values"]["owner"] == "钱十"
    assert post(site, f"{one}/change", other).status_code == 409
    gone = {"version": changed["version"], "why": "closed"}
    assert post(site, f"{one}/retire", gone).json()["retired"]
    told = get(site, one)["history"]
    kinds = [(item["kind"].partition(".")[2], item["why"], item["fields"]) for item in told]
    assert kinds[:2] == [("retired", "closed", []), ("changed", "sold", ["owner"])]
    assert kinds[2][:2] == ("added", "opened")
    rows = site.sql("SELECT payload::text FROM event WHERE kind LIKE 'register_entry.%%'")
    assert not [text for (text,) in rows if "赵九" in text or "钱十" in text]


def test_who_is_related_to_an_entry_is_not_drawn_for_it(site: Site) -> None:
    one = f"/register-entries/{SHORT}"
    me = {"person": Role.DISPATCHER.value, "why": "my brother's shop"}
    assert post(site, f"{one}/recusals", {**me, "person": "nobody"}).json()["field"] == "person"
    assert post(site, f"{one}/recusals", me, Role.CHECKER).status_code == 403
    (recusal,) = post(site, f"{one}/recusals", me).json()["items"]
    assert (recusal["person"], recusal["why"]) == (me["person"], me["why"])
    asked = {
        "objects": 3,
        "each": 1,
        "seed": "7",
        "why": "monthly",
        "inspectors": [Role.DISPATCHER.value, Role.VIEWER.value],
    }
    drawn = post(site, "/registers/shopfronts/draws", asked).json()
    assert drawn["recused"] == [["S-1", ["dispatcher"]]]
    assert dict(drawn["result"])["S-1"] == ["viewer"]
    again = get(site, f"/register-draws/{drawn['id']}/verification")
    assert again["same"], again
    both = post(site, "/registers/shopfronts/draws", {**asked, "each": 2})
    assert (both.status_code, both.json()["field"]) == (422, "each")
    assert post(site, f"{one}/recusals", {**me, "related": False}).json()["items"] == []


def test_labels_come_by_the_sheet_and_say_nothing_personal(site: Site) -> None:
    with site.client(Role.CHECKER) as client:
        page = client.get(f"{API}/registers/shopfronts/labels")
        rest = client.get(f"{API}/registers/shopfronts/labels?after=S-2")
    assert (page.text.count("<article>"), page.text.count("<section>")) == (3, 1)
    assert (rest.text.count("<article>"), "S-3" in rest.text) == (1, True)
    assert "王小明" not in page.text
    assert "script" not in page.text


def test_a_whole_list_is_planned_and_put_in_force_as_a_part_of_the_settings(site: Site) -> None:
    part = f"{API}/settings/register-shopfronts"
    with site.client(Role.LEADER) as client:
        assert client.get(part).status_code == 403
    with site.client(Role.ADMIN) as client:
        file = client.get(f"{part}/file").content
        same = client.post(f"{part}/upload", files={"file": ("t", file)}).json()
        assert same["changes"] == same["faults"] == []
        more = file.decode().rstrip() + "\n" + file.decode().splitlines()[1].replace("S-1", "S-77")
        plan = client.post(f"{part}/upload", files={"file": ("t", more.encode())}).json()
        assert [(c["what"], c["how"], c["count"]) for c in plan["changes"]] == [
            ("register_entry", "added", 1)
        ]
        body = {name: plan[name] for name in ("content", "digest", "seq")} | {"why": "the list"}
        assert client.post(f"{part}/apply", json=body).status_code == 200
    assert get(site, "/registers/shopfronts/entries?q=S-77")["items"]
